"""Signed Linux kernel modules: a CMS signature without attributes, appended with the kernel's trailer.

Without attributes the HSM signs the module's own digest: a bare format, on a key of its own.
Source: Linux, Documentation/admin-guide/module-signing.rst, include/linux/module_signature.h, scripts/sign-file.c.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from asn1crypto import cms as asn1_cms

from hsmpub.errors import Invalid
from hsmpub.formats.cms.chain import Chain, load_chain
from hsmpub.formats.cms.der import context, integer, octets, sequence, set_of
from hsmpub.formats.cms.der_check import check_der
from hsmpub.formats.cms.exact import signed_data_of
from hsmpub.formats.cms.read import CmsMalformed, check_algorithms, raw_of, said_of
from hsmpub.formats.cms.signed_data import ALGORITHMS, DATA, SHA256, SIGNED_DATA
from hsmpub.formats.context import Context
from hsmpub.formats.der_signature import bare_signature
from hsmpub.formats.detail import DetailMalformed, detail_of
from hsmpub.formats.format import Artifact, Claim, OutputForAnother, Prepared
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import Source, hash_ranges
from hsmpub.formats.spliced import Kept, Part, Spliced
from hsmpub.model.key import KeyKind, KeyRecord

_MAGIC = b"~Module signature appended~\n"
#: struct module_signature: algo, hash, id_type (2: PKCS #7), lengths of signer and key id, padding, length.
_TRAILER = struct.Struct(">5B3xI")
_PKCS7 = 2
_MAX_SIGNATURE = 1 << 16


class ModuleMalformed(Invalid):
    advice = "Only kernel modules (.ko) are signed so, uncompressed; build it again."


class KernelModule(Spliced):
    """Appended to the module, with RSA-3072 or ECDSA on P-256, SHA-256; a signature there is replaced."""

    name = "kernel-module"
    suffix = ".kmod.p7s"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072"})
    embedded = True
    detail_limit = 32

    def recognises(self, name: str, head: bytes) -> bool:
        return head[:4] == b"\x7fELF" and name.endswith(".ko")

    def extract(self, source: Source) -> bytes:
        """SHA-256 of the module without its signature."""
        if source.size < 20 or source.read(0, 4) != b"\x7fELF":
            raise ModuleMalformed("This is no kernel module.")
        return hash_ranges(source, (0, _end_of(source)))

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        chain = load_chain(key)
        signer = sequence(chain.issuer, integer(chain.serial))
        return Prepared(_digest_of(artifact, self), "sha256", key.kind, (signer,))

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        raw = octets(bare_signature(prepared, signature))
        signer = sequence(integer(1), prepared.parts[0], SHA256, ALGORITHMS[prepared.kind], raw)
        signed = sequence(integer(1), set_of(SHA256), sequence(DATA), set_of(signer))
        return sequence(SIGNED_DATA, context(0, signed))

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return Claim(_digest_of(artifact, self), "sha256", _read(output, load_chain(key), key.kind))

    def splice(self, source: Source, output: bytes) -> Iterator[Part]:
        yield Kept(0, _end_of(source))
        yield output + _TRAILER.pack(0, 0, _PKCS7, 0, 0, len(output)) + _MAGIC

    def detach(self, source: Source) -> bytes | None:
        end = _end_of(source)
        return None if end == source.size else source.read(end, source.size - end - len(_MAGIC) - _TRAILER.size)


def _end_of(source: Source) -> int:
    """Where the module ends and its signature begins; the file's size if it has none. Raises ModuleMalformed."""
    tail = len(_MAGIC) + _TRAILER.size
    if source.size < tail or source.read(source.size - len(_MAGIC), len(_MAGIC)) != _MAGIC:
        return source.size
    *fixed, length = map(int, _TRAILER.unpack(source.read(source.size - tail, _TRAILER.size)))
    if fixed != [0, 0, _PKCS7, 0, 0] or not 0 < length <= min(_MAX_SIGNATURE, source.size - tail):
        raise ModuleMalformed("The module ends with a signature of an unknown kind.")
    return source.size - tail - length


def _read(output: bytes, chain: Chain, kind: KeyKind) -> bytes:
    """The raw signature in a SignedData without attributes. Raises CmsMalformed, OutputForAnother."""
    try:
        check_der(output)
        info = asn1_cms.ContentInfo.load(output, strict=True)
        signed = info["content"]
        [signer], [algorithm] = signed["signer_infos"], signed["digest_algorithms"]
        sid, raw = signer["sid"].chosen, raw_of(signer["signature"].native, kind)
        same = sid["serial_number"].native == chain.serial and sid["issuer"].dump() == chain.issuer
        found = [info["content_type"].native, signed["encap_content_info"].dump(), signed["version"].native,
                 signer["version"].native, *(len(signed[name] or []) for name in ("certificates", "crls")),
                 *(bool(signer[name].contents) for name in ("signed_attrs", "unsigned_attrs"))]  # fmt: skip
        check_algorithms(algorithm, signer, kind)
        exact = not same or signed_data_of(said_of(signed, signer, chain, False), kind) == output
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
        raise CmsMalformed("This is no signature of a kernel module that the service could have made.") from None
    if not exact or found != ["signed_data", sequence(DATA), "v1", "v1", 0, 0, False, False]:
        raise CmsMalformed("The signature of the kernel module holds more than the service puts into one.")
    if not same:
        raise OutputForAnother("The signature names another certificate than the key's.")
    return raw


def _digest_of(artifact: Artifact, form: KernelModule) -> bytes:
    detail = detail_of(artifact, form)
    if len(detail) != 32:
        raise DetailMalformed("The digest of a kernel module has 32 bytes.")
    return detail
