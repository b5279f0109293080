"""What the log says of an output beside its digest, where the digest alone would tell an auditor nothing."""

from __future__ import annotations

import msgspec


class _Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="said", omit_defaults=True):
    pass


class TokenSaid(_Said, frozen=True, tag="token"):
    """claims: the token's whole payload, JSON. The token itself opens doors, so the log has its digest only."""

    claims: str


class CertificateSaid(_Said, frozen=True, tag="certificate"):
    """A certificate was issued. key: of the CA; serial: hex; key_sha256: of the certified SubjectPublicKeyInfo, hex;
    not_after: seconds since 1970."""

    key: str
    serial: str
    subject: str
    names: tuple[str, ...]
    key_sha256: str
    not_after: int


class Revoked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """serial: hex; reason: of RFC 5280, 5.3.1; at: seconds since 1970."""

    serial: str
    reason: str
    at: int


class CrlSaid(_Said, frozen=True, tag="crl"):
    """A list of revoked certificates was made. number: its own; revoked: those that this one added."""

    key: str
    number: int
    revoked: tuple[Revoked, ...] = ()


Said = TokenSaid | CertificateSaid | CrlSaid
