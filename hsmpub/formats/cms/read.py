"""Reads SignedData with asn1crypto, which shares nothing with what wrote it; nothing is verified here.

Source: RFC 5652; RFC 5035.
"""

from __future__ import annotations

import hashlib
from typing import Any

from asn1crypto import cms as asn1_cms
from asn1crypto import tsp  # noqa: F401 - teaches asn1_cms the signing certificate attribute
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hsmpub.formats.cms.chain import Chain
from hsmpub.formats.cms.der_check import check_der
from hsmpub.formats.cms.exact import Said, signed_data_of
from hsmpub.formats.format import Claim, OutputForAnother, OutputMalformed
from hsmpub.model.key import KeyKind

_ALGORITHMS: dict[str, set[str]] = {
    "p256": {"sha256_ecdsa"},
    "rsa3072": {"rsassa_pkcs1v15"},
}


class CmsMalformed(OutputMalformed):
    pass


class ReadSignedData:
    """What a SignedData says.

    content_type: dotted name as asn1crypto spells it; content: encapsulated content, raw DER, empty if elsewhere;
    digest: of the content, as signed; at: signing time, seconds since 1970; attributes: values by type, DER;
    claim: what was signed with what.
    certificates: the chain is in it; without, there is none at all.
    """

    def __init__(
        self, output: bytes, chain: Chain, kind: KeyKind, version: str = "v1", *, certificates: bool = True
    ) -> None:
        try:
            self._read(output, chain, kind, version, certificates)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as e:
            raise CmsMalformed(f"This is no CMS signature that the service could have made: {_short(e)}.") from None

    def _read(self, output: bytes, chain: Chain, kind: KeyKind, version: str, certificates: bool) -> None:
        check_der(output)
        info = asn1_cms.ContentInfo.load(output, strict=True)
        if info["content_type"].native != "signed_data":
            raise ValueError("not signed data")
        signed = info["content"]
        [signer], [algorithm] = signed["signer_infos"], signed["digest_algorithms"]
        if (signed["version"].native, signer["version"].native) != (version, "v1") or len(signed["crls"] or []):
            raise ValueError("another version")
        check_algorithms(algorithm, signer, kind)
        _check_chain(signed, signer, chain, certificates)
        encapsulated = signed["encap_content_info"]
        self.content_type: str = encapsulated["content_type"].native
        self.content: bytes = encapsulated["content"].dump()
        # the bytes as they came, taken before asn1crypto has looked inside: it would encode all of it anew, for 4 ms
        payload = hashlib.sha256(b"\x31" + signer["signed_attrs"].dump()[1:]).digest()
        said = said_of(signed, signer, chain, certificates)
        if signed_data_of(said, kind) != output:
            raise ValueError("more than the service puts into one")
        self._read_attributes(signer["signed_attrs"], chain)
        self.claim = Claim(payload, "sha256", raw_of(signer["signature"].native, kind))

    def _read_attributes(self, attributes: Any, chain: Chain) -> None:
        values: dict[str, Any] = {}
        self.attributes: dict[str, bytes] = {}
        for one in attributes:
            name = one["type"].native
            if name in values:
                raise ValueError("an attribute twice")
            [values[name]] = one["values"]
            self.attributes[name] = values[name].dump()
        if values["content_type"].native != self.content_type:
            raise ValueError("two content types")
        self.digest: bytes = values["message_digest"].native
        self.at = int(values["signing_time"].native.timestamp())
        [named] = values["signing_certificate_v2"]["certs"]
        if named["cert_hash"].native != hashlib.sha256(chain.ders[0]).digest():
            raise ValueError("another certificate signed")


def said_of(signed: Any, signer: Any, chain: Chain, certificates: bool) -> Said:
    """What of a SignedData is compared with the whole of it; signer and certificates are the chain's already."""
    encapsulated = signed["encap_content_info"]
    return Said(
        int(signed["version"]), encapsulated["content_type"].dump() + encapsulated["content"].dump(),
        b"".join(sorted(chain.ders)) if certificates else b"", chain.issuer, chain.serial,
        signer["signed_attrs"].dump(), signer["signature"].native,
    )  # fmt: skip


def check_algorithms(algorithm: Any, signer: Any, kind: KeyKind) -> None:
    for one in (algorithm, signer["digest_algorithm"]):
        if one["algorithm"].native != "sha256" or one["parameters"].dump() != b"\x05\x00":
            raise ValueError("another digest algorithm")
    found = signer["signature_algorithm"]
    if found["algorithm"].native not in _ALGORITHMS[kind] or signer["unsigned_attrs"].contents:
        raise ValueError("another signature algorithm")
    if found["parameters"].dump() != (b"" if kind == "p256" else b"\x05\x00"):
        raise ValueError("another parameter of the signature algorithm")


def _check_chain(signed: Any, signer: Any, chain: Chain, certificates: bool) -> None:
    if [one.chosen.dump() for one in signed["certificates"] or []] != (sorted(chain.ders) if certificates else []):
        raise OutputForAnother("The signature carries other certificates than the key's.")
    sid = signer["sid"].chosen
    if sid["serial_number"].native != chain.serial or sid["issuer"].dump() != chain.issuer:
        raise OutputForAnother("The signature names another certificate than the key's.")


def signs_with_rsa(output: bytes) -> bool:
    """Whether the only signer of a SignedData has an RSA key. Raises CmsMalformed."""
    try:
        check_der(output)
        [signer] = asn1_cms.ContentInfo.load(output, strict=True)["content"]["signer_infos"]
        return bool(signer["signature_algorithm"]["algorithm"].native == "rsassa_pkcs1v15")
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as e:
        raise CmsMalformed(f"This is no CMS signature that the service could have made: {_short(e)}.") from None


def raw_of(signature: bytes, kind: KeyKind) -> bytes:
    if kind != "p256":
        return signature
    r, s = decode_dss_signature(signature)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0][:80] or type(error).__name__


def check_same(found: ReadSignedData, digest: bytes, at: int | None) -> None:
    """Raises OutputForAnother unless the signature is over this digest, of this time (None: any)."""
    if found.digest != digest:
        raise OutputForAnother("The signature is over another file.")
    if at is not None and found.at != at:
        raise OutputForAnother("The signature carries another time.")
