"""Git's smart HTTP, honest and hostile."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.targets.pinned import AnswerMalformed
from hsmpub.targets.pktline import (
    FLUSH,
    ZERO,
    create_command,
    load_advertisement,
    load_pkt_lines,
    load_report,
    pkt_line,
)

OID = "1" * 40
REF = "refs/tags/v1.0"


@given(st.lists(st.binary(min_size=1, max_size=60).filter(lambda b: not b.endswith(b"\n"))))
def test_lines_survive_the_round_trip(lines: list[bytes]) -> None:
    assert load_pkt_lines(b"".join(pkt_line(line + b"\n") for line in lines) + FLUSH) == lines


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_malformed(data: bytes) -> None:
    for read in (load_pkt_lines, lambda d: load_advertisement(d, "git-upload-pack"), lambda d: load_report(d, REF)):
        with contextlib.suppress(AnswerMalformed):
            read(data)


def advertised(*lines: bytes) -> bytes:
    return pkt_line(b"# service=git-upload-pack\n") + FLUSH + b"".join(pkt_line(line + b"\n") for line in lines) + FLUSH


def test_reads_refs_and_capabilities() -> None:
    shown = load_advertisement(
        advertised(f"{OID} HEAD\0report-status agent=git/2".encode(), f"{OID} {REF}".encode()), "git-upload-pack"
    )
    assert shown.refs == {"HEAD": OID, REF: OID}
    assert "report-status" in shown.capabilities


def test_an_empty_repository_has_no_ref() -> None:
    shown = load_advertisement(advertised(f"{ZERO} capabilities^{{}}\0report-status".encode()), "git-upload-pack")
    assert shown.refs == {}


@pytest.mark.parametrize(
    "data",
    [b"", b"zzzz", b"0003", b"00ff", pkt_line(b"# service=git-receive-pack\n") + FLUSH, advertised(b"no ref"),
     advertised(b"g" * 40 + b" refs/heads/main"), b"<html>"],
)  # fmt: skip
def test_refuses_what_is_no_advertisement(data: bytes) -> None:
    with pytest.raises(AnswerMalformed):
        load_advertisement(data, "git-upload-pack")


def test_the_command_can_only_create() -> None:
    body = create_command(REF, OID, b"PACK")
    assert load_pkt_lines(body[: -len(b"PACK")])[0].startswith(f"{ZERO} {OID} {REF}\0".encode())


@pytest.mark.parametrize(
    ("lines", "refused"),
    [((b"unpack ok", b"ok refs/tags/v1.0"), ""), ((b"unpack error",), "unpack error"),
     ((b"unpack ok", b"ng refs/tags/v1.0 denied"), "ng refs/tags/v1.0 denied")],
)  # fmt: skip
def test_reads_the_report_for_its_own_ref(lines: tuple[bytes, ...], refused: str) -> None:
    assert load_report(b"".join(pkt_line(line + b"\n") for line in lines) + FLUSH, REF) == refused


def test_a_report_about_another_ref_is_no_answer() -> None:
    with pytest.raises(AnswerMalformed):
        load_report(pkt_line(b"unpack ok\n") + pkt_line(b"ok refs/tags/v2.0\n") + FLUSH, REF)
