"""OpenPGP version 6 through the whole keeper: the client draws the salt of a file that it keeps, and the service that
of a file that it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.client.embedding import write_signed
from hsmpub.client.sha256 import held_hash
from hsmpub.client.signing import Made, Work, digest_work, made_of
from hsmpub.formats.format import Artifact
from hsmpub.formats.openpgp.v6_cleartext import OpenpgpV6Cleartext
from hsmpub.formats.openpgp.v6_detached import OpenPgpV6
from hsmpub.formats.salted import details_to_check
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.model import entry as e
from hsmpub.model import submission as s
from hsmpub.model.key import KeyRecord
from hsmpub.model.trust import Trust
from hsmpub.wire import messages as m
from tests.keeper import keeping
from tests.keeper.keeping import RELEASE_KEY, Kept, kept
from tests.service.jobs import store

FORM, TEXTS = OpenPgpV6(), OpenpgpV6Cleartext()
JOB = {"repository": "example/packages", "ref": "refs/heads/main"}
POLICY = """
[project.by-p256]
requesters = [{ issuer = "ci", repository = "example/packages" }]
sign = [{ key = "p256", formats = ["openpgp-v6", "openpgp-v6-cleartext"] }]
approvals = []
[project.by-ed25519]
requesters = [{ issuer = "ci", repository = "example/packages" }]
sign = [{ key = "ed25519", formats = ["openpgp-v6", "openpgp-v6-cleartext"] }]
approvals = []
[project.packages]
requesters = [{ issuer = "ci", repository = "example/packages" }]
sign = [{ key = "released", formats = ["openpgp-v6"] }]
approvals = [{ group = "managers", count = 1 }]
expires = "2h"
"""
EDWARDS = Ed25519PrivateKey.from_private_bytes(b"6" * 32)


def record(name: Any, private: Any) -> KeyRecord:
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return KeyRecord(name, name, pem, 1, (FORM.name, TEXTS.name))


KEYS = {"p256": record("p256", RELEASE_KEY), "ed25519": record("ed25519", EDWARDS)}
RELEASED = msgspec.structs.replace(KEYS["p256"], name="released")


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setitem(keeping.MORE_KEYS, "ed25519", (EDWARDS, "ed25519", (FORM.name, TEXTS.name)))
    with kept(tmp_path, monkeypatch, keys=(KEYS["p256"], RELEASED), policy=POLICY) as made:
        yield made


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_by_digest_the_client_s_salt_is_signed_and_by_upload_the_service_s(keeper: Kept, kind: str) -> None:
    folder, trust = keeper.folder / "dist", Trust("keeper.example", "", "", (KEYS[kind],))
    folder.mkdir()
    for name in ("here", "there"):
        (folder / name).write_bytes(name.encode() * 100)
    here = digest_work(folder / "here", [FORM.name])
    sent = store(keeper.folder, "there", (folder / "there").read_bytes())
    there = Work(folder / "there", (FORM.name,), held_hash(folder / "there"), sent)
    assert isinstance(here.ask, s.HashState)

    async def ask() -> m.SignReply:
        await keeper.unseal()
        job = await keeper.job(**JOB)
        body = s.AskSign(project=f"by-{kind}", formats=(FORM.name,), states=(here.ask,), files=(sent,))  # type: ignore[arg-type]
        reply = await job.ask(body)
        assert isinstance(reply, m.SignReply)
        return reply

    reply = asyncio.run(ask())

    def made(work: Work) -> Made:
        return made_of(work, reply, trust, session=None)  # type: ignore[arg-type]

    assert FORM.salt_of(made(here).outputs["here.v6.asc"]) == here.details[FORM.name][:16]
    assert len(FORM.salt_of(made(there).outputs["there.v6.asc"])) == 16
    (folder / "there").write_bytes(b"other" * 100)
    assert [problem.rule for problem in made(there).problems] == ["openpgp-digest-differs"]
    (folder / "there").unlink()
    assert [problem.rule for problem in made(there).problems] == ["file-unreadable"]


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_a_text_is_signed_after_the_salt_of_the_client_that_keeps_it_or_of_the_service_that_holds_it(
    keeper: Kept, kind: str
) -> None:
    folder, trust = keeper.folder / "dist", Trust("keeper.example", "", "", (KEYS[kind],))
    folder.mkdir()
    text = b"A text.\n- of lines  \n" * 20
    for name in ("here", "there"):
        (folder / name).write_bytes(text)
    here = digest_work(folder / "here", [TEXTS.name])
    sent = store(keeper.folder, "there", text)
    there = Work(folder / "there", (TEXTS.name,), held_hash(folder / "there"), sent)

    async def ask() -> m.SignReply:
        await keeper.unseal()
        job = await keeper.job(**JOB)
        body = s.AskSign(project=f"by-{kind}", formats=(TEXTS.name,), states=(here.ask,), files=(sent,))  # type: ignore[arg-type]
        reply = await job.ask(body)
        assert isinstance(reply, m.SignReply)
        return reply

    reply = asyncio.run(ask())
    for work in (here, there):
        [made] = made_of(work, reply, trust, session=None).embedded  # type: ignore[arg-type]
        assert (TEXTS.salt_of(made.output) == here.details[TEXTS.name][:16]) is (work is here)
        write_signed(work.path, folder, work.hash, made.output, TEXTS, KEYS[kind])
        assert TEXTS.text_of(BytesSource(work.path.read_bytes())) == (text, made.output)


def test_a_release_of_uploaded_files_is_signed_after_a_salt_of_the_service(keeper: Kept) -> None:
    async def scenario() -> e.Output:
        await keeper.unseal()
        job = await keeper.job(**JOB)
        file = store(keeper.folder, "x.whl", b"wheel")
        view = await job.ask(s.AskRelease("packages", "1.0", "c" * 40, (file,)))
        assert isinstance(view, m.RequestView)
        await keeper.approve(view, "release-manager")
        await keeper.settle()
        [signed] = [entry for entry in keeper.entries() if isinstance(entry, e.Signed)]
        [output] = signed.outputs
        return output

    output = asyncio.run(scenario())
    content = output.content.encode() if isinstance(output.content, str) else output.content
    assert output.name == "x.whl.v6.asc"
    details = details_to_check(FORM, BytesSource(b"wheel"), content)
    FORM.check(content, Artifact("x.whl", Sha256State.of(b"wheel"), details), RELEASED)
