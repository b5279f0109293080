"""The CA's own certificate: self-signed, for a CA of one's own, or a request to somebody else's.

It may issue certificates of this service's formats and no further CA (path length 0), and may be bound to hosts.
Source: RFC 5280, 4.2.1.9 and 4.2.1.10.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from hsmpub.errors import Broken, Invalid
from hsmpub.formats.hsm_key import SignDigest, hsm_key
from hsmpub.formats.public_key import load_public, spki_sha256
from hsmpub.formats.purposes import CA_FORMATS
from hsmpub.formats.x509.asked import is_host
from hsmpub.formats.x509.authority import HASH
from hsmpub.model.key import KeyRecord


class RootNotProven(Broken):
    advice = "Nothing was kept: look at the module, and report this if it happens twice."


class HostMalformed(Invalid):
    advice = "Write a host name in small letters, which stands for itself and everything under it."


def is_authority(key: KeyRecord) -> bool:
    """Whether the ceremony made the key for a CA."""
    return bool(CA_FORMATS.intersection(key.formats))


def authority_extensions() -> tuple[tuple[x509.ExtensionType, bool], ...]:
    """What makes a certificate one of a CA that may issue and revoke, and whether each is critical."""
    others = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
              "encipher_only", "decipher_only")  # fmt: skip
    usage = x509.KeyUsage(key_cert_sign=True, crl_sign=True, **dict.fromkeys(others, False))
    return (x509.BasicConstraints(ca=True, path_length=0), True), (usage, True)


def check_hosts(hosts: Sequence[str]) -> None:
    """Raises HostMalformed."""
    for host in hosts:
        if not is_host(host):
            raise HostMalformed(f"{host[:80]!r} is no host name.")


def make_root(key: KeyRecord, name: x509.Name, sign: SignDigest, *, at: int, seconds: int,
              hosts: Sequence[str] = ()) -> bytes:  # fmt: skip
    """A self-signed certificate in PEM, checked after it is made.

    Args:
        at: its beginning, seconds since 1970; seconds: how long it is valid.
        hosts: names under which alone it may certify; none: any.

    Raises:
        HostMalformed, KeyKindUnfit, RootNotProven, and what `sign` raises.
    """
    check_hosts(hosts)
    public = load_public(key)
    serial = hashlib.sha256(b"hsmpub x509 root\0" + at.to_bytes(8, "big") + spki_sha256(key.public)).digest()
    builder = (
        x509.CertificateBuilder(name, name, public, int.from_bytes(serial[:16], "big") | 1 << 127)
        .not_valid_before(datetime.fromtimestamp(at, UTC))
        .not_valid_after(datetime.fromtimestamp(at + seconds, UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    for extension, critical in authority_extensions():
        builder = builder.add_extension(extension, critical)
    if hosts:
        permitted = [x509.DNSName(host) for host in hosts]
        builder = builder.add_extension(x509.NameConstraints(permitted, None), critical=True)
    made = builder.sign(hsm_key(key, sign), HASH)
    try:
        made.verify_directly_issued_by(made)
    except (InvalidSignature, ValueError, TypeError):
        raise RootNotProven("The certificate does not verify against the key's record.") from None
    return made.public_bytes(Encoding.PEM)
