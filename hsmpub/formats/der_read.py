"""Reads a bare signature: ECDSA from DER, RSA as it is. Builds nothing."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hsmpub.formats.format import OutputMalformed
from hsmpub.model.key import KeyKind


def read_bare(signature: bytes, kind: KeyKind, rule: type[OutputMalformed]) -> bytes:
    """The signature as the HSM gave it; raises `rule` when it is no signature of such a key."""
    if kind != "p256":
        if len(signature) != 384:
            raise rule(f"An RSA-3072 signature has {len(signature)} bytes, not 384.")
        return signature
    try:
        r, s = decode_dss_signature(signature)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    except (ValueError, OverflowError):
        raise rule("The signature is no DER pair of integers of 256 bits.") from None
