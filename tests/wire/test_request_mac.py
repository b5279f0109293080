"""The MAC of a request is one function, however it is worked out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hsmpub.wire.session import RequestMac, request_mac


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**63 - 1), st.binary(max_size=200))
def test_a_kept_key_makes_the_mac_that_the_key_makes(key: bytes, counter: int, body: bytes) -> None:
    kept = RequestMac(key)
    kept.of(counter ^ 1, body)  # what was made before leaves no trace
    assert kept.of(counter, body) == request_mac(key, counter, body)


def test_a_kept_key_is_in_no_representation() -> None:
    key = b"the-canary-of-a-sessions-mac-key"
    assert "canary" not in repr(RequestMac(key))
