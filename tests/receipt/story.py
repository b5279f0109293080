"""A release told as the entries of a log, with real signatures by keys in software: true, or with a lie in it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Prepared
from hsmpub.formats.git_tag import GitTag, assemble_tag, prepare_tag
from hsmpub.formats.registry import get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyRecord
from hsmpub.model.statement import (
    APPROVAL_NAMESPACE,
    Predicate,
    Quorum,
    Signing,
    Subject,
    dump_statement,
    pae,
)
from hsmpub.receipt import GivenFile, build_receipt
from hsmpub.tlog.log import Log
from hsmpub.tlog.note import VerifierKey

NOW = 1_790_000_000
SERVICE = "releases.acme.example"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOG_SIGNER = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
LOG_KEY = VerifierKey("releases.acme.example/log", LOG_SIGNER.public_key().public_bytes_raw())
PEOPLE = {name: Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32)) for name in
          ("release-manager", "lead-1", "lead-2", "stranger")}  # fmt: skip
P256 = ec.derive_private_key(4711, ec.SECP256R1())
OTHER_P256 = ec.derive_private_key(4712, ec.SECP256R1())
_PEM = P256.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
KEY = KeyRecord("release", "p256", _PEM, NOW - 1000, ("openpgp", "dsse", "sshsig"))
FILES = {"sdk-1.4.0.whl": b"wheel" * 999, "sdk-1.4.0.tar.gz": b""}
POLICY = """
[issuer.ci]
url = "https://ci.example"
audience = "hsmpub"
[target.pypi]
kind = "pypi"
url = "https://index.example/acme"
index = "https://index.example/acme/simple"
credential = "pypi-token"
[target.git]
kind = "git"
url = "https://git.example/sdk"
credential = "git-token"
key = "release"
[project.sdk]
requesters = [{ issuer = "ci", repository = "acme/sdk" }]
sign = [{ key = "release", formats = ["openpgp", "dsse"] }]
publish = ["pypi", "git"]
approvals = [{ group = "managers", count = 1 }, { group = "leads", count = 1 }]
expires = "72h"
[project.site]
requesters = [{ issuer = "ci", repository = "acme/*" }]
sign = [{ key = "release", formats = ["sshsig", "dsse"] }]
approvals = []
[administration.policy]
approvals = [{ group = "leads", count = 1 }]
[administration.credential]
approvals = [{ group = "leads", count = 1 }]
"""
CLAIMS = {"repository": "acme/sdk", "ref": "refs/heads/main"}
REQUESTER = {**CLAIMS, "issuer": "ci", "subject": "repo:acme/sdk", "session": "5e55"}


def ssh_line(name: str) -> str:
    public = PEOPLE[name].public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return public.decode()


def roster(leads: Iterable[str] = ("lead-1", "lead-2"), revoked: Iterable[str] = ()) -> str:
    groups = {"release-manager": "managers", **dict.fromkeys(leads, "leads")}
    return "\n".join(
        f'[person.{name}]\ngroups = ["{group}"]\nkeys = ["{ssh_line(name)}"]\nrevoked = {str(name in revoked).lower()}'
        for name, group in groups.items()
    )


def co_sign(person: str, statement: bytes, namespace: str = APPROVAL_NAMESPACE) -> str:
    """What `ssh-keygen -Y sign` would make. Source: OpenSSH PROTOCOL.sshsig."""

    def string(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    public = string(b"ssh-ed25519") + string(PEOPLE[person].public_key().public_bytes_raw())
    head = string(namespace.encode()) + string(b"") + string(b"sha512")
    signed = PEOPLE[person].sign(b"SSHSIG" + head + string(hashlib.sha512(pae(statement)).digest()))
    blob = b"SSHSIG" + bytes([0, 0, 0, 1]) + string(public) + head + string(string(b"ssh-ed25519") + string(signed))
    text = base64.b64encode(blob).decode()
    lines = "\n".join(text[i : i + 70] for i in range(0, len(text), 70))
    return f"-----BEGIN SSH SIGNATURE-----\n{lines}\n-----END SSH SIGNATURE-----\n"


def raw(prepared: Prepared, key: ec.EllipticCurvePrivateKey = P256) -> bytes:
    """As the HSM signs: r‖s over the digest."""
    r, s = utils.decode_dss_signature(key.sign(prepared.payload, ec.ECDSA(utils.Prehashed(SHA256()))))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def artifact(name: str, data: bytes | None = None) -> Artifact:
    return Artifact(name, Sha256State.of(FILES[name] if data is None else data))


def given(name: str, data: bytes | None = None) -> GivenFile:
    content = FILES[name] if data is None else data
    return GivenFile(name, Sha256State.of(content), content)


def subjects() -> tuple[Subject, ...]:
    return tuple(Subject(name, {"sha256": sha256_hex(data)}) for name, data in FILES.items())


def predicate(**changes: object) -> Predicate:
    made = Predicate(
        request="r1",
        kind="release",
        requester=REQUESTER,
        policy_sha256=sha256_hex(POLICY.encode()),
        nonce="00" * 16,
        requested_at=NOW + 10,
        expires_at=NOW + 10 + 72 * 3600,
        approvals=(Quorum("managers", 1), Quorum("leads", 1)),
        project="sdk",
        version="1.4.0",
        commit=COMMIT,
        sizes=tuple(len(data) for data in FILES.values()),
        sign=(Signing("release", ("openpgp", "dsse")),),
        publish=("pypi", "git"),
    )
    return msgspec.structs.replace(made, **changes)


def context(predicate: Predicate, at: int) -> Context:
    return Context(
        at=at, service=SERVICE, request=predicate.request, project=predicate.project, version=predicate.version,
        commit=predicate.commit, policy_sha256=predicate.policy_sha256, requester=predicate.requester,
    )  # fmt: skip


def output(
    name: str, format_name: str, predicate: Predicate, at: int, signer: Callable[[Prepared], bytes] = raw
) -> bytes:
    form = get_format(format_name)
    prepared = form.prepare(artifact(name), KEY, context(predicate, at))
    return form.assemble(prepared, signer(prepared))


def signed(name: str, predicate: Predicate, at: int) -> e.Signed:
    made = []
    for signing in predicate.sign:
        for format_name in signing.formats:
            data = output(name, format_name, predicate, at)
            file = get_format(format_name).output_name(name)
            made.append(e.Output(name, format_name, signing.key, file, sha256_hex(data), data.decode()))
    return e.Signed(at, predicate.request, name, sha256_hex(FILES[name]), tuple(made))


def tag(predicate: Predicate, done_at: int, **changes: object) -> e.Signed:
    email = f"{SERVICE}@hsmpub.invalid"
    made = GitTag(predicate.commit, f"v{predicate.version}", SERVICE, email, done_at, "sdk 1.4.0\n")
    made = msgspec.structs.replace(made, **changes)
    prepared = prepare_tag(made, KEY)
    content = assemble_tag(prepared, raw(prepared.prepared))
    one = e.Output("git:git", "git-tag", "release", made.name, sha256_hex(content), content.decode())
    return e.Signed(done_at, predicate.request, "git:git", sha256_hex(content), (one,))


def beginning() -> dict[str, e.Entry]:
    return {
        "genesis": e.Genesis(NOW, SERVICE, "00" * 32, 1, "00" * 32, str(LOG_KEY), (KEY,)),
        "policy": e.PolicyAdopted(NOW, POLICY, sha256_hex(POLICY.encode())),
        "roster": e.RosterAdopted(NOW, roster(), sha256_hex(roster().encode())),
        "issuer keys": e.IssuerKeys(NOW, "ci", "{}"),
        "session": e.SessionOpened(NOW + 5, "5e55", "ci", "repo:acme/sdk", "00" * 32, NOW + 900, CLAIMS),
    }


def release(statement: Predicate | None = None, done_at: int = NOW + 300) -> dict[str, e.Entry]:
    """Every entry of a release, by what it is called in the tests."""
    about = statement or predicate()
    text = dump_statement(subjects(), about)
    story: dict[str, e.Entry] = {**beginning(), "request": e.Requested(NOW + 10, "r1", text.decode())}
    story["approval of the manager"] = e.Approved(NOW + 100, "r1", "release-manager", co_sign("release-manager", text))
    story["approval of the lead"] = e.Approved(NOW + 200, "r1", "lead-1", co_sign("lead-1", text))
    story["tag"] = tag(about, done_at)
    for name in FILES:
        story[f"signed {name}"] = signed(name, about, done_at)
    for i, name in enumerate(FILES):
        sha256 = sha256_hex(FILES[name])
        story[f"intent {name}"] = e.PublishIntent(done_at + i, "r1", "pypi", name, sha256, 1, "00" * 32)
        story[f"outcome {name}"] = e.PublishOutcome(done_at + i, "r1", "pypi", name, 1, "accepted", sha256)
    sha256 = story["tag"].artifact_sha256  # type: ignore[union-attr]
    story["intent of the tag"] = e.PublishIntent(done_at + 5, "r1", "git", "v1.4.0", sha256, 1, "00" * 32)
    story["outcome of the tag"] = e.PublishOutcome(done_at + 6, "r1", "git", "v1.4.0", 1, "already-same", "ab" * 20)
    return story


def routine(**changes: object) -> tuple[dict[str, e.Entry], dict[str, bytes]]:
    """Signatures that needed nobody: the story, and the signature files by name."""
    plain = {"kind": "sign", "project": "site", "version": "", "commit": "", "sizes": (), "approvals": (),
             "publish": (), "sign": (Signing("release", ("sshsig", "dsse")),), "expires_at": NOW + 70}  # fmt: skip
    about = predicate(**{**plain, **changes})
    made = {
        get_format(format_name).output_name(name): output(name, format_name, about, NOW + 10)
        for name in FILES
        for format_name in ("sshsig", "dsse")
    }
    text = dump_statement(subjects(), about).decode()
    outputs = tuple(sha256_hex(data) for data in made.values())
    return {**beginning(), "routine": e.RoutineSigned(NOW + 10, "r1", "5e55", text, outputs)}, made


def told(folder: Path, story: dict[str, e.Entry], names: Iterable[str] | None = None) -> bytes:
    """Logs the story and gives its receipt, of all its entries or of the named ones."""

    async def sign(message: bytes) -> bytes:
        return LOG_SIGNER.sign(message)

    data = [e.dump_entry(entry) for entry in story.values()]
    log = Log.create(folder / "log.sqlite", folder / "head", log_key=str(LOG_KEY), entries=data)
    try:
        asyncio.run(log.publish_checkpoint(sign))
        order = list(story)
        wanted = [order.index(name) for name in names] if names is not None else range(len(order))
        return build_receipt(log.reader(), wanted)
    finally:
        log.close()
