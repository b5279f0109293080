from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.targets.basic import basic_header
from hsmpub.targets.scrub import WINDOW, printable, scrub

secrets = st.lists(st.integers(33, 255), min_size=WINDOW + 4, max_size=60).map(bytes)
text = st.binary(max_size=40)


@given(secrets, text, text, st.integers(0, 4))
def test_no_eight_bytes_of_a_credential_are_repeated(secret: bytes, before: bytes, after: bytes, start: int) -> None:
    part = secret[start : start + WINDOW]
    assert "withheld" in scrub(before + part + after, secret)


@given(secrets, text, text, st.binary(max_size=20))
def test_no_encoded_form_of_a_credential_is_repeated(secret: bytes, before: bytes, after: bytes, user: bytes) -> None:
    forms = [
        secret.hex().encode(), secret.hex().upper().encode(), quote(secret, safe="").encode(), secret[::-1],
        base64.b64encode(secret), base64.urlsafe_b64encode(secret), base64.b64encode(user + b":" + secret),
        base64.b64encode(b"x" + secret), base64.b64encode(b"xy" + secret), bytes(basic_header(user, bytearray(secret))),
    ]  # fmt: skip
    for form in forms:
        assert "withheld" in scrub(before + form + after, secret, user)


@pytest.mark.parametrize("said", [b"File already exists", b"<h1>400</h1> <p>Bad  request</p>"])
def test_other_words_of_a_target_are_kept(said: bytes) -> None:
    assert scrub(said, b"a-credential-of-some-length") == printable(said) != ""


@given(st.binary(max_size=20_000))
def test_what_is_printed_is_short_and_one_line(said: bytes) -> None:
    shown = printable(said)
    assert len(shown) <= 300
    assert shown.isprintable()


@given(st.binary(max_size=40).filter(lambda u: b":" not in u), st.binary(max_size=80))
def test_the_header_is_what_basic_authentication_says(user: bytes, secret: bytes) -> None:
    expected = b"Authorization: Basic " + base64.b64encode(user + b":" + secret)
    assert basic_header(user, bytearray(secret)) == expected
