"""A file of which only the finished SHA-256 is known: enough for bare formats, and for no other."""

from __future__ import annotations

from hsmpub.errors import Invalid


class DigestNotEnough(Invalid):
    advice = "Sign with 'hsmpub sign', which sends what the format needs."


class GivenDigest:
    """A digest that the requester chose, with no file shown for it."""

    __slots__ = ("_digest",)

    def __init__(self, digest: bytes) -> None:
        if len(digest) != 32:
            raise DigestNotEnough(f"A SHA-256 digest has 32 bytes, not {len(digest)}.")
        self._digest = digest

    @property
    def size(self) -> int:
        raise DigestNotEnough("The size of the file is not known.")

    def digest(self) -> bytes:
        return self._digest

    def with_suffix(self, suffix: bytes) -> GivenDigest:
        raise DigestNotEnough("A finished digest cannot be continued.")
