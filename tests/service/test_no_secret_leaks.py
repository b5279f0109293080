"""I3: no byte of a PIN, share or credential in any response, log line, database, core file, environment or argument
list. The test opens three shares itself, so it knows what to look for; it looks after a full run with real uploads."""

from __future__ import annotations

import base64
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.demo.world import World
from tests.courier.gate import Gate
from tests.service import processes
from tests.service.canaries import Canary, canaries_of, files, found_in
from tests.service.hands import start_release, unseal, wait_for


@pytest.fixture(scope="module")
def canaries(publishing: World) -> list[Canary]:
    """Known only now, when the service was unsealed, has sealed a credential, and has published with it."""
    unseal(publishing)
    view = start_release(publishing)
    wait_for(publishing, view.request, "published")
    return [*canaries_of(publishing), Canary("the credential", publishing.index_password)]


def test_the_search_finds_what_is_there(canaries: list[Canary], open_gate: Gate, tmp_path: Path) -> None:
    """Otherwise the tests below would show nothing. The credential did go to the index, as it has to."""
    credential = canaries[-1]
    sent = [("the index", headers["Authorization"].encode()) for _, _, headers in open_gate.seen
            if "Authorization" in headers]  # fmt: skip
    assert found_in(sent, [credential])
    (tmp_path / "x").write_bytes(b"..." + base64.b64encode(b"user:" + credential.secret))
    assert found_in(files(tmp_path), [credential])
    assert len({canary.secret for canary in canaries}) == len(canaries)


def test_no_secret_in_any_file_of_the_home_or_the_logs(publishing: World, canaries: list[Canary]) -> None:
    looked = dict(files(publishing.home))
    names = " ".join(looked)
    assert all(part in names for part in ("log.sqlite", "log.sqlite-wal", "courier/", "sealed/", "tokens/"))
    assert found_in(looked.items(), canaries) == []
    logs = [publishing.stage.root / name for name in ("service.log", "commands.log")]
    assert found_in([(str(log), log.read_bytes()) for log in logs], canaries) == []


def test_no_secret_in_any_response(publishing: World, canaries: list[Canary]) -> None:
    assert publishing.service is not None
    with httpx.Client(base_url=publishing.service.url, trust_env=False) as client:
        requests = client.get("/v1/requests", params={"open": 0}).json()["requests"]
        assert {"release", "credential"} <= {request["kind"] for request in requests}
        size = client.get("/v1/status").json()["log_size"]
        paths = ["/v1/status", "/healthz", "/readyz", "/metrics", "/v1/unseal", "/openapi.json", "/log/checkpoint",
                 f"/log/entries?start=0&end={size}", f"/log/tile/entries/000.p/{size}"]  # fmt: skip
        paths += [f"/v1/requests/{r['request']}{part}" for r in requests for part in ("", "/statement", "/receipt")]
        said = [(path, bytes(str(dict(answer.headers)), "utf-8") + answer.content)
                for path in paths for answer in [client.get(path)]]  # fmt: skip
        assert all(
            client.get(path).status_code == 200 for path in paths if "receipt" not in path and "unseal" not in path
        )
    assert found_in(said, canaries) == []


def test_no_secret_in_an_argument_list_or_environment(publishing: World, canaries: list[Canary]) -> None:
    pids = processes.everything(publishing)
    assert len(pids) >= 5  # supervisor, keeper, front, courier, and a worker at least
    looked = [(f"{name} of {pid}", processes.read(pid, name)) for pid in pids for name in ("cmdline", "environ")]
    assert any(data for _, data in looked)
    assert found_in(looked, canaries) == []


@pytest.mark.parametrize("role", ["keeper", "front", "courier"])
def test_no_share_and_no_credential_in_the_memory_of(role: str, publishing: World, canaries: list[Canary]) -> None:
    """As root sees it, who may read any process. The PIN is another matter: see the next test."""
    known = Canary("the home", str(publishing.home).encode())  # shows that the search sees what is there
    looked = [known, *(canary for canary in canaries if canary.name != "the PIN")]
    met = found_in(memory(processes.one(publishing, role), role), looked)
    assert set(met) == {f"the home in the memory of the {role}"}


def test_the_keeper_holds_the_pin_where_even_root_does_not_read_it(publishing: World, canaries: list[Canary]) -> None:
    """In a page that the kernel has dropped from its own map, where there is one (memfd_secret)."""
    if not _has_secret_memory():
        pytest.skip("this kernel has no secret memory: the PIN lies in a locked page, which root can read")
    assert found_in(memory(processes.one(publishing, "keeper"), "keeper"), canaries[:1]) == []


def _has_secret_memory() -> bool:
    from hsmpub.secret.page import SecretPage

    with SecretPage() as page:
        return page.protection == "memfd_secret"


def memory(pid: int, role: str) -> Iterator[tuple[str, bytes]]:
    looked = 0
    try:
        for piece in processes.readable_memory(pid):
            looked += len(piece)
            yield f"the memory of the {role}", piece
    except OSError as error:
        pytest.skip(f"this user may not read the memory of the {role}: {error.strerror}")
    if looked < 1 << 20:
        pytest.skip(f"this user may not read the memory of the {role}")


@pytest.mark.parametrize(("role", "number"), [("worker", signal.SIGSEGV), ("keeper", signal.SIGABRT)])
def test_a_crash_leaves_no_core_file(role: str, number: int, publishing: World) -> None:
    """The service's parents would allow one."""
    unseal(publishing)
    pid = processes.of(publishing, role)[0]
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
    places = (publishing.stage.root, publishing.home, Path.cwd(), Path("/var/lib/systemd/coredump"), Path("/var/crash"))
    before = {path for place in places for path in place.glob("*core*")}
    processes.kill([pid], number)
    unseal(publishing)
    assert {path for place in places for path in place.glob("*core*")} == before
