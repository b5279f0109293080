"""Signers of modules other than SoftHSM keep what the module needs, and the keeper gives it up all the same."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_secrets_stay import KeeperLike, wait_gone
from verify_raw import check_raw

from hsmpub.hsm.child import start_with
from hsmpub.hsm.pool import Signers
from hsmpub.hsm.rules import HsmFailed, SignerLost, TokenGone
from hsmpub.hsm.start import Spawner, start_child

if TYPE_CHECKING:
    from conftest import Pools, Token
    from faulty import Faults

DIGEST = hashlib.sha256(b"artifact").digest()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Stands for an HSM in the network: a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


@pytest.fixture
def networked(faulty: Token, faults: Faults, listener: socket.socket) -> Token:
    """A module that opens a connection before it does anything; for the package it is none of SoftHSM's."""
    faults.are(connect=listener.getsockname()[1])
    variables = (("SOFTHSM2_CONF", faulty.hsm.softhsm_conf),)
    return replace(faulty, hsm=replace(faulty.hsm, softhsm_conf="", network=True, environment=variables))


@pytest.fixture
def spawner(networked: Token) -> Iterator[Spawner]:
    made = Spawner.start(networked.hsm)
    start_with(made)
    yield made
    start_with(start_child)
    made.close()


def greetings(listener: socket.socket) -> int:
    """How many have connected so far."""
    listener.setblocking(False)
    count = 0
    while True:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return count
        with connection:
            count += 1


def test_a_keeper_without_network_has_signers_with_it(networked: Token, listener: socket.socket) -> None:
    keeper = KeeperLike(networked)
    assert set(keeper.report["test"].values()) == {"ok"}
    assert greetings(listener) == 2
    status = Path(f"/proc/{keeper.process.pid}/status").read_text()
    assert "Seccomp:\t2" in status
    assert keeper.end() == 0
    for pid in keeper.report["pids"]:
        wait_gone(pid)


def test_signers_of_the_spawner_end_with_the_keeper(networked: Token) -> None:
    keeper = KeeperLike(networked)
    keeper.process.kill()
    with keeper.process:
        keeper.process.wait(timeout=30)
    for pid in keeper.report["pids"]:
        wait_gone(pid)


def test_without_the_word_network_no_connection_is_opened(networked: Token, listener: socket.socket) -> None:
    without = replace(networked, hsm=replace(networked.hsm, network=False))
    made = Spawner.start(without.hsm)
    start_with(made)
    try:
        with pytest.raises((HsmFailed, TokenGone)):
            asyncio.run(Signers.start(without.hsm, without.keys, without.page(), workers=1, on_alarm=print))
    finally:
        start_with(start_child)
        made.close()
    assert greetings(listener) == 0


def test_a_hanging_signer_of_the_spawner_is_killed_and_replaced(
    networked: Token, spawner: Spawner, faults: Faults, listener: socket.socket, pools: Pools,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("hsmpub.hsm.crew._SILENT_SECONDS", 0.4)
    port = listener.getsockname()[1]

    async def body(pool: Signers) -> None:
        (pid,) = pool.pids
        faults.are(connect=port, sign_sleep=60_000)
        with pytest.raises(SignerLost):
            await pool.sign("release", [DIGEST])
        wait_gone(pid)
        faults.are(connect=port)
        await pool.whole()
        check_raw(networked.keys[0], (await pool.sign("release", [DIGEST]))[0], b"artifact")

    pools.run(networked, body, workers=1)


def test_the_spawner_starts_nothing_for_another_module(networked: Token, spawner: Spawner) -> None:
    """A keeper gone bad could otherwise have its own library loaded outside its sandbox."""
    other = replace(networked.hsm, module=str(networked.home / "other.so"))
    with pytest.raises(HsmFailed, match="another HSM"):
        asyncio.run(Signers.start(other, networked.keys, networked.page(), workers=1, on_alarm=print))


def test_the_spawner_starts_signers_and_vaults_only(networked: Token, spawner: Spawner) -> None:
    leash, theirs = socket.socketpair()
    with leash, theirs:
        handles = [theirs.fileno(), theirs.fileno()]
        socket.send_fds(spawner._control, [b"hsmpub.hsm.chore"], handles)
        theirs.close()
        leash.settimeout(30)
        assert leash.recv(4) == b""


def test_a_spawner_that_is_gone_is_named(networked: Token) -> None:
    made = Spawner.start(networked.hsm)
    os.kill(made.pid, 9)
    wait_gone(made.pid)
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(HsmFailed):
        made("hsmpub.hsm.worker", networked.hsm, theirs)
    made.close()


def test_a_spawner_outlives_an_exec_of_its_keeper(networked: Token, listener: socket.socket) -> None:
    keeper = KeeperLike(networked, exec_first=True)
    assert set(keeper.report["test"].values()) == {"ok"}
    assert greetings(listener) == 2
    assert keeper.end() == 0
    for pid in keeper.report["pids"]:
        wait_gone(pid)
