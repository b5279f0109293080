"""Identity tokens: accepted from a real issuer, refused by a name of its own for every way to be wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.demo.servers.issuer import Issuer
from hsmpub.errors import HsmpubError, Unauthenticated
from hsmpub.identity import CiIdentity, IssuerKeySet, parse_jwks, verify_token
from hsmpub.identity import refusals as rule
from hsmpub.policy import Policy
from hsmpub.wire.session import bound_audience

AUDIENCE = "https://signing.example.test"
CLIENT_KEY = bytes(range(32))
NOW = 1_800_000_000


def policy_for(url: str, *, bearer: bool = False) -> Policy:
    issuer = {"url": url, "audience": AUDIENCE, "loopback": True, "bearer": bearer}
    return Policy.model_validate({"issuer": {"ci": issuer}})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer.start() as running:
        yield running


Verify = Callable[..., CiIdentity]


@pytest.fixture
def verify(issuer: Issuer) -> Verify:
    def check(
        token: str | bytes, *, now: int = NOW, bearer: bool = False, keys: dict[str, IssuerKeySet] | None = None
    ) -> CiIdentity:
        return verify_token(
            token.encode() if isinstance(token, str) else token,
            client_key=CLIENT_KEY,
            issuers=policy_for(issuer.url, bearer=bearer).issuers,
            issuer_keys={"ci": parse_jwks(issuer.jwks_bytes())} if keys is None else keys,
            now=now,
        )

    return check


def bound(issuer: Issuer, /, **claims: Any) -> str:
    claims.setdefault("now", NOW)
    return issuer.token(bound_audience(AUDIENCE, CLIENT_KEY), **claims)


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "RS256", "PS256", "EdDSA"])
def test_accepts_a_token_of_each_algorithm_from_a_running_issuer(algorithm: str) -> None:
    with Issuer.start(algorithm) as issuer:
        with urllib.request.urlopen(f"{issuer.url}/.well-known/openid-configuration") as reply:
            about = json.load(reply)
        with urllib.request.urlopen(about["jwks_uri"]) as reply:
            keys = parse_jwks(reply.read())
        body = {"audience": bound_audience(AUDIENCE, CLIENT_KEY), "claims": {"repository": "acme/x", "run": 7}}
        with urllib.request.urlopen(f"{issuer.url}/token", json.dumps(body).encode()) as reply:
            token = json.load(reply)["token"]
    who = verify_token(
        token.encode(),
        client_key=CLIENT_KEY,
        issuers=policy_for(issuer.url).issuers,
        issuer_keys={"ci": keys},
        now=int(time.time()),
    )
    assert (who.issuer, who.subject, who.bound) == ("ci", "repo:acme/x", True)
    assert who.claims == {"repository": "acme/x", "run": "7"}


def test_a_job_gets_tokens_with_its_own_claims_only() -> None:
    with Issuer.start() as issuer:
        job = issuer.job(repository="acme/x", ref="refs/heads/main")
        headers = {"Authorization": f"Bearer {job.request_token}"}
        asked = urllib.request.Request(f"{job.request_url}&audience=a%23b", headers=headers)
        with urllib.request.urlopen(asked) as reply:
            claims = jwt.decode(json.load(reply)["value"], options={"verify_signature": False})
        assert (claims["aud"], claims["repository"]) == ("a#b", "acme/x")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{job.request_url}&audience=x")
        refused.value.close()
        assert refused.value.code == 401


def test_claims_are_text_and_cannot_pose_as_the_service_s_own_words(issuer: Issuer, verify: Verify) -> None:
    who = verify(bound(issuer, number=12, yes=True, some=[1], table={"a": 1}, fraction=1.5, person="holder-1",
                       issuer="another", subject="another", session="another"))  # fmt: skip
    assert {who.claims["number"], who.claims["yes"]} == {"12", "true"}
    assert not {"some", "table", "fraction", "iss", "aud", "jti"} & set(who.claims)
    assert who.as_requester() == {"issuer": "ci", "subject": who.subject, "number": "12", "yes": "true"}


def test_refuses_an_expired_token_and_one_from_the_future(issuer: Issuer, verify: Verify) -> None:
    token = bound(issuer, lifetime=600)
    assert verify(token, now=NOW + 659).forget_at == NOW + 661
    with pytest.raises(rule.TokenExpired):
        verify(token, now=NOW + 660)
    verify(token, now=NOW - 60)
    with pytest.raises(rule.TokenNotYetValid):
        verify(token, now=NOW - 61)
    with pytest.raises(rule.TokenNotYetValid):
        verify(bound(issuer, nbf=NOW + 61))
    with pytest.raises(rule.TokenLivesTooLong):
        verify(bound(issuer, lifetime=86_401))


@pytest.mark.parametrize("name", ["exp", "iat", "iss", "sub", "jti"])
@pytest.mark.parametrize("value", [None, True, "", [], -1, 1e300], ids=repr)
def test_refuses_missing_and_strange_registered_claims(issuer: Issuer, verify: Verify, name: str, value: Any) -> None:
    if name == "jti" and value is None:
        return  # allowed: see the test of derived ids
    with pytest.raises(rule.TokenMalformed):
        verify(_encode(issuer, {**_claims(issuer), name: value}, drop=value is None))


def _claims(issuer: Issuer) -> dict[str, Any]:
    return jwt.decode(bound(issuer), options={"verify_signature": False})


def _encode(issuer: Issuer, claims: dict[str, Any], *, drop: bool = False, **header: Any) -> str:
    """Signed by the issuer's own key, whatever it says."""
    claims = {k: v for k, v in claims.items() if v is not None} if drop else claims
    return sign_parts(issuer, json.dumps({"alg": "ES256", "kid": kid_of(issuer), **header}), json.dumps(claims))


def kid_of(issuer: Issuer) -> str:
    return str(issuer.jwks()["keys"][0]["kid"])


def b64(data: bytes | str) -> str:
    return base64.urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def sign_parts(issuer: Issuer, header: bytes | str, payload: bytes | str) -> str:
    signed = f"{b64(header)}.{b64(payload)}"
    key = issuer._keys[0][1]
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    return f"{signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def test_refuses_another_issuer_however_similar(issuer: Issuer, verify: Verify) -> None:
    for url in (f"{issuer.url}/", issuer.url.upper(), "https://issuer.example.test"):
        with pytest.raises(rule.TokenFromUnknownIssuer):
            verify(bound(issuer, iss=url))


def test_refuses_another_audience(issuer: Issuer, verify: Verify) -> None:
    fitting = bound_audience(AUDIENCE, CLIENT_KEY)
    for audience in ("https://elsewhere.example.test", [fitting, "x"], [], 7, None, f"{AUDIENCE}/"):
        with pytest.raises(rule.TokenForAnotherAudience):
            verify(bound(issuer, aud=audience))
    assert verify(bound(issuer, aud=[fitting])).bound


def test_refuses_a_token_that_names_no_session_key_unless_the_policy_allows_bearers(
    issuer: Issuer, verify: Verify
) -> None:
    token = issuer.token(AUDIENCE, now=NOW)
    with pytest.raises(rule.TokenNotBound):
        verify(token)
    assert not verify(token, bearer=True).bound
    assert verify(bound(issuer), bearer=True).bound


def test_refuses_a_token_bound_to_another_session_even_where_bearers_are_allowed(
    issuer: Issuer, verify: Verify
) -> None:
    stolen = issuer.token(bound_audience(AUDIENCE, b"\1" * 32), now=NOW)
    for bearer in (False, True):
        with pytest.raises(rule.TokenBoundToAnotherKey):
            verify(stolen, bearer=bearer)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", None, 7])
def test_refuses_an_unsigned_token(issuer: Issuer, verify: Verify, algorithm: Any) -> None:
    header = {"alg": algorithm, "kid": kid_of(issuer)}
    for signature in ("", bound(issuer).rsplit(".", 1)[1]):
        with pytest.raises(rule.TokenUnsigned):
            verify(f"{b64(json.dumps(header))}.{b64(json.dumps(_claims(issuer)))}.{signature}")


@pytest.mark.parametrize("algorithm", ["HS256", "hs512", "RS256", "ES384", "EdDSA", "es256", "ES256K"])
def test_refuses_a_swapped_algorithm(issuer: Issuer, verify: Verify, algorithm: str) -> None:
    with pytest.raises(rule.TokenAlgorithmSwapped):
        verify(_encode(issuer, _claims(issuer), alg=algorithm))


def test_refuses_a_mac_keyed_with_the_public_key(verify: Verify) -> None:
    with Issuer.start("RS256") as issuer:
        key = issuer._keys[0][1]
        assert isinstance(key, rsa.RSAPrivateKey)
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for algorithm in ("HS256", "RS256"):
            signed = f"{b64(json.dumps({'alg': algorithm, 'kid': kid_of(issuer)}))}.{b64(json.dumps(_claims(issuer)))}"
            token = f"{signed}.{b64(hmac.digest(pem, signed.encode(), hashlib.sha256))}"
            with pytest.raises((rule.TokenAlgorithmSwapped, rule.TokenForged)):
                verify_token(
                    token.encode(),
                    client_key=CLIENT_KEY,
                    issuers=policy_for(issuer.url).issuers,
                    issuer_keys={"ci": parse_jwks(issuer.jwks_bytes())},
                    now=NOW,
                )


def test_refuses_the_signature_of_another_issuer_and_keys_it_does_not_know(issuer: Issuer, verify: Verify) -> None:
    with Issuer.start() as other:
        keys = {"ci": parse_jwks(other.jwks_bytes())}
        with pytest.raises(rule.TokenKeyUnknown):
            verify(bound(issuer), keys=keys)
        forged = sign_parts(other, json.dumps({"alg": "ES256", "kid": kid_of(issuer)}), json.dumps(_claims(issuer)))
    with pytest.raises(rule.TokenForged):
        verify(forged)
    with pytest.raises(rule.IssuerKeysMissing):
        verify(bound(issuer), keys={})
    with pytest.raises(rule.TokenKeyUnknown):
        verify(_encode(issuer, _claims(issuer), kid=None))


def test_a_rotated_key_is_unknown_until_the_new_set_is_there() -> None:
    with Issuer.start() as issuer:
        before = {"ci": parse_jwks(issuer.jwks_bytes())}
        old = bound(issuer)
        issuer.rotate()
        new, after = bound(issuer), {"ci": parse_jwks(issuer.jwks_bytes())}

        def check(token: str, keys: dict[str, IssuerKeySet]) -> CiIdentity:
            issuers = policy_for(issuer.url).issuers
            return verify_token(token.encode(), client_key=CLIENT_KEY, issuers=issuers, issuer_keys=keys, now=NOW)

        with pytest.raises(rule.TokenKeyUnknown) as refused:
            check(new, before)
        assert refused.value.retry
        check(new, after)
        check(old, after)
        issuer.rotate(keep_old=False)
        with pytest.raises(rule.TokenKeyUnknown):
            check(new, {"ci": parse_jwks(issuer.jwks_bytes())})


def test_refuses_access_tokens_and_unknown_extensions(issuer: Issuer, verify: Verify) -> None:
    for kind in ("at+jwt", "secevent+jwt", 7, None):
        with pytest.raises(rule.TokenOfAnotherType):
            verify(_encode(issuer, _claims(issuer), typ=kind))
    with pytest.raises(rule.TokenMalformed):
        verify(_encode(issuer, _claims(issuer), crit=["b64"], b64=False))
    verify(_encode(issuer, _claims(issuer), typ="jwt"))
    verify(_encode(issuer, _claims(issuer)))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"sub"', '"sub": "a", "sub"'),
        lambda text: text[:-1] + ', "x": NaN}',
        lambda text: text[:-1] + ', "x": -Infinity}',
        lambda text: text[:-1] + ', "x": 1e999}',
        lambda text: text[:-1] + ', "x": "\\ud800"}',
        lambda text: text[:-1] + ', "x": ' + "[" * 4000 + "]" * 4000 + "}",
        lambda text: text[:-1] + ', "x": ' + "9" * 5000 + "}",
        lambda text: f"[{text}]",
        lambda text: text + "{}",
        lambda text: "",
        lambda text: text.encode("utf-16"),
        lambda text: b"\xff" + text.encode(),
    ],
)
def test_refuses_json_with_two_meanings(issuer: Issuer, verify: Verify, change: Callable[[str], Any]) -> None:
    header = json.dumps({"alg": "ES256", "kid": kid_of(issuer)})
    with pytest.raises(rule.TokenMalformed):
        verify(sign_parts(issuer, header, change(json.dumps(_claims(issuer)))))
    with pytest.raises(rule.TokenMalformed):
        verify(sign_parts(issuer, header[:-1] + ', "alg": "ES256"}', json.dumps(_claims(issuer))))


def test_refuses_what_is_too_large_or_not_three_parts(issuer: Issuer, verify: Verify) -> None:
    with pytest.raises(rule.TokenTooLarge):
        verify(bound(issuer, filler="x" * 16_384))
    token = bound(issuer)
    for text in ("", "a.b", f"{token}.x", token.replace(".", "..", 1), f"{token}=", f" {token}", f"{token}\n", "é.é.é"):
        with pytest.raises(rule.TokenMalformed):
            verify(text)


def test_ids_differ_by_token_and_not_by_signature(issuer: Issuer, verify: Verify) -> None:
    assert verify(bound(issuer, jti="a")).token_id == verify(bound(issuer, jti="a", run=2)).token_id
    assert verify(bound(issuer, jti="a")).token_id != verify(bound(issuer, jti="b")).token_id
    header, claims = json.dumps({"alg": "ES256", "kid": kid_of(issuer)}), _claims(issuer)
    del claims["jti"]
    first, again = (sign_parts(issuer, header, json.dumps(claims)) for _ in range(2))
    other = sign_parts(issuer, header, json.dumps({**claims, "run": 2}))
    assert first != again  # ECDSA signs the same bytes differently each time
    assert verify(first).token_id == verify(again).token_id != verify(other).token_id


def test_no_refusal_repeats_the_token(issuer: Issuer, verify: Verify) -> None:
    token = bound(issuer)
    body, signature = token.rsplit(".", 1)
    with pytest.raises(HsmpubError) as refused:
        verify(f"{body}.{signature[:-4]}AAAA")
    assert signature[:20] not in str(refused.value)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_refuses_every_changed_byte(issuer: Issuer, data: st.DataObject) -> None:
    token = bound(issuer).encode()
    at = data.draw(st.integers(0, len(token) - 1))
    piece = data.draw(st.binary(max_size=2).filter(lambda b: b != token[at : at + 1]))
    with pytest.raises(Unauthenticated):
        verify_token(
            token[:at] + piece + token[at + 1 :],
            client_key=CLIENT_KEY,
            issuers=policy_for(issuer.url).issuers,
            issuer_keys={"ci": parse_jwks(issuer.jwks_bytes())},
            now=NOW,
        )


def test_refuses_base64url_with_stray_bits_at_its_end(issuer: Issuer, verify: Verify) -> None:
    token = bound(issuer)
    assert token[-1] in "AQgw"  # 64 bytes leave four bits of the last letter unused
    with pytest.raises(rule.TokenMalformed):
        verify(token[:-1] + chr(ord(token[-1]) + 1))
