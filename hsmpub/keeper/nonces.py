"""Nonces that cost nothing to give out: the keeper knows its own by a MAC, and remembers only those that were used.

Whoever merely asks fills no table. A restart voids what was given out before.
"""

from __future__ import annotations

import hmac
import secrets

from hsmpub.errors import Conflict

NONCE_SECONDS = 300
_RANDOM, _MAC = 8, 16
NONCE_BYTES = 8 + _RANDOM + _MAC


class NonceOver(Conflict):
    advice = "Ask for a fresh nonce and sign that."
    retry_is_safe = True


class NonceUsed(Conflict):
    advice = "Each signature is used once; ask for a fresh nonce and sign anew."


class Nonces:
    """Given out for `NONCE_SECONDS`, used once. Times in seconds since 1970."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._used: dict[bytes, int] = {}

    def give(self, now: int) -> bytes:
        body = now.to_bytes(8, "big") + secrets.token_bytes(_RANDOM)
        return body + self._mac(body)

    def check(self, nonce: bytes, now: int) -> None:
        """Raises NonceOver, NonceUsed."""
        body, mac = nonce[:-_MAC], nonce[-_MAC:]
        if len(nonce) != NONCE_BYTES or not hmac.compare_digest(mac, self._mac(body)):
            raise NonceOver("The nonce is not one that this keeper gave out since it started.")
        if now - int.from_bytes(body[:8], "big") > NONCE_SECONDS:
            raise NonceOver("The time of the nonce is over.")
        if nonce in self._used:
            raise NonceUsed("This signature was used already.")

    def use_up(self, nonce: bytes, now: int) -> None:
        """Call when the signature over it is known to be right. Raises as `check`."""
        self.check(nonce, now)
        self._used = {one: at for one, at in self._used.items() if now - at <= 2 * NONCE_SECONDS}
        self._used[nonce] = now

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, b"hsmpub nonce v1" + body, "sha256")[:_MAC]
