"""What a registry may do wrong, or on purpose: it lies, redirects, floods, stalls, moves tags, asks for the login."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from registries import MemoryServer, debian_registry, memory_registry, push_image, push_index, speaking_to

sys.path.insert(0, str(Path(__file__).parents[1] / "targets"))

from raw_server import RawServer

from hsmpub.client.oci.image import ImageMissing, TagMoved, TooManyManifests, check_still, resolve
from hsmpub.client.oci.login import Login
from hsmpub.client.oci.push import SignaturesCollide, TooManySignatures, push
from hsmpub.client.oci.reference import Reference
from hsmpub.client.oci.registry import Registry, RegistryLies
from hsmpub.client.oci.wire import (
    AnswerEndless,
    RegistryAnswersOddly,
    RegistryRedirects,
    RegistryRefuses,
    RegistryUnreachable,
    TokenHostForeign,
)
from hsmpub.errors import HsmpubError
from hsmpub.formats.oci.attachment import BUNDLE, Layer, digest_of, tag_of, tagged
from hsmpub.formats.oci.manifest import MANIFEST, MAX_MANIFEST_BYTES, ManifestRefused

LAYER = Layer(b"payload", "application/vnd.dev.cosign.simplesigning.v1+json", {"a": "b"}, "sig")
REFERRER = Layer(b"bundle", BUNDLE, {"dev.sigstore.bundle.content": "dsse-envelope"})
SECRET = b"a-secret-of-tests"


@pytest.fixture
def server() -> Iterator[MemoryServer]:
    with memory_registry() as made:
        yield made


@pytest.fixture
def registry(server: MemoryServer) -> Iterator[Registry]:
    with speaking_to(server.host) as made:
        yield made


def named(server: MemoryServer, tag: str = "v1", digest: str = "") -> Reference:
    return Reference(f"{server.host}/acme/web", tag, digest)


def test_an_image_is_what_its_tag_means_by_its_own_bytes(server, registry):
    digest = push_image(registry, "v1")
    [image] = resolve(registry, named(server))
    assert (image.digest, image.manifest.words) == (digest, "image")
    [same] = resolve(registry, named(server, "v1", digest))
    assert same.content == image.content
    with pytest.raises(ImageMissing):
        resolve(registry, named(server, "v2"))


def test_refuses_other_bytes_than_the_digest_that_was_asked_for(server, registry):
    digest = push_image(registry, "v1")
    content, kind = server.manifests[digest]
    server.manifests[digest] = content + b"\n", kind
    with pytest.raises(RegistryLies):
        resolve(registry, named(server, "", digest))
    server.own = lambda _: (200, content, {"Content_Type": kind, "Docker_Content_Digest": digest_of(b"other")})
    with pytest.raises(RegistryLies):
        resolve(registry, named(server))


def test_a_tag_that_moves_is_noticed_between_any_two_looks(server, registry):
    push_image(registry, "v1")
    [image] = resolve(registry, named(server))
    moved = push_image(registry, "v1", b"another layer")
    with pytest.raises(TagMoved, match=moved):
        check_still(registry, image)
    with pytest.raises(TagMoved):
        resolve(registry, named(server, "v1", image.digest))
    del server.manifests["v1"]
    with pytest.raises(TagMoved, match="nothing"):
        check_still(registry, image)
    looks = iter(list(server.manifests.items())[:2] * 2)

    def another_each_time(handler):
        content, kind = next(looks)[1]
        return 200, content, {"Content_Type": kind}

    server.own = another_each_time
    with pytest.raises(TagMoved):
        resolve(registry, named(server))


def test_an_index_is_followed_down_to_each_manifest_once(server, registry):
    inner = [push_image(registry, arch, arch.encode()) for arch in ("amd64", "arm64")]
    index = push_index(registry, "v1", *inner, inner[0])
    assert [one.digest for one in resolve(registry, named(server), recursive=True)] == [index, *inner]
    assert [one.digest for one in resolve(registry, named(server))] == [index]
    content, kind = server.manifests[index]
    server.manifests["v1"] = content.replace(b'"size": ', b'"size": 1'), kind
    with pytest.raises(RegistryLies):
        resolve(registry, named(server), recursive=True)


def test_an_index_of_too_many_manifests_is_refused(server, registry, monkeypatch):
    monkeypatch.setattr("hsmpub.client.oci.image.MAX_MANIFESTS", 3)
    inner = [push_image(registry, f"t{number}", b"%d" % number) for number in range(3)]
    push_index(registry, "v1", *inner)
    with pytest.raises(TooManyManifests):
        resolve(registry, named(server), recursive=True)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(server, registry, status):
    server.own = lambda _: (status, b"", {"Location": "http://127.0.0.1:1/"})
    with pytest.raises(RegistryRedirects):
        resolve(registry, named(server))
    assert push_failure(server, registry, (202, b"", {"Location": "http://127.0.0.1:1/upload"})) is RegistryRedirects


@pytest.mark.parametrize("location", ["//[", "http://[::1/upload", "http://127.0.0.1:x]/"])
def test_a_place_for_an_upload_that_is_no_address_is_refused_by_name(server, registry, location):
    assert push_failure(server, registry, (202, b"", {"Location": location})) is RegistryRedirects


def test_what_others_put_beside_an_image_without_a_digest_is_refused_by_name(server, registry):
    digest = push_image(registry, "v1")
    [image] = resolve(registry, named(server))
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 2}
    standing = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [{"mediaType": "x"}]}
    server.put(tag_of(digest, "sig"), json.dumps(standing).encode(), MANIFEST)
    with pytest.raises(ManifestRefused):
        push(registry, image, [LAYER])


def push_failure(server, registry, answer) -> type[HsmpubError]:
    server.own = lambda handler: answer if handler.command == "POST" else None
    with pytest.raises(HsmpubError) as failed:
        registry.put_blob(b"x")
    return failed.type


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_an_odd_answer_is_no_success(server, registry, status):
    assert push_failure(server, registry, (status, b"", {})) is RegistryAnswersOddly
    server.own = lambda handler: (status, b"", {}) if handler.command == "PUT" else None
    with pytest.raises(RegistryAnswersOddly):
        registry.put_manifest("v1", b"{}", MANIFEST)


def test_an_answer_without_end_is_cut_off():
    head = b"HTTP/1.1 200 OK\r\nContent-Type: x\r\nContent-Length: %d\r\n\r\n" % (1 << 40)
    with (
        RawServer(head, endless=bytes(1 << 16)) as raw,
        speaking_to(f"127.0.0.1:{raw.port}") as registry,
        pytest.raises(AnswerEndless),
    ):
        registry.get_manifest("v1")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", b"HTTP/1.1 200"])
def test_an_answer_that_stalls_is_given_up(answer):
    with (
        RawServer(answer, trickle=True) as raw,
        speaking_to(f"127.0.0.1:{raw.port}", patience=0.2) as registry,
        pytest.raises(RegistryUnreachable),
    ):
        registry.get_manifest("v1")


@pytest.mark.parametrize("referrers", [True, False])
def test_a_signature_is_pushed_once_beside_those_of_others(referrers):
    with memory_registry(referrers=referrers) as server, speaking_to(server.host) as registry:
        digest = push_image(registry, "v1")
        [image] = resolve(registry, named(server))
        theirs = Layer(b"theirs", LAYER.media_type, {"a": "c"}, "sig").descriptor()
        config, manifest = tagged([theirs])
        registry.put_blob(config)
        registry.put_manifest(tag_of(digest, "sig"), manifest, MANIFEST)
        places = push(registry, image, [LAYER, REFERRER])
        assert push(registry, image, [LAYER, REFERRER]) == places
        assert places[0] == tag_of(digest, "sig")
        layers = json.loads(server.manifests[places[0]][0])["layers"]
        assert layers == [theirs, LAYER.descriptor()]
        held = json.loads(server.manifests[places[1]][0])
        assert held["subject"] == image.subject
        assert (tag_of(digest) in server.manifests) != referrers
        if not referrers:
            [listed] = json.loads(server.manifests[tag_of(digest)][0])["manifests"]
            assert (listed["digest"], listed["artifactType"]) == (places[1], BUNDLE)


def test_whoever_pushes_at_the_same_moment_loses_nothing(server, registry):
    digest = push_image(registry, "v1")
    [image] = resolve(registry, named(server))
    theirs = Layer(b"theirs", LAYER.media_type, {}, "sig").descriptor()
    raced = []

    def race(handler):
        if handler.command == "GET" and handler.path.endswith(".sig") and len(raced) < 2:
            raced.append(handler.path)
            if len(raced) == 2:  # between our writing and our reading
                server.put(tag_of(digest, "sig"), tagged([theirs])[1], MANIFEST)

    server.own = race
    push(registry, image, [LAYER])
    layers = json.loads(server.manifests[tag_of(digest, "sig")][0])["layers"]
    assert layers == [theirs, LAYER.descriptor()]

    def forget(handler):
        return (201, b"", {}) if handler.command == "PUT" and handler.path.endswith(".sig") else None

    server.own = forget
    with pytest.raises(SignaturesCollide):
        push(registry, image, [Layer(b"other", LAYER.media_type, {}, "sig")])


def test_refuses_a_tag_that_holds_no_signatures_or_too_many(server, registry):
    digest = push_image(registry, "v1")
    [image] = resolve(registry, named(server))
    server.put(tag_of(digest, "sig"), tagged([LAYER.descriptor()] * 501)[1], MANIFEST)
    with pytest.raises(TooManySignatures):
        push(registry, image, [Layer(b"other", LAYER.media_type, {}, "sig")])
    server.put(tag_of(digest, "sig"), b'{"schemaVersion":2,"layers":1,"config":{}}', MANIFEST)
    with pytest.raises(ManifestRefused):
        push(registry, image, [LAYER])


class TokenServer:
    """Asks for a token, gives one to whoever has the login, and keeps what it was told."""

    def __init__(self, realm: str = "http://{host}/token") -> None:
        self.realm, self.told = realm, []

    def __call__(self, handler):
        said = handler.headers.get("Authorization", "")
        self.told.append((handler.path, said))
        if handler.path.startswith("/token"):
            good = said == "Basic " + base64.b64encode(b"ci-job:" + SECRET).decode()
            return (200, b'{"token":"a-token"}', {}) if good else (401, b"", {})
        if said == "Bearer a-token":
            return None
        realm = self.realm.format(host=handler.headers["Host"])
        return 401, b"", {"WWW_Authenticate": f'Bearer realm="{realm}",service="tests",scope="repository:x:*"'}


def test_a_token_is_asked_for_this_repository_with_the_login(server):
    asked = server.own = TokenServer()
    with speaking_to(server.host, login=Login(b"ci-job", SECRET)) as registry:
        push_image(registry, "v1")
        resolve(registry, named(server))
    [token_call] = [path for path, _ in asked.told if path.startswith("/token")]
    assert token_call == "/token?service=tests&scope=repository%3Aacme%2Fweb%3Apull%2Cpush"
    assert all(SECRET not in said.encode() for path, said in asked.told)


@pytest.mark.parametrize(
    "realm", ["http://127.0.0.2/token", "https://tokens.example/", "//x", "", "ftp://{host}/", "http://a@{host}/token"]
)
def test_the_login_goes_to_no_other_host(server, realm):
    server.own = TokenServer(realm)
    with speaking_to(server.host, login=Login(b"ci-job", SECRET)) as registry, pytest.raises(TokenHostForeign):
        resolve(registry, named(server))


@pytest.mark.parametrize("realm", ["https://[", "http://{host}:x/token", "http://{host}/\x7f"])
def test_a_place_for_tokens_that_is_no_address_is_refused_by_name(server, realm):
    server.own = TokenServer(realm)
    with speaking_to(server.host, login=Login(b"ci-job", SECRET)) as registry, pytest.raises(HsmpubError):
        resolve(registry, named(server))


@pytest.mark.parametrize("login", [None, Login(b"ci-job", b"wrong" + SECRET)])
def test_a_refused_login_is_told_without_it(server, login):
    server.own = TokenServer()
    with speaking_to(server.host, login=login) as registry, pytest.raises(RegistryRefuses) as refused:
        resolve(registry, named(server))
    said = repr(refused.value) + str(refused.value) + repr(login) + repr(vars(registry))
    assert SECRET.decode() not in said
    assert base64.b64encode(SECRET).decode()[4:-4] not in said


def test_basic_is_answered_where_there_is_a_login(server):
    def basic(handler):
        good = handler.headers.get("Authorization") == "Basic " + base64.b64encode(b"ci-job:" + SECRET).decode()
        return None if good else (401, b"", {"WWW_Authenticate": 'Basic realm="tests"'})

    server.own = basic
    with speaking_to(server.host, login=Login(b"ci-job", SECRET)) as registry:
        push_image(registry, "v1")
    with speaking_to(server.host) as registry, pytest.raises(RegistryRefuses):
        resolve(registry, named(server))


def test_the_largest_manifest_is_taken_whole_by_a_real_registry(tmp_path):
    with debian_registry(tmp_path / "registry") as host, speaking_to(host) as registry:
        push_image(registry, "v1")
        stored = registry.get_manifest("v1")
        assert stored is not None
        large = stored.content[:-1] + b" " * (MAX_MANIFEST_BYTES - len(stored.content)) + b"}"
        registry.put_manifest("large", large, MANIFEST)
        [image] = resolve(registry, Reference(f"{host}/acme/web", "large"))
        assert len(image.content) == MAX_MANIFEST_BYTES
        assert push(registry, image, [LAYER, REFERRER])[0] == tag_of(image.digest, "sig")
        assert registry.get_manifest(tag_of(image.digest)) is not None
