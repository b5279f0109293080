"""apt repositories: a `Release` file becomes `InRelease`, which carries its signature, and gets a `Release.gpg`.

For `InRelease` the client sends the unfinished hash of the canonical text; the service appends a trailer that says
"text" (type 0x01). `Release.gpg` is a signature over the binary document, as of the format `openpgp`.

The two share keys: the type is part of what is hashed, at a fixed place before the end. `openpgp` has other
keys than these, although no InRelease could be made of its signatures: who may have any file signed under `openpgp`
could have a Release file signed.
Source: apt-secure(8); Debian wiki, DebianRepository/Format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hsmpub.errors import Invalid
from hsmpub.formats.format import Artifact, Claim, Context, Prepared, detail_of
from hsmpub.formats.linux.cleartext import canonical, framed, read_text
from hsmpub.formats.linux.states import STATE_BYTES, dump_states, load_states
from hsmpub.formats.openpgp import OpenPgp
from hsmpub.formats.openpgp_packet import armor
from hsmpub.formats.openpgp_read import read_document_signature
from hsmpub.formats.openpgp_signature import (
    TEXT_DOCUMENT,
    assemble_signature,
    prepare_signature,
    signature_head,
    trailer,
)
from hsmpub.formats.public_key import check_claim
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import Source
from hsmpub.model.key import KeyKind, KeyRecord

_FIELD = re.compile(rb"[A-Z][A-Za-z0-9-]*:( |$)")
_LISTS = (b"SHA256:", b"SHA512:")


class ReleaseFileUnfit(Invalid):
    advice = "Make the Release file with 'apt-ftparchive release', or with what builds your repository."


class AptInRelease:
    """`InRelease`, beside the `Release` file, with RSA-3072 or ECDSA on P-256, SHA-256."""

    name = "apt-inrelease"
    suffix = ".inrelease"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072"})
    bare = False
    embedded = True
    detail_limit = STATE_BYTES

    def recognises(self, name: str, head: bytes) -> bool:
        return name in ("Release", "InRelease")

    def signed_name(self, name: str) -> str:
        return "InRelease"

    def extract(self, source: Source) -> bytes:
        """The state of the canonical text."""
        return dump_states(Sha256State.of(canonical(_release(source)[0])))

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        head = signature_head(key, TEXT_DOCUMENT, context.at)
        return prepare_signature(_state(artifact, self).with_suffix(trailer(head)).digest(), head, key)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return armor("SIGNATURE", assemble_signature(prepared, signature))

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_document_signature(output, _state(artifact, self), key, context.at if context else None, kind=0x01)

    def check(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> None:
        check_claim(self.read(output, artifact, key, context), key)

    def attach(self, source: Source, output: bytes) -> Iterator[bytes]:
        yield framed(_release(source)[0], output)

    def detach(self, source: Source) -> bytes | None:
        return _release(source)[1]


class AptReleaseGpg(OpenPgp):
    """`Release.gpg`, detached and armoured."""

    name = "apt-release-gpg"
    suffix = ".gpg"

    def recognises(self, name: str, head: bytes) -> bool:
        return name == "Release"


def _release(source: Source) -> tuple[bytes, bytes | None]:
    """Text and signature. Raises TextUnfit, ReleaseFileUnfit: what apt would not take for a Release file."""
    text, signature = read_text(source)
    lines = text.removesuffix(b"\n").split(b"\n")
    if not all(line.startswith(b" ") or _FIELD.match(line) for line in lines):
        raise ReleaseFileUnfit("This is no Release file of an apt repository: not every line is a field's.")
    if not any(line.rstrip() in _LISTS for line in lines):
        raise ReleaseFileUnfit("The Release file lists no SHA256 or SHA512, so its signature would protect nothing.")
    return text, signature


def _state(artifact: Artifact, form: AptInRelease) -> Sha256State:
    return load_states(detail_of(artifact, form), 1, artifact.name)[0]
