"""Each command against a front with a fake keeper: what it says, what it sends, how it ends."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pyrage
import pytest
from command import Command
from fake_keeper import handed_in, view
from running import Running
from shamir_mnemonic import generate_mnemonics

from hsmpub.client.address import unreachable
from hsmpub.errors import Conflict, Forbidden, Sealed, Unavailable
from hsmpub.formats.ssh.sshsig_verify import verify_sshsig
from hsmpub.model.digest import sha256_hex
from hsmpub.model.personal import AskCredential, AskPolicy, AskRoster, AskSeal, load_personal_submission
from hsmpub.model.predicate import Predicate
from hsmpub.model.statement import Subject, dump_statement, pae
from hsmpub.model.terms import Terms, bound_attempt, dump_terms
from hsmpub.secret.box import open_box
from hsmpub.wire import messages as m

TOKEN = f"{sys.executable} -c 'print(\"a.b.c\")'"


class NotYours(Forbidden):
    advice = "Ask for another."


class AlreadyAsked(Conflict):
    pass


@pytest.fixture
def script(service: Running) -> Iterator[dict[type, Any]]:
    """The keeper's answers, put back afterwards."""
    before = dict(service.keeper.script)
    yield service.keeper.script
    service.keeper.script.clear()
    service.keeper.script.update(before)


def last(service: Running, kind: type) -> Any:
    return next(message for message in reversed(service.keeper.seen) if isinstance(message, kind))


# --- status ---


def test_status_says_how_it_stands(hsmpub: Command) -> None:
    said = hsmpub("status")
    assert said.status == 0
    assert "hsmpub-test is unsealed." in said.out
    assert "the log has 7 entries" in said.out
    assert "Protections on: no-core-file." in said.out
    assert "off: files (the kernel has none)" in said.out
    assert "Warning: The disk is 91% full." in said.out


def test_status_of_a_sealed_service_names_who_handed_in(
    hsmpub: Command, service: Running, script: dict[type, Any]
) -> None:
    script[m.GetStatus] = service.keeper.status(state="sealed", why="It was started and not unsealed yet.")
    script[m.GetAttempt] = service.keeper.attempt(accepted=("holder-2",))
    said = hsmpub("status")
    assert "Handed in: holder-2 (1 of 3)." in said.out
    assert "Holders who can still hand in: holder-1, holder-3, holder-4, holder-5." in said.out


def test_status_of_a_quorum_of_groups_says_how_far_each_is(
    hsmpub: Command, service: Running, script: dict[type, Any]
) -> None:
    groups = (
        m.GroupProgress("operations", 2, ("op-1", "op-2", "op-3"), ("op-3", "op-1")),
        m.GroupProgress("board", 2, ("chair", "deputy"), ("deputy",)),
        m.GroupProgress("auditor", 1, ("auditor-1",), ()),
    )
    script[m.GetStatus] = service.keeper.status(state="sealed", why="It was started and not unsealed yet.")
    script[m.GetAttempt] = msgspec.structs.replace(service.keeper.attempt(), group_threshold=2, groups=groups)
    said = hsmpub("status").out
    assert "Groups complete: 1 of the 2 that are needed.\n  operations: op-3, op-1 (2 of 2)." in said
    assert "  board: deputy (1 of 2).\n  auditor: nobody yet (0 of 1)." in said
    assert "Holders who can still hand in: chair, auditor-1." in said


def test_status_is_json_for_programs(hsmpub: Command) -> None:
    told = json.loads(hsmpub("status", "--json", "--ready").out)
    assert told["state"] == "unsealed"
    assert told["tested"] == {"release": "ok"}


def test_status_refuses_another_keeper_than_the_pinned(
    hsmpub: Command, service: Running, script: dict[type, Any]
) -> None:
    script[m.GetStatus] = service.keeper.status(keeper_key="ab" * 32)
    said = hsmpub("status")
    assert said.status == 1
    assert "not the one in the pins" in said.err


def test_a_hostile_status_moves_no_cursor(hsmpub: Command, service: Running, script: dict[type, Any]) -> None:
    evil = "\x1b[2J\x1b]0;x\x07"
    script[m.GetStatus] = service.keeper.status(
        service=evil, why=evil, protections={evil: evil}, warnings=(evil,), keys={evil: evil}
    )
    said = hsmpub("status")
    assert "\x1b" not in said.out
    assert said.out.count("\\x1b[2J") == 7


# --- errors ---


def test_a_refusal_is_one_sentence_and_the_next_step(hsmpub: Command, script: dict[type, Any]) -> None:
    script[m.GetStatus] = NotYours("This is not\x1b[31m yours.")
    said = hsmpub("status")
    assert (said.status, said.out) == (1, "")
    assert said.err == "This is not\\x1b[31m yours.\nNext: Ask for another.\n"


def test_nobody_there_ends_with_3(hsmpub: Command) -> None:
    hsmpub.env["HSMPUB_URL"] = "http://127.0.0.1:1"
    said = hsmpub("status")
    assert said.status == 3
    assert said.err.startswith("http://127.0.0.1:1 does not answer")
    assert "\nNext: Check the address" in said.err


def test_a_keeper_that_is_away_ends_with_3(hsmpub: Command, script: dict[type, Any]) -> None:
    class KeeperUnreachable(Unavailable):
        pass

    script[m.GetStatus] = KeeperUnreachable("The keeper did not answer.")
    assert hsmpub("status").status == 3


@pytest.mark.parametrize("arguments", [["nonsense"], ["approve"], ["release", "submit"], ["sign", "x"]])
def test_wrong_usage_ends_with_2(hsmpub: Command, arguments: list[str]) -> None:
    said = hsmpub(*arguments)
    assert said.status == 2
    assert "Traceback" not in said.err


def test_every_command_explains_itself(hsmpub: Command) -> None:
    commands = [[], ["release"], ["credential"], ["policy"], ["roster"], ["status"], ["unseal"], ["seal"], ["sign"],
                ["verify"], ["approve"], ["decline"], ["release", "wait"], ["roster", "enrol"]]  # fmt: skip
    for command in commands:
        said = hsmpub(*command, "--help")
        assert said.status == 0
        assert "Usage:" in said.out


# --- people ---


def test_approve_shows_the_statement_and_signs_its_exact_bytes(
    hsmpub: Command, service: Running, script: dict[type, Any], ssh_key: Path
) -> None:
    script[m.Approve] = lambda _: view(approvals=(m.ApprovalView("release-manager", 1),), missing={}, state="signed")
    said = hsmpub("approve", "r-1", "--person", "release-manager", "--key", ssh_key, "--yes")
    assert said.status == 0, said.err
    assert sha256_hex(b"wheel") in said.out
    assert "Request r-1 is signed. Approved by release-manager." in said.out
    sent = last(service, m.Approve)
    public = ssh_key.with_suffix(".pub").read_text()
    verify_sshsig(sent.signature, pae(view().statement), "hsmpub-approval", [public])
    assert (sent.request, sent.person) == ("r-1", "release-manager")


def test_decline_signs_in_its_own_namespace(
    hsmpub: Command, service: Running, script: dict[type, Any], ssh_key: Path
) -> None:
    script[m.Decline] = lambda _: view(state="declined", missing={})
    said = hsmpub("decline", "r-1", "--person", "sdk-lead", "--key", ssh_key, "-y")
    assert said.status == 0, said.err
    signature = last(service, m.Decline).signature
    verify_sshsig(signature, pae(view().statement), "hsmpub-refusal", [ssh_key.with_suffix(".pub").read_text()])


@pytest.mark.parametrize("answer", [b"n\n", b""], ids=["no", "nobody there to answer"])
def test_approve_asks_first_and_no_is_no(answer: bytes, hsmpub: Command, service: Running, ssh_key: Path) -> None:
    before = len([s for s in service.keeper.seen if isinstance(s, m.Approve)])
    said = hsmpub.with_input(answer, "approve", "r-1", "--person", "p", "--key", ssh_key)
    assert said.status == 1
    assert "Approve this?" in said.err
    assert "Nothing was signed and nothing was sent.\nNext: Answer 'y' at a terminal" in said.err
    assert len([s for s in service.keeper.seen if isinstance(s, m.Approve)]) == before


def test_approve_refuses_the_statement_of_another_request(
    hsmpub: Command, script: dict[type, Any], ssh_key: Path
) -> None:
    script[m.GetRequest] = lambda _: view("r-9")
    said = hsmpub("approve", "r-1", "--person", "p", "--key", ssh_key, "--yes")
    assert said.status == 1
    assert "of another request" in said.err


def test_a_key_that_does_not_sign_is_said(hsmpub: Command, tmp_path: Path) -> None:
    said = hsmpub("approve", "r-1", "--person", "p", "--key", tmp_path / "none", "--yes")
    assert said.status == 1
    assert "ssh-keygen made no signature" in said.err


def test_a_key_in_an_agent_signs(
    hsmpub: Command, service: Running, script: dict[type, Any], ssh_key: Path, tmp_path: Path
) -> None:
    script[m.Approve] = lambda _: view()
    public = tmp_path / "only.pub"
    public.write_text(ssh_key.with_suffix(".pub").read_text())
    told = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    agent = dict(
        part.split("=") for part in told.split(";") if part.strip().startswith("SSH_") for part in [part.strip()]
    )
    try:
        socket = {"SSH_AUTH_SOCK": agent["SSH_AUTH_SOCK"]}
        subprocess.run(
            ["ssh-add", "-q", ssh_key], check=True, env=socket | {"PATH": "/usr/bin:/bin"}, capture_output=True
        )
        hsmpub.env.update(socket)
        said = hsmpub("approve", "r-1", "--person", "p", "--key", public, "--agent", "--yes")
        assert said.status == 0, said.err
        verify_sshsig(
            last(service, m.Approve).signature, pae(view().statement), "hsmpub-approval", [public.read_text()]
        )
    finally:
        subprocess.run(["kill", agent["SSH_AGENT_PID"]], check=True)


def test_seal_is_signed_by_the_person(hsmpub: Command, service: Running, ssh_key: Path) -> None:
    said = hsmpub("seal", "--person", "sdk-lead", "--key", ssh_key, "--reason", "drill")
    assert said.status == 0, said.err
    sent = last(service, m.SubmitPersonal)
    body = load_personal_submission(sent.body)
    assert isinstance(body, AskSeal)
    assert (body.person, body.reason) == ("sdk-lead", "drill")
    verify_sshsig(sent.signature, sent.body, "hsmpub-request", [ssh_key.with_suffix(".pub").read_text()])


def test_a_credential_reaches_the_keeper_only_in_its_box(hsmpub: Command, service: Running, ssh_key: Path) -> None:
    said = hsmpub.with_input(b"pypi-token-7\n", "credential", "seal", "pypi", "--person", "p", "--key", ssh_key)
    assert said.status == 0, said.err
    assert "pypi-token-7" not in said.out + said.err
    assert "Still to approve: 1 of managers." in said.out
    sent = last(service, m.SubmitPersonal)
    body = load_personal_submission(sent.body)
    assert isinstance(body, AskCredential)
    assert b"pypi-token-7" not in sent.body
    opened = open_box(service.keeper.intake.private_bytes_raw(), b"hsmpub credential pypi", base64.b64decode(body.box))
    assert opened == b"pypi-token-7"


@pytest.mark.parametrize("data", [b"", b"\n", b"x" * 20_000])
def test_a_credential_that_is_none_is_refused(hsmpub: Command, ssh_key: Path, data: bytes) -> None:
    said = hsmpub.with_input(data, "credential", "seal", "pypi", "--person", "p", "--key", ssh_key)
    assert said.status == 1
    assert "empty or over" in said.err


def test_a_policy_is_sent_as_it_is_written(hsmpub: Command, service: Running, ssh_key: Path, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("# a comment\n[project.a]\n")
    said = hsmpub("policy", "adopt", file, "--person", "p", "--key", ssh_key)
    assert said.status == 0, said.err
    body = load_personal_submission(last(service, m.SubmitPersonal).body)
    assert isinstance(body, AskPolicy)
    assert body.text == file.read_text()


def test_revocation_changes_one_line_of_the_roster_in_force(
    hsmpub: Command, service: Running, script: dict[type, Any], ssh_key: Path, tmp_path: Path
) -> None:
    other = subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True, capture_output=True
    )
    assert other.returncode == 0
    keys = [ssh_key.with_suffix(".pub").read_text().strip(), (tmp_path / "other.pub").read_text().strip()]
    file = tmp_path / "roster.toml"
    file.write_text(
        f'# people\n[person.ann]\ngroups = ["g"]\nkeys = ["{keys[0]}"]\n\n'
        f'[person.ben] # B\ngroups = ["g"]\nkeys = ["{keys[1]}"]\n'
    )
    said = hsmpub("roster", "revoke", "ben", "--roster", file, "--person", "ann", "--key", ssh_key)
    assert said.status == 1
    assert "not the roster that is in force" in said.err
    script[m.GetStatus] = service.keeper.status(roster_sha256=sha256_hex(file.read_bytes()))
    said = hsmpub("roster", "revoke", "ben", "--roster", file, "--person", "ann", "--key", ssh_key, "--write")
    assert said.status == 0, said.err
    assert "\n+  revoked = true\n" in said.out
    body = load_personal_submission(last(service, m.SubmitPersonal).body)
    assert isinstance(body, AskRoster)
    assert body.text == file.read_text()
    assert file.read_text().startswith("# people\n[person.ann]\n")
    assert "[person.ben] # B\nrevoked = true\ngroups" in file.read_text()


def test_a_roster_asked_for_before_statements_named_the_one_in_force_can_still_be_approved(
    hsmpub: Command, script: dict[type, Any]
) -> None:
    about = Predicate("r-1", "roster", {"person": "ann"}, "00" * 32, "", 1, 2, text="[person.ann]\n")
    exact = dump_statement((Subject("roster.toml", {"sha256": "00" * 32}),), about)
    script[m.GetRequest] = view("r-1", kind="roster", statement=exact)
    said = hsmpub("release", "show", "r-1")
    assert said.status == 0, said.err
    assert "What changes cannot be shown: the request is older" in said.err
    assert "  | [person.ann]" in said.out


# --- holders ---


@pytest.fixture
def share(tmp_path: Path) -> tuple[Path, Path, str]:
    """A holder's share file and private key, and the words."""
    words = generate_mnemonics(1, [(2, 3)], b"s" * 32, iteration_exponent=0)[0][0]
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "key.txt").write_text(str(identity))
    (tmp_path / "share.age").write_bytes(pyrage.encrypt(words.encode(), [identity.to_public()]))
    return tmp_path / "share.age", tmp_path / "key.txt", words


def test_a_share_reaches_only_the_attempt(
    hsmpub: Command, service: Running, script: dict[type, Any], share: tuple[Path, Path, str]
) -> None:
    script[m.HandIn] = handed_in("holder-1", ("holder-3", "holder-1"), "sealed")
    file, identity, words = share
    said = hsmpub("unseal", "--holder", "holder-1", "--share", file, "--identity", identity)
    assert said.status == 0, said.err
    assert "Accepted: the share of holder-1.\nHanded in: holder-3, holder-1 (2 of 3)." in said.out
    sent = last(service, m.HandIn)
    info = b"hsmpub share v1" + sent.attempt + b"holder-1"
    assert open_box(service.keeper.attempt_key.private_bytes_raw(), info, sent.box).decode() == words
    assert words.split()[0] not in said.out + said.err


def test_a_share_is_handed_in_under_the_terms_that_are_named(
    hsmpub: Command, service: Running, script: dict[type, Any], share: tuple[Path, Path, str]
) -> None:
    script[m.HandIn] = handed_in("holder-1", ("holder-1",), "sealed")
    file, identity, words = share
    said = hsmpub("unseal", "--holder", "holder-1", "--share", file, "--identity", identity,
                  "--for", "8h", "--signatures", "500", "--project", "sdk", "--project", "docs")  # fmt: skip
    assert said.status == 0, said.err
    assert "for 8 hours, for 500 signatures, for docs, sdk only" in said.err
    sent = last(service, m.HandIn)
    assert sent.terms == Terms(8 * 3600, 500, ("docs", "sdk"))
    info = b"hsmpub share v1" + bound_attempt(sent.attempt, dump_terms(sent.terms)) + b"holder-1"
    assert open_box(service.keeper.attempt_key.private_bytes_raw(), info, sent.box).decode() == words


def test_terms_that_others_began_with_are_shown_and_need_a_word(
    hsmpub: Command, service: Running, script: dict[type, Any], share: tuple[Path, Path, str]
) -> None:
    begun = Terms(3600, None, ("sdk",))
    keeper = service.keeper
    script[m.GetAttempt] = lambda message: keeper.attempt(("holder-2",), message.terms, begun)
    script[m.HandIn] = handed_in("holder-1", ("holder-2", "holder-1"), "sealed")
    handing_in = ("unseal", "--holder", "holder-1", "--share", share[0], "--identity", share[1])
    before = len(keeper.seen)
    said = hsmpub(*handing_in)
    assert said.status == 1
    assert "Others have handed in to unseal for 1 hour, for sdk only." in said.err
    assert not [message for message in keeper.seen[before:] if isinstance(message, m.HandIn)]
    assert hsmpub(*handing_in, "--yes").status == 0
    assert last(service, m.HandIn).terms == begun
    assert hsmpub(*handing_in, "--signatures", "5").status == 0  # whoever disagrees begins terms of their own
    assert last(service, m.HandIn).terms == Terms(signatures=5)


def test_hands_nothing_in_when_what_answers_is_wider_than_what_was_asked(
    hsmpub: Command, service: Running, script: dict[type, Any], share: tuple[Path, Path, str]
) -> None:
    script[m.GetAttempt] = service.keeper.attempt()  # without limits, and signed
    before = len(service.keeper.seen)
    said = hsmpub("unseal", "--holder", "holder-1", "--share", share[0], "--identity", share[1], "--for", "1h")
    assert said.status == 1
    assert "not for 1 hour" in said.err
    assert not [message for message in service.keeper.seen[before:] if isinstance(message, m.HandIn)]


def test_status_of_a_limited_unsealing_says_what_is_left(
    hsmpub: Command, service: Running, script: dict[type, Any]
) -> None:
    opening = m.OpeningView(1_795_000_000, ("holder-1", "holder-2"), Terms(3600, 500, ("sdk",)), 12,
                            1_795_003_600, 488, 1_795_001_800)  # fmt: skip
    script[m.GetStatus] = service.keeper.status(opening=opening, dead_man_at=1_795_600_000)
    said = hsmpub("status").out
    assert "Unsealed by holder-1, holder-2 since 2026-11-18T11:06:40Z, for 1 hour, for 500 signatures" in said
    assert "Open until 2026-11-18T12:06:40Z." in said
    assert "Signatures since: 12, 488 left." in said
    assert "Seals when idle: at 2026-11-18T11:36:40Z" in said
    assert "unless a holder says 'hsmpub alive'" in said


def test_decrypted_words_come_from_standard_input(
    hsmpub: Command, service: Running, script: dict[type, Any], share: tuple[Path, Path, str]
) -> None:
    script[m.HandIn] = handed_in("holder-1", ("holder-1", "holder-2", "holder-3"), "unsealed")
    said = hsmpub.with_input(share[2].encode() + b"\n", "unseal", "--holder", "holder-1", "--share", "-")
    assert said.status == 0, said.err
    assert "The service is unsealed." in said.out


def test_typed_words_are_read_to_their_end_line_by_line(
    hsmpub: Command, service: Running, script: dict[type, Any], share: tuple[Path, Path, str]
) -> None:
    script[m.HandIn] = handed_in("holder-1", ("holder-1",), "sealed")
    said = hsmpub.with_typed(share[2].upper().replace(" ", "\n"), "unseal", "--holder", "holder-1", "--share", "-")
    assert said.status == 0, said.err
    sent = last(service, m.HandIn)
    info = b"hsmpub share v1" + sent.attempt + b"holder-1"
    assert open_box(service.keeper.attempt_key.private_bytes_raw(), info, sent.box).decode() == share[2]


def test_nothing_is_handed_to_an_attempt_that_the_pinned_keeper_did_not_sign(
    hsmpub: Command, service: Running, script: dict[type, Any], share: tuple[Path, Path, str]
) -> None:
    script[m.GetAttempt] = msgspec.structs.replace(service.keeper.attempt(), key=b"k" * 32)
    before = len([s for s in service.keeper.seen if isinstance(s, m.HandIn)])
    said = hsmpub("unseal", "--holder", "holder-1", "--share", share[0], "--identity", share[1])
    assert said.status == 1
    assert "not signed by the pinned keeper" in said.err
    assert len([s for s in service.keeper.seen if isinstance(s, m.HandIn)]) == before


# --- CI ---


def test_a_release_is_uploaded_and_asked_for(
    hsmpub: Command, service: Running, script: dict[type, Any], tmp_path: Path
) -> None:
    script[m.ListRequests] = m.RequestList(())
    file = tmp_path / "sdk-2.0.whl"
    file.write_bytes(b"wheel two")
    said = hsmpub("release", "submit", file, "--project", "sdk", "--version", "2.0", "--commit", "b" * 40,
                  "--token-command", TOKEN)  # fmt: skip
    assert said.status == 0, said.err
    assert "Request r-1 (sdk 2.0) is pending." in said.out
    assert "still to approve: 1 of managers" in said.out
    digest = sha256_hex(b"wheel two")
    assert (service.home.artifacts / digest[:2] / digest).read_bytes() == b"wheel two"


def standing(file: str, content: bytes) -> m.RequestView:
    predicate = Predicate(
        request="r-7", kind="release", requester={}, policy_sha256="", nonce="", requested_at=1, expires_at=2,
        project="sdk", version="3.0", commit="c" * 40, sizes=(len(content),),
    )  # fmt: skip
    exact = dump_statement((Subject(file, {"sha256": sha256_hex(content)}),), predicate)
    return view("r-7", version="3.0", statement=exact)


@pytest.mark.parametrize("when", ["open", "conflict"])
def test_a_release_that_stands_is_resumed_not_doubled(
    hsmpub: Command, service: Running, script: dict[type, Any], tmp_path: Path, when: str
) -> None:
    file = tmp_path / "sdk-3.0.whl"
    file.write_bytes(b"wheel three")
    there = m.RequestList((standing(file.name, b"wheel three"),))
    script[m.ListRequests] = lambda ask: there if when == "open" or not ask.open_only else m.RequestList(())
    script[m.Submit] = AlreadyAsked("This release was asked for.")
    arguments = ["--project", "sdk", "--version", "3.0", "--commit", "c" * 40, "--token-command", TOKEN]
    said = hsmpub("release", "submit", file, *arguments)
    assert said.status == 0, said.err
    assert "asked for before" in said.out
    assert "Request r-7" in said.out
    file.write_bytes(b"other bytes")
    said = hsmpub("release", "submit", file, *arguments)
    assert said.status == 1
    assert "This release was asked for." in said.err


def test_wait_ends_when_it_is_out(hsmpub: Command, script: dict[type, Any]) -> None:
    states = iter(["pending", "signed", "published"])
    script[m.GetRequest] = lambda _: view(state=next(states), missing={})
    said = hsmpub("release", "wait", "r-1", "--every", "0.05")
    assert said.status == 0
    assert [line.split(" is ")[1] for line in said.out.splitlines()] == ["pending.", "signed.", "published."]


def test_wait_ends_with_1_when_it_will_never_be_and_with_4_when_it_may(
    hsmpub: Command, script: dict[type, Any]
) -> None:
    script[m.GetRequest] = lambda _: view(state="declined", why="sdk-lead refused", missing={})
    said = hsmpub("release", "wait", "r-1")
    assert said.status == 1
    assert "is declined. sdk-lead refused" in said.err
    script[m.GetRequest] = lambda _: view()
    assert hsmpub("release", "wait", "r-1", "--timeout", "0").status == 4


def test_fetch_ends_with_4_when_it_waits(hsmpub: Command, tmp_path: Path) -> None:
    said = hsmpub("release", "fetch", "r-1", "--to", tmp_path / "made")
    assert said.status == 4
    assert "Request r-1 is still pending." in said.err
    assert list((tmp_path / "made").iterdir()) == []


def test_fetch_of_what_is_approved_and_not_signed_yet_waits_and_of_what_never_will_be_says_so(
    hsmpub: Command, script: dict[type, Any], tmp_path: Path
) -> None:
    """Its receipt shows no signatures, which would otherwise be taken for a service that signs something else."""
    script[m.GetRequest] = lambda _: view(state="approved", missing={}, why="The service is sealed.")
    said = hsmpub("release", "fetch", "r-1", "--to", tmp_path / "made")
    assert (said.status, "Request r-1 is still approved." in said.err) == (4, True)
    script[m.GetRequest] = lambda _: view(state="declined", why="sdk-lead refused", missing={})
    said = hsmpub("release", "fetch", "r-1", "--to", tmp_path / "made")
    assert (said.status, "is declined. sdk-lead refused" in said.err) == (1, True)


def test_list_and_show(hsmpub: Command) -> None:
    said = hsmpub("release", "list")
    assert said.out == "r-1  release sdk 1.0: pending; waits for 1 of managers\n"
    said = hsmpub("release", "show", "r-1")
    assert sha256_hex(b"sdist") in said.out
    assert json.loads(hsmpub("release", "show", "r-1", "--json").out)["state"] == "pending"


def test_sign_names_the_files_that_were_not_signed(
    hsmpub: Command, service: Running, script: dict[type, Any], tmp_path: Path
) -> None:
    good, hostile = tmp_path / "good.bin", tmp_path / "..hostile"
    good.write_bytes(b"good")
    hostile.write_bytes(b"x")
    script[m.Submit] = Sealed("The service is sealed.")
    words = ("sign", good, hostile, tmp_path / "missing.bin", "--project", "p", "--format", "sshsig",
             "--token-command", TOKEN)  # fmt: skip
    before = len(service.keeper.seen)
    said = hsmpub(*words)
    assert said.status == 1
    assert "Nothing was signed, for 2 of 3 files cannot be: " in said.err
    assert f"{good}: " not in said.err
    assert not any(isinstance(one, m.Submit) for one in service.keeper.seen[before:])
    said = hsmpub(*words, "--keep-going")
    assert said.status == 1
    assert f"{good}: The service is sealed. Holders hand in" in said.err
    assert "is not a plain base name" in said.err
    assert "Not signed: " in said.err
    assert all(str(path) in said.err for path in (good, hostile, tmp_path / "missing.bin"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["..hostile", "good.bin"]


def test_sign_writes_nothing_that_does_not_verify(hsmpub: Command, trust: Path, tmp_path: Path) -> None:
    """The fake keeper makes signatures up, with a key that the pins do not name."""
    file = tmp_path / "x.bin"
    file.write_bytes(b"x")
    said = hsmpub("sign", file, "--project", "p", "--format", "sshsig", "--token-command", TOKEN)
    assert said.status == 1
    assert "The pins do not name the key 'release'." in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["x.bin"]


def test_without_an_identity_sign_says_where_to_get_one(hsmpub: Command, tmp_path: Path) -> None:
    file = tmp_path / "x.bin"
    file.write_bytes(b"x")
    said = hsmpub("sign", file, "--project", "p", "--format", "sshsig")
    assert said.status == 1
    assert "'id-token: write'" in said.err


def test_verify_needs_the_pins_and_a_receipt(hsmpub: Command, tmp_path: Path) -> None:
    file = tmp_path / "x.receipt.json"
    file.write_text("{}")
    said = hsmpub("verify", file)
    assert said.status == 1
    assert "receipt" in said.err
    del hsmpub.env["HSMPUB_TRUST"]
    said = Command.__call__(hsmpub, "verify", file, "--trust", tmp_path / "none")
    assert "cannot be read" in said.err


def test_a_silent_service_is_told_in_words() -> None:
    request = httpx.Request("GET", "https://sign.example")
    for error, why in (
        (httpx.ConnectTimeout("x", request=request), "nothing came in time"),
        (httpx.ConnectError("[Errno 111] Connection refused", request=request), "no connection can be made"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] …", request=request), "no CA that is trusted here"),
        (httpx.RemoteProtocolError("x", request=request), "the connection broke"),
    ):
        assert unreachable("https://sign.example", error).detail.startswith(
            f"https://sign.example does not answer: {why}"
        )
