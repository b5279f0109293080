"""Images, provenance and predicates through the whole keeper: what the log says, and what nobody can have said."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.errors import HsmpubError
from hsmpub.formats.sha256state import Sha256State
from hsmpub.model import entry as e
from hsmpub.model import submission as s
from hsmpub.model.attested import Attestation
from hsmpub.model.key import KeyRecord
from hsmpub.model.statement import load_statement
from hsmpub.policy.attesting import ImageNotGranted, PredicateTypeNotGranted
from hsmpub.receipt import verify_receipt
from hsmpub.receipt.policy import PolicyGrantsOtherwise
from hsmpub.wire import messages as m
from tests.keeper.keeping import LOG_KEY, RELEASE_KEY, Kept, kept
from tests.keeper.told import receipt_of
from tests.service.jobs import store

IMAGE = "registry.example/acme/web"
SPDX = "https://spdx.dev/Document"
MADE = ("oci-signature", "oci-bundle", "slsa-provenance", "in-toto")
PEM = RELEASE_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
KEYS = tuple(KeyRecord(name, "p256", PEM, 1, MADE) for name in ("images", "nightly-images"))
POLICY = f"""
[project.web]
requesters = [{{ issuer = "ci", repository = "acme/web", environment = "nightly" }}]
sign = [{{ key = "nightly-images", formats = {json.dumps(MADE)} }}]
images = ["{IMAGE}"]
predicates = ["{SPDX}"]
approvals = []
[project.shop]
requesters = [{{ issuer = "ci", repository = "acme/web", environment = "release" }}]
sign = [{{ key = "images", formats = {json.dumps(MADE)} }}]
images = ["{IMAGE}"]
predicates = ["{SPDX}"]
approvals = [{{ group = "managers", count = 1 }}]
"""
CLAIMS = {
    "repository": "acme/web", "ref": "refs/heads/main", "sha": "a" * 40, "run_id": "12", "run_attempt": "1",
    "workflow_ref": "acme/web/.github/workflows/release.yml@refs/heads/main",
}  # fmt: skip
MANIFEST = b'{"schemaVersion":2}'


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept(tmp_path, monkeypatch, keys=KEYS, policy=POLICY) as made:
        yield made


def state(image: str = IMAGE, name: str = "web.json") -> s.HashState:
    return msgspec.structs.replace(Sha256State.of(MANIFEST).to_state(name), image=image)


def payload(output: bytes) -> Any:
    return json.loads(base64.b64decode(json.loads(output)["payload"]))


def test_routine_provenance_is_the_token_s_word_and_the_log_says_all(keeper: Kept) -> None:
    async def scenario() -> None:
        await keeper.unseal()
        job = await keeper.job(**CLAIMS, environment="nightly")
        attest = Attestation(SPDX, {"packages": ["a"]})
        reply = await job.ask(s.AskSign("web", MADE, states=(state(),), attest=attest))
        assert isinstance(reply, m.SignReply)
        made = {one.format: one.output for one in reply.made}
        simple = json.loads(base64.b64decode(json.loads(made["oci-signature"])["Payload"]))
        assert simple["critical"]["identity"] == {"docker-reference": IMAGE}
        assert simple["optional"] == {"project": "web", "request": reply.request, "service": "keeper.example"}
        assert payload(made["in-toto"])["predicate"] == {"packages": ["a"]}
        provenance = payload(made["slsa-provenance"])
        assert provenance["subject"][0]["name"] == IMAGE
        definition = provenance["predicate"]["buildDefinition"]
        assert definition["resolvedDependencies"][0]["digest"] == {"gitCommit": "a" * 40}
        entry = keeper.entries()[reply.entry]
        assert isinstance(entry, e.RoutineSigned)
        statement = load_statement(entry.statement.encode())
        assert statement.subject[0].image == IMAGE
        assert statement.predicate.attest == attest
        assert statement.predicate.build is not None
        assert statement.predicate.build.invocation == f"{keeper.issuer.url}/acme/web/actions/runs/12/attempts/1"

    asyncio.run(scenario())


def test_another_repository_predicate_or_a_token_that_says_too_little_gets_nothing(keeper: Kept) -> None:
    async def scenario() -> None:
        await keeper.unseal()
        job = await keeper.job(**CLAIMS, environment="nightly")
        reply = await job.ask(s.AskSign("web", ("oci-signature",), states=(state(f"{IMAGE}2"), state("", "x"))))
        assert isinstance(reply, m.SignReply)
        assert [one.problem.rule for one in reply.made if one.problem] == ["image-not-granted", "image-unnamed"]
        assert reply.entry < 0
        for given, rule in (
            (None, "predicate-unused"),
            (Attestation("https://example.org/x", {}), "predicate-type-not-granted"),
            (Attestation("https://slsa.dev/provenance/v1", {}), "predicate-type-reserved"),
        ):
            with pytest.raises(HsmpubError) as refused:
                await job.ask(s.AskSign("web", ("in-toto",), states=(state(),), attest=given))
            assert refused.value.rule == rule
        silent = await keeper.job(repository="acme/web", environment="nightly")
        with pytest.raises(HsmpubError) as refused:
            await silent.ask(s.AskSign("web", ("slsa-provenance",), states=(state(),)))
        assert refused.value.rule == "build-unstated"

    asyncio.run(scenario())


def test_approvers_sign_image_predicate_and_build_and_a_version_has_one_of_each(keeper: Kept) -> None:
    async def scenario() -> None:
        await keeper.unseal()
        job = await keeper.job(**CLAIMS, environment="release")
        file = msgspec.structs.replace(store(keeper.folder, "web.json", MANIFEST), image=IMAGE)
        body = s.AskRelease("shop", "1.0", "c" * 40, (file,), Attestation(SPDX, {"n": 1}))
        view = await job.ask(body)
        assert isinstance(view, m.RequestView)
        predicate = load_statement(view.statement).predicate
        assert predicate.attest == body.attest
        assert predicate.build is not None
        assert predicate.build.commit == "a" * 40
        for other in (
            msgspec.structs.replace(body, attest=Attestation(SPDX, {"n": 2})),
            msgspec.structs.replace(body, files=(msgspec.structs.replace(file, image=IMAGE + "x"),)),
        ):
            with pytest.raises(HsmpubError):
                await job.ask(other)
        await keeper.approve(view, "release-manager")
        await keeper.settle()
        signed = [entry for entry in keeper.entries() if isinstance(entry, e.Signed)]
        made = {output.format: output.content for output in signed[0].outputs}
        assert set(made) == set(MADE)
        assert payload(made["in-toto"])["predicate"] == {"n": 1}
        keeper.start_again()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("", "", None),
        ("a" * 40, "b" * 40, PolicyGrantsOtherwise),
        ("/actions/runs/12/", "/actions/runs/13/", PolicyGrantsOtherwise),
        (f"oci://{IMAGE}", f"oci://{IMAGE}2", ImageNotGranted),
        (SPDX, f"{SPDX}/v2", PredicateTypeNotGranted),
    ],
)
def test_a_receipt_shows_a_build_image_or_predicate_that_nobody_granted(
    keeper: Kept, old: str, new: str, rule: type[HsmpubError] | None
) -> None:
    async def scenario() -> None:
        await keeper.unseal()
        job = await keeper.job(**CLAIMS, environment="nightly")
        await job.ask(s.AskSign("web", MADE, states=(state(),), attest=Attestation(SPDX, {})))

    asyncio.run(scenario())
    entries = keeper.entries()
    signed = entries[-1]
    assert isinstance(signed, e.RoutineSigned)
    # in the statement alone: the session's claims, from which the build follows, stay as they were
    head, mark, rest = signed.statement.partition('"requester"')
    claims, end, tail = rest.partition("}")
    told = head.replace(old, new) + mark + claims + end + tail.replace(old, new) if old else signed.statement
    entries[-1] = msgspec.structs.replace(signed, statement=told)
    receipt = receipt_of(keeper.folder, entries)
    if rule is None:
        assert verify_receipt(receipt, str(LOG_KEY)).kind == "sign"
        return
    with pytest.raises(rule):
        verify_receipt(receipt, str(LOG_KEY))
