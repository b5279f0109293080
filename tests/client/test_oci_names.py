"""References, logins and manifests as they come: read in one way, or refused by name."""

from __future__ import annotations

import base64
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.client.oci.login import HelperFailed, LoginUnreadable, find_login
from hsmpub.client.oci.reference import ReferenceMalformed, load_reference
from hsmpub.errors import Invalid
from hsmpub.formats.oci.manifest import INDEX, MANIFEST, ManifestRefused, read_manifest

DIGEST = "sha256:" + "ab" * 32
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 2}


def test_references_name_repository_tag_and_digest():
    both = load_reference(f"oci://registry.example:5000/acme/web:v1@{DIGEST}")
    assert (both.image, both.tag, both.digest) == ("registry.example:5000/acme/web", "v1", DIGEST)
    assert (both.registry, both.repository, both.url) == (
        "registry.example:5000", "acme/web", "https://registry.example:5000",
    )  # fmt: skip
    assert load_reference("oci://127.0.0.1:5000/web:v1").url == "http://127.0.0.1:5000"
    assert load_reference("oci://docker.io/library/web:v1").url == "https://registry-1.docker.io"


@pytest.mark.parametrize(
    "text",
    ["registry.example/web:v1", "oci://registry.example/web", "oci://registry.example/web:", "oci://web:v1",
     "oci://registry.example/web@", "oci://registry.example/web@sha256:ab", "oci://registry.example/web@sha512:ab",
     f"oci://registry.example/web:sha256-{'ab' * 32}.sig", f"oci://registry.example/web:sha256-{'ab' * 32}",
     "oci://user:word@registry.example/web:v1", "oci://registry.example/web:v1?x=y", "oci://registry.example/../web:v1",
     "oci://registry.example/web:-v1", "oci://registry.example/web:v1\n", "oci://registry.example:5000:v1"],
)  # fmt: skip
def test_refuses_what_names_no_image(text):
    with pytest.raises(Invalid):
        load_reference(text)


@given(st.text(max_size=80))
def test_any_text_is_a_reference_or_refused(text):
    try:
        assert str(load_reference("oci://" + text)) == text
    except Invalid as error:
        assert isinstance(error, ReferenceMalformed | Invalid)  # noqa: PT017


def manifest(**members) -> bytes:
    return json.dumps({"schemaVersion": 2, **members}).encode()


def test_says_what_kind_a_manifest_is():
    assert read_manifest(manifest(config=CONFIG, layers=[]), MANIFEST).words == "image"
    chart = {**CONFIG, "mediaType": "application/vnd.cncf.helm.config.v1+json"}
    assert read_manifest(manifest(config=chart, layers=[]), MANIFEST).words == f"artifact of type {chart['mediaType']}"
    named = manifest(config=CONFIG, layers=[], artifactType="application/x")
    assert read_manifest(named, f"{MANIFEST}; charset=utf-8").words == "artifact of type application/x"
    child = {"mediaType": MANIFEST, "digest": DIGEST, "size": 9, "platform": {"os": "linux"}}
    assert read_manifest(manifest(manifests=[child]), INDEX).words == "index of 1 manifests"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (manifest(config=CONFIG, layers=[], manifests=[]), MANIFEST),
        (manifest(config=CONFIG, layers=[], manifests=[]), INDEX),
        (manifest(config=CONFIG, layers=[]), INDEX),
        (manifest(manifests=[]), MANIFEST),
        (manifest(config=CONFIG, layers=[], mediaType=INDEX), MANIFEST),
        (manifest(config=CONFIG, layers=[]), "application/vnd.docker.distribution.manifest.v1+prettyjws"),
        (manifest(config=CONFIG, layers=[]), ""),
        (manifest(fsLayers=[], config=CONFIG, layers=[]), MANIFEST),
        (b'{"schemaVersion":2,"config":{},"layers":[],"layers":[]}', MANIFEST),
        (b'{"schemaVersion":1,"config":{},"layers":[]}', MANIFEST),
        (b"[" * 100_000, MANIFEST),
        (b"\xff", MANIFEST),
        (manifest(manifests=[{"mediaType": MANIFEST, "digest": "md5:00", "size": 1}]), INDEX),
        (manifest(manifests=[{"mediaType": MANIFEST, "digest": DIGEST, "size": 1 << 40}]), INDEX),
        (manifest(manifests=[{"mediaType": MANIFEST, "digest": f"{DIGEST}/../x", "size": 1}]), INDEX),
        (manifest(manifests=["x"]), INDEX),
        (manifest(manifests={}), INDEX),
    ],
)
def test_refuses_what_could_be_read_in_two_ways(content, kind):
    with pytest.raises(ManifestRefused):
        read_manifest(content, kind)


@given(st.binary(max_size=300), st.sampled_from([MANIFEST, INDEX]))
def test_no_manifest_crashes_the_reader(content, kind):
    with pytest.raises(ManifestRefused):
        read_manifest(content, kind)


def pair(user: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:word".encode()).decode()}


def user_of(login) -> str:
    assert login is not None
    return base64.b64decode(login.header().removeprefix(b"Basic ")).decode().partition(":")[0]


def test_the_nearest_login_counts(tmp_path):
    file = tmp_path / "config.json"
    auths = {"registry.example": pair("all"), "registry.example/acme": pair("acme"),
             "https://index.docker.io/v1/": pair("hub"), "https://old.example/v1/": pair("old")}  # fmt: skip
    file.write_text(json.dumps({"auths": auths}))
    environ = {"DOCKER_CONFIG": str(tmp_path), "HOME": "/nonexistent"}
    for image, user in (("registry.example/acme/web", "acme"), ("registry.example/web", "all"),
                        ("docker.io/library/web", "hub"), ("old.example/web", "old")):  # fmt: skip
        assert user_of(find_login(image, None, environ)) == user
        assert user_of(find_login(image, file, {})) == user
    assert find_login("registry.example.evil/web", file, {}) is None
    assert find_login("registry.example/web", None, {"HOME": str(tmp_path / "none")}) is None


def test_a_login_is_wiped_and_not_printed(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": {"registry.example": pair("ci-job")}}))
    login = find_login("registry.example/web", file, {})
    assert login is not None
    assert "word" not in repr(login)
    login.wipe()
    assert set(login._pair) == {0}


@pytest.mark.parametrize("text", ["", "[]", '{"auths":[]}', '{"auths":{"registry.example":{"auth":"!"}}}',
                                  '{"auths":{"registry.example":{"auth":"bm9jb2xvbg=="}}}',
                                  '{"credHelpers":{"registry.example":"../x"}}'])  # fmt: skip
def test_refuses_a_file_that_is_none_of_logins(tmp_path, text):
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(LoginUnreadable):
        find_login("registry.example/web", file, {})


def test_a_credential_helper_is_asked(tmp_path):
    helper = tmp_path / "docker-credential-tests"
    helper.write_text('#!/bin/sh\nread -r server\n[ "$server" = registry.example ] || exit 1\n'
                      'echo \'{"Username":"ci-job","Secret":"word"}\'\n')  # fmt: skip
    helper.chmod(0o755)
    (tmp_path / "odd").mkdir()
    odd = tmp_path / "docker-credential-odd"
    odd.write_text("#!/bin/sh\necho hello\n")
    odd.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    file = tmp_path / "config.json"
    file.write_text('{"credsStore":"tests"}')
    assert user_of(find_login("registry.example/web", file, environ)) == "ci-job"
    assert find_login("other.example/web", file, environ) is None
    for name in ("odd", "missing"):
        file.write_text(json.dumps({"credHelpers": {"registry.example": name}}))
        with pytest.raises(HelperFailed):
            find_login("registry.example/web", file, environ)
