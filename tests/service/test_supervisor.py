"""`hsmpub serve`: what dies is started again or takes everything with it; what is upgraded alone seals nobody."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx

from deploy.demo.world import World
from hsmpub.wire import messages as m
from tests.service import processes
from tests.service.hands import at_the_keeper, eventually, restart, unseal


def state_of(world: World) -> str:
    reply = at_the_keeper(world, lambda front: front.call(m.GetStatus()))
    assert isinstance(reply, m.StatusReply)
    return reply.state


def test_a_killed_front_comes_back_and_the_keeper_stays_unsealed(publishing: World) -> None:
    unseal(publishing)
    keeper, front = processes.one(publishing, "keeper"), processes.one(publishing, "front")
    processes.kill([front])
    assert state_of(publishing) == "unsealed"
    assert publishing.service is not None
    url = f"{publishing.service.url}/healthz"
    assert httpx.get(url, trust_env=False, timeout=60).status_code == 200  # the supervisor held the port meanwhile
    assert processes.one(publishing, "keeper") == keeper
    assert processes.one(publishing, "front") != front


def test_a_killed_courier_comes_back_and_the_keeper_stays_unsealed(publishing: World) -> None:
    unseal(publishing)
    keeper, courier = processes.one(publishing, "keeper"), processes.one(publishing, "courier")
    processes.kill([courier])
    eventually(lambda: processes.of(publishing, "courier") not in ([], [courier]), "no courier came up")
    assert (state_of(publishing), processes.one(publishing, "keeper")) == ("unsealed", keeper)


def test_a_killed_worker_is_replaced_without_a_restart(publishing: World) -> None:
    unseal(publishing)
    keeper, workers = processes.one(publishing, "keeper"), processes.of(publishing, "worker")
    processes.kill(workers)
    assert publishing.service is not None
    url = f"{publishing.service.url}/readyz"
    eventually(lambda: httpx.get(url, trust_env=False, timeout=60).status_code == 200, "it did not heal")
    assert not set(processes.of(publishing, "worker")) & set(workers)
    assert (state_of(publishing), processes.one(publishing, "keeper")) == ("unsealed", keeper)


def test_a_killed_supervisor_leaves_no_process_behind(publishing: World) -> None:
    unseal(publishing)
    everything = processes.everything(publishing)
    assert len(everything) >= 5
    with ExitStack() as stack:
        watches = [os.pidfd_open(pid) for pid in everything]
        for watch in watches:
            stack.callback(os.close, watch)
        signal.pidfd_send_signal(watches[0], signal.SIGKILL)
        processes.wait_for(watches)
    restart(publishing)
    unseal(publishing)


def test_a_port_that_is_taken_is_said_in_one_sentence(publishing: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = publishing.hsmpub_refused("serve", "--home", publishing.home, "--listen", f"127.0.0.1:{port}")
    assert f"127.0.0.1:{port}" in said
    assert "Traceback" not in said
    assert "--listen" in said


def test_a_second_service_on_the_same_home_is_refused_and_the_first_goes_on(publishing: World) -> None:
    unseal(publishing)
    assert publishing.service is not None
    said = publishing.hsmpub_refused("serve", "--home", publishing.home, "--listen", "127.0.0.1:0")
    assert "Traceback" not in said
    assert str(publishing.home) in said
    assert state_of(publishing) == "unsealed"
    assert urlsplit(publishing.service.url).port
