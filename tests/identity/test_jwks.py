"""Key sets of issuers: strict, strong, and pinned to algorithms."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from deploy.demo.servers.issuer import Issuer, _public_jwk
from hsmpub.identity.jwks import IssuerKeysMalformed, IssuerKeyTooWeak, parse_jwks


def jwk(algorithm: str = "ES256", **changes: Any) -> dict[str, Any]:
    issuer = Issuer(algorithm)
    issuer.stop()
    key = {**issuer.jwks()["keys"][0], "kid": "a", **changes}
    return {name: value for name, value in key.items() if value is not None}


def key_set(*keys: Any) -> bytes:
    return json.dumps({"keys": keys}).encode()


@pytest.mark.parametrize(
    ("algorithm", "without_alg"),
    [
        ("ES256", {"ES256"}),
        ("ES384", {"ES384"}),
        ("RS256", {"RS256", "PS256"}),
        ("EdDSA", {"EdDSA", "Ed25519"}),
    ],
)
def test_a_key_says_which_algorithms_it_verifies(algorithm: str, without_alg: set[str]) -> None:
    assert parse_jwks(key_set(jwk(algorithm)))["a"].algorithms == {algorithm}
    assert parse_jwks(key_set(jwk(algorithm, alg=None)))["a"].algorithms == without_alg


def test_passes_over_keys_that_are_not_for_signatures() -> None:
    others = [jwk(use="enc", kid="b"), jwk(key_ops=["sign"], kid="c"), jwk(kid=None), jwk(crv="secp256k1", kid="d")]
    others += [{"kty": "oct", "kid": "e"}, jwk(alg="HS256", kid="f"), jwk(alg="ES384", kid="g")]
    keys = [*others, jwk(use=None)]
    assert set(parse_jwks(key_set(*keys))) == {"a"}


@pytest.mark.parametrize(
    "data",
    [
        key_set(),
        key_set(jwk(), jwk()),
        key_set(jwk(x="AAAA")),
        key_set(jwk(x=None)),
        key_set(jwk(x=7)),
        key_set(jwk(d="AAAA")),
        key_set({"kty": "oct", "kid": "a", "k": "AAAA"}),
        key_set("text"),
        b"{}",
        b'{"keys": 7}',
        b'{"keys": [], "keys": []}',
        b"[]",
        b"",
        b"\xff",
        key_set(*[jwk(kid=str(i)) for i in range(65)]),
        b" " * 49_153,
    ],
    ids=lambda data: repr(data[:30]),
)
def test_refuses_broken_sets(data: bytes) -> None:
    with pytest.raises(IssuerKeysMalformed):
        parse_jwks(data)


def test_refuses_a_point_that_is_not_on_its_curve() -> None:
    key = jwk()
    with pytest.raises(IssuerKeysMalformed):
        parse_jwks(key_set({**key, "y": key["x"]}))


def test_refuses_short_rsa_keys() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    with pytest.raises(IssuerKeyTooWeak):
        parse_jwks(key_set(_public_jwk("a", weak, "RS256")))


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda c: st.lists(c)
       | st.dictionaries(st.sampled_from(["keys", "kty", "kid", "x", "n", "e", "crv"]), c)).map(
           lambda v: json.dumps({"keys": v}).encode()))  # fmt: skip
def test_refuses_noise_by_name(data: bytes) -> None:
    with pytest.raises((IssuerKeysMalformed, IssuerKeyTooWeak)):
        parse_jwks(data)
