"""Text armour comes off on the asker's machine, a line at a time; what is not exactly one armour is refused."""

from __future__ import annotations

import base64
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.client.envelope import join, read_header
from hsmpub.envelope.armour import without_armour
from hsmpub.envelope.header import Form
from hsmpub.envelope.rules import ArmourMalformed
from hsmpub.model.trust import Trust
from tests.envelope.team import Gpg, Team, run

CONTENT = b"backup of the day\n" * 4_000
AGE = (b"-----BEGIN AGE ENCRYPTED FILE-----\n", b"-----END AGE ENCRYPTED FILE-----\n")
PGP = (b"-----BEGIN PGP MESSAGE-----\n\n", b"=AAAA\n-----END PGP MESSAGE-----\n")


def lines(data: bytes) -> bytes:
    text = base64.b64encode(data)
    return b"".join(text[i : i + 64] + b"\n" for i in range(0, len(text), 64))


def opened(text: bytes, *, piece: int = 1 << 20) -> bytes:
    source, found = without_armour(io.BytesIO(text)), b""
    while part := source.read(piece):
        found += part
    return found


@pytest.mark.parametrize("form", ["age", "openpgp", "cms"])
def test_a_file_in_armour_of_each_tool_is_the_same_file(team: Team, gpg: Gpg, tmp_path: Path, form: Form) -> None:
    plain, text, leaf = tmp_path / "plain", tmp_path / "text", tmp_path / "team.crt"
    leaf.write_text(team.key.certificates)
    if form == "age":
        text.write_bytes(run("age", "-a", "-r", team.age, data=CONTENT))
        plain.write_bytes(base64.b64decode(b"".join(text.read_bytes().splitlines()[1:-1])))
    elif form == "openpgp":
        text.write_bytes(gpg("--armor", "--comment", "x", "--encrypt", "-r", "Backups", data=CONTENT))
        plain.write_bytes(gpg("--dearmor", text, data=b"") or gpg("--dearmor", data=text.read_bytes()))
    else:
        text.write_bytes(run("openssl", "cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "PEM", leaf,
                             data=CONTENT))  # fmt: skip
        run("openssl", "cms", "-cmsout", "-inform", "PEM", "-outform", "DER", "-in", text, "-out", plain)
    trust = Trust("releases", "", "", (team.certifier, team.key))
    header, key = read_header(text, trust)
    assert (header, key) == read_header(plain, trust)
    assert header.form == form
    join(text, header.raw, b"new header", tmp_path / "new")
    assert (tmp_path / "new").read_bytes() == b"new header" + plain.read_bytes()[len(header.raw) :]


@given(data=st.binary(max_size=400), piece=st.integers(1, 200), crlf=st.booleans(), kind=st.sampled_from([AGE, PGP]))
def test_gives_what_is_inside_in_pieces_of_any_size(
    data: bytes, piece: int, crlf: bool, kind: tuple[bytes, bytes]
) -> None:  # fmt: skip
    text = kind[0] + lines(data) + kind[1]
    assert opened(text.replace(b"\n", b"\r\n") if crlf else text, piece=piece) == data


@given(data=st.binary(min_size=1, max_size=200), at=st.integers(0), octet=st.integers(0, 255))
def test_an_altered_byte_is_refused_or_leaves_something_else_than_armour_or_other_bytes(
    data: bytes, at: int, octet: int
) -> None:
    """Never a hang, never another error; the same bytes only where the line ends alone differ."""
    text = bytearray(AGE[0] + lines(data) + AGE[1])
    at %= len(text)
    before, text[at] = text[at], octet
    try:
        found = opened(bytes(text))
    except ArmourMalformed:
        return
    assert found != data or before == octet or before in b"\n" or octet in b" \t\r\n"


@pytest.mark.parametrize(
    "text",
    [
        AGE[0] + lines(b"x" * 100),  # cut short
        AGE[0] + lines(b"x" * 100)[:70],
        AGE[0] + lines(b"x") + lines(b"y") + AGE[1],  # goes on after its last line
        AGE[0] + lines(b"x" * 48) + b"\n" + lines(b"x") + AGE[1],
        AGE[0] + lines(b"x") + AGE[1] + b"more",
        AGE[0] + lines(b"x") + AGE[1] + b" " * 2000,
        AGE[0] + b"A" * 80 + b"\n" + AGE[1],
        AGE[0] + b"QQ=" + b"\n" + AGE[1],
        AGE[0] + b"QR==" + b"\n" + AGE[1],
        AGE[0] + b"Q?==" + b"\n" + AGE[1],
        AGE[0] + lines(b"x") + PGP[1],
        AGE[0] + b"=AAAA\n" + AGE[1],
        PGP[0][:-1] + lines(b"x" * 100) + PGP[1],  # no empty line
        PGP[0][:-1] + b"Comment: x\n" * 33 + b"\n" + lines(b"x") + PGP[1],
        PGP[0][:-1] + b"Comment: " + b"x" * 2000 + b"\n\n" + lines(b"x") + PGP[1],
        PGP[0] + lines(b"x") + b"=AAAA\n" + PGP[1],
    ],
)
def test_refuses_what_is_not_one_whole_armour(text: bytes) -> None:
    with pytest.raises(ArmourMalformed):
        opened(text)


def test_large_armour_needs_constant_memory(tmp_path: Path) -> None:
    source = tmp_path / "large.asc"
    with source.open("wb") as out:
        out.write(AGE[0])
        for _ in range(60):
            out.write(lines(bytes(48 * 1000)))
        out.write(AGE[1])
    with source.open("rb") as file:
        data, size = without_armour(file), 0
        tracemalloc.start()
        try:
            while part := data.read(1 << 16):
                size += len(part)
            assert tracemalloc.get_traced_memory()[1] < 1 << 19
        finally:
            tracemalloc.stop()
    assert size == 60 * 48 * 1000
