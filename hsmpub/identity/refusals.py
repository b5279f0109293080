"""Why an identity token is refused: one name for each reason. No message repeats the token."""

from __future__ import annotations

from hsmpub.errors import TooLarge, Unauthenticated, Unavailable


class TokenTooLarge(TooLarge):
    advice = "Send the identity token alone, as the issuer gave it."


class TokenMalformed(Unauthenticated):
    advice = "Send the identity token as the issuer gave it, in compact form."


class TokenUnsigned(Unauthenticated):
    advice = "Send a token that the issuer signed."


class TokenAlgorithmSwapped(Unauthenticated):
    advice = "Send the token as the issuer signed it: the issuer's key decides the algorithm, not the token."


class TokenOfAnotherType(Unauthenticated):
    advice = "Ask the issuer for an OpenID Connect identity token, not an access token."


class TokenFromUnknownIssuer(Unauthenticated):
    advice = "Check the issuer's URL in the policy, letter for letter, or have the issuer added to it."


class IssuerKeysMissing(Unavailable):
    advice = "Try again in a minute; if it stays so, the courier's log says why they could not be fetched."


class TokenKeyUnknown(Unauthenticated):
    advice = "If the issuer changed its keys just now, send it again in a minute."
    retry_is_safe = True


class TokenForged(Unauthenticated):
    advice = "Get a token from the issuer itself."


class TokenExpired(Unauthenticated):
    advice = "Ask the issuer for a fresh token right before the request."


class TokenNotYetValid(Unauthenticated):
    advice = "Compare the clocks of the issuer and of this service."


class TokenLivesTooLong(Unauthenticated):
    advice = "Have the issuer make tokens that live a day at most."


class TokenForAnotherAudience(Unauthenticated):
    advice = (
        "Ask the issuer for a token for this service alone: its audience stands in the policy, and where it is not "
        "the service's name, 'hsmpub' takes it with --audience."
    )


class TokenNotBound(Unauthenticated):
    advice = "Let 'hsmpub' ask for the token itself, or set 'bearer = true' for this issuer and accept the risk."


class TokenBoundToAnotherKey(Unauthenticated):
    advice = (
        "Ask for a fresh token for this session; if you did, something between you and the service changed the key."
    )
