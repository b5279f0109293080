"""The acts of the demo, in their order. Each does what a person or a CI job would do, with the same commands."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import tarfile
import time
from pathlib import Path

from deploy.demo.papers import write_ceremony, write_policy, write_roster
from deploy.demo.people import Person
from deploy.demo.stage import PROJECT, DemoFailed
from deploy.demo.world import World

RELEASE_CLAIMS = {"repository": "example/hsmpub", "ref": "refs/heads/release/1.0", "actor": "ci-job"}


def genesis(world: World) -> None:
    """Keys nobody has seen, shares for five holders, one signed transcript."""
    stage, papers = world.stage, world.stage.root / "ceremony"
    papers.mkdir()
    write_policy(papers / "policy.toml", world.issuer, world.index, world.git)
    write_roster(papers / "roster.toml", world.people)
    write_ceremony(papers / "ceremony.toml", world.people)
    ceremony = stage.bin / "hsmpub-ceremony"
    stage.run(ceremony, "genesis", papers / "ceremony.toml", "--home", world.home, "--dry-run")
    stage.say("rehearsed with the same steps on a throw-away token")
    stage.run(ceremony, "genesis", papers / "ceremony.toml", "--home", world.home)
    transcript = world.home / "genesis" / "transcript.json"
    stage.run(ceremony, "verify", transcript, "--trust", world.trust)
    stage.say("keys made in the HSM, PIN seen by nobody, 3-of-5 and 2-of-3 shares encrypted to their holders")
    stage.say(f"signed transcript verifies: {transcript.relative_to(PROJECT)}")


def unseal(world: World, home: Path, holders: tuple[Person, ...]) -> None:
    """Three holders hand in their shares, each from a machine of their own."""
    first, second, third = holders
    hand_in(world, home, first)
    said = world.hsmpub_refused(
        "unseal", "--holder", second.name, "--share", share_of(home, first), "--identity", first.identity
    )
    world.stage.refused(f"a share under another holder's name: {shorten(said)}")
    hand_in(world, home, second)
    hand_in(world, home, third)
    if world.state() != "unsealed":
        raise DemoFailed("three shares did not unseal the service")
    world.stage.say(f"unsealed by {first.name}, {second.name} and {third.name}")


def hand_in(world: World, home: Path, holder: Person) -> None:
    world.hsmpub("unseal", "--holder", holder.name, "--share", share_of(home, holder), "--identity", holder.identity)


def share_of(home: Path, holder: Person) -> Path:
    """The holder's share of the newest epoch: of the last restore, or else of the genesis."""
    ceremony = next(iter(sorted(home.glob("restore-*"), reverse=True)), home / "genesis")
    return ceremony / "shares" / f"{holder.name}.age"


def seal_credentials(world: World) -> None:
    """The passwords of index and git server go in by pipe and are never readable again."""
    for name, secret in (("index", world.index_password), ("git", world.git_password)):
        lead = world.people.lead
        said = world.hsmpub("credential", "seal", name, "--person", lead.name, "--key", lead.identity, stdin=secret)
        request = find_request(said)
        approve(world, request, world.people.officer)
        wait_for(world, request, "done")
    world.stage.say("credentials of index and git server sealed in the HSM, approved by security-officer")


def build(world: World) -> None:
    """This project's own wheel and sdist."""
    stage = world.stage
    source = stage.root / "source"
    copied = ("hsmpub", "ceremony", "api", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "pyproject.toml")
    source.mkdir()
    for name in copied:
        there = PROJECT / name
        if there.is_dir():
            shutil.copytree(there, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif there.exists():
            shutil.copy2(there, source / name)
    world.commit = world.git.create(source)
    stage.run(stage.bin / "python", "-m", "build", "--no-isolation", "--outdir", world.outputs, source)
    world.version = next(world.outputs.glob("*.tar.gz")).name.removeprefix("hsmpub-").removesuffix(".tar.gz")
    names = ", ".join(sorted(file.name for file in world.outputs.iterdir()))
    stage.say(f"built {names} from commit {world.commit[:12]}")


def submit(world: World) -> None:
    """CI submits with its short-lived identity; a job of another repository may not."""
    files = sorted(world.outputs.iterdir())
    arguments: list[str | Path] = [
        "release", "submit", "--project", "hsmpub", "--version", world.version, "--commit", world.commit, *files
    ]  # fmt: skip
    said = world.hsmpub_refused(*arguments, env=world.ci(**RELEASE_CLAIMS | {"repository": "example/elsewhere"}))
    world.stage.refused(f"a job of another repository: {shorten(said)}")
    world.request = find_request(world.hsmpub(*arguments, env=world.ci(**RELEASE_CLAIMS)))
    world.stage.say(f"request {world.request} waits for one of managers and one of sdk-leads")


def co_sign(world: World) -> None:
    """Two people, two groups, each with a key in their own hands."""
    officer = world.people.officer
    said = world.hsmpub_refused("approve", world.request, "--person", officer.name, "--key", officer.identity, "--yes")
    world.stage.refused(f"an approval by somebody of another group: {shorten(said)}")
    approve(world, world.request, world.people.manager)
    approve(world, world.request, world.people.lead)
    world.stage.say("release-manager and sdk-lead co-signed the exact statement")


def publish(world: World) -> None:
    """Signed in the HSM, logged, then published by one child process a job."""
    wait_for(world, world.request, "published")
    world.hsmpub("release", "fetch", world.request, "--to", world.outputs)
    world.stage.say(
        "signed, uploaded to the package index, tag pushed to the git server; signatures and receipt fetched"
    )


def check(world: World) -> None:
    """Everything is checked with foreign tools, and the receipt offline."""
    stage, out = world.stage, world.outputs
    wheel = next(out.glob("*.whl"))
    for certificate in sorted((world.home / "genesis").glob("*.asc")):
        stage.run("gpg", "--batch", "--quiet", "--import", certificate)
    for signature in sorted(out.glob("*.asc")):
        signed = next(f for f in (wheel, *out.glob("*.tar.gz")) if signature.name.startswith(f.name))
        stage.run("gpg", "--batch", "--verify", signature, signed)
    stage.say("gpg: good OpenPGP signatures")
    ssh_keygen(world, wheel)
    bundle(world, wheel)
    tag = f"v{world.version}"
    clone = stage.root / "clone"
    stage.run("git", "clone", "--quiet", world.git.url, clone)
    stage.run("git", "verify-tag", tag, cwd=clone)
    stage.say(f"git verify-tag {tag}: good signature")
    venv = stage.root / "installed"
    stage.run(stage.bin / "python", "-m", "venv", "--without-pip", venv)
    stage.run(
        stage.bin / "python", "-m", "pip", "--python", venv, "install", "--quiet", "--no-deps", "--no-cache-dir",
        "--disable-pip-version-check", "--index-url", world.index.simple_url, f"hsmpub=={world.version}",
    )  # fmt: skip
    stage.say("pip installed the wheel from the index")
    receipt = next(out.glob("*.receipt.json"))
    stage.run(stage.bin / "hsmpub", "verify", receipt, *sorted(out.iterdir()), "--trust", world.trust)
    stage.say("hsmpub verify, offline: artifacts, signatures, approvals, policy, inclusion and checkpoint hold")
    tamper(world, wheel, receipt)


def ssh_keygen(world: World, wheel: Path) -> None:
    signers = world.stage.root / "allowed_signers"
    trust = json.loads(world.trust.read_bytes())
    key = next(key for key in trust["keys"] if key["name"] == "release")
    pem = world.stage.root / "release.pem"
    pem.write_text(key["public"])
    public = world.stage.run("ssh-keygen", "-i", "-m", "PKCS8", "-f", pem).strip()
    signers.write_text(f"release {public}\n")
    world.stage.run(
        "ssh-keygen", "-Y", "verify", "-f", signers, "-I", "release", "-n", "file", "-s", f"{wheel}.sig",
        stdin=wheel.read_bytes(),
    )  # fmt: skip
    world.stage.say("ssh-keygen -Y verify: good SSHSIG")


def bundle(world: World, wheel: Path) -> None:
    """openssl on the bundle's own signature; cosign, too, where it is installed."""
    import base64

    stage, path = world.stage, Path(f"{wheel}.sigstore.json")
    trust = json.loads(world.trust.read_bytes())
    pem = stage.root / "release-bundle.pem"
    pem.write_text(next(key for key in trust["keys"] if key["name"] == "release-bundle")["public"])
    signature = stage.root / "bundle.der"
    signature.write_bytes(base64.b64decode(json.loads(path.read_bytes())["messageSignature"]["signature"]))
    stage.run("openssl", "dgst", "-sha256", "-verify", pem, "-signature", signature, wheel)
    if not shutil.which("cosign"):
        stage.say("openssl: the sigstore bundle's signature is good (cosign is not installed)")
        return
    # cosign asks for a trusted root even where a key is given, and would look for one in the net
    root = stage.root / "empty-root.json"
    root.write_text('{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')
    stage.run(
        "cosign", "verify-blob", "--key", pem, "--bundle", path, "--new-bundle-format", "--insecure-ignore-tlog",
        "--trusted-root", root, wheel,
    )  # fmt: skip
    stage.say("openssl and cosign verify-blob: good sigstore bundle")


def tamper(world: World, wheel: Path, receipt: Path) -> None:
    altered = world.stage.root / "altered"
    altered.mkdir()
    bad = altered / wheel.name
    content = bytearray(wheel.read_bytes())
    content[len(content) // 2] ^= 1
    bad.write_bytes(content)
    said = world.stage.run_refused(world.stage.bin / "hsmpub", "verify", receipt, bad, "--trust", world.trust)
    world.stage.refused(f"one flipped bit in the wheel: {shorten(said)}")


def routine(world: World) -> None:
    """A nightly job signs by digest in one call: the file stays where it is."""
    nightly = world.stage.root / "nightly"
    nightly.mkdir()
    file = nightly / "snapshot.tar"
    with tarfile.open(file, "w") as archive:
        archive.add(world.outputs, "release")
    claims = world.ci(repository="example/nightly", ref="refs/heads/main")
    world.hsmpub("sign", file, "--project", "nightly", "--format", "sshsig", env=claims)
    receipt = Path(f"{file}.receipt.json")
    world.stage.run(world.stage.bin / "hsmpub", "verify", receipt, file, Path(f"{file}.sig"), "--trust", world.trust)
    world.stage.say("hsmpub sign: signature and receipt beside the file, only its hash was sent")


def drill(world: World) -> None:
    """Two recovery holders show, through the running service, that they could restore it."""
    said = ""
    for holder in world.people.recovery[:2]:
        share = world.home / "genesis" / "recovery" / f"{holder.name}.age"
        said = world.hsmpub(
            "drill", "--quorum", "recovery", "--holder", holder.name, "--share", share, "--identity", holder.identity
        )
    if "The recovery quorum works" not in said:
        raise DemoFailed(f"the drill proved nothing: {said}")
    world.stage.say("drill: two recovery holders proved that every key would come back; nothing was released")


def recover(world: World) -> Path:
    """A backup without any quorum; the token is destroyed; two recovery holders bring the keys back."""
    stage = world.stage
    archive, fresh = stage.root / "backup.tar", stage.root / "restored-home"
    ceremony = stage.bin / "hsmpub-ceremony"
    stage.run(ceremony, "backup", "--home", world.home, archive)
    stage.say("backup taken without any quorum, its keys wrapped to the recovery key")
    shutil.rmtree(world.home / "keeper")
    stage.say("the HSM's token and everything of the keeper are destroyed")
    two = world.people.recovery[:2]
    arguments: list[str | Path] = []
    for holder in two:
        share = world.home / "genesis" / "recovery" / f"{holder.name}.age"
        arguments += ["--share", f"{holder.name}={share}", "--identity", f"{holder.name}={holder.identity}"]
    stage.run(ceremony, "restore", archive, "--home", fresh, "--trust", world.trust, *arguments)
    stage.say(f"{two[0].name} and {two[1].name} restored the keys into a fresh token, with new shares for the holders")
    return fresh


def after_recovery(world: World) -> None:
    """The same key signs again: what users trust already verifies it."""
    folder = world.stage.root / "notes"
    folder.mkdir()
    file = folder / "after-recovery.txt"
    file.write_text(f"signed after the worst day {secrets.token_hex(4)}\n")
    said = world.hsmpub(
        "release", "submit", "--project", "notes", "--version", "1", "--commit", world.commit, file,
        env=world.ci(repository="example/notes"),
    )  # fmt: skip
    request = find_request(said)
    approve(world, request, world.people.manager)
    wait_for(world, request, "done")
    world.hsmpub("release", "fetch", request, "--to", folder)
    world.stage.run("gpg", "--batch", "--verify", Path(f"{file}.asc"), file)
    world.stage.say("the release key signs again, and gpg verifies it with the certificate from before")


def approve(world: World, request: str, person: Person) -> None:
    world.hsmpub("approve", request, "--person", person.name, "--key", person.identity, "--yes")


def wait_for(world: World, request: str, state: str, seconds: float = 90) -> None:
    """Asks until the request is there.

    Raises:
        DemoFailed: it went elsewhere, or takes too long.
    """
    until, seen = time.monotonic() + seconds, {}
    while time.monotonic() < until:
        answer = world.json("release", "show", request)
        assert isinstance(answer, dict)
        seen = answer
        if seen["state"] == state:
            return
        if seen["state"] in ("failed", "declined", "expired"):
            break
        time.sleep(0.3)
    raise DemoFailed(f"request {request} is {seen.get('state')}, not {state}: {seen.get('why')}")


def find_request(text: str) -> str:
    """The request's id in what a command printed."""
    found = re.search(r"\b[0-9a-f]{16}\b", text)
    if found is None:
        raise DemoFailed(f"no request id in: {text}")
    return found[0]


def shorten(text: str, length: int = 150) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
