"""`hsmpub oci` with a real keeper and Debian's registry: what it pushes is what cosign and skopeo verify."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from real_keeper import Place, pins, real

from hsmpub.model.trust import dump_trust
from hsmpub.wire import messages as m
from tests.keeper.keeping import RELEASE_KEY
from tests.proofs import Prove
from tests.service.jobs import AUDIENCE, store

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("cli", "client", "formats")]

from command import Command, Said  # noqa: E402
from foreign_tool import needs, run  # noqa: E402
from registries import PASSWORD, debian_registry, push_image, push_index, speaking_to  # noqa: E402

from hsmpub.client.oci.login import Login  # noqa: E402

MADE = ("oci-signature", "oci-bundle", "slsa-provenance", "in-toto", "dsse")
SPDX = "https://spdx.dev/Document"
PROJECTS = f"""
[project.web]
requesters = [{{ issuer = "ci", repository = "acme/web", environment = "nightly" }}]
sign = [{{ key = "nightly-images", formats = {json.dumps(MADE)} }}]
images = ["HOST/acme/*"]
predicates = ["{SPDX}"]
approvals = []
[project.shop]
requesters = [{{ issuer = "ci", repository = "acme/web", environment = "release" }}]
sign = [{{ key = "images", formats = ["oci-signature", "slsa-provenance"] }}]
images = ["HOST/acme/*"]
approvals = [{{ group = "managers", count = 1 }}]
"""
#: Where the image lay that was signed.
SERVER = "an image in docker-registry"
CLAIMS = {
    "repository": "acme/web", "ref": "refs/heads/main", "sha": "a" * 40, "run_id": "12", "run_attempt": "1",
    "workflow_ref": "acme/web/.github/workflows/release.yml@refs/heads/main",
}  # fmt: skip
PRIVATE = {"images": ec.derive_private_key(4715, ec.SECP256R1()), "nightly-images": RELEASE_KEY}


class Here(NamedTuple):
    place: Place
    host: str
    auth: Path


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    folder = tmp_path_factory.mktemp("oci")
    keys = {name: (key, "p256", MADE) for name, key in PRIVATE.items()}
    auth = base64.b64encode(f"ci-job:{PASSWORD}".encode()).decode()
    (folder / "docker").mkdir()
    with (
        debian_registry(folder / "registry", login=True) as host,
        real(folder, keys, PROJECTS.replace("HOST", host), bearer=True) as place,
    ):
        (folder / "docker" / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
        yield Here(place, host, folder / "docker" / "config.json")


class Hands:
    """A CI job at the command line, and the foreign tools beside it."""

    def __init__(self, here: Here, command: Command, folder: Path) -> None:
        self.host, self.kept, self.folder, self.auth, self.command = (
            here.host,
            here.place[1],
            folder,
            here.auth,
            command,
        )
        self.do = here.place[0].do
        for name, key in PRIVATE.items():
            pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            (folder / f"{name}.pem").write_bytes(pem)
        (folder / "root.json").write_text('{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')

    def registry(self):
        return speaking_to(self.host, "acme/web", Login(b"ci-job", PASSWORD.encode()))

    def __call__(self, *words: str | Path, environment: str = "nightly") -> Said:
        token = self.folder / "token"
        token.write_text(self.kept.issuer.token(AUDIENCE, **CLAIMS, environment=environment))
        options = ("--token-file", token, "--audience", AUDIENCE)
        return self.command("oci", words[0], "--registry-auth", self.auth, *words[1:], *options)

    def plain(self, *words: str | Path) -> Said:
        return self.command("oci", *words, "--registry-auth", self.auth)

    def cosign(self, command: str, image: str, *options: str, key: str = "nightly-images") -> bool:
        env = {"HOME": str(self.folder), "DOCKER_CONFIG": str(self.auth.parent)}
        common = (
            "--key",
            f"{key}.pem",
            "--insecure-ignore-tlog",
            "--allow-http-registry",
            "--trusted-root",
            "root.json",
        )
        done = run("cosign", command, *common, *options, image, cwd=self.folder, env=env)
        return done.returncode == 0


@pytest.fixture
def job(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Hands:
    front, made = here.place
    (tmp_path / "trust.json").write_bytes(dump_trust(pins(made)))
    env = {"HSMPUB_URL": front.url, "HSMPUB_TRUST": str(tmp_path / "trust.json")}
    return Hands(here, Command(monkeypatch, capsys, env), tmp_path)


def two_images(job: Hands, name: str) -> tuple[str, str]:
    """One that is going to be signed, tagged with the name, and one that is not."""
    with job.registry() as registry:
        digests = push_image(registry, name, name.encode()), push_image(registry, f"{name}-2", f"{name}-2".encode())
    return f"{job.host}/acme/web@{digests[0]}", f"{job.host}/acme/web@{digests[1]}"


def test_a_signature_lies_under_cosign_s_tag_and_as_a_referrer(job: Hands, proof: Prove) -> None:
    image, unsigned = two_images(job, "v1")
    said = job("sign", f"oci://{job.host}/acme/web:v1", "--project", "web")
    assert said.status == 0, said.err
    assert f"{image} (tag v1): image" in said.out
    verified = job.plain("verify", f"oci://{job.host}/acme/web:v1", "--signing-key", "nightly-images")
    assert verified.status == 0, verified.err
    assert f"Verified by the pins: {image}." in verified.out
    assert "says project web" in verified.out
    assert job.plain("verify", f"oci://{unsigned}").status == 1
    assert job.plain("verify", f"oci://{image}", "--signing-key", "images").status == 1
    needs("cosign")
    assert job.cosign("verify", image, "-a", "project=web")
    assert not job.cosign("verify", image, "-a", "project=shop")
    assert job.cosign("verify", image, "--experimental-oci11")
    assert not job.cosign("verify", unsigned, "--experimental-oci11")
    # the signature of one image put beside another
    with job.registry() as registry:
        signature = registry.get_manifest(image.rpartition("@")[2].replace(":", "-") + ".sig")
        assert signature is not None
        there = unsigned.rpartition("@")[2].replace(":", "-") + ".sig"
        registry.put_manifest(there, signature.content, signature.media_type)
    good, tampered = job.cosign("verify", image), job.cosign("verify", unsigned)
    proof("oci-signature", "p256", "cosign verify", good=good, tampered=tampered, on=SERVER)


def test_a_bundle_and_attestations_verify_for_their_image_alone(job: Hands, proof: Prove) -> None:
    image, unsigned = two_images(job, "v3")
    formats = [f"--format={name}" for name in ("oci-bundle", "slsa-provenance", "dsse")]
    said = job("sign", f"oci://{image}", "--project", "web", *formats)
    assert said.status == 0, said.err
    (job.folder / "sbom.json").write_text('{"spdxVersion": "SPDX-2.3", "packages": []}')
    predicate = ("--predicate", job.folder / "sbom.json", "--predicate-type", SPDX)
    said = job("sign", f"oci://{image}", "--project", "web", *predicate, "--output", job.folder)
    assert said.status == 0, said.err
    [receipt] = job.folder.glob("*.receipt.json")
    kept = [path for path in job.folder.glob("web-*") if path != receipt]
    assert len(kept) == 2
    said = job.command("verify", receipt, *kept)
    assert said.status == 0, said.err
    said = job.command("verify", *kept)
    assert said.status == 0, said.err
    assert f"manifest of an image in {job.host}/acme/web" in said.out + said.err
    said = job.plain("verify", f"oci://{image}", "--json")
    assert (said.status, json.loads(said.out)["images"][0]["not_counted"]) == (0, [])
    found = {one["format"] for one in json.loads(said.out)["images"][0]["signatures"]}
    assert found == {"oci-bundle", "slsa-provenance", "dsse", "in-toto"}
    assert job.plain("verify", f"oci://{image}", "--predicate-type", SPDX).status == 0
    needs("cosign")
    good, tampered = (job.cosign("verify", one, "--new-bundle-format") for one in (image, unsigned))
    proof("oci-bundle", "p256", "cosign verify", good=good, tampered=tampered, on=SERVER)
    kinds = {"slsa-provenance": "slsaprovenance1", "in-toto": SPDX, "dsse": "urn:hsmpub:release-attestation:v1"}
    for name, kind in kinds.items():
        assert job.cosign("verify-attestation", image, "--type", kind, "--new-bundle-format")
        good, tampered = (job.cosign("verify-attestation", one, "--type", kind) for one in (image, unsigned))
        proof(name, "p256", "cosign verify-attestation", good=good, tampered=tampered, on=SERVER)
    assert not job.cosign("verify-attestation", image, "--type", "https://example.org/other")


def test_skopeo_takes_the_image_by_its_repository_and_no_other(job: Hands) -> None:
    needs("skopeo")
    image, unsigned = two_images(job, "v5")
    assert job("sign", f"oci://{image}", "--project", "web").status == 0
    (job.folder / "registries.d").mkdir()
    (job.folder / "registries.d" / "all.yaml").write_text("default-docker: {use-sigstore-attachments: true}\n")

    def accepts(what: str, repository: str) -> bool:
        identity = {"type": "exactRepository", "dockerRepository": f"{job.host}/{repository}"}
        rule = {"type": "sigstoreSigned", "keyPath": str(job.folder / "nightly-images.pem"), "signedIdentity": identity}
        (job.folder / "policy.json").write_text(json.dumps({"default": [rule]}))
        options = ("--policy", "policy.json", "--registries.d", "registries.d", "--insecure-policy=false")
        done = run("skopeo", *options, "copy", "--src-tls-verify=false", "--authfile", job.auth, f"docker://{what}",
                   "dir:copy", cwd=job.folder, env={"HOME": str(job.folder)})  # fmt: skip
        if b"sigstore disabled" in done.stderr:
            pytest.skip("this skopeo was built without sigstore")
        return done.returncode == 0

    assert accepts(image, "acme/web")
    assert not accepts(image, "acme/shop")
    assert not accepts(unsigned, "acme/web")


def test_an_index_is_signed_with_all_below_it_where_asked(job: Hands) -> None:
    with job.registry() as registry:
        inner = [push_image(registry, f"v7-{arch}", arch.encode()) for arch in ("amd64", "arm64")]
        index = push_index(registry, "v7", *inner)
    said = job("sign", f"oci://{job.host}/acme/web:v7", "--project", "web")
    assert "--recursive" in said.err
    needs("cosign")
    assert job.cosign("verify", f"{job.host}/acme/web@{index}")
    assert not job.cosign("verify", f"{job.host}/acme/web@{inner[0]}")
    said = job("sign", f"oci://{job.host}/acme/web:v7", "--project", "web", "--recursive")
    assert said.status == 0, said.err
    assert all(job.cosign("verify", f"{job.host}/acme/web@{digest}") for digest in inner)


def test_a_release_of_images_is_attached_once_it_is_approved(job: Hands) -> None:
    image, _ = two_images(job, "v9")
    with job.registry() as registry:
        manifest = registry.get_manifest("v9")
    assert manifest is not None
    store(job.kept.folder, "manifest", manifest.content)  # front and keeper have no folder in common here
    ask = ("submit", f"oci://{image}", "--project", "shop", "--version", "9", "--commit", "c" * 40)
    said = job(*ask, environment="release")
    assert said.status == 0, said.err
    assert job(*ask, environment="release").out.startswith(f"{image}: image\nThis release was asked for before")
    [view] = [one for one in job.do(job.kept.call(m.ListRequests(False))).requests if one.version == "9"]
    assert job.plain("attach", view.request).status == 1
    shown = job.command("release", "show", view.request).out
    assert f"of the image {image}" in shown
    assert f"built by     {job.kept.issuer.url}/acme/web/.github/workflows/release.yml" in shown
    job.do(job.kept.approve(view, "release-manager"))
    job.do(job.kept.settle())
    said = job.plain("attach", view.request)
    assert said.status == 0, said.err
    assert job.plain("attach", view.request).out == said.out
    with job.registry() as registry:
        held = registry.get_manifest(image.rpartition("@")[2].replace(":", "-") + ".sig")
        assert held is not None
        assert len(json.loads(held.content)["layers"]) == 1
    needs("cosign")
    assert job.cosign("verify", image, "-a", "version=9", "-a", f"request={view.request}", key="images")
    assert not job.cosign("verify", image)


def test_a_login_is_needed_and_never_shown(job: Hands) -> None:
    image, _ = two_images(job, "v11")
    wrong = base64.b64encode(b"ci-job:another-password").decode()
    (job.folder / "wrong.json").write_text(json.dumps({"auths": {job.host: {"auth": wrong}}}))
    said = job("sign", f"oci://{image}", "--project", "web", "--registry-auth", job.folder / "wrong.json")
    assert said.status == 1
    assert "status 401" in said.err
    assert "another-password" not in said.err + said.out
    assert wrong not in said.err + said.out
