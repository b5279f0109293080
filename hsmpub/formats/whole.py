"""Formats that sign the file itself, not a hash of it: the whole of it is the detail, so it must be small."""

from __future__ import annotations

import hashlib

from hsmpub.errors import Invalid
from hsmpub.formats.detail import DetailMalformed, detail_of
from hsmpub.formats.format import Artifact, Format
from hsmpub.formats.source import Source

#: A list of the checksums of some six hundred files.
MOST_BYTES = 64 * 1024


class FileTooLargeToSignWhole(Invalid):
    advice = "Sign a list of checksums (sha256sum --tag FILE… > SHA256) instead, or use minisign."


def extract_whole(source: Source) -> bytes:
    """Raises FileTooLargeToSignWhole."""
    if source.size > MOST_BYTES:
        raise FileTooLargeToSignWhole(f"Up to {MOST_BYTES:,} bytes are signed whole; the file has {source.size:,}.")
    return source.read(0, source.size)


def whole_of(artifact: Artifact, form: Format) -> bytes:
    """The file that came beside its hash, compared with it. Raises DetailMissing, DetailMalformed."""
    message = detail_of(artifact, form)
    if hashlib.sha256(message).digest() != artifact.state.digest():
        raise DetailMalformed(f"What came with {artifact.name!r} is not the file of its hash.")
    return message
