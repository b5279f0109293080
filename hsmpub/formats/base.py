"""What formats have in common, so that a format's module holds what is its own; hsmpub.formats.format has the shape."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator

from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.public_key import check_claim
from hsmpub.formats.source import Source
from hsmpub.model.key import KeyRecord
from hsmpub.model.said import Said


class FormatBase(ABC):
    """What every format is checked by, and what holds for nearly every one: no signature of it covers another, and a
    signed file keeps its name."""

    suffix: str

    @abstractmethod
    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        """As `Format.read`."""

    def check(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> None:
        check_claim(self.read(output, artifact, key, context), key)

    def follow(self, prepared: Prepared, signature: bytes) -> Prepared | None:
        return None

    def output_name(self, name: str) -> str:
        return name + self.suffix

    def signed_name(self, name: str) -> str:
        return name


class Detached(FormatBase):
    """What a format is that makes a file of its own: nothing goes into the file, and no detail of it is needed."""

    detail_limit = 0
    embedded = False

    def recognises(self, name: str, head: bytes) -> bool:
        return False

    def extract(self, source: Source) -> bytes:
        return b""

    def attach(self, source: Source, output: bytes) -> Iterator[bytes]:
        yield output

    def detach(self, source: Source) -> bytes | None:
        return None


def prepare_message(message: bytes, key: KeyRecord, *parts: bytes, said: Said | None = None) -> Prepared:
    """What the HSM signs of a message that the format wrote: Ed25519 takes it as it is, the others its SHA-256."""
    if key.kind == "ed25519":
        return Prepared(message, "none", key.kind, parts, said=said)
    return Prepared(hashlib.sha256(message).digest(), "sha256", key.kind, parts, said=said)
