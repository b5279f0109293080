"""`hsmpub oci verify`: what counts beside an image, and what a registry that lies, floods or sends elsewhere gets."""

from __future__ import annotations

import base64
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registries import MemoryServer, memory_registry, push_image, speaking_to

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("targets", "formats", "cli")]

from command import Command  # noqa: E402
from raw_server import RawServer  # noqa: E402
from software_hsm import CONTEXT, key_record, sign_raw  # noqa: E402

from hsmpub.client.oci.image import Image, resolve  # noqa: E402
from hsmpub.client.oci.push import TooManySignatures, push  # noqa: E402
from hsmpub.client.oci.reference import Reference  # noqa: E402
from hsmpub.client.oci.registry import MAX_PAGES, ReferrersEndless, Registry, RegistryLies  # noqa: E402
from hsmpub.client.oci.standing import Standing  # noqa: E402
from hsmpub.client.oci.verifying import Demand, ImageNotSigned, Judged, check_signed, judge_image  # noqa: E402
from hsmpub.client.oci.wire import (  # noqa: E402
    AnswerEndless,
    BlobHostForeign,
    RegistryAnswersOddly,
    RegistryRedirects,
    RegistryUnreachable,
)
from hsmpub.errors import Invalid  # noqa: E402
from hsmpub.formats.format import Artifact  # noqa: E402
from hsmpub.formats.oci.attachment import BESIDE, BUNDLE, digest_of, layers_of, tag_of, tagged  # noqa: E402
from hsmpub.formats.oci.beside_read import MAX_OUTPUT_BYTES, Held, output_in, read_held, read_referrers  # noqa: E402
from hsmpub.formats.oci.manifest import INDEX, MANIFEST, MAX_MANIFEST_BYTES  # noqa: E402
from hsmpub.formats.oci.words_read import words_in  # noqa: E402
from hsmpub.formats.registry import FORMATS  # noqa: E402
from hsmpub.formats.sha256state import Sha256State  # noqa: E402
from hsmpub.model.keys import Key, Keys, Life  # noqa: E402
from hsmpub.model.trust import Trust, dump_trust  # noqa: E402

KEY, OTHER = key_record("p256", *BESIDE), key_record("p256", *BESIDE, number=1)
PINNED = Keys.of_genesis((KEY,))
REVIEW = CONTEXT.attest.type  # type: ignore[union-attr]


class World:
    """One image in a registry in memory, and signatures put beside it as `hsmpub oci sign` does."""

    def __init__(self, server: MemoryServer, registry: Registry, folder: Path) -> None:
        self.server, self.registry, self.folder = server, registry, folder
        self.digest = push_image(registry, "v1")
        [self.image] = resolve(registry, Reference(f"{server.host}/acme/web", "v1"))

    def sign(self, *formats: str, number: int = 0, image: Image | None = None, repository: str = "") -> None:
        """number: of the key; image, repository: what is signed, in place of the image itself."""
        about, key = image or self.image, key_record("p256", *BESIDE, number=number)
        artifact = Artifact("x", Sha256State.of(about.content), {}, repository or about.named.image)
        for name in formats:
            prepared = FORMATS[name].prepare(artifact, key, CONTEXT)
            output = FORMATS[name].assemble(prepared, sign_raw(prepared, number))
            push(self.registry, self.image, layers_of(name, output, key))

    def judge(self, keys: Keys = PINNED, registry: Registry | None = None) -> Judged:
        return judge_image(registry or self.registry, self.image, keys)

    def refused(self, rule: type[Exception], match: str | None = None) -> None:
        with pytest.raises(rule, match=match):
            self.judge()

    def answer(self, part: str, answer: tuple[int, bytes, dict[str, str]]) -> None:
        """Gives this answer where the path holds that part, and it is asked for, not put."""
        self.server.own = lambda asked: answer if part in asked.path and asked.command == "GET" else None


@pytest.fixture(params=[True, False], ids=["lists referrers", "lists none"])
def lists(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with memory_registry() as server, speaking_to(server.host) as registry:
        yield World(server, registry, tmp_path)


def test_every_format_is_found_where_signing_puts_it_and_counted_once(lists: bool, tmp_path: Path) -> None:
    with memory_registry(referrers=lists) as server, speaking_to(server.host) as registry:
        world = World(server, registry, tmp_path)
        world.sign(*BESIDE)
        judged = world.judge()
    assert judged.unread == ()
    found = {one.format: one for one in judged.signatures}
    assert len(judged.signatures) == len(found) == len(BESIDE)
    for one in judged.signatures:
        assert (one.key, one.repository, one.digest) == (KEY.name, f"{server.host}/acme/web", world.digest)
        assert len(one.places) == (1 if one.format == "oci-bundle" else 2)
    assert found["oci-signature"].says["version"] == CONTEXT.version
    assert found["dsse"].says["commit"] == CONTEXT.commit
    assert found["slsa-provenance"].says["builder"] == CONTEXT.build.builder  # type: ignore[union-attr]
    assert found["in-toto"].predicate_type == REVIEW


def test_only_a_pinned_key_s_signature_over_this_repository_and_digest_counts(world: World) -> None:
    push_image(world.registry, "v2", b"another layer")
    [other] = resolve(world.registry, Reference(f"{world.server.host}/acme/web", "v2"))
    world.sign("oci-signature", "oci-bundle", "dsse", number=1)
    world.sign("oci-signature", "oci-bundle", image=other)
    world.sign("oci-signature", "dsse", repository=f"{world.server.host}/acme/shop")
    judged = world.judge()
    assert judged.signatures == ()
    rules = [one.problem.rule for one in judged.unread]
    assert (rules.count("not-by-pinned-key"), rules.count("not-over-this-image")) == (5, 7)
    assert any("It names the repository" in one.problem.detail and "/acme/shop" in one.problem.detail
               for one in judged.unread)  # fmt: skip
    with pytest.raises(ImageNotSigned, match=world.digest):
        check_signed(world.image, judged, Demand())
    world.sign("oci-signature")
    check_signed(world.image, world.judge(), Demand())


def test_a_key_that_came_with_the_signature_is_not_looked_at(world: World) -> None:
    world.sign("oci-bundle", number=1)
    [bundle] = [json.loads(blob) for blob in world.server.blobs.values() if b"verificationMaterial" in blob]
    assert bundle["verificationMaterial"]["publicKey"]["hint"]
    assert world.judge().signatures == ()
    assert len(world.judge(Keys.of_genesis((OTHER,))).signatures) == 1


def test_a_key_counts_for_the_formats_of_its_pins_and_not_once_others_may_know_it(world: World) -> None:
    world.sign("oci-signature", "dsse")
    narrow = msgspec.structs.replace(KEY, formats=("dsse",))
    assert [one.format for one in world.judge(Keys.of_genesis((narrow,))).signatures] == ["dsse"]
    judged = world.judge(Keys((Key(KEY, Life(retired=5, reason="compromised")),)))
    assert judged.signatures == ()
    assert {one.problem.rule for one in judged.unread} == {"key-may-be-known"}
    [one, _] = world.judge(Keys((Key(KEY, Life(retired=5, reason="rotated")),))).signatures
    assert (one.key_state, "retired" in one.notes[0]) == ("retired", True)


@pytest.mark.parametrize(
    ("made", "demand", "holds"),
    [
        ("oci-signature", Demand(), True),
        ("dsse", Demand(), True),
        ("in-toto", Demand(), False),
        ("slsa-provenance", Demand(), False),
        ("slsa-provenance", Demand(format="slsa-provenance"), True),
        ("in-toto", Demand(predicate_type=REVIEW), True),
        ("in-toto", Demand(format="dsse", predicate_type=REVIEW), False),
        ("in-toto", Demand(predicate_type=REVIEW, key="another"), False),
        ("oci-signature", Demand(key=KEY.name), True),
        ("oci-signature", Demand(key="another"), False),
        ("oci-signature", Demand(format="oci-bundle"), False),
    ],
)
def test_one_signature_must_be_all_that_is_demanded(world: World, made: str, demand: Demand, holds: bool) -> None:
    world.sign(made)
    judged = world.judge()
    assert len(judged.signatures) == 1
    if holds:
        check_signed(world.image, judged, demand)
    else:
        with pytest.raises(ImageNotSigned):
            check_signed(world.image, judged, demand)


def test_what_is_only_malformed_is_told_and_spoils_nothing(world: World) -> None:
    world.sign("oci-signature")
    sig, att = tag_of(world.digest, "sig"), tag_of(world.digest, "att")
    layers = json.loads(world.server.manifests[sig][0])["layers"]
    large = {**layers[0], "digest": digest_of(b"large"), "size": MAX_OUTPUT_BYTES + 1}
    gone = {**layers[0], "digest": digest_of(b"gone"), "size": 4}
    unsigned = {**layers[0], "annotations": {}}
    world.server.put(sig, tagged([large, gone, unsigned, *layers])[1], MANIFEST)
    world.server.put(att, b'{"schemaVersion":2,"config":{},"layers":[7]}', MANIFEST)
    stray = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {}, "layers": layers, "subject": {"digest": "x"}}
    world.server.put("stray", json.dumps(stray).encode(), MANIFEST)
    ours = json.loads(world.server.referrers_of(world.digest))
    for digest in (digest_of(json.dumps(stray).encode()), digest_of(b"gone")):
        ours["manifests"].append({**ours["manifests"][0], "digest": digest})
    ours["manifests"] += [{"artifactType": ["x"]}, 7, {"artifactType": "application/spdx+json", "digest": "x"}]
    world.answer("/referrers/", (200, json.dumps(ours).encode(), {"Content_Type": INDEX}))
    judged = world.judge()
    assert len(judged.signatures) == 1
    assert len(judged.unread) == 6
    assert f"{sig}, layer 4" in judged.signatures[0].places


def test_bytes_of_another_digest_end_it_although_a_good_signature_is_there(world: World) -> None:
    world.sign("oci-signature", "oci-bundle")
    name = next(name for name, blob in world.server.blobs.items() if b"dsseEnvelope" in blob)
    blob = world.server.blobs[name]
    world.server.blobs[name] = blob[:-1] + b" "
    world.refused(RegistryLies)
    world.server.blobs[name] = blob[:-1]
    world.refused(RegistryLies)
    world.server.blobs[name] = blob + b" "
    world.refused(AnswerEndless)
    world.server.blobs[name] = blob
    [referrer] = [key for key, (content, _) in world.server.manifests.items() if b"dsse-envelope" in content]
    content, kind = world.server.manifests[referrer]
    world.server.manifests[referrer] = content + b" ", kind
    world.answer("/referrers/", (200, world.server.referrers_of(world.digest).replace(
        digest_of(content + b" ").encode(), referrer.encode()), {"Content_Type": INDEX}))  # fmt: skip
    world.refused(RegistryLies)


def test_an_image_s_own_digest_is_computed_and_not_taken_from_the_registry(world: World) -> None:
    world.sign("oci-signature")
    content, kind = world.server.manifests["v1"]
    world.server.manifests[world.digest] = content + b"\n", kind
    with pytest.raises(RegistryLies):
        resolve(world.registry, Reference(f"{world.server.host}/acme/web", "", world.digest))


@pytest.mark.parametrize("part", [".sig", "/referrers/"])
def test_an_answer_larger_than_any_manifest_ends_it(world: World, part: str) -> None:
    world.answer(part, (200, b" " * (MAX_MANIFEST_BYTES + 1), {"Content_Type": INDEX}))
    world.refused(AnswerEndless)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_blobs_are_followed_once_to_a_named_host_without_the_login(world: World, status: int) -> None:
    world.sign("oci-signature")
    [blob] = [blob for blob in world.server.blobs.values() if b"critical" in blob]
    store = RawServer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(blob), blob))
    with store:
        world.answer("/blobs/", (status, b"", {"Location": store.url("/store")}))
        world.refused(BlobHostForeign, str(store.port))
        host = f"127.0.0.1:{store.port}"
        with speaking_to(world.server.host, blob_hosts=[host]) as registry:
            registry._http._authorization = b"Bearer a-token-of-tests"
            assert len(world.judge(registry=registry).signatures) == 1
    assert store.received
    assert all(b"a-token" not in said and b"authorization" not in said.lower() for said in store.received)


@pytest.mark.parametrize("location", ["http://127.0.0.2/x", "//evil.example/x", "http://[", "ftp://{host}/x", "",
                                      "http://a@{host}/x", "http://evil.example#{host}"])  # fmt: skip
def test_blobs_are_followed_to_no_other_host(world: World, location: str) -> None:
    world.sign("oci-signature")
    world.answer("/blobs/", (302, b"", {"Location": location.format(host=world.server.host)}))
    rule = RegistryRedirects if not location else BlobHostForeign  # nowhere else: it redirects to itself
    world.refused(rule)


@pytest.mark.parametrize("status", [303, 400, 404, 405, 501])
def test_a_registry_without_a_list_of_referrers_is_asked_for_the_tag(world: World, status: int) -> None:
    world.server.referrers = False
    world.sign("oci-bundle")
    world.answer("/referrers/", (status, b"", {"Location": "http://127.0.0.1:1/web-page"}))
    assert len(world.judge().signatures) == 1
    world.answer("/referrers/", (200, b"<html>", {"Content_Type": "text/html"}))
    assert len(world.judge().signatures) == 1
    world.answer("/referrers/", (500, b"", {}))
    world.refused(RegistryAnswersOddly)


def pages(world: World, link: str) -> None:
    listed = world.server.referrers_of(world.digest)
    world.answer("/referrers/", (200, listed, {"Content_Type": INDEX, "Link": f'<{link}>; rel="next"'}))


def test_a_list_of_referrers_is_read_over_its_pages_at_this_host_and_has_an_end(world: World) -> None:
    world.sign("oci-bundle")
    empty = b'{"schemaVersion":2,"manifests":[]}'
    whole = world.server.referrers_of(world.digest)
    following = {"Content_Type": INDEX, "Link": f'</v2/acme/web/referrers/{world.digest}?next=1>; rel="next"'}

    def paged(asked):
        if "/referrers/" not in asked.path:
            return None
        return (200, whole, {"Content_Type": INDEX}) if "next=1" in asked.path else (200, empty, following)

    world.server.own = paged
    assert len(world.judge().signatures) == 1
    asked: list[str] = []
    pages(world, f"/v2/acme/web/referrers/{world.digest}?again")
    always: Callable = world.server.own
    world.server.own = lambda one: asked.append(one.path) if "/referrers/" not in one.path else always(one)
    world.refused(ReferrersEndless, str(MAX_PAGES))
    for foreign in ("http://127.0.0.2/x", "//evil.example/x", "http://["):
        pages(world, foreign)
        world.refused(RegistryRedirects)


def test_more_than_anybody_would_put_there_is_refused(world: World) -> None:
    world.sign("oci-signature")
    [layer] = json.loads(world.server.manifests[tag_of(world.digest, "sig")][0])["layers"]
    world.server.put(tag_of(world.digest, "sig"), tagged([layer] * 501)[1], MANIFEST)
    world.refused(TooManySignatures)
    del world.server.manifests[tag_of(world.digest, "sig")]
    listed = json.loads(world.server.referrers_of(world.digest))
    listed["manifests"] = [{**listed["manifests"][0], "digest": digest_of(b"%d" % n)} for n in range(501)]
    world.answer("/referrers/", (200, json.dumps(listed).encode(), {"Content_Type": INDEX}))
    world.refused(TooManySignatures)


def test_more_bytes_than_anybody_would_put_there_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.sign("oci-signature", "oci-bundle")
    monkeypatch.setattr("hsmpub.client.oci.standing.MAX_BYTES", 500)
    world.refused(TooManySignatures, "bytes")


def test_a_list_of_referrers_that_is_none_is_told_and_spoils_nothing(world: World) -> None:
    world.sign("oci-signature")
    for listed in (b"{", b'{"manifests":[{"artifactType":"%b","digest":"../x"}]}' % BUNDLE.encode()):
        world.answer("/referrers/", (200, listed, {"Content_Type": INDEX}))
        judged = world.judge()
        assert (len(judged.signatures), judged.unread[0].problem.rule) == (1, "manifest-refused")


def test_a_registry_that_is_slow_over_many_answers_is_given_up(world: World) -> None:
    world.sign("oci-signature")
    with pytest.raises(RegistryUnreachable, match="beside the image"):
        list(Standing(world.registry, world.image, patience=-1).read())


def test_verifying_asks_for_no_right_to_push(world: World) -> None:
    told: list[str] = []

    def token(asked):
        told.append(asked.path)
        if asked.path.startswith("/token"):
            return 200, b'{"token":"a-token"}', {}
        if asked.headers.get("Authorization") == "Bearer a-token":
            return None
        return 401, b"", {"WWW_Authenticate": f'Bearer realm="http://{asked.headers["Host"]}/token"'}

    world.sign("oci-signature")
    world.server.own = token
    with speaking_to(world.server.host, may_push=False) as registry:
        assert len(world.judge(registry=registry).signatures) == 1
    [asked] = [path for path in told if path.startswith("/token")]
    assert asked.endswith("%3Apull")


@pytest.fixture
def hsmpub(world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    (world.folder / "trust.json").write_bytes(dump_trust(Trust("hsmpub-test", "log-key", "00" * 32, (KEY,))))
    env = {"HSMPUB_TRUST": str(world.folder / "trust.json"), "HOME": str(world.folder)}
    return Command(monkeypatch, capsys, env)


def test_the_command_says_what_holds_and_ends_with_0_for_that_alone(world: World, hsmpub: Command) -> None:
    name = f"{world.server.host}/acme/web"
    said = hsmpub("oci", "verify", f"oci://{name}:v1")
    assert (
        said.status,
        f"No signature stands beside {name}@{world.digest}" in said.err,
        "Next: Do not use the image" in said.err,
    ) == (
        1,
        True,
        True,
    )
    world.sign("oci-signature", number=1)
    world.sign("in-toto")
    assert hsmpub("oci", "verify", f"oci://{name}:v1").status == 1
    attested = hsmpub("oci", "verify", f"oci://{name}:v1", "--predicate-type", REVIEW)
    assert attested.status == 0, attested.err
    world.sign("oci-signature")
    said = hsmpub("oci", "verify", f"oci://{name}@{world.digest}")
    assert said.status == 0, said.err
    for words in (f"ok  oci-signature, by key {KEY.name} (p256)", f"ok  in-toto of the type {REVIEW}", "no  sha256-",
                  f"over {name}@{world.digest}", f"Verified by the pins: {name}@{world.digest}."):  # fmt: skip
        assert words in said.out
    assert "tag" not in said.err
    assert "use the digest" in hsmpub("oci", "verify", f"oci://{name}:v1").err
    push_image(world.registry, "v2", b"another layer")
    said = hsmpub("oci", "verify", f"oci://{name}:v1", f"oci://{name}:v2", "--json")
    told = json.loads(said.out)
    assert (said.status, told["verified"], [one["verified"] for one in told["images"]]) == (1, False, [True, False])
    assert told["images"][1]["problem"]["rule"] == "image-not-signed"
    assert {one["format"] for one in told["images"][0]["signatures"]} == {"oci-signature", "in-toto"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--format", "jar"], "Next: Beside images lie"),
        (["--signing-key", "nobody"], "The pins do not name the key 'nobody'"),
        (["--format", "oci-bundle"], "format oci-bundle"),
    ],
)
def test_a_demand_that_nothing_meets_is_refused_with_the_next_step(
    world: World, hsmpub: Command, words: list[str], told: str
) -> None:
    world.sign("oci-signature")
    said = hsmpub("oci", "verify", f"oci://{world.server.host}/acme/web:v1", *words)
    assert (said.status, told in said.err) == (1, True), said.err


WORDS = (
    "payload",
    "predicateType",
    "layers",
    "config",
    "subject",
    "digest",
    "annotations",
    "dsseEnvelope",
    "manifests",
)
JSON = st.recursive(
    st.sampled_from([None, 1, float("nan"), "\ud800", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=60)
@given(JSON)
def test_whatever_stands_there_is_read_or_refused(value: object) -> None:
    data = json.dumps(value).encode()
    envelope = json.dumps({"payload": base64.b64encode(data).decode()}).encode()
    for read in (lambda: read_held(data, MANIFEST, digest_of(b"")), lambda: read_referrers(data)):
        with contextlib.suppress(Invalid):
            read()
    for kind in ("cosign.simplesigning.v1+json", "dsse.envelope.v1+json", "sigstore.bundle.v0.3+json", "x"):
        prefix = "application/vnd.dev." if "dsse" not in kind else "application/vnd."
        held = Held(prefix + kind, digest_of(data), len(data), {"dev.cosignproject.cosign/signature": value})
        for blob in (data, envelope):
            with contextlib.suppress(Invalid):
                words_in("dsse", output_in(held, blob).output)
