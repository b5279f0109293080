"""apt repositories: a `Release` file becomes `InRelease`, which carries its signature, and gets a `Release.gpg`.

To OpenPGP the one is a text like any other, the other a file: under `openpgp-cleartext` and `openpgp` somebody could
have had them signed. So these two have keys of their own, which they share.
Source: apt-secure(8); Debian wiki, DebianRepository/Format.
"""

from __future__ import annotations

import re

from hsmpub.errors import Invalid
from hsmpub.formats.openpgp.cleartext import OpenpgpCleartext
from hsmpub.formats.openpgp.detached import OpenPgp
from hsmpub.formats.openpgp.text import read_text
from hsmpub.formats.source import Source

_FIELD = re.compile(rb"[A-Z][A-Za-z0-9-]*:( |$)")
_LISTS = (b"SHA256:", b"SHA512:")


class ReleaseFileUnfit(Invalid):
    advice = "Make the Release file with 'apt-ftparchive release', or with what builds your repository."


class AptInRelease(OpenpgpCleartext):
    """`InRelease`, beside the `Release` file."""

    name = "apt-inrelease"
    suffix = ".inrelease"

    def recognises(self, name: str, head: bytes) -> bool:
        return name in ("Release", "InRelease")

    def signed_name(self, name: str) -> str:
        return "InRelease"

    def text_of(self, source: Source) -> tuple[bytes, bytes | None]:
        """Raises TextUnfit, ReleaseFileUnfit: what apt would not take for a Release file."""
        text, signature = read_text(source)
        lines = text.removesuffix(b"\n").split(b"\n")
        if not all(line.startswith(b" ") or _FIELD.match(line) for line in lines):
            raise ReleaseFileUnfit("This is no Release file of an apt repository: not every line is a field's.")
        if not any(line.rstrip() in _LISTS for line in lines):
            raise ReleaseFileUnfit(
                "The Release file has no SHA256 or SHA512 list: its signature would protect nothing."
            )
        return text, signature


class AptReleaseGpg(OpenPgp):
    """`Release.gpg`, detached and armoured."""

    name = "apt-release-gpg"
    suffix = ".gpg"

    def recognises(self, name: str, head: bytes) -> bool:
        return name == "Release"
