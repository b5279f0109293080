"""I6 and hostile files: what was approved is what is signed; nothing is too small, too large or too oddly named for a
clear answer."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.demo.world import World
from hsmpub.client.client import Client
from hsmpub.errors import Refused
from hsmpub.model.submission import FileRef
from hsmpub.wire import messages as m
from tests.service import processes
from tests.service.hands import approve, ask_release, at_the_keeper, client_of, wait_for
from tests.service.jobs import NIGHTLY, RELEASE, Front, store

MIB = 1 << 20


@pytest.fixture
def ci(service: World) -> Iterator[Client]:
    with client_of(service, **NIGHTLY) as client:
        yield client


def test_a_file_of_0_bytes_is_uploaded_signed_and_verified(service: World, tmp_path: Path) -> None:
    empty = tmp_path / "empty.bin"
    empty.touch()
    service.hsmpub("sign", empty, "--project", "nightly", "--format", "sshsig", "--upload", env=service.ci(**NIGHTLY))
    receipt = Path(f"{empty}.receipt.json")
    service.stage.run(service.stage.bin / "hsmpub", "verify", receipt, empty, f"{empty}.sig", "--trust", service.trust)
    assert (service.home / "artifacts" / "e3" / hashlib.sha256().hexdigest()).stat().st_size == 0


def test_a_release_with_a_file_of_0_bytes_is_signed(service: World) -> None:
    async def scenario(front: Front) -> m.RequestView:
        files = store(service.home, "empty.txt", b""), store(service.home, "x.whl", b"content")
        view = await ask_release(service, front, "91.1", *files, project="hsmpub")
        await approve(service, front, view, (service.people.manager, service.people.lead))
        return view

    wait_for(service, at_the_keeper(service, scenario).request, "signed")


HOSTILE = ["../evil", "/etc/passwd", "a/b", "..", ".hidden", "-rf", "a\nb", "a\x00b", "a\x1b[2Jb", "a b", "", "x" * 201,
           "evil\u202egnp.exe", "ünicode", "a\\b", "con:", "$(id)", "*"]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_refuses_a_hostile_name_over_http(name: str, service: World, ci: Client) -> None:
    reference = FileRef(name, hashlib.sha256().hexdigest(), 0)
    with client_of(service, **RELEASE) as job, pytest.raises(Refused) as release:
        job.submit_release("hsmpub", "91.2", "c" * 40, [reference])
    with pytest.raises(Refused) as routine:
        ci.sign("nightly", ["sshsig"], files=[reference])
    assert release.value.rule == routine.value.rule == "hostile-name"
    assert name not in release.value.detail or name.isprintable()


def test_the_commands_refuse_a_hostile_name_in_one_harmless_line(service: World, tmp_path: Path) -> None:
    bad = tmp_path / "evil\x1b[2J\nname.txt"
    bad.write_bytes(b"x")
    for extra in ((), ("--upload",)):
        said = service.hsmpub_refused(
            "sign", bad, "--project", "nightly", "--format", "sshsig", *extra, env=service.ci(**NIGHTLY)
        )
        assert "\x1b" not in said
        assert "not a plain base name" in said
    assert list(tmp_path.iterdir()) == [bad]


def test_digests_as_paths_over_http_leave_the_store(service: World) -> None:
    assert service.service is not None
    with httpx.Client(base_url=service.service.url, trust_env=False) as client:
        for path in ("..%2f..%2fkeeper%2fidentity.key", "A" * 64, "0" * 63, "%00" * 64):
            answer = client.get(f"/v1/artifacts/{path}")
            assert answer.status_code in (400, 404)
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("size", [
    256 * MIB,
    pytest.param(5 << 30, marks=[
        pytest.mark.skipif("HSMPUB_SLOW" not in os.environ, reason="5 GiB take minutes: set HSMPUB_SLOW=1"),
        pytest.mark.timeout(1800),
    ]),
])  # fmt: skip
def test_a_large_upload_is_hashed_and_signed_in_constant_memory(
    size: int, service: World, ci: Client, tmp_path: Path
) -> None:
    large = tmp_path / f"large-{size}.img"
    with large.open("wb") as file:
        file.truncate(size)
    roles = {role: processes.one(service, role) for role in ("front", "keeper")}
    for pid in roles.values():
        processes.forget_memory_peak(pid)
    before = {role: processes.memory_peak(pid) for role, pid in roles.items()}
    reference = ci.upload(large)
    stored = service.home / "artifacts" / reference.sha256[:2] / reference.sha256
    try:
        [made] = ci.sign("nightly", ["sshsig"], files=[reference]).made
        assert made.output
        assert (reference.size, stored.stat().st_size) == (size, size)
        grown = {role: processes.memory_peak(pid) - before[role] for role, pid in roles.items()}
        assert max(grown.values()) < 48 * MIB, grown
    finally:
        stored.unlink()
        large.unlink()


def test_a_file_that_vanished_from_the_store_is_named_and_signed_when_it_is_back(service: World) -> None:
    async def submit(front: Front) -> m.RequestView:
        view = await ask_release(service, front, "91.3", file, project="hsmpub")
        path.rename(away)
        await approve(service, front, view, (service.people.manager, service.people.lead))
        return view

    file = store(service.home, "gone.whl", b"soon gone")
    path = service.home / "artifacts" / file.sha256[:2] / file.sha256
    away = path.with_suffix(".away")
    view = at_the_keeper(service, submit)
    held = wait_for(service, view.request, "approved")
    for _ in range(100):
        held = wait_for(service, view.request, "approved")
        if held.why:
            break
    assert "gone" in held.why
    away.rename(path)
    wait_for(service, view.request, "signed")
