"""Files that want different formats, in one request: one decision, one entry, and each file's own formats in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.errors import HsmpubError
from hsmpub.formats.format import Artifact
from hsmpub.formats.registry import get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.model import entry as e
from hsmpub.model import submission as s
from hsmpub.model.key import KeyRecord
from hsmpub.model.predicate import Signing
from hsmpub.model.statement import Statement, StatementMalformed, load_statement
from hsmpub.model.submission import MalformedSubmission
from hsmpub.receipt import verify_receipt
from hsmpub.receipt.outputs import SignedOtherwise
from hsmpub.wire import messages as m
from tests.formats.samples import SAMPLES
from tests.keeper.keeping import LOG_KEY, RELEASE_KEY, Kept, kept
from tests.keeper.told import receipt_of
from tests.service.jobs import Job, store

IMAGE = "registry.example/acme/web"
PEM = RELEASE_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
KEYS = (
    KeyRecord("debian", "p256", PEM, 1, ("deb",)),
    KeyRecord("redhat", "p256", PEM, 1, ("rpm",)),
    KeyRecord("plain", "p256", PEM, 1, ("sshsig", "dsse", "oci-signature")),
    KeyRecord("old", "p256", PEM, 1, ("openpgp",)),
)
POLICY = f"""
[project.mixed]
requesters = [{{ issuer = "ci", repository = "example/mixed" }}]
sign = [{{ key = "debian", formats = ["deb"] }}, {{ key = "redhat", formats = ["rpm"] }},
        {{ key = "plain", formats = ["sshsig", "dsse", "oci-signature"] }}, {{ key = "old", formats = ["openpgp"] }}]
images = ["{IMAGE}"]
approvals = []
"""
CONTENT = {"x.deb": SAMPLES["deb"], "x.rpm": SAMPLES["rpm"], "x.txt": b"text", "web.json": b'{"schemaVersion":2}'}


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept(tmp_path, monkeypatch, keys=KEYS, policy=POLICY) as made:
        yield made


def state(name: str, *formats: str, image: str = "") -> s.HashState:
    """A file in digest mode that takes these formats; none: all of the request's."""
    data = CONTENT[name]
    own = [get_format(one) for one in formats if one == name.rpartition(".")[2]]  # the others ask for the hash alone
    details = {form.name: form.extract(BytesSource(data)) for form in own}
    known = Sha256State.of(data).to_state(name)
    return msgspec.structs.replace(known, details=details, formats=formats, image=image)


MIXED = s.AskSign(
    "mixed", ("deb", "rpm", "sshsig", "dsse"),
    states=(state("x.deb", "deb"), state("x.rpm", "rpm", "sshsig"), state("x.txt", "sshsig", "dsse")),
)  # fmt: skip


def with_job(keeper: Kept, asks: Callable[[Job], Awaitable[None]]) -> None:
    async def scenario() -> None:
        await keeper.unseal()
        await asks(await keeper.job(repository="example/mixed", ref="refs/heads/main"))

    asyncio.run(scenario())


async def signed(job: Job, body: s.AskSign) -> m.SignReply:
    reply = await job.ask(body)
    assert isinstance(reply, m.SignReply)
    return reply


def logged(keeper: Kept) -> e.RoutineSigned:
    entry = keeper.entries()[-1]
    assert isinstance(entry, e.RoutineSigned)
    return entry


def said(keeper: Kept) -> Statement:
    return load_statement(logged(keeper).statement.encode())


def test_three_kinds_of_files_are_one_entry_that_says_which_key_and_formats_sign_which(keeper: Kept) -> None:
    async def asks(job: Job) -> None:
        before = keeper.keeper.book.log.size
        there = msgspec.structs.replace(store(keeper.folder, "y.deb", CONTENT["x.deb"]), formats=("deb",))
        reply = await signed(job, msgspec.structs.replace(MIXED, files=(there,)))
        assert keeper.keeper.book.log.size == before + 1
        assert [(one.artifact, one.key, one.format) for one in reply.made] == [
            ("x.deb", "debian", "deb"), ("x.rpm", "redhat", "rpm"), ("x.rpm", "plain", "sshsig"),
            ("x.txt", "plain", "sshsig"), ("x.txt", "plain", "dsse"), ("y.deb", "debian", "deb"),
        ]  # fmt: skip
        records = {key.name: key for key in KEYS}
        for one in reply.made:
            data, form = CONTENT[one.artifact.replace("y", "x")], get_format(one.format)
            details = {form.name: form.extract(BytesSource(data))} if form.detail_limit else {}
            form.check(one.output, Artifact(one.artifact, Sha256State.of(data), details), records[one.key])

    with_job(keeper, asks)
    statement = said(keeper)
    assert {subject.name: statement.sign(subject) for subject in statement.subject} == {
        "x.deb": (Signing("debian", ("deb",)),),
        "x.rpm": (Signing("redhat", ("rpm",)), Signing("plain", ("sshsig",))),
        "x.txt": (Signing("plain", ("sshsig", "dsse")),),
        "y.deb": (Signing("debian", ("deb",)),),
    }
    assert json.loads(logged(keeper).statement)["subject"][0]["annotations"] == {"formats": ["deb"]}
    report = verify_receipt(receipt_of(keeper.folder, keeper.entries()), str(LOG_KEY))
    assert [(one.artifact, one.format) for one in report.signatures][:2] == [("x.deb", "deb"), ("x.rpm", "rpm")]


@pytest.mark.parametrize("formats", [(), ("sshsig", "dsse"), ("dsse", "sshsig")])
def test_one_set_for_all_is_said_once_however_it_was_asked_for(keeper: Kept, formats: tuple[str, ...]) -> None:
    async def asks(job: Job) -> None:
        await signed(job, s.AskSign("mixed", ("sshsig", "dsse"), states=(state("x.txt", *formats),)))

    with_job(keeper, asks)
    assert [set(one) for one in json.loads(logged(keeper).statement)["subject"]] == [{"name", "digest"}]


@pytest.mark.parametrize("refused", ["cms", "openpgp"])
def test_a_file_whose_format_is_not_granted_or_has_no_key_left_fails_alone(keeper: Kept, refused: str) -> None:
    rule = {"cms": "format-not-granted", "openpgp": "key-retired"}[refused]
    both = s.AskSign("mixed", ("deb", refused), states=(state("x.deb", "deb"), state("x.txt", refused)))
    wide = s.AskSign("mixed", ("deb", refused), states=(state("x.deb", "deb"), state("x.txt")))

    async def asks(job: Job) -> None:
        book = keeper.keeper.book
        async with book.turn():
            retired = (e.Retirement("old", "retired"),)
            await book.record(e.KeysChanged(book.now(), book.keys.digest, retired=retired))  # type: ignore[arg-type]
        for body in (both, wide):
            reply = await signed(job, body)
            assert [(one.artifact, one.format, one.problem.rule if one.problem else "") for one in reply.made] == [
                ("x.txt", "", rule), ("x.deb", "deb", ""),
            ]  # fmt: skip
            assert said(keeper).predicate.sign == (Signing("debian", ("deb",)),)
        size = book.log.size
        for alone in (msgspec.structs.replace(both, formats=(refused,), states=both.states[1:]),
                      msgspec.structs.replace(wide, states=wide.states[1:])):  # fmt: skip
            with pytest.raises(HsmpubError) as stopped:
                await job.ask(alone)
            assert stopped.value.rule == rule
        assert book.log.size == size

    with_job(keeper, asks)


def test_an_image_and_a_file_beside_it_are_each_judged_by_their_own_formats(keeper: Kept) -> None:
    named = ("oci-signature", "deb")
    image = state("web.json", "oci-signature", image=IMAGE)
    body = s.AskSign("mixed", named, states=(image, state("x.deb", "deb")))

    async def asks(job: Job) -> None:
        assert [one.problem for one in (await signed(job, body)).made] == [None, None]

    with_job(keeper, asks)
    entries = keeper.entries()
    assert len(verify_receipt(receipt_of(keeper.folder, entries), str(LOG_KEY)).signatures) == 2


def test_a_request_names_what_its_files_take_no_more_and_no_less() -> None:
    plain = ("sshsig", "dsse")
    for formats, states in (
        (plain, (state("x.txt", "deb"),)),
        (plain, (state("x.txt", "dsse", "dsse"),)),
        (plain, (state("x.txt", "dsse"), state("x.deb", "dsse"))),
        (tuple(f"f{n}" for n in range(65)), (state("x.txt"),)),
    ):
        with pytest.raises(MalformedSubmission):
            s.load_ci_submission(s.dump_submission(s.AskSign("mixed", formats, states=states)))
    file = s.FileRef("x.txt", "00" * 32, 1, formats=("dsse",))
    with pytest.raises(MalformedSubmission):  # its policy says what a release is signed as
        s.load_ci_submission(s.dump_submission(s.AskRelease("mixed", "1", "c" * 40, (file,))))


LIES: dict[str, tuple[Callable[[e.RoutineSigned], e.RoutineSigned], type[HsmpubError]]] = {
    "one more output": (lambda entry: msgspec.structs.replace(entry, outputs=(*entry.outputs, "ab" * 32)),
                        SignedOtherwise),
    "one output less": (lambda entry: msgspec.structs.replace(entry, outputs=entry.outputs[:-1]), SignedOtherwise),
    "all formats for a file that named its own": (
        lambda entry: told(entry, ',"annotations":{"formats":["deb"]}', ""), SignedOtherwise),
    "a format more for one file": (lambda entry: told(entry, '["deb"]', '["deb","sshsig"]'), SignedOtherwise),
    "a format that nobody asked for": (lambda entry: told(entry, '{"formats":["deb"]}', '{"formats":["cms"]}'),
                                       StatementMalformed),
    "a format twice": (lambda entry: told(entry, '{"formats":["deb"]}', '{"formats":["deb","deb"]}'),
                       StatementMalformed),
    "no format": (lambda entry: told(entry, '{"formats":["deb"]}', '{"formats":[]}'), StatementMalformed),
    "annotations of another kind": (lambda entry: told(entry, '{"formats":["deb"]}', '{"formats":["deb"],"x":1}'),
                                    StatementMalformed),
}  # fmt: skip


def told(entry: e.RoutineSigned, old: str, new: str) -> e.RoutineSigned:
    assert old in entry.statement
    return msgspec.structs.replace(entry, statement=entry.statement.replace(old, new, 1))


def test_a_receipt_is_refused_whose_outputs_are_not_those_that_each_file_named(keeper: Kept) -> None:
    async def asks(job: Job) -> None:
        await signed(job, MIXED)

    with_job(keeper, asks)
    entries, true = keeper.entries()[:-1], logged(keeper)
    for name, (lie, rule) in LIES.items():
        with pytest.raises(rule):
            verify_receipt(receipt_of(keeper.folder / name, [*entries, lie(true)]), str(LOG_KEY))
