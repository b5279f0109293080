"""What was signed."""

from __future__ import annotations

import msgspec

from hsmpub.model.digest import sha256_hex
from hsmpub.model.entry.fact import Fact
from hsmpub.model.said import Said


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One made signature. `sha256` is of the output's bytes; `text` or `data` the output itself where it is kept.

    name: file name of the output, e.g. `x.whl.asc`; artifact: file name that it signs; data: an output that is no
    ASCII text, in base64; said: where the format says more than that.
    """

    artifact: str
    format: str
    key: str
    name: str
    sha256: str
    text: str = ""
    data: bytes = b""
    said: Said | None = None

    @property
    def content(self) -> bytes:
        """The exact bytes of the output; none where it is not kept."""
        return self.data or self.text.encode()


def kept_output(artifact: str, format_: str, key: str, name: str, content: bytes, said: Said | None = None) -> Output:
    """An output that the log keeps whole."""
    digest = sha256_hex(content)
    if content.isascii():
        return Output(artifact, format_, key, name, digest, text=content.decode(), said=said)
    return Output(artifact, format_, key, name, digest, data=content, said=said)


class Signed(Fact, frozen=True, tag="signed"):
    """Signatures over one artifact of a request. `artifact_sha256` is what was hashed while signing."""

    request: str
    artifact: str
    artifact_sha256: str
    outputs: tuple[Output, ...]


class RoutineSigned(Fact, frozen=True, tag="routine"):
    """Signatures that needed no approval: statement and digests of the outputs in one entry.

    outputs: SHA-256 (hex) of each output, in the order of `statement`'s subjects × the formats of each.
    said: of those of them whose format says more, in the same order.
    """

    request: str
    session: str
    statement: str
    outputs: tuple[str, ...]
    said: tuple[Said, ...] = ()


class Timestamped(Fact, frozen=True, tag="timestamp"):
    """A timestamp was given to whoever asked the authority (RFC 3161). What was stamped is not here.

    gen_time: that it says, in microseconds since 1970; serial: hex; sha256: of the token (ContentInfo, DER);
    session: bearer session that asked, or empty where anybody may.
    """

    key: str
    gen_time: int
    serial: str
    sha256: str
    session: str = ""
