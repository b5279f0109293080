"""Uploads: hashed by the service, as a whole or not at all, and never in memory."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from running import Running, running

from hsmpub.client.client import Client
from hsmpub.client.session import CiSession
from hsmpub.client.upload import FileChanged, refer_to
from hsmpub.errors import Refused
from hsmpub.model.trust import Trust


class Source:
    def token(self, audience: str) -> str:
        return "header.claims.signature"


@pytest.fixture
def client(front: Running) -> Iterator[Client]:
    with Client(front.url, Trust("hsmpub-test", "log-key", front.keeper.keeper_key, ())) as client:
        client.open_session(Source())
        yield client


@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_001])
def test_stores_a_file_under_its_digest(front: Running, client: Client, tmp_path: Path, size: int) -> None:
    file = tmp_path / "sdk-1.0.whl"
    file.write_bytes(os.urandom(size))
    told: list[int] = []
    reference = client.upload(file, progress=told.append)
    assert (reference.size, sum(told)) == (size, size)
    stored = front.home.artifacts / reference.sha256[:2] / reference.sha256
    assert stored.read_bytes() == file.read_bytes()
    answer = httpx.get(f"{front.url}/v1/artifacts/{reference.sha256}", trust_env=False)
    assert answer.content == file.read_bytes()


def test_sends_nothing_that_is_there_already(front: Running, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "twice.bin"
    file.write_bytes(os.urandom(100_000))
    digest = client.upload(file).sha256
    stored = front.home.artifacts / digest[:2] / digest
    before = stored.stat().st_ino
    client.upload(file)
    assert stored.stat().st_ino == before  # a second upload would have put a new file in its place


def test_keeps_nothing_of_a_file_that_differs_from_its_announced_digest(front: Running, client: Client) -> None:
    headers = {"hsmpub-session": client.session.id, "hsmpub-sha256": "ab" * 32}
    with pytest.raises(Refused) as refused:
        client.http.raw("PUT", "/v1/artifacts", content=b"other bytes", headers=headers)
    assert refused.value.rule == "artifact-differs"
    assert not list(front.home.artifacts.glob(".incoming*"))
    assert not (front.home.artifacts / "ab" / ("ab" * 32)).exists()


def test_a_file_that_changes_while_it_is_sent_is_refused(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "moving.bin"
    file.write_bytes(b"first")
    reference = refer_to(file)
    file.write_bytes(b"later")
    with pytest.raises(Refused) as refused:
        client.upload(file, reference=reference)
    assert refused.value.rule == "artifact-differs"
    file.write_bytes(b"less")
    with pytest.raises(FileChanged):
        client.upload(file, reference=reference)


def test_refuses_an_upload_without_a_session(client: Client) -> None:
    stranger = CiSession(b"never opened here", b"k" * 32, 0)
    with pytest.raises(Refused) as refused:
        client.http.raw("PUT", "/v1/artifacts", content=b"x", headers={"hsmpub-session": stranger.id})
    assert refused.value.rule == "session-unknown"


def test_refuses_more_than_the_cap_announced_or_not() -> None:
    with running(max_upload_bytes=1000) as front:
        with Client(front.url, Trust("hsmpub-test", "log-key", front.keeper.keeper_key, ())) as client:
            headers = {"hsmpub-session": client.open_session(Source()).id}
            with pytest.raises(Refused) as refused:
                client.http.raw("PUT", "/v1/artifacts", content=b"x" * 1001, headers=headers)
            assert refused.value.rule == "body-too-large"
            with pytest.raises(Refused) as refused:
                client.http.raw("PUT", "/v1/artifacts", content=iter([b"x" * 600] * 2), headers=headers)
            assert refused.value.rule == "artifact-too-large"
        assert not list(front.home.artifacts.glob("**/*.*"))


def test_refuses_one_upload_more_than_there_are_places() -> None:
    with (
        running(max_uploads=1) as front,
        Client(front.url, Trust("hsmpub-test", "log-key", front.keeper.keeper_key, ())) as client,
    ):
        session = client.open_session(Source()).id
        refused: list[str] = []

        def slowly() -> Iterator[bytes]:
            yield b"x" * 100_000
            with Client(front.url) as other, pytest.raises(Refused) as second:
                other.http.raw("PUT", "/v1/artifacts", content=b"y", headers={"hsmpub-session": session})
            refused.append(second.value.rule)
            yield b"z"

        client.http.raw("PUT", "/v1/artifacts", content=slowly(), headers={"hsmpub-session": session})
        assert refused == ["too-many-uploads"]
        client.http.raw("PUT", "/v1/artifacts", content=b"y", headers={"hsmpub-session": session})


def test_a_sender_that_hangs_up_leaves_nothing(front: Running, client: Client) -> None:
    host, port = front.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        head = f"PUT /v1/artifacts HTTP/1.1\r\nhost: x\r\nhsmpub-session: {client.session.id}\r\n"
        raw.sendall(head.encode() + b"content-length: 9000\r\n\r\n" + b"x" * 100)
    digest = hashlib.sha256(b"after").hexdigest()
    answer = client.http.raw("PUT", "/v1/artifacts", content=b"after", headers={"hsmpub-session": client.session.id})
    assert digest.encode() in answer
    front.settle()
    assert not list(front.home.artifacts.glob(".incoming*"))
