"""A Java archive's manifest with the digest of every entry, and the signature file over it; both always the same.

A manifest that is there already keeps its attributes; digests in it are replaced.
Source: "JAR File Specification" (Java SE 17), "JAR Manifest", "Signed JAR File".
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping

from hsmpub.formats.zip.end import ZipMalformed

#: Bytes of a line before its end; longer values go on in the next one.
_LINE_BYTES = 70
#: 65,534 entries with long names take less; each line costs memory.
MAX_LINES = 500_000
#: An archive has fewer entries; sections cost more than lines.
MAX_SECTIONS = 1 << 16
_ATTRIBUTE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,69}): (.*)")
_VERSION = ("Manifest-Version", "1.0")
_DIGEST = "SHA-256-Digest"

Section = list[tuple[str, str]]


class ManifestMalformed(ZipMalformed):
    advice = "Build the archive again with 'jar'."


def parse_manifest(data: bytes) -> list[Section]:
    """The main section, then those of entries. Raises ManifestMalformed."""
    try:
        text = re.sub("\r\n|\r", "\n", data.decode("utf-8"))
    except UnicodeDecodeError:
        raise ManifestMalformed("The manifest is not UTF-8.") from None
    if text.count("\n") > MAX_LINES:
        raise ManifestMalformed(f"The manifest has more than {MAX_LINES:,} lines.")
    if "\n\n " in text or text.startswith(" "):
        raise ManifestMalformed("A line of the manifest goes on from none.")
    blocks = re.split("\n{2,}", text.replace("\n ", "").strip("\n"))
    if len(blocks) > MAX_SECTIONS:
        raise ManifestMalformed(f"The manifest has more than {MAX_SECTIONS:,} sections.")
    sections = [[_attribute(line) for line in block.split("\n")] for block in blocks if block]
    if not sections or sections[0][0][0].lower() != _VERSION[0].lower():
        raise ManifestMalformed("The manifest does not begin with its version.")
    for section in sections:
        names = [name.lower() for name, _ in section]
        if len(set(names)) != len(names):
            raise ManifestMalformed("A section of the manifest says something twice.")
    named = [section[0][1] for section in sections[1:] if section[0][0].lower() == "name"]
    if len(named) != len(sections) - 1 or len(set(named)) != len(named):
        raise ManifestMalformed("A section of the manifest has no name, or one that another has.")
    return sections


def with_digests(old: list[Section] | None, digests: Mapping[str, bytes]) -> list[Section]:
    """The manifest's sections, main section first.

    Args:
        old: of the manifest that is there; digests: entry → SHA-256 of its content, in the order of new sections.
    """
    main, *others = old or [[_VERSION]]
    known = {section[0][1]: section for section in others}
    sections = [main]
    for name in [*known, *(name for name in digests if name not in known)]:
        kept = [one for one in known.get(name, [("Name", name)]) if "-digest" not in one[0].lower()]
        if name in digests:
            kept.append((_DIGEST, b64encode(digests[name]).decode()))
        sections.append(kept)
    return sections


def write_manifest(sections: list[Section]) -> bytes:
    """The exact bytes."""
    return b"".join(map(_section, sections))


def signature_file(sections: list[Section]) -> Iterator[bytes]:
    """The signature file over a manifest of these sections, piece by piece.

    Verifiers take an entry as signed only where it is named here.
    """
    main, whole = _section(sections[0]), hashlib.sha256(write_manifest(sections)).digest()
    yield _section([
        ("Signature-Version", "1.0"),
        (_DIGEST + "-Manifest-Main-Attributes", b64encode(hashlib.sha256(main).digest()).decode()),
        (_DIGEST + "-Manifest", b64encode(whole).decode()),
    ])  # fmt: skip
    for section in sections[1:]:
        yield _section([section[0], (_DIGEST, b64encode(hashlib.sha256(_section(section)).digest()).decode())])


def _attribute(line: str) -> tuple[str, str]:
    found = _ATTRIBUTE.fullmatch(line)
    if found is None or "\0" in line:
        raise ManifestMalformed(f"The manifest has a line that is no attribute: {line[:60]!r}.")
    return found[1], found[2]


def _section(attributes: Section) -> bytes:
    return b"".join(_folded(f"{name}: {value}".encode()) for name, value in attributes) + b"\r\n"


def _folded(line: bytes) -> bytes:
    """Lines of at most 70 bytes, characters whole; each further one begins with a space."""
    lines, at, room = [], 0, _LINE_BYTES
    while len(line) - at > room:
        end = at + room
        while line[end] & 0xC0 == 0x80:
            end -= 1
        lines.append(line[at:end])
        at, room = end, _LINE_BYTES - 1
    return b"\r\n ".join([*lines, line[at:]]) + b"\r\n"
