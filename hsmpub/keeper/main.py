"""Process main of the keeper: `main(home)`. Started by `hsmpub serve` or by systemd, always sealed.

python -I -S … hsmpub.keeper.main HOME [--courier-token-fd N]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.config import Config, KeeperSection, load_config
from hsmpub.errors import Conflict, HsmpubError, Invalid
from hsmpub.home import Home
from hsmpub.hsm.child import start_outside_sandbox
from hsmpub.hsm.configured import hsm_of
from hsmpub.keeper.service import Keeper, KeeperParts
from hsmpub.logs import log_to_stderr
from hsmpub.model.trust import load_trust
from hsmpub.sandbox import harden
from hsmpub.shares.record import load_recovery_record, load_unseal_record
from hsmpub.tlog.log import Log
from hsmpub.wire import messages as m
from hsmpub.wire.server import ChannelServer

log = logging.getLogger("hsmpub.keeper")

SWITCH_SECONDS = 0.0005


class CeremonyNotEnded(Conflict):
    advice = "Run 'hsmpub-ceremony resume': it goes on, or leaves everything as it was; then start the keeper."


class ChannelsNotSeparate(Invalid):
    advice = "Give front and courier uids of their own in config.toml, or start them with 'hsmpub serve'."


def main() -> None:
    """Runs until SIGTERM or SIGINT. Exit status 1: it may not start, and says why in one line."""
    parser = argparse.ArgumentParser(prog="hsmpub-keeper")
    parser.add_argument("home", type=Path)
    parser.add_argument("--courier-token-fd", type=int, default=-1)
    options = parser.parse_args()
    log_to_stderr("keeper")
    # The log's writer thread needs a short turn after each sync: the default of 5 ms would make every commit wait.
    sys.setswitchinterval(SWITCH_SECONDS)
    token = _read_token(options.courier_token_fd)
    try:
        home = Home(options.home.resolve())
        config = load_config(home)
        with contextlib.suppress(OSError):  # a home of an earlier version; without it a drill leaves no evidence
            home.ceremonies.mkdir(mode=0o755, exist_ok=True)
        # Before the event loop is made: it takes what the kernel refuses now as absent, and does without.
        start_outside_sandbox(hsm_of(home, config))
        protections = harden("keeper", read=_readable(home, config.hsm.module), write=_writable(home))
        uvloop.run(serve(home, config, protections, token))
    except HsmpubError as error:
        log.critical("%s", error, extra={"rule": error.rule})
        sys.exit(1)


async def serve(home: Home, config: Config, protections: dict[str, str], token: bytes) -> None:
    """Opens and checks the log, then answers both channels until it is told to stop."""
    trust = load_trust(home.trust.read_bytes())
    opened = Log.open(home.log, home.log_head, log_key=trust.log_key)  # its lock keeps ceremonies away from here on
    if home.ceremony_journal.exists():
        raise CeremonyNotEnded("A ceremony was interrupted in this home.")
    keeper = Keeper(
        KeeperParts(
            home=home,
            log=opened,
            record=load_unseal_record(home.unseal_record.read_bytes()),
            recovery=load_recovery_record(home.recovery_record.read_bytes()),
            hsm=hsm_of(home, config),
            identity=Ed25519PrivateKey.from_private_bytes(home.identity_key.read_bytes()),
            workers=config.hsm.workers or os.cpu_count() or 1,
            protections=protections,
        )
    )
    front, courier = _channels(home, config.keeper, keeper, token)
    gc.freeze()  # modules and the state of the log stay; collections need not walk them
    await front.start()
    await courier.start()
    sweep = asyncio.get_running_loop().create_task(keeper.sweep())
    log.info("keeper is up, sealed; %d entries in the log", keeper.book.log.size)
    await _told_to_stop()
    sweep.cancel()
    await front.close()
    await courier.close()
    await keeper.close()


def _channels(home: Home, section: KeeperSection, keeper: Keeper, token: bytes) -> tuple[ChannelServer, ChannelServer]:
    """Both sockets. The front must not be able to speak as the courier: by uid, or by the token.

    Raises:
        ChannelsNotSeparate.
    """
    front_uids = section.front_uids or (os.getuid(),)
    courier_uids = section.courier_uids or (os.getuid(),)
    if not token and set(front_uids) & set(courier_uids):
        raise ChannelsNotSeparate("The front could speak as the courier: they share a uid and there is no token.")
    front = ChannelServer(home.front_socket, m.FrontCall, m.FrontAnswer, keeper.front, uids=front_uids)
    courier = ChannelServer(
        home.courier_socket, m.CourierCall, m.CourierAnswer, keeper.courier, uids=courier_uids, token=token
    )
    return front, courier


def _read_token(fd: int) -> bytes:
    """The courier channel's token, from a pipe that only the keeper and the courier inherit."""
    if fd < 0:
        return b""
    try:
        return os.read(fd, 32)
    finally:
        os.close(fd)


def _readable(home: Home, module: str) -> list[str]:
    return [str(home.config), str(home.trust), str(home.artifacts), module]


def _writable(home: Home) -> list[str]:
    return [str(home.keeper), str(home.log.parent), str(home.run), str(home.ceremonies)]


async def _told_to_stop() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


if __name__ == "__main__":
    main()
