"""Git's smart HTTP in the few lines that a tag needs: advertised refs in, one command and its report.

Pure: bytes to values and back. Sources: gitprotocol-common(5), gitprotocol-http(5), gitprotocol-pack(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hsmpub.targets.pinned import AnswerMalformed

ZERO = "0" * 40
FLUSH = b"0000"
_OID = re.compile(rb"[0-9a-f]{40}")


@dataclass(frozen=True)
class Advertisement:
    """What a server shows: ref name → object id (hex), and what it can do."""

    refs: dict[str, str]
    capabilities: frozenset[str]


def pkt_line(data: bytes) -> bytes:
    """`data` with its length before it."""
    return b"%04x" % (len(data) + 4) + data


def load_pkt_lines(data: bytes) -> list[bytes]:
    """All lines, in order, without their ends; flush packets are left out.

    Raises:
        AnswerMalformed: a length that is none, or lines that break off.
    """
    lines, at = [], 0
    while at < len(data):
        try:
            length = int(data[at : at + 4].decode("ascii"), 16)
        except ValueError:
            raise AnswerMalformed("The git server's answer has a line without length.") from None
        if length == 0:
            at += 4
            continue
        if length < 4 or at + length > len(data):
            raise AnswerMalformed("The git server's answer breaks off.")
        lines.append(data[at + 4 : at + length].removesuffix(b"\n"))
        at += length
    return lines


def load_advertisement(data: bytes, service: str) -> Advertisement:
    """Raises AnswerMalformed: not the whole advertisement of `service`."""
    lines = load_pkt_lines(data)
    if not data.endswith(FLUSH) or not lines or lines[0] != b"# service=" + service.encode():
        raise AnswerMalformed("The server does not speak git's smart HTTP.")
    refs: dict[str, str] = {}
    capabilities: frozenset[str] = frozenset()
    for number, line in enumerate(lines[1:]):
        if number == 0:
            line, _, words = line.partition(b"\0")
            capabilities = frozenset(words.decode("ascii", "replace").split())
        oid, _, name = line.partition(b" ")
        if not _OID.fullmatch(oid) or not name:
            raise AnswerMalformed("The git server advertises something that is no ref.")
        refs[name.decode("utf-8", "surrogateescape")] = oid.decode()
    refs.pop("capabilities^{}", None)
    return Advertisement(refs, capabilities)


def create_command(ref: str, oid: str, pack: bytes) -> bytes:
    """Body of a receive-pack request that makes `ref` and can never move one: its old value is given as none."""
    command = f"{ZERO} {oid} {ref}\0 report-status agent=hsmpub".encode()
    return pkt_line(command) + FLUSH + pack


def load_report(data: bytes, ref: str) -> str:
    """What the server reports for `ref`: empty when it took it, otherwise the reason.

    Raises:
        AnswerMalformed: no report, or none for this ref.
    """
    lines = load_pkt_lines(data)
    if not lines or not lines[0].startswith(b"unpack "):
        raise AnswerMalformed("The git server sends no report.")
    if lines[0] != b"unpack ok":
        return lines[0].decode("utf-8", "replace")
    for line in lines[1:]:
        if line == b"ok " + ref.encode():
            return ""
        if line.startswith(b"ng " + ref.encode() + b" "):
            return line.decode("utf-8", "replace")
    raise AnswerMalformed("The git server's report does not name the tag.")
