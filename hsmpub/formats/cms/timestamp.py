"""Timestamps of our own (RFC 3161): that a file of this hash was there when the service signed.

The service is the authority: time and serial number are its own, the hash is the file's. Made by the signing route
under policy and log. Queries of other programs are answered by hsmpub.formats.cms.timestamp_answer.
The key's certificate has timeStamping as its only extended key usage, critical, and the key makes nothing else.
Source: RFC 3161, section 2.4.2; RFC 5816.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from asn1crypto import tsp
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from hsmpub.errors import Invalid
from hsmpub.formats.base import Detached
from hsmpub.formats.cms.chain import Chain, load_chain
from hsmpub.formats.cms.der import context as tagged
from hsmpub.formats.cms.der import integer, octets, oid, sequence, tlv
from hsmpub.formats.cms.der_check import check_der, contents, members
from hsmpub.formats.cms.read import CmsMalformed, ReadSignedData, check_same
from hsmpub.formats.cms.signed_data import SHA256, prepare_attributes, signed_attributes, signed_data
from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Claim, OutputForAnother, Prepared
from hsmpub.formats.purposes import check_may_make
from hsmpub.model.key import KeyKind, KeyRecord

_TST_INFO = oid("1.2.840.113549.1.9.16.1.4")
#: anyPolicy: the service promises what its documents say, and is audited under no policy of others.
_POLICY = "2.5.29.32.0"
_GRANTED = sequence(integer(0))


class TimestampCertificateUnfit(Invalid):
    advice = "Have the key's certificate issued for timestamps alone: extended key usage timeStamping, critical."


class OwnTimestamp(Detached):
    """`.tsr`, a granted response, with RSA-3072 or ECDSA on P-256, SHA-256: `openssl ts -verify -in x.tsr -data x`."""

    name = "timestamp"
    suffix = ".tsr"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072"})

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        chain = load_chain(key)
        check_time_usage(chain, key.name)
        digest = artifact.state.digest()
        info = sequence(
            integer(1),
            oid(_POLICY),
            sequence(SHA256, octets(digest)),
            integer(_serial(artifact, context)),
            tlv(0x18, datetime.fromtimestamp(context.at, UTC).strftime("%Y%m%d%H%M%SZ").encode()),
        )
        attributes = signed_attributes(_TST_INFO, hashlib.sha256(info).digest(), context.at, chain)
        return prepare_attributes(attributes, key.kind, chain, _TST_INFO + tagged(0, octets(info)))

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return sequence(_GRANTED, signed_data(prepared, signature, version=3))

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        found = ReadSignedData(_token(output), load_chain(key), key.kind, version="v3")
        info = _info(found)
        check_same(found, hashlib.sha256(info).digest(), context.at if context else None)
        said = tsp.TSTInfo.load(info, strict=True).native
        wanted = ("v1", _ANY_POLICY, "sha256", artifact.state.digest(), found.at)
        imprint = said["message_imprint"]
        given = (said["version"], said["policy"], imprint["hash_algorithm"]["algorithm"], imprint["hashed_message"])
        if (*given, int(said["gen_time"].timestamp())) != wanted:
            raise OutputForAnother("The timestamp is over another file, or says two times.")
        if context is not None and said["serial_number"] != _serial(artifact, context):
            raise OutputForAnother("The timestamp has the number of another one.")
        return found.claim


def _serial(artifact: Artifact, context: Context) -> int:
    """Unique, as requests are: 128 bits."""
    unique = f"{context.service}\n{context.request}\n{artifact.name}\n".encode() + artifact.state.digest()
    return int.from_bytes(hashlib.sha256(unique).digest()[:16], "big")


def check_time_usage(chain: Chain, key: str) -> None:
    """Raises TimestampCertificateUnfit."""
    leaf = x509.load_der_x509_certificate(chain.ders[0])
    try:
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, ValueError):
        raise TimestampCertificateUnfit(f"The certificate of the key {key!r} is not one for timestamps.") from None
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise TimestampCertificateUnfit(f"The certificate of the key {key!r} is not one for timestamps alone.")


def _token(output: bytes) -> bytes:
    """Raises CmsMalformed."""
    try:
        check_der(output)
        status, token = members(contents(output))
    except ValueError:
        raise CmsMalformed("This is no timestamp that the service could have made.") from None
    if output[:1] != b"\x30" or status != b"\x30\x03\x02\x01\x00":
        raise CmsMalformed("The timestamp says that it was not granted.")
    return token


def _info(found: ReadSignedData) -> bytes:
    """TSTInfo, DER. Raises CmsMalformed."""
    if found.content_type != "tst_info" or set(found.attributes) != _ATTRIBUTES:
        raise CmsMalformed("The signature is of another kind than a timestamp's.")
    try:
        [inner] = members(contents(found.content))
        info = contents(inner)
        check_der(info)
        tsp.TSTInfo.load(info, strict=True).native  # noqa: B018 - parses
    except (ValueError, TypeError, KeyError, OverflowError):
        raise CmsMalformed("The signature holds no timestamp.") from None
    if inner[0] != 0x04 or len(members(contents(info))) != 5:
        raise CmsMalformed("The timestamp says more than the service does.")
    return info


_ANY_POLICY = tsp.TSTInfo({"policy": _POLICY})["policy"].native
_ATTRIBUTES = {"content_type", "message_digest", "signing_time", "signing_certificate_v2"}
