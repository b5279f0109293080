"""A bare signature over the file's SHA-256, in DER for ECDSA: what `openssl dgst -sha256 -verify` reads.

Bare: whoever chooses the file chooses the bytes that are signed, and those may be the hash input of an OpenPGP
certification, a certificate's body or any other structure. The digest at least is known to come from
a hash state. A key makes this format only if its ceremony named it, and then no framed format.
Source: RFC 3279, section 2.2.3 (Ecdsa-Sig-Value); RFC 8017, section 8.2 (PKCS#1 v1.5, as it is).
"""

from __future__ import annotations

from hsmpub.formats.base import Detached
from hsmpub.formats.context import Context
from hsmpub.formats.der_read import read_bare
from hsmpub.formats.format import Artifact, Claim, OutputMalformed, Prepared, check_raw
from hsmpub.formats.purposes import check_may_make
from hsmpub.model.key import KeyKind, KeyRecord


class DerMalformed(OutputMalformed):
    pass


class DerSignature(Detached):
    """Detached bare signature, ECDSA or RSA."""

    name = "der-signature"
    suffix = ".sig.der"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072"})

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        return Prepared(artifact.state.digest(), "sha256", key.kind)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return bare_signature(prepared, signature)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return Claim(artifact.state.digest(), "sha256", read_bare(output, key.kind, DerMalformed))


def bare_signature(prepared: Prepared, signature: bytes) -> bytes:
    """A raw signature as most formats hold it: ECDSA in DER, the others as they are. Raises RawSignatureMalformed."""
    check_raw(prepared, signature)
    return ecdsa_der(signature) if prepared.kind == "p256" else signature


def ecdsa_der(raw: bytes) -> bytes:
    """r‖s of 64 bytes as a DER SEQUENCE of two INTEGERs."""
    body = b"".join(_integer(half) for half in (raw[:32], raw[32:]))
    return b"\x30" + bytes((len(body),)) + body


def _integer(number: bytes) -> bytes:
    """Positive and shortest: no leading zero but the one before a set high bit."""
    number = number.lstrip(b"\0") or b"\0"
    if number[0] & 0x80:
        number = b"\0" + number
    return b"\x02" + bytes((len(number),)) + number
