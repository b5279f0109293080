"""What a statement asks, member by member: the predicate, and the values that it is made of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from hsmpub.model.attested import Attestation, Build
from hsmpub.model.profiles import CertificateProfile, CrlProfile, JwtProfile

Kind = Literal["release", "sign", "policy", "roster", "credential", "decrypt"]


class Signing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Make these formats with this key."""

    key: str
    formats: tuple[str, ...]


def taken(sign: Sequence[Signing], formats: Collection[str]) -> tuple[Signing, ...]:
    """What of it is made of a file that takes these formats, in the order of `sign`. Empty formats: all of it."""
    if not formats:
        return tuple(sign)
    kept = (Signing(one.key, tuple(name for name in one.formats if name in formats)) for one in sign)
    return tuple(one for one in kept if one.formats)


class Quorum(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many different persons of this group must approve."""

    group: str
    count: int


class Decryption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to be able to open an encrypted file, and why. The subject's digest is that of the file's header.

    Attributes:
        key: the decryption key that the header names; form: `age`, `openpgp` or `cms`.
        recipient: the key that the file's key is encrypted to, in full; fingerprint: of that, for people.
        reason: what the requester says.
    """

    key: str
    form: Literal["age", "openpgp", "cms"]
    recipient: str
    fingerprint: str
    reason: str


class SshProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What SSH certificates of a project say. seconds: how long they are valid."""

    kind: Literal["user", "host"]
    principals: tuple[str, ...]
    seconds: int
    extensions: tuple[str, ...] = ()


class TufFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a file of TUF metadata says. file: name of the subject; expires: seconds since 1970.

    refers: version of the targets that a snapshot names, or of the snapshot that a timestamp names.
    text: all of it in words, where somebody approves it (hsmpub.formats.tuf.meaning).
    """

    file: str
    role: Literal["root", "targets", "snapshot", "timestamp"]
    version: int
    expires: int
    refers: int = 0
    text: str = ""


class Predicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is asked, by whom, under which policy, until when.

    requester: for CI `{"issuer": …, "subject": …, claims…}`; for a person `{"person": name}`.
    sizes: bytes of each subject, in their order; empty in digest mode.
    nonce: 32 hex characters, chosen by the keeper.
    text: the whole new policy or roster, for those kinds.
    roster_sha256: of the roster that `text` takes the place of, for that kind; of a policy it is `policy_sha256`.
    credential: name of the credential, for that kind; its subject digest is that of the sealed blob.
    decrypt: for that kind.
    ssh, jwt, certificate, crl: where such are asked for.
    attest: a predicate of the requester's, for the format that takes one; build: for provenance.
    certify: in words, what each request for a certificate is about, in the order of the subjects.
    tuf: where signatures over TUF metadata are asked for; tuf_longest: seconds until it may expire at most, 0: as the
        role has it.
    """

    request: str
    kind: Kind
    requester: dict[str, str]
    policy_sha256: str
    nonce: str
    requested_at: int
    expires_at: int
    approvals: tuple[Quorum, ...] = ()
    project: str = ""
    version: str = ""
    commit: str = ""
    sizes: tuple[int, ...] = ()
    sign: tuple[Signing, ...] = ()
    publish: tuple[str, ...] = ()
    text: str = ""
    credential: str = ""
    decrypt: Decryption | None = None
    ssh: SshProfile | None = None
    attest: Attestation | None = None
    build: Build | None = None
    jwt: JwtProfile | None = None
    certificate: CertificateProfile | None = None
    crl: CrlProfile | None = None
    certify: tuple[str, ...] = ()
    tuf: tuple[TufFacts, ...] = ()
    tuf_longest: int = 0
    roster_sha256: str = ""


class Profiles(msgspec.Struct, frozen=True):
    """The members of a predicate that say what stands in certificates and tokens."""

    ssh: SshProfile | None = None
    jwt: JwtProfile | None = None
    certificate: CertificateProfile | None = None
    crl: CrlProfile | None = None

    @classmethod
    def of(cls, predicate: Predicate) -> Profiles:
        return cls(predicate.ssh, predicate.jwt, predicate.certificate, predicate.crl)
