"""What a request says of its signatures beside their files: one reading of it, for whoever makes them and for whoever
judges a receipt."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from hsmpub.model.attested import Attestation, Build
from hsmpub.model.predicate import Predicate, SshProfile
from hsmpub.model.profiles import CertificateProfile, CrlProfile, JwtProfile
from hsmpub.model.said import Revoked


class Context(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a signature may say beside the file. One context serves a whole batch.

    at: seconds since 1970, the time that the signature carries; service, request, project, version, commit,
    policy_sha256 (hex) and requester (claims) go into attestations; ssh, jwt, certificate and crl into certificates,
    tokens and lists of revoked certificates. revoked: what a list says beside what it adds; None: not known here.
    tuf_longest (seconds, 0: nothing said) bounds the expiry of TUF metadata; attest and build go into the attestations
    that are made for them.
    """

    at: int
    service: str = ""
    request: str = ""
    project: str = ""
    version: str = ""
    commit: str = ""
    policy_sha256: str = ""
    requester: Mapping[str, str] = {}
    ssh: SshProfile | None = None
    attest: Attestation | None = None
    build: Build | None = None
    jwt: JwtProfile | None = None
    certificate: CertificateProfile | None = None
    crl: CrlProfile | None = None
    revoked: RevokedSoFar | None = None
    tuf_longest: int = 0


class RevokedSoFar(msgspec.Struct, frozen=True):
    """What a CA's next list of revoked certificates begins with. number: the new list's own; issued: serial numbers
    (hex) of the certificates that can be revoked."""

    number: int
    certificates: tuple[Revoked, ...]
    issued: Collection[str] = ()


def context_of(predicate: Predicate, service: str, at: int) -> Context:
    """What signatures of this request may say beside the file."""
    return Context(
        at=at,
        service=service,
        request=predicate.request,
        project=predicate.project,
        version=predicate.version,
        commit=predicate.commit,
        policy_sha256=predicate.policy_sha256,
        requester=predicate.requester,
        attest=predicate.attest,
        build=predicate.build,
        tuf_longest=predicate.tuf_longest,
        ssh=predicate.ssh,
        jwt=predicate.jwt,
        certificate=predicate.certificate,
        crl=predicate.crl,
    )
