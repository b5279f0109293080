"""Asks timestamp authorities, one after the other; the first valid answer counts, and no answer is no timestamp.

A token is verified before it goes anywhere: over these bytes, with the nonce of this question, by a key that the
authority's own pin leads to, near this machine's time. So plain http:// will do, and a redirect is not followed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
from cryptography import x509

from hsmpub.client.address import silence_of
from hsmpub.errors import HsmpubError, Unavailable
from hsmpub.formats.cms.stamp import Stamped, signature_value
from hsmpub.formats.cms.timestamp_token import (
    MAX_RESPONSE_BYTES,
    TimestampMalformed,
    TimestampOffTime,
    Token,
    read_response,
    timestamp_request,
)
from hsmpub.formats.format import Format

#: Seconds for one authority, however slowly its bytes come.
PATIENCE = 10.0
#: Seconds that an authority's clock and this machine's may differ.
MAX_SKEW = 300
_TYPE = "application/timestamp-reply"


class TimestampMissing(Unavailable):
    advice = "Try again, name another authority, or say --no-timestamp: nothing was written."


class AuthorityUnreachable(Unavailable):
    advice = "Try again, or name another authority."


@dataclass(frozen=True)
class Authority:
    """name: for messages; url: http or https; pins: its own certificate, or those of CAs that lead to it."""

    name: str
    url: str
    pins: tuple[x509.Certificate, ...]


class Timestamps:
    """Authorities in the order in which they are asked.

    Args:
        clock: seconds since 1970. patience: seconds for one authority.
    """

    def __init__(
        self,
        authorities: Sequence[Authority],
        *,
        clock: Callable[[], float] = time.time,
        patience: float = PATIENCE,
    ) -> None:
        self._authorities = tuple(authorities)
        self._clock = clock
        self._patience = patience

    @property
    def pins(self) -> tuple[x509.Certificate, ...]:
        """Of all of them."""
        return tuple(pin for authority in self._authorities for pin in authority.pins)

    def stamp(self, data: bytes) -> Token:
        """A token over SHA-256 of `data`.

        Raises:
            TimestampMissing: no authority gave a valid one; it says what each did.
        """
        reasons = []
        for authority in self._authorities:
            try:
                return self._ask(authority, data)
            except HsmpubError as e:
                reasons.append(f"{authority.name}: {e.detail}")
        raise TimestampMissing("No timestamp. " + " ".join(reasons))

    def _ask(self, authority: Authority, data: bytes) -> Token:
        nonce = secrets.randbits(63) | 1
        response = self._fetch(authority.url, timestamp_request(data, nonce))
        token = read_response(response, data, nonce, authority.pins)
        if abs(token.at - self._clock()) > MAX_SKEW:
            raise TimestampOffTime("The timestamp is minutes away from this machine's time.")
        return token

    def _fetch(self, url: str, request: bytes) -> bytes:
        """Raises AuthorityUnreachable, TimestampMalformed."""
        until = time.monotonic() + self._patience
        try:
            with (
                httpx.Client(trust_env=False, follow_redirects=False, timeout=self._patience) as client,
                client.stream(
                    "POST", url, content=request, headers={"content-type": "application/timestamp-query"}
                ) as answer,
            ):
                if answer.status_code != 200:
                    raise AuthorityUnreachable(f"It answers with status {answer.status_code}.")
                if answer.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
                    raise TimestampMalformed("Its answer is of another type than a timestamp.")
                held = bytearray()
                for piece in answer.iter_raw():
                    held += piece
                    if len(held) > MAX_RESPONSE_BYTES or time.monotonic() > until:
                        raise TimestampMalformed("Its answer does not end.")
                return bytes(held)
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            raise AuthorityUnreachable(f"It does not answer: {silence_of(e)}.") from None


def token_for(output: bytes, form: Format, stamps: Timestamps | None) -> bytes | None:
    """A verified token over an output's signature value; None: none is asked for, or the format can hold none.

    Raises:
        TimestampMissing.
    """
    if stamps is None or not isinstance(form, Stamped):
        return None
    return stamps.stamp(signature_value(output)).der
