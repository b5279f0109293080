"""Which claims a requester may have in a token: what the profile names, with values that match its patterns."""

from __future__ import annotations

from typing import Any

from hsmpub.errors import Forbidden, Invalid
from hsmpub.model.glob import is_match
from hsmpub.model.profiles import JwtProfile

#: Never the requester's to choose; `exp` may be asked for, and is looked at on its own.
_OF_THE_SERVICE = frozenset({"iat", "nbf", "jti"})
_REQUIRED = ("iss", "sub", "aud")
_MOST_TEXTS = 64


class ClaimNotAllowed(Forbidden):
    advice = "Leave the claim out, or have it named in [project.NAME.jwt] of the policy."


class ClaimOutsidePattern(Forbidden):
    advice = "Ask for a value that the policy's patterns in [project.NAME.jwt] take."


class ClaimMissing(Invalid):
    advice = "The policy leaves a choice, so say which value the token is to have."


def fixed_claims(profile: JwtProfile) -> dict[str, Any]:
    """What the policy itself says: claims with one pattern, and no `*` in it."""
    return {name: patterns[0] for name, patterns in profile.claims.items()
            if len(patterns) == 1 and "*" not in patterns[0]}  # fmt: skip


def check_claim_values(said: dict[str, Any], profile: JwtProfile) -> None:
    """Raises ClaimNotAllowed, ClaimOutsidePattern, ClaimMissing."""
    for name, value in said.items():
        if name == "exp" or name in profile.free:
            continue
        if name in _OF_THE_SERVICE or name not in profile.claims:
            raise ClaimNotAllowed(f"The claim {name[:80]!r} is not one that the policy lets a requester say.")
        _check_texts(name, value, profile.claims[name])
    for name in _REQUIRED:
        if name in profile.claims and name not in said:
            raise ClaimMissing(f"The request does not say {name!r}, for which the policy has more than one value.")


def _check_texts(name: str, value: Any, patterns: tuple[str, ...]) -> None:
    """iss and sub are one text each (RFC 7519, 4.1.1 and 4.1.2)."""
    texts = value if isinstance(value, list) and name not in ("iss", "sub") else [value]
    if not 0 < len(texts) <= _MOST_TEXTS or not all(isinstance(text, str) for text in texts):
        raise ClaimOutsidePattern(f"The claim {name[:80]!r} is no text, nor a list of texts.")
    for text in texts:
        if not any(is_match(pattern, text) for pattern in patterns):
            raise ClaimOutsidePattern(f"The claim {name[:80]!r} may not be {text[:80]!r}.")
