"""The index target against servers that are not as they should be; a real index is in tests/courier."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from raw_server import RawServer

from hsmpub.errors import HsmpubError
from hsmpub.targets.pinned import AnswerMalformed
from hsmpub.targets.pypi import PypiTarget
from hsmpub.targets.target import Item, SettingsMalformed

DATA = b"the bytes"
NAME = "sdk-1.0-py3-none-any.whl"
ITEM = Item(NAME, hashlib.sha256(DATA).hexdigest(), len(DATA), path=Path("/nonexistent"))
CREDENTIAL = bytearray(b"canary-credential")


def answer(body: bytes, status: str = "200 OK", kind: str = "text/html") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def target(upload: RawServer, index: RawServer) -> PypiTarget:
    settings = {"url": upload.url("/legacy/"), "index": index.url("/simple/"), "loopback": True}
    return PypiTarget(settings, timeout=5, lifetime=10)


def test_the_credential_is_never_sent_to_an_index_at_another_host() -> None:
    with RawServer(b"") as upload, RawServer(answer(b"no", "401 No")) as index:
        seen = target(upload, index).observe(ITEM, CREDENTIAL)
        assert (seen.state, seen.hidden) == ("unknown", True)
        assert b"uthorization" not in index.received[0]


def test_an_index_at_the_upload_host_may_be_read_with_the_credential() -> None:
    with RawServer(answer(b"no", "403 No")) as server:
        seen = target(server, server).observe(ITEM, CREDENTIAL)
        assert (seen.state, seen.hidden) == ("unknown", False)
        assert b"Authorization: Basic " in server.received[0]
        assert server.received[0].startswith(b"GET /simple/sdk/ HTTP/1.1\r\n")


@pytest.mark.parametrize(("stored", "state"), [(DATA, "same"), (b"other", "different")])
def test_a_file_that_is_listed_without_digest_is_downloaded_and_hashed(stored: bytes, state: str) -> None:
    with RawServer(answer(stored)) as files:
        page = f'<a href="{files.url(f"/{NAME}")}">{NAME}</a>'.encode()
        with RawServer(b"") as upload, RawServer(answer(page)) as index:
            seen = target(upload, index).observe(ITEM, CREDENTIAL)
        assert (seen.state, seen.observed) == (state, hashlib.sha256(stored).hexdigest())
        assert b"uthorization" not in files.received[0]


def test_a_file_behind_a_private_address_is_not_fetched() -> None:
    page = f'<a href="http://169.254.169.254/{NAME}">{NAME}</a>'.encode()
    with RawServer(answer(page)) as server, pytest.raises(HsmpubError, match="another address"):
        target(server, server).observe(ITEM)


def test_a_page_that_breaks_off_is_not_a_page_without_the_file() -> None:
    whole = answer(f'<a href="{NAME}#sha256={ITEM.sha256}">{NAME}</a>'.encode())
    with RawServer(whole[:-40]) as server, pytest.raises(AnswerMalformed):
        target(server, server).observe(ITEM)


@pytest.mark.parametrize("status", ["500 Oops", "503 Busy", "200 OK"])
def test_an_index_in_trouble_says_nothing_about_the_file(status: str) -> None:
    with RawServer(answer(b"{", status, "application/json")) as server:
        try:
            assert target(server, server).observe(ITEM).state == "unknown"
        except AnswerMalformed:
            assert status == "200 OK"


@pytest.mark.parametrize("missing", ["url", "index"])
def test_refuses_settings_without_an_address(missing: str) -> None:
    settings = {"url": "https://a.example/", "index": "https://a.example/", missing: ""}
    with pytest.raises(SettingsMalformed):
        PypiTarget(settings, timeout=1, lifetime=1)
