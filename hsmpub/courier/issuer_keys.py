"""Fetches the signing keys of a CI issuer, in a child. Sources: OpenID Connect Discovery 1.0, 4; RFC 7517.

The discovery document comes from the issuer's own pinned address; where it says that the keys lie, they may lie at
another host (some issuers do that), which is vetted like every other. Nothing secret is sent to either.
"""

from __future__ import annotations

import msgspec

from hsmpub.errors import Invalid, Unavailable
from hsmpub.targets.pinned import PinnedHost
from hsmpub.targets.place import load_place

_MAX_DISCOVERY_BYTES = 256 * 1024
_MAX_KEYS_BYTES = 256 * 1024
#: Public members of a JWK that matter; certificates and comments would only swell the log.
_MEMBERS = ("kid", "kty", "use", "alg", "key_ops", "n", "e", "crv", "x", "y")


class IssuerAnswerMalformed(Invalid):
    advice = "Look at what the issuer serves; the keys known before stay in use."


class IssuerUnavailable(Unavailable):
    advice = "It is tried again by itself; the keys known before stay in use."


class _Discovery(msgspec.Struct):
    issuer: str
    jwks_uri: str


class _Set(msgspec.Struct):
    keys: list[dict[str, object]]


def fetch_issuer_keys(url: str, *, loopback: bool, timeout: float, lifetime: float) -> bytes:
    """The issuer's JWK Set in one fixed spelling, so that it changes only when its keys do.

    Args:
        url: the issuer, exactly as its tokens name it. timeout, lifetime: seconds, see PinnedHost.

    Raises:
        IssuerAnswerMalformed: no discovery document of this issuer, or no key set.
        IssuerUnavailable, and the errors of hsmpub.targets.pinned.
    """

    def get(address: str, cap: int) -> bytes:
        place = load_place(address, loopback=loopback)
        host = PinnedHost(place, loopback=loopback, timeout=timeout, lifetime=lifetime)
        with host.request("GET", place.path, cap=cap, headers={"Accept": "application/json"}) as answer:
            if answer.status != 200:
                raise IssuerUnavailable(f"The issuer answers {answer.status}.")
            return answer.read(shows_its_end=True)  # an object in JSON does: without its last byte it is none

    try:
        document = get(url.rstrip("/") + "/.well-known/openid-configuration", _MAX_DISCOVERY_BYTES)
        discovery = msgspec.json.decode(document, type=_Discovery)
        if discovery.issuer != url:
            raise IssuerAnswerMalformed("The discovery document is of another issuer.")
        found = msgspec.json.decode(get(discovery.jwks_uri, _MAX_KEYS_BYTES), type=_Set)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise IssuerAnswerMalformed("The issuer's answer is not the JSON that it should be.") from None
    keys = [{name: key[name] for name in _MEMBERS if name in key} for key in found.keys]
    keys.sort(key=lambda key: msgspec.json.encode(key, order="deterministic"))
    return msgspec.json.encode({"keys": keys}, order="deterministic")
