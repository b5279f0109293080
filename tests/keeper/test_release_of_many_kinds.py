"""A release of a wheel, an sdist and packages of two kinds: each file in the formats that the policy has for it."""

from __future__ import annotations

import asyncio
import io
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from rich.console import Console

from hsmpub.cli.statement_view import show_statement
from hsmpub.errors import HsmpubError
from hsmpub.formats.registry import get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.model import entry as e
from hsmpub.model import submission as s
from hsmpub.model.key import KeyRecord
from hsmpub.model.predicate import Signing
from hsmpub.model.statement import Statement, load_statement
from hsmpub.policy.by_file import FileNotCovered, FormatNotForFile
from hsmpub.receipt import GivenFile, verify_receipt
from hsmpub.receipt.outputs import SignedOtherwise
from hsmpub.receipt.policy import PolicyGrantsOtherwise
from hsmpub.wire import messages as m
from tests.courier.releases import sdist, wheel
from tests.formats.samples import SAMPLES
from tests.keeper.keeping import LOG_KEY, RELEASE_KEY, Kept, kept
from tests.keeper.told import receipt_of
from tests.service.jobs import Job, release, store

PEM = RELEASE_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
KEYS = tuple(
    KeyRecord(name, "p256", PEM, 1, formats)
    for prefix in ("", "nightly-")
    for name, formats in (
        (prefix + "debian", ("deb",)), (prefix + "redhat", ("rpm",)),
        (prefix + "plain", ("openpgp", "openpgp-v6", "sshsig", "dsse")),
    )
)  # fmt: skip
SIGN = """sign = [
  {{ key = "{0}plain", formats = ["openpgp"], files = ["*.whl", "*.tar.gz*"] }},
  {{ key = "{0}debian", formats = ["deb"], files = ["*.deb"] }},
  {{ key = "{0}redhat", formats = ["rpm"], files = ["*.rpm"] }},
  {{ key = "{0}plain", formats = ["dsse"], files = ["*.whl"] }},
  {{ key = "{0}plain", formats = ["openpgp-v6"], files = ["*.tar.gz"] }},
]
"""
POLICY = f"""
[project.app]
requesters = [{{ issuer = "ci", repository = "example/app", ref = "refs/tags/*" }}]
{SIGN.format("")}approvals = [{{ group = "managers", count = 1 }}]
[project.night]
requesters = [{{ issuer = "ci", repository = "example/app", ref = "refs/heads/main" }}]
{SIGN.format("nightly-")}approvals = []
"""


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept(tmp_path, monkeypatch, keys=KEYS, policy=POLICY) as made:
        yield made


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    if shutil.which("dpkg-deb") is None:
        return SAMPLES["deb"]
    folder = tmp_path_factory.mktemp("deb")
    control = folder / "build" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    control.write_text(
        "Package: app\nVersion: 1.0\nArchitecture: all\nMaintainer: Acme <a@acme.example>\nDescription: an app\n"
    )
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", "build", "app.deb"], cwd=folder, check=True,
                   capture_output=True, timeout=60)  # fmt: skip
    return (folder / "app.deb").read_bytes()


@pytest.fixture(scope="module")
def files(package: bytes) -> dict[str, bytes]:
    return {**dict([wheel("app", "1.0"), sdist("app", "1.0")]), "app.deb": package, "app.rpm": SAMPLES["rpm"]}


def with_job(keeper: Kept, asks: Callable[[Job], Awaitable[None]], ref: str = "refs/tags/1.0") -> None:
    async def scenario() -> None:
        await keeper.unseal()
        await asks(await keeper.job(repository="example/app", ref=ref))

    asyncio.run(scenario())


async def asked(keeper: Kept, job: Job, files: dict[str, bytes], version: str = "1.0") -> m.RequestView:
    stored = [store(keeper.folder, name, data) for name, data in files.items()]
    view = await job.ask(release(version, *stored, project="app"))
    assert isinstance(view, m.RequestView)
    return view


def carried_out(keeper: Kept, files: dict[str, bytes]) -> list[e.Entry]:
    """The log up to the last file's signatures."""

    async def asks(job: Job) -> None:
        view = await asked(keeper, job, files)
        await keeper.approve(view, "release-manager")
        await keeper.settle()
        assert (await keeper.see(view)).state == "done"

    with_job(keeper, asks)
    return keeper.entries()


def shown(statement: Statement) -> list[str]:
    text = io.StringIO()
    show_statement(Console(file=text, width=200, highlight=False, markup=False), statement, b"")
    return [" ".join(line.split()) for line in text.getvalue().splitlines()]


def test_each_file_is_signed_in_its_own_formats_and_the_receipt_shows_it(keeper: Kept, files: dict[str, bytes]) -> None:
    entries = carried_out(keeper, files)
    [request] = [entry for entry in entries if isinstance(entry, e.Requested)]
    statement = load_statement(request.statement.encode())
    assert statement.predicate.sign == (
        Signing("plain", ("openpgp", "dsse", "openpgp-v6")), Signing("debian", ("deb",)), Signing("redhat", ("rpm",)),
    )  # fmt: skip
    given = [GivenFile(name, Sha256State.of(data), source=BytesSource(data)) for name, data in files.items()]
    report = verify_receipt(receipt_of(keeper.folder, entries), str(LOG_KEY), given)
    wheel_name, sdist_name = list(files)[:2]
    assert [(one.artifact, one.format, one.key, one.checked) for one in report.signatures] == [
        (wheel_name, "openpgp", "plain", True), (wheel_name, "dsse", "plain", True),
        (sdist_name, "openpgp", "plain", True), (sdist_name, "openpgp-v6", "plain", True),
        ("app.deb", "deb", "debian", True), ("app.rpm", "rpm", "redhat", True),
    ]  # fmt: skip
    assert list(report.artifacts) == list(files)
    keeper.start_again()


def test_approvers_see_of_each_file_what_it_is_signed_as(keeper: Kept, files: dict[str, bytes]) -> None:
    async def asks(job: Job) -> None:
        mixed = shown(load_statement((await asked(keeper, job, files)).statement))
        assert [line for line in mixed if line.startswith("signed as")] == [
            "signed as openpgp, dsse", "signed as openpgp, openpgp-v6", "signed as deb", "signed as rpm",
        ]  # fmt: skip
        # alone it takes all of its release: that stands once, and an entry for other files does not
        alone = shown(load_statement((await asked(keeper, job, dict([wheel("app", "2.0")]), "2.0")).statement))
        assert [line for line in alone if "sign" in line] == ["sign with plain: openpgp, dsse"]

    with_job(keeper, asks)


def test_a_file_that_the_policy_does_not_speak_of_stops_the_release(keeper: Kept, files: dict[str, bytes]) -> None:
    async def asks(job: Job) -> None:
        size = keeper.keeper.book.log.size
        with pytest.raises(HsmpubError) as refused:
            await asked(keeper, job, {**files, "app.dmg": b"an image of a disk"})
        assert refused.value.rule == "file-not-covered"
        assert "'app.dmg'" in refused.value.detail
        assert keeper.keeper.book.log.size == size

    with_job(keeper, asks)


def test_a_file_that_is_not_of_its_kind_is_told_before_anybody_approves(keeper: Kept, files: dict[str, bytes]) -> None:
    async def asks(job: Job) -> None:
        size = keeper.keeper.book.log.size
        with pytest.raises(HsmpubError, match="no Debian package"):
            await asked(keeper, job, {**files, "app.deb": b"notes, by the name of a package"})
        assert keeper.keeper.book.log.size == size
        assert (await asked(keeper, job, files)).state == "pending"  # the version is free

    with_job(keeper, asks)


def state(name: str, data: bytes, *formats: str) -> s.HashState:
    details = {one: get_format(one).extract(BytesSource(data)) for one in formats if get_format(one).detail_limit}
    return msgspec.structs.replace(Sha256State.of(data).to_state(name), details=details, formats=formats)


def test_in_a_routine_request_a_format_is_for_files_of_its_names_alone(keeper: Kept, package: bytes) -> None:
    states = (state("app.whl", b"wheel", "dsse"), state("app.tar.gz", b"sdist", "dsse"), state("a.deb", package, "deb"),
              state("a.udeb", package, "deb"))  # fmt: skip

    async def asks(job: Job) -> None:
        reply = await job.ask(s.AskSign("night", ("dsse", "deb"), states=states))
        assert isinstance(reply, m.SignReply)
        assert [(one.artifact, one.format, one.problem.rule if one.problem else "") for one in reply.made] == [
            ("app.tar.gz", "", "format-not-for-file"), ("a.udeb", "", "format-not-for-file"),
            ("app.whl", "dsse", ""), ("a.deb", "deb", ""),
        ]  # fmt: skip
        assert [one.problem.detail for one in reply.made if one.problem] == [
            "The policy has 'dsse' made of *.whl, not of 'app.tar.gz'.",
            "The policy has 'deb' made of *.deb, not of 'a.udeb'.",
        ]

    with_job(keeper, asks, "refs/heads/main")
    entries = keeper.entries()
    assert len(verify_receipt(receipt_of(keeper.folder, entries), str(LOG_KEY)).signatures) == 2
    # a service that let another file have it
    assert isinstance(entries[-1], e.RoutineSigned)
    lie = msgspec.structs.replace(entries[-1], statement=entries[-1].statement.replace('"a.deb"', '"a.udeb"'))
    with pytest.raises(FormatNotForFile):
        verify_receipt(receipt_of(keeper.folder / "lie", [*entries[:-1], lie]), str(LOG_KEY))


@pytest.mark.parametrize("names", [("x.tar.gz", "x.tar.gz.v6"), ("x.tar.gz.v6", "x.tar.gz")])
def test_in_a_routine_request_the_second_signature_of_one_name_is_refused(keeper: Kept, names: tuple[str, str]) -> None:
    formats = {"x.tar.gz": ("openpgp-v6",), "x.tar.gz.v6": ("openpgp",)}

    async def asks(job: Job) -> None:
        states = tuple(state(name, name.encode(), *formats[name]) for name in names)
        reply = await job.ask(s.AskSign("night", ("openpgp", "openpgp-v6"), states=states))
        assert isinstance(reply, m.SignReply)
        assert [(one.artifact, one.problem.rule) for one in reply.made if one.problem] == [
            (names[1], "name-of-a-signature")
        ]

    with_job(keeper, asks, "refs/heads/main")


LIES: dict[str, tuple[str, str, type[HsmpubError]]] = {
    "a format less": ('{"formats":["openpgp","dsse"]}', '{"formats":["openpgp"]}', PolicyGrantsOtherwise),
    "formats of another file": ('{"formats":["deb"]}', '{"formats":["rpm"]}', PolicyGrantsOtherwise),
    "all formats": (',"annotations":{"formats":["deb"]}', "", PolicyGrantsOtherwise),
    "another name": ('"app.deb"', '"app.dmg"', FileNotCovered),
}


def test_a_receipt_is_refused_whose_formats_are_not_those_of_the_policy(keeper: Kept, files: dict[str, bytes]) -> None:
    entries = carried_out(keeper, files)
    at, request = next((i, entry) for i, entry in enumerate(entries) if isinstance(entry, e.Requested))
    for name, (old, new, rule) in LIES.items():
        assert old in request.statement
        lie = msgspec.structs.replace(request, statement=request.statement.replace(old, new, 1))
        with pytest.raises(rule):
            verify_receipt(receipt_of(keeper.folder / name, [*entries[:at], lie, *entries[at + 1 :]]), str(LOG_KEY))
    # one name twice, once with all formats
    subject = ',{"name":"app.deb","digest":{"sha256":"' + "ab" * 32 + '"}}]'
    lie = msgspec.structs.replace(
        request, statement=request.statement.replace('],"predicateType"', subject + ',"predicateType"', 1)
    )
    assert lie != request
    with pytest.raises(PolicyGrantsOtherwise):
        verify_receipt(receipt_of(keeper.folder / "twice", [*entries[:at], lie, *entries[at + 1 :]]), str(LOG_KEY))
    last = entries[-1]
    assert isinstance(last, e.Signed)
    for name, outputs in (("none", ()), ("two", last.outputs * 2)):
        lied = msgspec.structs.replace(last, outputs=outputs)
        with pytest.raises(SignedOtherwise):
            verify_receipt(receipt_of(keeper.folder / name, [*entries[:-1], lied]), str(LOG_KEY))
