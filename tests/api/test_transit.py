"""The transit API as its own clients use it: hvac and securesystemslib over HTTP, a real keeper behind the front."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from real_keeper import Place, real

from hsmpub.model import entry as e
from tests.keeper.keeping import Kept
from tests.service.jobs import AUDIENCE

hvac = pytest.importorskip("hvac")

PROJECTS = """
[project.images]
requesters = [{ issuer = "ci", repository = "example/images" }]
sign = [{ key = "bare", formats = ["der-signature"] }, { key = "bare-rsa", formats = ["sigstore-bundle"] }, { key = "bare-ed", formats = ["ed25519-signature"] }]
approvals = []
[project.rsa]
requesters = [{ issuer = "ci", repository = "example/images", ref = "refs/heads/rsa" }]
sign = [{ key = "bare-rsa", formats = ["der-signature"] }]
approvals = []
"""  # noqa: E501
KEYS = {
    "bare": (ec.derive_private_key(4713, ec.SECP256R1()), "p256", ("der-signature",)),
    "bare-rsa": (rsa.generate_private_key(65537, 3072), "rsa3072", ("der-signature", "sigstore-bundle")),
    "bare-ed": (Ed25519PrivateKey.from_private_bytes(b"e" * 32), "ed25519", ("ed25519-signature",)),
}
DIGEST = hashlib.sha256(b"an image").digest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with real(tmp_path_factory.mktemp("keeper"), KEYS, PROJECTS, bearer=True) as both:
        yield both


def token(made: Kept, audience: str = AUDIENCE, **claims: str) -> str:
    return made.issuer.token(audience, **{"repository": "example/images", "ref": "refs/heads/main", **claims})


@pytest.fixture
def vault(place: Place) -> Iterator[Any]:
    """A client that has logged in for the project `images`."""
    front, made = place
    client = hvac.Client(url=front.url)
    client.auth.jwt.jwt_login(role="images", jwt=token(made))
    yield client
    client.adapter.close()


def raw(signature: str) -> bytes:
    assert signature.startswith("vault:v1:")
    return base64.b64decode(signature.removeprefix("vault:v1:"))


def test_of_a_batch_each_result_is_of_its_own_input(place: Place, vault: Any) -> None:
    """A message that is too long for Ed25519 fails alone, and gives its place to no other."""
    batch = [{"input": b64(b"short")}, {"input": b64(bytes(70_000))}, {"input": b64(b"other")}]
    made = vault.secrets.transit.sign_data("bare-ed", batch_input=batch)["data"]["batch_results"]
    public = KEYS["bare-ed"][0].public_key()
    public.verify(raw(made[0]["signature"]), b"short")
    public.verify(raw(made[2]["signature"]), b"other")
    assert made[1]["error"].startswith("detail-malformed")


def test_hvac_signs_a_digest_and_it_is_in_the_log(place: Place, vault: Any) -> None:
    made = vault.secrets.transit.sign_data("bare", hash_input=b64(DIGEST), prehashed=True, hash_algorithm="sha2-256")
    pem = vault.secrets.transit.read_key("bare")["data"]["keys"]["1"]["public_key"]
    output = raw(made["data"]["signature"])
    load_pem_public_key(pem.encode()).verify(output, DIGEST, ec.ECDSA(utils.Prehashed(SHA256())))
    entry = place[1].entries()[-1]
    assert isinstance(entry, e.RoutineSigned)
    assert entry.outputs == (hashlib.sha256(output).hexdigest(),)
    assert DIGEST.hex() in entry.statement
    session = next(
        one for one in place[1].entries() if isinstance(one, e.SessionOpened) and one.session == entry.session
    )
    assert session.bearer


def test_hvac_verifies_good_and_tampered(vault: Any) -> None:
    for marshalling in ("asn1", "jws"):
        made = vault.secrets.transit.sign_data("bare", hash_input=b64(b"text"), marshaling_algorithm=marshalling)
        signature = made["data"]["signature"]
        for text, valid in ((b"text", True), (b"another", False)):
            told = vault.secrets.transit.verify_signed_data(
                "bare", hash_input=b64(text), signature=signature, marshaling_algorithm=marshalling
            )
            assert told["data"]["valid"] is valid


def test_a_batch_is_one_entry_and_keeps_its_order(place: Place, vault: Any) -> None:
    before = len(place[1].entries())
    inputs = [b"one", b"two", b"one"]
    made = vault.secrets.transit.sign_data("bare", batch_input=[{"input": b64(data)} for data in inputs])
    results = made["data"]["batch_results"]
    public = KEYS["bare"][0].public_key()
    for data, result in zip(inputs, results, strict=True):
        public.verify(raw(result["signature"]), data, ec.ECDSA(SHA256()))
    assert len(place[1].entries()) == before + 1


def test_rsa_is_pkcs1_and_must_be_asked_for_so(place: Place) -> None:
    front, made = place
    client = hvac.Client(url=front.url)
    client.auth.jwt.jwt_login(role="rsa", jwt=token(made, ref="refs/heads/rsa"))
    signed = client.secrets.transit.sign_data("bare-rsa", hash_input=b64(b"text"), signature_algorithm="pkcs1v15")
    KEYS["bare-rsa"][0].public_key().verify(raw(signed["data"]["signature"]), b"text", padding.PKCS1v15(), SHA256())
    with pytest.raises(hvac.exceptions.InvalidRequest, match="transit-refused"):
        client.secrets.transit.sign_data("bare-rsa", hash_input=b64(b"text"))
    client.adapter.close()


def test_securesystemslib_s_vault_signer_signs_unchanged(
    place: Place, vault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = pytest.importorskip("securesystemslib.signer")
    monkeypatch.setenv("VAULT_ADDR", place[0].url)
    monkeypatch.setenv("VAULT_TOKEN", vault.token)
    uri, key = signer.VaultSigner.import_("bare-ed")
    made = signer.VaultSigner.from_priv_key_uri(uri, key)
    key.verify_signature(made.sign(b"metadata"), b"metadata")
    made._client.adapter.close()


def test_cosign_signs_unchanged(place: Place, vault: Any, tmp_path: Path) -> None:
    if shutil.which("cosign") is None:
        pytest.skip("cosign is not installed")
    (tmp_path / "x").write_bytes(b"an image")
    home = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    own = {**home, "VAULT_ADDR": place[0].url, "VAULT_TOKEN": vault.token}
    key = ["cosign", "sign-blob", "--yes", "--key", "hashivault://bare", "--tlog-upload=false"]
    told = subprocess.run([*key, "--output-signature", "x.sig", "x"], cwd=tmp_path, env=own, capture_output=True)
    assert told.returncode == 0, told.stderr
    output = base64.b64decode((tmp_path / "x.sig").read_bytes())
    KEYS["bare"][0].public_key().verify(output, b"an image", ec.ECDSA(SHA256()))


@pytest.mark.parametrize(
    ("claims", "role", "rule"),
    [
        ({"repository": "example/other"}, "images", "not-a-requester"),
        ({}, "nothing", "unknown-project"),
        ({"repository": "example/hsmpub", "ref": "refs/heads/release/1"}, "hsmpub", "approval-needed"),
        ({"audience": "another"}, "images", "token-for-another-audience"),
    ],
)
def test_who_may_not_is_not_logged_in(place: Place, claims: dict[str, str], role: str, rule: str) -> None:
    front, made = place
    with httpx.Client(base_url=front.url) as client:
        answer = client.post("/v1/auth/jwt/login", json={"role": role, "jwt": token(made, **claims)})
    assert answer.status_code in (401, 403, 404)
    assert answer.json()["errors"][0].startswith(rule)


def test_a_token_opens_one_session(place: Place) -> None:
    front, made = place
    body = {"role": "images", "jwt": token(made)}
    with httpx.Client(base_url=front.url) as client:
        answers = [client.post("/v1/auth/jwt/login", json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 409]


def test_a_bearer_has_only_its_project_s_bare_formats_signed(vault: Any) -> None:
    for key in ("release", "routine", "bare-rsa", "minisign"):
        with pytest.raises(hvac.exceptions.Forbidden):
            vault.secrets.transit.sign_data(key, hash_input=b64(b"x"), signature_algorithm="pkcs1v15")
    with pytest.raises(hvac.exceptions.InvalidPath):
        vault.secrets.transit.sign_data("log", hash_input=b64(b"x"))


def test_a_bearer_ends_and_a_made_up_one_is_none(place: Place, vault: Any) -> None:
    made = place[1]
    ask = {"input": b64(DIGEST), "prehashed": True}
    with httpx.Client(base_url=place[0].url) as client:

        def status(bearer: str) -> int:
            return client.post("/v1/transit/sign/bare", json=ask, headers={"x-vault-token": bearer}).status_code

        assert status(vault.token) == 200
        assert [status(base64.urlsafe_b64encode(bytes(32)).decode()), status("hvs.x")] == [401, 401]
        made.offset = 901
        try:
            assert status(vault.token) == 401
        finally:
            made.offset = 0


def test_a_token_is_looked_up_not_renewed_and_revoked_as_vault_s_batch_tokens(place: Place) -> None:
    front, made = place
    client = hvac.Client(url=front.url)
    client.auth.jwt.jwt_login(role="images", jwt=token(made))
    told = client.auth.token.lookup_self()["data"]
    assert (told["policies"], told["renewable"], told["type"]) == (["images"], False, "batch")
    assert 0 < told["ttl"] <= told["creation_ttl"] == 900
    assert client.is_authenticated()
    with pytest.raises(hvac.exceptions.InvalidRequest, match="token-not-renewable"):
        client.auth.token.renew_self()
    bearer = client.token
    client.auth.token.revoke_self()
    client.token = bearer
    with pytest.raises(hvac.exceptions.Unauthorized, match="bearer-unknown"):
        client.auth.token.lookup_self()
    with pytest.raises(hvac.exceptions.Unauthorized, match="bearer-unknown"):
        client.secrets.transit.sign_data("bare", hash_input=b64(DIGEST), prehashed=True)
    client.adapter.close()


def test_values_may_be_text_as_the_vault_command_sends_them(place: Place, vault: Any) -> None:
    """`vault write transit/sign/bare input=… prehashed=true`, with either header."""
    ask = {"input": b64(DIGEST), "prehashed": "true", "key_version": "0"}
    with httpx.Client(base_url=place[0].url) as client:
        for header in ({"x-vault-token": vault.token}, {"authorization": f"Bearer {vault.token}"}):
            answer = client.put("/v1/transit/sign/bare/sha2-256", json=ask, headers=header)
            output = raw(answer.json()["data"]["signature"])
            KEYS["bare"][0].public_key().verify(output, DIGEST, ec.ECDSA(utils.Prehashed(SHA256())))


def test_nothing_of_the_bearer_is_kept(place: Place, vault: Any) -> None:
    front, made = place
    vault.secrets.transit.sign_data("bare", hash_input=b64(b"x"))
    bearer = base64.urlsafe_b64decode(vault.token)
    assert not any(bearer in name for name in made.keeper.bearers._open)
    logged = front.logged() + repr(made.entries())
    assert vault.token not in logged
    assert bearer.hex() not in logged


@pytest.mark.parametrize(
    "ask",
    [
        {"input": b64(DIGEST[:31]), "prehashed": True},
        {"input": "!"},
        {"batch_input": []},
        {"input": b64(b"x"), "key_version": 2},
        {"input": b64(b"x"), "hash_algorithm": "sha2-512"},
        {"input": b64(b"x"), "context": "eA=="},
        {"input": b64(b"x"), "unheard": 1},
        {"batch_input": [{"input": b64(bytes([i]))} for i in range(129)]},
    ],
)
def test_what_would_mean_something_else_is_refused(place: Place, vault: Any, ask: dict[str, Any]) -> None:
    with httpx.Client(base_url=place[0].url) as client:
        answer = client.post("/v1/transit/sign/bare", json=ask, headers={"x-vault-token": vault.token})
    assert answer.status_code == 400
    assert answer.json()["errors"]
