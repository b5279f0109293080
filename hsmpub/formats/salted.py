"""Formats that hash a salt before the file: drawn anew for each signature, by whoever hashes.

    client keeps the file     the client draws it; the detail says which, and the signature carries it
    file was uploaded         the service draws it, in the child that looks into the file

What is to be checked was hashed after the salt that the signature names, so the file is hashed again after that one.
docs/adr/0018-salts-are-drawn-by-who-hashes.md says why it is not the service that draws every salt.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from hsmpub.formats.format import Format
from hsmpub.formats.source import Details, Source


@runtime_checkable
class Salted(Protocol):
    """What such a format has beside what `Format` asks. Its `extract` draws the salt."""

    def extract_after(self, salt: bytes, source: Source) -> bytes:
        """The detail of a file that is hashed after this salt. Raises SaltMalformed, FileTooShort."""

    def salt_of(self, output: bytes) -> bytes:
        """The salt that a signature names. Raises OutputMalformed or a rule under it."""


def details_to_check(form: Format, source: Source, output: bytes) -> Details:
    """What the format must know of a file beside its hash, to check this output.

    Raises:
        The rules of the format's `extract`; OutputMalformed or a rule under it.
    """
    if not form.detail_limit:
        return {}
    if isinstance(form, Salted):
        return {form.name: form.extract_after(form.salt_of(output), source)}
    return {form.name: form.extract(source)}
