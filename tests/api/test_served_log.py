"""The log over HTTP, from a real log that a real keeper's code wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fake_keeper import view
from running import Running, running

from hsmpub.home import Home
from hsmpub.model.digest import sha256_hex
from hsmpub.model.entry import Output, SealedBy, Signed, dump_entry
from hsmpub.tlog.checkpoint import check_checkpoint
from hsmpub.tlog.log import Log
from hsmpub.tlog.merkle import leaf_hash
from hsmpub.tlog.note import VerifierKey
from hsmpub.wire import messages as m

ENTRIES = [dump_entry(SealedBy(at=number, reason=f"drill {number}")) for number in range(300)]
MADE = Output("sdk-1.0.whl", "openpgp", "release", "sdk-1.0.whl.asc", sha256_hex(b"signature"), "signature")
ENTRIES[7] = dump_entry(Signed(7, "r-1", "sdk-1.0.whl", sha256_hex(b"wheel"), (MADE,)))
SIGNER = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
KEY = VerifierKey("log.example/test", SIGNER.public_key().public_bytes_raw())


async def sign(message: bytes) -> bytes:
    return SIGNER.sign(message)


def write_log(home: Home) -> None:
    home.keeper.mkdir()
    home.log.parent.mkdir()
    log = Log.create(home.log, home.log_head, log_key=str(KEY), entries=ENTRIES[:299])
    try:
        asyncio.run(log.publish_checkpoint(sign))
        asyncio.run(log.append([ENTRIES[299]]))  # not under a checkpoint
    finally:
        log.close()


@pytest.fixture(scope="module")
def logged() -> Iterator[Running]:
    with running(write_log, checkpoint_timeout=0.1) as up:
        yield up


@pytest.fixture
def log(logged: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=logged.url, trust_env=False) as client:
        yield client


def test_serves_the_signed_checkpoint(log: httpx.Client) -> None:
    answer = log.get("/log/checkpoint")
    assert answer.headers["content-type"].startswith("text/plain")
    assert check_checkpoint(answer.content, KEY).size == 299


def test_serves_tiles_that_hold_the_entries_hashes(log: httpx.Client) -> None:
    answer = log.get("/log/tile/0/000")
    assert answer.content == b"".join(leaf_hash(entry) for entry in ENTRIES[:256])
    assert "immutable" in answer.headers["cache-control"]
    assert log.get("/log/tile/0/001.p/43").content == b"".join(leaf_hash(entry) for entry in ENTRIES[256:299])
    assert len(log.get("/log/tile/1/000.p/1").content) == 32


def test_serves_bundles_of_entries(log: httpx.Client) -> None:
    bundle = log.get("/log/tile/entries/001.p/43").content
    assert bundle == b"".join(len(entry).to_bytes(2, "big") + entry for entry in ENTRIES[256:299])


@pytest.mark.parametrize("path", ["0/001", "0/001.p/44", "2/000", "0/002", "entries/001.p/200"])
def test_refuses_tiles_beyond_the_signed_log(log: httpx.Client, path: str) -> None:
    answer = log.get(f"/log/tile/{path}")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:hsmpub:rule:not-in-log"


@pytest.mark.parametrize(
    "path", ["0/0", "0/1000", "00/000", "0/000.p/0", "0/000.p/256", "x/000", "0/..%2f000", "64/000"]
)
def test_refuses_what_is_no_tile(log: httpx.Client, path: str) -> None:
    assert log.get(f"/log/tile/{path}").status_code in (400, 404)


def test_serves_the_exact_bytes_of_entries_line_by_line(log: httpx.Client) -> None:
    answer = log.get("/log/entries", params={"start": 5, "end": 10})
    assert answer.content.splitlines() == ENTRIES[5:10]
    assert log.get("/log/entries", params={"start": 0, "end": 1001}).status_code == 422
    assert log.get("/log/entries", params={"start": 299, "end": 400}).status_code == 404


def test_gives_an_output_that_the_log_keeps(logged: Running, log: httpx.Client) -> None:
    logged.keeper.script[m.GetRequest] = lambda _: view(entries=(6, 7))
    assert log.get("/v1/requests/r-1/outputs/sdk-1.0.whl.asc").content == b"signature"
    answer = log.get("/v1/requests/r-1/outputs/other.asc")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:hsmpub:rule:no-such-output")


def test_a_receipt_waits_for_its_checkpoint_and_no_longer(log: httpx.Client) -> None:
    answer = log.get("/v1/receipts/299")
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:hsmpub:rule:checkpoint-pending"
    assert answer.json()["retry"] is True


def test_an_entry_that_is_not_there_is_not_waited_for(log: httpx.Client) -> None:
    assert log.get("/v1/receipts/5000").status_code == 404
    assert log.get("/v1/receipts/-1").status_code == 422
    assert log.get(f"/v1/receipts/{1 << 80}").status_code == 422


def test_an_entry_that_is_no_request_has_no_receipt(log: httpx.Client) -> None:
    answer = log.get("/v1/receipts/3")
    assert answer.json()["type"] == "urn:hsmpub:rule:receipt-incomplete"


def test_a_service_without_a_log_says_so(front: Running, http: httpx.Client) -> None:
    answer = http.get("/log/checkpoint")
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:hsmpub:rule:log-not-there"
    assert str(Path(front.home.root)) not in answer.text
