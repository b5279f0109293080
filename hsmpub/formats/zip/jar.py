"""Java archives: MANIFEST.MF, a signature file over it, and CMS over that.

A verifier takes an entry as signed only where the signature file names it, so that file is as long as the archive has
entries. The client sends its SHA-256 unfinished, about 100 bytes, and the service appends the last section: what a key
of this format signs ends as a signature file, whatever the client says. Content that ends so is none of another format,
and the key makes none.
Source: "JAR File Specification" (Java SE 17), "Signed JAR File".
"""

from __future__ import annotations

from collections.abc import Iterator

from hsmpub.formats.cms.chain import load_chain
from hsmpub.formats.cms.read import CmsMalformed, ReadSignedData, check_same, signs_with_rsa
from hsmpub.formats.cms.signed_data import DATA, prepare_attributes, signed_attributes, signed_data
from hsmpub.formats.cms.stamp import Stamped
from hsmpub.formats.context import Context
from hsmpub.formats.detail import DetailMalformed, detail_of
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import Source
from hsmpub.formats.spliced import Part, Spliced
from hsmpub.formats.zip.content import content
from hsmpub.formats.zip.jar_parts import (
    BLOCKS,
    MANIFEST,
    MAX_BLOCK_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_SIGNATURE_FILE_BYTES,
    SIGNATURE_FILE,
    manifest_of,
    manifest_there,
    read_jar,
    walk_jar,
    with_entries,
)
from hsmpub.formats.zip.manifest import Section, signature_file, write_manifest
from hsmpub.model.key import KeyKind, KeyRecord
from hsmpub.model.submission import HashState

#: What the service ends every signature file with. The manifest counts as signed anyway.
LAST_SECTION = b"Name: META-INF/MANIFEST.MF\r\n\r\n"
_WORDS, _SIZE = 32, 8
_ENDINGS = (".jar", ".war", ".ear", ".aab")


class Jar(Spliced, Stamped):
    """`META-INF/HSMPUB.SF` and `.RSA` or `.EC`, RSA-3072 or ECDSA on P-256, SHA-256. Our signature is replaced; an
    archive with somebody else's is refused."""

    name = "jar"
    suffix = ".jar.p7s"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072"})
    embedded = True
    detail_limit = _WORDS + _SIZE + 63

    def recognises(self, name: str, head: bytes) -> bool:
        return head[:4] == b"PK\x03\x04" and name.lower().endswith(_ENDINGS)

    def extract(self, source: Source) -> bytes:
        """SHA-256 of the signature file up to its last section, unfinished: chaining words, size, last bytes."""
        walk_jar(source)
        manifest = manifest_of(source, read_jar(source))
        state = Sha256State.of(b"".join(signature_file(manifest))).to_state("")
        return bytes.fromhex(state.h) + state.size.to_bytes(_SIZE, "big") + bytes.fromhex(state.tail)

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        chain = load_chain(key)
        attributes = signed_attributes(DATA, _digest_of(artifact, self), context.at, chain)
        return prepare_attributes(attributes, key.kind, chain)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return signed_data(prepared, signature)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        found = ReadSignedData(output, load_chain(key), key.kind)
        if found.content_type != "data" or found.content:
            raise CmsMalformed("The signature is of another kind of content than a signature file.")
        check_same(found, _digest_of(artifact, self), context.at if context else None)
        return found.claim

    def splice(self, source: Source, output: bytes) -> Iterator[Part]:
        jar = read_jar(source)
        manifest = manifest_of(source, jar)
        added = [(MANIFEST, write_manifest(manifest)), (SIGNATURE_FILE, _signature_file(manifest))]
        return with_entries(jar, [*added, (BLOCKS[signs_with_rsa(output)], output)])

    def held(self, source: Source) -> bytes | None:
        """Our block; None also where manifest and signature file are not such as we write them."""
        jar = read_jar(source)
        blocks = [entry for name in BLOCKS if (entry := jar.archive.find(name))]
        manifest, over_it = jar.archive.find(MANIFEST), jar.archive.find(SIGNATURE_FILE)
        if len(blocks) != 1 or manifest is None or over_it is None:
            return None
        sections = manifest_there(source, jar) or []
        if content(source, manifest, MAX_MANIFEST_BYTES) != write_manifest(sections):
            return None
        if content(source, over_it, MAX_SIGNATURE_FILE_BYTES) != _signature_file(sections):
            return None
        return content(source, blocks[0], MAX_BLOCK_BYTES)


def _signature_file(sections: list[Section]) -> bytes:
    return b"".join(signature_file(sections)) + LAST_SECTION


def _digest_of(artifact: Artifact, form: Jar) -> bytes:
    """SHA-256 of the whole signature file."""
    detail = detail_of(artifact, form)
    words, size, tail = detail[:_WORDS], detail[_WORDS : _WORDS + _SIZE], detail[_WORDS + _SIZE :]
    if len(size) != _SIZE:
        raise DetailMalformed("The unfinished hash of a signature file has at least 40 bytes.")
    state = HashState(artifact.name, words.hex(), tail.hex(), int.from_bytes(size, "big"))
    return Sha256State.of_state(state).with_suffix(LAST_SECTION).digest()
