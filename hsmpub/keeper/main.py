"""Process main of the keeper: `main(home)`. Started by `hsmpub serve` or by systemd, always sealed.

python -I -S … hsmpub.keeper.main HOME [--courier-token-fd N]

SIGTERM and SIGINT end it. SIGHUP has it go on in the code that lies there now, unsealed if a quorum of holders
permitted that (hsmpub.keeper.upgrading), by an exec of itself with --resume-fd and --generation.
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
from dataclasses import dataclass
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.config import Config, load_config
from hsmpub.errors import Conflict, HsmpubError
from hsmpub.home import Home
from hsmpub.hsm.child import start_outside_sandbox
from hsmpub.hsm.configured import hsm_of
from hsmpub.keeper.channels import open_channels, read_token
from hsmpub.keeper.parts import KeeperParts
from hsmpub.keeper.service import Keeper
from hsmpub.keeper.upgrading import token_pipe
from hsmpub.logs import log_to_stderr
from hsmpub.model.trust import load_trust
from hsmpub.sandbox import harden
from hsmpub.shares.pending import load_pending
from hsmpub.shares.record_file import load_recovery_record, load_unseal_record
from hsmpub.tlog.log import Log

log = logging.getLogger("hsmpub.keeper")

SWITCH_SECONDS = 0.0005
#: So many objects more than before, and garbage is looked for. By default it is 700, and requests that are under way
#: have as many: they were walked for every twenty signatures, a twentieth of the time.
GARBAGE = 20_000


class CeremonyNotEnded(Conflict):
    advice = "Run 'hsmpub-ceremony resume': it goes on, or leaves everything as it was; then start the keeper."


def main() -> None:
    """Runs until SIGTERM or SIGINT. Exit status 1: it may not start, and says why in one line."""
    parser = argparse.ArgumentParser(prog="hsmpub-keeper")
    parser.add_argument("home", type=Path)
    parser.add_argument("--courier-token-fd", type=int, default=-1)
    parser.add_argument("--resume-fd", type=int, default=-1)
    parser.add_argument("--generation", type=int, default=0)
    parser.add_argument("--try", dest="only_try", action="store_true", help="come up as far as needs no log, and end")
    options = parser.parse_args()
    log_to_stderr("keeper")
    # Files are taken in by threads; by default one could hold up everybody's answers for 5 ms at a time.
    sys.setswitchinterval(SWITCH_SECONDS)
    token = read_token(options.courier_token_fd)
    try:
        home = Home(options.home.resolve())
        config = load_config(home)
        if options.only_try:
            load_trust(home.trust.read_bytes())
            return
        with contextlib.suppress(OSError):  # a home of an earlier version, or under systemd, where the folder is there
            home.ceremonies.mkdir(mode=0o755, exist_ok=True)
        # Before the event loop is made: it takes what the kernel refuses now as absent, and does without.
        start_outside_sandbox(hsm_of(home, config))
        protections = harden("keeper", read=_readable(home, config.hsm.module), write=_writable(home))
        inherited = Inherited(token, options.resume_fd, options.generation)
        following = uvloop.run(serve(home, config, protections, inherited))
        if following:
            _become(following)
    except HsmpubError as error:
        log.critical("%s", error, extra={"rule": error.rule})
        sys.exit(1)


def _become(command: list[str]) -> None:
    """This process goes on as another program; where it cannot, it ends, and what it had goes with it."""
    try:
        os.execv(command[0], command)  # noqa: S606 - the same program, in the code that lies there now
    except OSError as error:
        log.critical("the new program cannot be run: %s", error.strerror)
        sys.exit(1)


@dataclass(frozen=True)
class Inherited:
    """What the keeper gets from whoever started it. token: of the courier's channel, or empty.

    resume_fd, generation: from the program that this process was before (hsmpub.keeper.upgrading).
    """

    token: bytes
    resume_fd: int = -1
    generation: int = 0


async def serve(home: Home, config: Config, protections: dict[str, str], inherited: Inherited) -> list[str]:
    """Opens and checks the log, then answers both channels until it is told to stop.

    Returns:
        The command that this process is to turn into now; empty: it is to end.
    """
    trust = load_trust(home.trust.read_bytes())
    # its lock keeps ceremonies away from here on
    opened = Log.open(home.log, home.log_head, log_key=trust.log_key, apart=True)
    if home.ceremony_journal.exists():
        opened.close()
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
            generation=inherited.generation,
            pending=load_pending(home.pending_sets.read_bytes()) if home.pending_sets.exists() else None,
        )
    )
    if inherited.resume_fd >= 0:
        await keeper.upgrading.resume(inherited.resume_fd)
    front, courier = open_channels(home, config.keeper, keeper, inherited.token)
    gc.freeze()  # modules and the state of the log stay; collections need not walk them
    gc.set_threshold(GARBAGE)
    await front.start()
    await courier.start()
    loop = asyncio.get_running_loop()
    behind = [loop.create_task(keeper.sweep()), loop.create_task(keeper.watching.run())]
    state = "unsealed" if keeper.unsealing.is_unsealed else "sealed"
    log.info("keeper is up, %s; %d entries in the log", state, keeper.book.log.size)
    following = await _until_told(keeper, inherited.token)
    for task in behind:
        task.cancel()
    await front.close()
    await courier.close()
    await keeper.close()
    return following


def _readable(home: Home, module: str) -> list[str]:
    return [str(home.config), str(home.trust), str(home.artifacts), module]


def _writable(home: Home) -> list[str]:
    return [str(home.keeper), str(home.log.parent), str(home.run), str(home.ceremonies)]


async def _until_told(keeper: Keeper, token: bytes) -> list[str]:
    """Returns when it is to end, or to go on in other code: then with the command for that."""
    told: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, told.put_nowait, int(number))
    while await told.get() == signal.SIGHUP:
        try:
            await keeper.upgrading.check()
            return keeper.upgrading.hand_over(token_pipe(token))
        except HsmpubError as error:
            log.warning("it goes on as it is: %s", error.detail, extra={"rule": error.rule})
    return []


if __name__ == "__main__":
    main()
