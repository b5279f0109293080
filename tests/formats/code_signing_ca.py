"""A CA that exists for a test: root, intermediate, and code-signing certificates from requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_USAGES = {"code": ExtendedKeyUsageOID.CODE_SIGNING, "server": ExtendedKeyUsageOID.SERVER_AUTH}
YEAR = timedelta(days=365)


def chain_of(*certificates: x509.Certificate) -> str:
    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in certificates)


class CodeSigningCa:
    """now: seconds since 1970, around which its certificates are valid."""

    def __init__(self, now: int) -> None:
        self.now = datetime.fromtimestamp(now, UTC)
        self._root_key, self._key, self._leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        root, middle = _name("Test Root"), _name("Test Issuing CA")
        self.root = self._sign(root, self._root_key.public_key(), root, self._root_key, ca=1)
        self.intermediate = self._sign(middle, self._key.public_key(), root, self._root_key, ca=0)
        leaf = _name("A Leaf")
        self.leaf = self._sign(leaf, self._leaf_key.public_key(), middle, self._key, usage="code")

    def issue(
        self, request: bytes, *, usage: str = "code", since: timedelta = -YEAR, until: timedelta = YEAR,
        is_ca: bool = False, by_leaf: bool = False,
    ) -> x509.Certificate:  # fmt: skip
        """What the CA answers. by_leaf: signed with the key of a certificate that is no CA."""
        asked = x509.load_pem_x509_csr(request)
        issuer, key = (self.leaf, self._leaf_key) if by_leaf else (self.intermediate, self._key)
        return self._sign(asked.subject, asked.public_key(), issuer.subject, key, usage=usage, since=since,
                          until=until, ca=0 if is_ca else None)  # fmt: skip

    def _sign(
        self, subject: x509.Name, public: object, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *,
        ca: int | None = None, usage: str = "", since: timedelta = -YEAR, until: timedelta = YEAR,
    ) -> x509.Certificate:  # fmt: skip
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)  # type: ignore[arg-type]
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now + since)
            .not_valid_after(self.now + until)
            .add_extension(x509.BasicConstraints(ca=ca is not None, path_length=ca), critical=True)
        )
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([_USAGES[usage]]), critical=False)
        return builder.sign(key, SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
