"""Tokens say what the policy's profile lets them say; PyJWT and npm's jose take them, and nothing altered."""

from __future__ import annotations

import base64
import hashlib
import json

import jwt as pyjwt
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import SAMPLES
from software_hsm import CONTEXT, artifact_of, key_record, make, pem_of, private_key, sign_raw

from hsmpub.errors import Invalid
from hsmpub.formats.format import Artifact, Prepared
from hsmpub.formats.hsm_key import HsmEcKey, HsmRsaKey, KeySignsOtherwise
from hsmpub.formats.jwt import ClaimsMalformed, ExpiryRefused, JwtProfileMissing
from hsmpub.formats.jwt_claims import ClaimMissing, ClaimNotAllowed, ClaimOutsidePattern
from hsmpub.formats.jwt_read import JwtForAnother
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.model.profiles import JwtProfile
from hsmpub.model.said import TokenSaid
from tests.npm import installed, node
from tests.proofs import Prove

FORM = FORMATS["jwt"]
ASKED = SAMPLES["jwt"]
ALGORITHMS = {"p256": "ES256", "rsa3072": "RS256", "ed25519": "EdDSA"}
every_kind = pytest.mark.parametrize("kind", sorted(ALGORITHMS))


def token(asked: object = ASKED, kind: str = "p256", context=CONTEXT) -> str:
    data = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    key, artifact = key_record(kind, "jwt"), artifact_of(data, "claims.json", FORM)
    prepared = FORM.prepare(artifact, key, context)
    output = FORM.assemble(prepared, sign_raw(prepared))
    FORM.check(output, artifact, key, context)
    assert prepared.said == TokenSaid(part(output.decode(), 1))
    return output.decode()


def part(text: str, place: int) -> str:
    data = text.split(".")[place]
    return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4)).decode()


def profiled(**said: object):
    return msgspec.structs.replace(CONTEXT, jwt=msgspec.structs.replace(CONTEXT.jwt, **said))


def test_header_and_payload_are_the_service_s() -> None:
    made = token()
    assert part(made, 0) == '{"alg":"ES256","kid":"2026-key","typ":"JWT"}'
    claims = json.loads(part(made, 1))
    chance = claims.pop("jti")
    assert len(chance) == 32
    issued = CONTEXT.at - 60
    times = {"iat": issued, "nbf": issued, "exp": issued + 600}
    assert claims == {**json.loads(ASKED), "iss": "12345", **times}


def test_each_request_has_an_id_of_its_own() -> None:
    other = msgspec.structs.replace(CONTEXT, request="r-0002")
    assert json.loads(part(token(), 1))["jti"] != json.loads(part(token(context=other), 1))["jti"]


@every_kind
def test_pyjwt_takes_it_and_nothing_altered(kind: str, proof: Prove) -> None:
    made, algorithms = token(kind=kind), [ALGORITHMS[kind]]
    wanted = {"issuer": "12345", "audience": "https://api.acme.example", "options": {"verify_exp": False}}
    pem = pem_of(kind)
    assert pyjwt.decode(made, pem, algorithms, **wanted)["sub"] == "repo:acme/sdk"
    assert pyjwt.get_unverified_header(made)["kid"] == "2026-key"
    head, _, signature = made.split(".")
    longer = base64.urlsafe_b64encode(part(made, 1).replace("sdk", "sdq").encode()).rstrip(b"=").decode()
    for altered, by in [(f"{head}.{longer}.{signature}", pem), (made, pem_of(kind, 1))]:
        with pytest.raises(pyjwt.InvalidSignatureError):
            pyjwt.decode(altered, by, algorithms, **wanted)
    proof("jwt", kind, "PyJWT", good=True, tampered=False)
    with pytest.raises(pyjwt.InvalidAudienceError):
        pyjwt.decode(made, pem, algorithms, **{**wanted, "audience": "https://another.example"})


def test_npm_jose_takes_it_and_nothing_altered(proof: Prove) -> None:
    version = installed("jose")
    cases, wanted = [], {"issuer": "12345", "audience": "https://api.acme.example", "typ": "JWT"}
    for kind, algorithm in ALGORITHMS.items():
        made = token(kind=kind)
        head, _, signature = made.split(".")
        swapped = base64.urlsafe_b64encode(part(made, 1).replace("sdk", "sdq").encode()).rstrip(b"=").decode()
        case = {"token": made, "pem": pem_of(kind), "alg": algorithm, "now": CONTEXT.at, **wanted}
        cases += [
            case,
            {**case, "token": f"{head}.{swapped}.{signature}"},
            {**case, "pem": pem_of(kind, 1)},
            {**case, "now": CONTEXT.at + 541},
            {**case, "audience": "https://another.example"},
        ]
    answers = json.loads(node("jose.cjs", stdin=json.dumps(cases).encode()).stdout)
    for kind, at in zip(ALGORITHMS, range(0, len(cases), 5), strict=True):
        assert answers[at]["sub"] == "repo:acme/sdk"
        assert answers[at + 1 : at + 5] == [
            "ERR_JWS_SIGNATURE_VERIFICATION_FAILED", "ERR_JWS_SIGNATURE_VERIFICATION_FAILED", "ERR_JWT_EXPIRED",
            "ERR_JWT_CLAIM_VALIDATION_FAILED",
        ]  # fmt: skip
        proof("jwt", kind, "jose jwtVerify", good=True, tampered=False, version=version)


@pytest.mark.parametrize(
    ("profile", "asked"),
    [
        (JwtProfile("app", "JWT", 600, {"iss": ("12345",)}, early=60), {}),
        (
            JwtProfile("2X9R4HXF34", "JWT", 1200, {"iss": ("57246542-96fe",), "aud": ("appstoreconnect-v1",)}),
            {"exp": CONTEXT.at + 600},
        ),
        (
            JwtProfile(
                "gcp-1",
                "JWT",
                3600,
                {
                    "iss": ("ci@acme.iam.gserviceaccount.com",),
                    "sub": ("ci@acme.iam.gserviceaccount.com",),
                    "aud": ("https://oauth2.googleapis.com/token",),
                    "scope": ("https://www.googleapis.com/auth/devstorage.*",),
                },
            ),
            {"scope": "https://www.googleapis.com/auth/devstorage.read_only"},
        ),
    ],
    ids=["github app", "app store", "google"],
)
def test_what_well_known_receivers_ask_for_can_be_said(profile: JwtProfile, asked: dict[str, object]) -> None:
    context = msgspec.structs.replace(CONTEXT, jwt=profile)
    claims = json.loads(part(token(asked, context=context), 1))
    assert {name: values[0] for name, values in profile.claims.items() if name != "scope"}.items() <= claims.items()
    assert asked.items() <= claims.items()
    assert claims["exp"] - claims["iat"] <= profile.seconds
    assert claims.keys() == {*profile.claims, "iat", "exp"}


GOOD = json.loads(ASKED)
REFUSED: dict[str, tuple[object, type[Exception]]] = {
    "another issuer": ({**GOOD, "iss": "1"}, ClaimOutsidePattern),
    "a subject of others": ({**GOOD, "sub": "repo:other/sdk"}, ClaimOutsidePattern),
    "a subject that goes further": ({**GOOD, "sub": "repo:acme/sdk/x"}, ClaimOutsidePattern),
    "a subject that is a list": ({**GOOD, "sub": ["repo:acme/sdk"]}, ClaimOutsidePattern),
    "another audience among good ones": (
        {**GOOD, "aud": ["https://api.acme.example", "https://x.example"]},
        ClaimOutsidePattern,
    ),
    "no audience at all": ({**GOOD, "aud": []}, ClaimOutsidePattern),
    "a scope that is no text": ({**GOOD, "scope": {"read": 1}}, ClaimOutsidePattern),
    "no subject": ({"aud": "https://api.acme.example"}, ClaimMissing),
    "no audience, where there are several": ({"sub": "repo:acme/sdk"}, ClaimMissing),
    "a claim that nobody named": ({**GOOD, "admin": "yes"}, ClaimNotAllowed),
    "its own time": ({**GOOD, "iat": CONTEXT.at}, ClaimNotAllowed),
    "its own beginning": ({**GOOD, "nbf": 0}, ClaimNotAllowed),
    "its own id": ({**GOOD, "jti": "x"}, ClaimNotAllowed),
    "a longer life": ({**GOOD, "exp": CONTEXT.at + 541}, ExpiryRefused),
    "a life that is over": ({**GOOD, "exp": CONTEXT.at}, ExpiryRefused),
    "a life in words": ({**GOOD, "exp": str(CONTEXT.at + 60)}, ExpiryRefused),
    "a life that is true": ({**GOOD, "exp": True}, ExpiryRefused),
    "a claim twice": (ASKED[:-1] + b',"sub":"repo:acme/other"}', ClaimsMalformed),
    "a claim twice, further in": (b'{"context":{"a":1,"a":2}}', ClaimsMalformed),
    "a fraction": ({**GOOD, "context": 1.5}, ClaimsMalformed),
    "a number that no double holds": ({**GOOD, "context": 1 << 53}, ClaimsMalformed),
    "half a character": (b'{"context":"\\ud800"}', ClaimsMalformed),
    "no number": (b'{"context":NaN}', ClaimsMalformed),
    "depth": (b'{"context":' + b"[" * 2000 + b"]" * 2000 + b"}", ClaimsMalformed),
    "a little depth": (b'{"context":' + b"[" * 8 + b"]" * 8 + b"}", ClaimsMalformed),
    "a list": (b"[]", ClaimsMalformed),
    "too much": (b'{"context":"' + b"x" * 4096 + b'"}', ClaimsMalformed),
    "something after it": (ASKED + b"{}", ClaimsMalformed),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name: str) -> None:
    asked, rule = REFUSED[name]
    with pytest.raises(rule):
        token(asked)


def test_a_member_of_the_header_cannot_be_asked_for() -> None:
    for name in ("alg", "typ", "crit", "jku", "jwk", "x5u", "x5c", "kid"):
        with pytest.raises(ClaimNotAllowed):
            token({**GOOD, name: "none"})


def test_without_a_profile_there_is_no_token() -> None:
    with pytest.raises(JwtProfileMissing):
        token(context=msgspec.structs.replace(CONTEXT, jwt=None))


@pytest.mark.parametrize(
    "said",
    [
        {"kid": "another"}, {"type": "at+jwt"}, {"seconds": 599}, {"early": 0}, {"free": ()}, {"nbf": False},
        {"jti": False}, {"claims": {**CONTEXT.jwt.claims, "iss": ("54321",)}},
        {"claims": {**CONTEXT.jwt.claims, "sub": ("repo:acme/other*",)}},
        {"claims": {**CONTEXT.jwt.claims, "tenant": ("acme",)}},
        {"claims": {name: value for name, value in CONTEXT.jwt.claims.items() if name != "sub"}},
    ],
    ids=str,
)  # fmt: skip
def test_another_profile_than_that_of_the_request_is_seen(said: dict[str, object]) -> None:
    with pytest.raises(JwtForAnother):
        FORM.check(token().encode(), artifact_of(ASKED, "x", FORM), key_record("p256", "jwt"), profiled(**said))


def test_another_time_than_that_of_the_request_is_seen() -> None:
    later = msgspec.structs.replace(CONTEXT, at=CONTEXT.at + 1)
    with pytest.raises(JwtForAnother):
        FORM.check(token().encode(), artifact_of(ASKED, "x", FORM), key_record("p256", "jwt"), later)


def forged(header: dict[str, object]) -> bytes:
    """A token of the very key, with another header."""
    payload = make(FORM, ASKED, key_record("p256", "jwt")).split(b".")[1]
    spelled = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    signed = base64.urlsafe_b64encode(spelled).rstrip(b"=") + b"." + payload
    raw = sign_raw(Prepared(hashlib.sha256(signed).digest(), "sha256", "p256"))
    return signed + b"." + base64.urlsafe_b64encode(raw).rstrip(b"=")


@pytest.mark.parametrize(
    "more", [{"crit": ["b64"]}, {"jku": "https://x.example"}, {"x5u": "https://x.example"}, {"alg": "none"}], ids=str
)
def test_a_header_that_says_more_is_seen(more: dict[str, object]) -> None:
    header = {"alg": "ES256", "kid": "2026-key", "typ": "JWT"}
    key, artifact = key_record("p256", "jwt"), artifact_of(ASKED, "x", FORM)
    FORM.check(forged(header), artifact, key, None)
    with pytest.raises(Invalid):
        FORM.check(forged({**header, **more}), artifact, key, None)


@given(st.binary(max_size=300))
def test_claims_of_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        FORM.extract(BytesSource(data))
    except ClaimsMalformed:
        return
    json.loads(data)


LEAVES = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)


@given(VALUES)
@settings(max_examples=30)
def test_whatever_is_free_to_say_comes_out_as_it_went_in(value: object) -> None:
    data = json.dumps({**GOOD, "context": value}).encode()
    artifact = Artifact("x", Sha256State.of(data), {"jwt": data})
    try:
        payload = FORM.prepare(artifact, key_record("p256", "jwt"), CONTEXT).said
    except Invalid:
        return
    assert isinstance(payload, TokenSaid)
    assert json.loads(payload.claims)["context"] == value


def test_pyjwt_signs_with_a_key_in_the_hsm() -> None:
    """The object that certificate builders get serves PyJWT as well."""

    def sign(kind: str):
        return lambda digest: sign_raw(Prepared(digest, "sha256", kind))

    for kind, wrapper in (("p256", HsmEcKey), ("rsa3072", HsmRsaKey)):
        key = wrapper(private_key(kind).public_key(), sign(kind))
        made = pyjwt.encode({"iss": "x"}, key, ALGORITHMS[kind])
        assert pyjwt.decode(made, pem_of(kind), [ALGORITHMS[kind]]) == {"iss": "x"}
    for algorithm in ("PS256", "RS512"):
        with pytest.raises(KeySignsOtherwise):
            pyjwt.encode({"iss": "x"}, key, algorithm)
