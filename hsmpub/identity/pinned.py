"""What must be known of an issuer before a token of it counts; the policy says it (`hsmpub.policy.model.Issuer`)."""

from __future__ import annotations

from typing import Protocol


class PinnedIssuer(Protocol):
    """url: the `iss` of its tokens, letter for letter. audience: of this service. bearer: also tokens that name no
    session key."""

    @property
    def url(self) -> str: ...

    @property
    def audience(self) -> str: ...

    @property
    def bearer(self) -> bool: ...
