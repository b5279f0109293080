"""A header, taken apart as far as anybody can without a private key."""

from __future__ import annotations

from typing import Literal

import msgspec

from hsmpub.envelope.rules import HeaderMalformed

Form = Literal["age", "openpgp", "cms"]

#: Some hundred recipients. It goes into one request, and is kept by the keeper until that is over.
MAX_HEADER_BYTES = 64 * 1024
RSA_BYTES = 384


class Sealed(msgspec.Struct, frozen=True):
    """The file key as it is encrypted to one recipient.

    Attributes:
        who: what the header says of the recipient, for people: `ssh-rsa T3Gh4w`, `openpgp key id 0123…`.
        padding: how `block` is padded; empty: not RSA, or in no way that is read here.
        block: RSA ciphertext, 384 bytes for the key of the service.
    """

    who: str
    padding: Literal["", "pkcs1", "oaep-sha1", "oaep-sha256"] = ""
    block: bytes = b""


class Header(msgspec.Struct, frozen=True):
    """What stands before the content of an encrypted file.

    Attributes:
        raw: its exact bytes, from the first of the file.
        sealed: one for each recipient, in their order.
        ours: position in `sealed` of the key it was read for; -1: not among them.
        key_bytes: possible lengths of the file key, in bytes.
    """

    form: Form
    raw: bytes
    sealed: tuple[Sealed, ...]
    ours: int
    key_bytes: tuple[int, ...]


class Bytes:
    """Reads the beginning of a file. What is cut off is told from what is wrong by `HeaderCut`."""

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data, self.at, self.end = data, at, len(data) if end is None else end

    def take(self, count: int) -> bytes:
        """Raises HeaderCut, HeaderMalformed."""
        stop = self.at + count
        if stop > self.end:
            raise (HeaderCut if self.end == len(self.data) else HeaderMalformed)("The header ends too early.")
        taken, self.at = self.data[self.at : stop], stop
        return taken

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    @property
    def left(self) -> int:
        return self.end - self.at


class HeaderCut(HeaderMalformed):
    """The bytes at hand end inside the header."""


def only_one(sealed: tuple[Sealed, ...], mine: list[int]) -> int:
    """The position of the service's own part. Raises HeaderMalformed: it stands there twice."""
    if len(mine) > 1:
        raise HeaderMalformed("The header names the key of the service twice.")
    if mine and len(sealed[mine[0]].block) != RSA_BYTES:
        raise HeaderMalformed("The header's part for the key of the service is of another length than the key.")
    return mine[0] if mine else -1
