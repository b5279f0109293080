"""The tables of a project that say what stands in certificates and tokens: the requester chooses nothing else."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StringConstraints
from pydantic import model_validator as validates

from hsmpub.model.glob import is_wild
from hsmpub.model.predicate import SshProfile
from hsmpub.model.profiles import CertificateProfile, CertificateUsage, CrlProfile, JwtProfile
from hsmpub.model.toml_words import formed
from hsmpub.policy.period import LongPeriod, Period, at_most
from hsmpub.policy.table import Table, Text

DAY = 86_400
_Principal = Annotated[
    str,
    formed(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,252}", "a principal: letters, digits, '_', '.', '@' and '-', no wildcard"),
]
_Extension = Literal["permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty",
                     "permit-user-rc", "no-touch-required"]  # fmt: skip


class SshCertificates(Table):
    """What SSH certificates of a project say. An empty list of principals would mean anybody, so there is none.

    valid: seconds, a day at most. extensions: none for hosts.
    """

    kind: Literal["user", "host"]
    principals: Annotated[tuple[_Principal, ...], Field(min_length=1, max_length=64)]
    valid: Annotated[Period, at_most(DAY, "a day")]
    extensions: tuple[_Extension, ...] = ()

    @validates(mode="after")
    def _fit(self) -> SshCertificates:
        if len(set(self.principals)) < len(self.principals) or len(set(self.extensions)) < len(self.extensions):
            raise ValueError("a principal or extension stands twice")
        if self.kind == "host" and self.extensions:
            raise ValueError("certificates of hosts have no extensions")
        return self

    def as_profile(self) -> SshProfile:
        return SshProfile(self.kind, self.principals, self.valid, self.extensions)


#: Claims whose values the service sets, or that have a key of their own in the table.
REGISTERED = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


_Pattern = Annotated[Text, StringConstraints(max_length=300)]
_Patterns = Annotated[tuple[_Pattern, ...], BeforeValidator(_as_list), Field(min_length=1, max_length=64)]
_Header = Annotated[str, formed(r"[\x21-\x7e]{1,100}", "1 to 100 ASCII characters without spaces")]


class JwtTable(Table):
    """What tokens of a project say.

    issuer, subject, audience: patterns of `iss`, `sub` and `aud`; a claim without a pattern is not in the token, and
    `audience = []` has to be said. valid: seconds, a day at most. The rest is as in JwtProfile.
    """

    issuer: _Pattern
    subject: Annotated[tuple[_Pattern, ...], BeforeValidator(_as_list), Field(max_length=64)] = ()
    audience: Annotated[tuple[_Pattern, ...], BeforeValidator(_as_list), Field(max_length=64)]
    valid: Annotated[Period, at_most(DAY, "a day")]
    claims: Annotated[dict[Text, _Patterns], Field(max_length=64, default_factory=dict)]
    free: Annotated[tuple[Text, ...], Field(max_length=64)] = ()
    key_id: _Header | None = None
    type: _Header = "JWT"
    early: Annotated[Period, at_most(300, "five minutes")] | None = None
    not_before: StrictBool = False
    id: StrictBool = False

    @validates(mode="after")
    def _fit(self) -> JwtTable:
        if any(is_wild(pattern) for pattern in (self.issuer, *self.subject, *self.audience)):
            raise ValueError("issuer, subject and audience are pinned to some text")
        named = [*self.claims, *self.free]
        if REGISTERED.intersection(named) or len(set(named)) < len(named):
            raise ValueError("a claim stands twice, or has a key of its own, or is set by the service")
        if self.early is not None and self.early >= self.valid:
            raise ValueError("tokens would be over before they are made")
        return self

    def as_profile(self, key: str) -> JwtProfile:
        """key: name of the key, which is its id where the table names none."""
        own = {"iss": (self.issuer,), "sub": self.subject, "aud": self.audience}
        claims = {**{name: patterns for name, patterns in own.items() if patterns}, **self.claims}
        kid, early = self.key_id or key, self.early or 0
        return JwtProfile(kid, self.type, self.valid, claims, self.free, early, self.not_before, self.id)


CertifiedKey = Literal["p256", "p384", "ed25519", "rsa2048", "rsa3072", "rsa4096"]


class CertificateTable(Table):
    """What X.509 certificates of a project say; see CertificateProfile. valid: seconds, two years at most."""

    usage: CertificateUsage
    names: Annotated[tuple[_Pattern, ...], Field(min_length=1, max_length=64)]
    valid: LongPeriod
    keys: Annotated[tuple[CertifiedKey, ...], Field(min_length=1)]
    organization: Annotated[Text, StringConstraints(max_length=64)] | None = None
    country: Annotated[str, formed(r"[A-Z]{2}", 'two capital letters, such as "NL"')] | None = None
    crl_url: Annotated[str, formed(r"https?://[\x21-\x7e]{1,200}", "an http or https address")] | None = None

    @validates(mode="after")
    def _fit(self) -> CertificateTable:
        if any(map(is_wild, self.names)):
            raise ValueError("names are pinned to some text")
        if len(set(self.names)) < len(self.names) or len(set(self.keys)) < len(self.keys):
            raise ValueError("a name or a kind of key stands twice")
        return self

    def as_profile(self) -> CertificateProfile:
        return CertificateProfile(
            self.usage, self.names, self.valid, self.keys,
            self.organization or "", self.country or "", self.crl_url or "",
        )  # fmt: skip


class CrlTable(Table):
    """valid: after so many seconds the next list is due."""

    valid: Period

    def as_profile(self) -> CrlProfile:
        return CrlProfile(self.valid)
