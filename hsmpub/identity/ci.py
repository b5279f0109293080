"""A CI job as its issuer vouches for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Claims that the service checks itself; neither a policy rule nor a statement repeats them.
REGISTERED = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})
#: Names with a meaning of their own in a statement's requester; a token's claims of that name are left out.
RESERVED = frozenset({"issuer", "subject", "person", "nonce", "session"})


@dataclass(frozen=True)
class CiIdentity:
    """Who asks, once the token verified.

    Attributes:
        issuer: its name in the policy, not its URL.
        subject: the `sub` claim.
        claims: the others, as strings, without the registered ones.
        token_id: SHA-256 (hex) over issuer and `jti`: to be used once.
        expires_at: seconds since 1970, as the token says.
        forget_at: from then on this token is refused as expired, so that its id need not be remembered.
        bound: the audience named the session's key.
    """

    issuer: str
    subject: str
    claims: Mapping[str, str]
    token_id: str = ""
    expires_at: int = 0
    forget_at: int = 0
    bound: bool = field(default=True)

    def claim(self, name: str) -> str | None:
        """A claim by name, `sub` included; None when the token lacks it."""
        return self.subject if name == "sub" else self.claims.get(name)

    def as_requester(self) -> dict[str, str]:
        """The requester of a statement: `issuer`, `subject`, and every claim that cannot be taken for those."""
        claims = {name: value for name, value in self.claims.items() if name not in RESERVED}
        return {**claims, "issuer": self.issuer, "subject": self.subject}
