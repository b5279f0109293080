"""A true receipt verifies, step by step; every flipped byte, and every other file, is refused by name."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import story as s
from hypothesis import given, settings
from hypothesis import strategies as st

from hsmpub.errors import HsmpubError
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.model.predicate import Quorum
from hsmpub.model.statement import Subject, dump_statement
from hsmpub.receipt import Report, Step, verify_receipt
from hsmpub.receipt.approvals import RosterNamedOtherwise
from hsmpub.receipt.files import FileDiffers, FileNotInReceipt, GivenFile
from hsmpub.receipt.inclusion import EntryNotInLog
from hsmpub.receipt.model import ReceiptMalformed, ReceiptTooLarge, load_receipt
from hsmpub.receipt.outputs import SignedOtherwise
from hsmpub.receipt.publishing import PublishedOtherwise
from hsmpub.receipt.verify import GenesisOfAnotherLog
from hsmpub.tlog.note import NoteUntrusted, VerifierKey

WHEEL, SDIST = s.FILES
STEPS = ["checkpoint", "inclusion", "request", "policy", "approvals", "signatures", "files", "publishing"]


@pytest.fixture(scope="module")
def receipt(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return s.told(tmp_path_factory.mktemp("log"), s.release())


def verify(receipt: bytes, *files: GivenFile) -> Report:
    return verify_receipt(receipt, str(s.LOG_KEY), files)


def test_a_release_verifies_from_receipt_and_log_key_alone(receipt: bytes) -> None:
    report = verify(receipt)
    assert [step.name for step in report.steps] == STEPS
    assert (report.service, report.project, report.version, report.kind) == (s.SERVICE, "sdk", "1.4.0", "release")
    assert [(a.person, a.groups) for a in report.approvals] == [
        ("release-manager", ("managers",)),
        ("lead-1", ("leads",)),
    ]
    assert {(p.target, p.item, p.result) for p in report.published} == {
        ("pypi", WHEEL, "accepted"), ("pypi", SDIST, "accepted"), ("git", "v1.4.0", "already-same"),
    }  # fmt: skip
    assert [sig.format for sig in report.signatures if sig.checked] == ["git-tag"]
    assert (report.policy_index, report.roster_index, report.artifacts) == (1, 2, ())


def test_files_at_hand_are_checked_with_every_signature_over_them(receipt: bytes) -> None:
    report = verify(receipt, s.given(WHEEL), s.given(SDIST))
    assert report.artifacts == (WHEEL, SDIST)
    assert all(signature.checked for signature in report.signatures)


def test_a_signature_file_is_known_by_its_bytes_not_by_its_name(tmp_path: Path) -> None:
    story = s.release()
    [asc, _] = story[f"signed {WHEEL}"].outputs  # type: ignore[union-attr]
    report = verify(s.told(tmp_path, story), s.given(WHEEL), s.given("renamed", asc.text.encode()))
    assert [(x.name, x.checked) for x in report.signatures if x.given] == [(WHEEL + ".asc", True)]


def test_tells_each_step_as_it_passes(tmp_path: Path) -> None:
    story = s.release()
    story[f"outcome {WHEEL}"] = msgspec.structs.replace(story[f"outcome {WHEEL}"], observed="ab" * 32)
    told: list[Step] = []
    with pytest.raises(PublishedOtherwise):
        verify_receipt(s.told(tmp_path, story), str(s.LOG_KEY), on_step=told.append)
    assert [step.name for step in told] == STEPS[:-1]


def test_the_builder_adds_what_the_request_hangs_on(tmp_path: Path) -> None:
    needed = [n for n in s.release() if n not in ("genesis", "policy", "roster", "issuer keys", "session")]
    built = s.told(tmp_path, s.release(), needed)
    assert [entry.index for entry in load_receipt(built).entries] == [0, 1, 2, *range(4, len(s.release()))]
    assert verify(built).request == "r1"


def test_routine_signatures_verify_from_their_one_entry(tmp_path: Path) -> None:
    story, made = s.routine()
    built = s.told(tmp_path, story, ["routine"])
    report = verify(built)
    assert (len(report.signatures), report.approvals, report.kind) == (4, (), "sign")
    assert not any(signature.checked for signature in report.signatures)
    files = [s.given(name) for name in s.FILES] + [s.given(name, data) for name, data in made.items()]
    report = verify(built, *files)
    assert all(signature.checked and signature.given for signature in report.signatures)
    assert [signature.name for signature in report.signatures] == list(made)


def adoption(adopted: str, **changes: object) -> dict[str, e.Entry]:
    text = s.POLICY + "\n# tightened\n"
    personal = {"requester": {"person": "release-manager", "nonce": "n"}, "project": "", "version": "", "commit": ""}
    nothing = {"sizes": (), "sign": (), "publish": ()}
    about = s.predicate(kind="policy", text=text, approvals=(Quorum("leads", 1),), **personal, **nothing, **changes)
    statement = dump_statement((Subject("policy.toml", {"sha256": sha256_hex(text.encode())}),), about)
    story = s.beginning()
    story["request"] = e.Requested(s.NOW + 10, "r1", statement.decode())
    story["approval"] = e.Approved(s.NOW + 20, "r1", "lead-2", s.co_sign("lead-2", statement))
    adopted = adopted or text
    story["adopted"] = e.PolicyAdopted(s.NOW + 30, adopted, sha256_hex(adopted.encode()), "r1")
    return story


def test_an_administrative_request_verifies(tmp_path: Path) -> None:
    report = verify(s.told(tmp_path, adoption("")))
    assert (report.kind, report.policy_index, [a.person for a in report.approvals]) == ("policy", 1, ["lead-2"])


def test_refuses_an_adoption_whose_approvers_saw_a_difference_from_another_roster(tmp_path: Path) -> None:
    in_force = sha256_hex(s.roster().encode())
    (tmp_path / "true").mkdir()
    assert verify(s.told(tmp_path / "true", adoption("", roster_sha256=in_force))).roster_index == 2
    with pytest.raises(RosterNamedOtherwise):
        verify(s.told(tmp_path, adoption("", roster_sha256="ab" * 32)))


def test_refuses_the_adoption_of_another_text_than_was_approved(tmp_path: Path) -> None:
    with pytest.raises(SignedOtherwise):
        verify(s.told(tmp_path, adoption("other")))


@settings(deadline=None)
@given(st.data())
def test_a_flipped_bit_anywhere_in_the_receipt_is_refused(receipt: bytes, data: st.DataObject) -> None:
    flipped = bytearray(receipt)
    flipped[data.draw(st.integers(0, len(receipt) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        if load_receipt(bytes(flipped)) == load_receipt(receipt):
            return  # white space between members
    except HsmpubError:
        pass
    with pytest.raises(HsmpubError):
        verify(bytes(flipped))


def test_a_change_to_any_entry_is_refused_and_names_it(receipt: bytes) -> None:
    whole = msgspec.json.decode(receipt)
    for at, entry in enumerate(whole["entries"]):
        for member in ("text", "proof"):
            changed = msgspec.json.decode(receipt)
            text = entry[member]
            middle = len(text) // 2
            changed["entries"][at][member] = text[:middle] + ("x" if text[middle] != "x" else "y") + text[middle + 1 :]
            with pytest.raises(EntryNotInLog) as refused:
                verify(msgspec.json.encode(changed))
            assert refused.value.index == entry["index"]
            assert str(entry["index"]) in refused.value.detail


def test_an_entry_given_out_for_another_index_is_refused(receipt: bytes) -> None:
    changed = msgspec.json.decode(receipt)
    changed["entries"][-1]["index"] += 1
    with pytest.raises(EntryNotInLog):
        verify(msgspec.json.encode(changed))


def test_another_log_key_is_refused(receipt: bytes) -> None:
    other = VerifierKey(s.LOG_KEY.name, s.PEOPLE["stranger"].public_key().public_bytes_raw())
    with pytest.raises(NoteUntrusted):
        verify_receipt(receipt, str(other))


def test_a_genesis_that_names_another_log_key_is_refused(tmp_path: Path) -> None:
    story = s.release()
    story["genesis"] = msgspec.structs.replace(story["genesis"], log_key="other+00000000+AA==")
    with pytest.raises(GenesisOfAnotherLog):
        verify(s.told(tmp_path, story))


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"format":"hsmpub-receipt-2","checkpoint":"","entries":[]}',
                                  b'{"format":"hsmpub-receipt-1","checkpoint":"","entries":[]}', b"\xff", b"null",
                                  b'{"format":"hsmpub-receipt-1","checkpoint":"\\ud800","entries":[]}'])  # fmt: skip
def test_what_is_no_receipt_is_refused(data: bytes) -> None:
    with pytest.raises(ReceiptMalformed):
        verify(data)


def test_a_huge_receipt_is_refused_unread() -> None:
    with pytest.raises(ReceiptTooLarge):
        verify(b" " * (64 * 1024 * 1024 + 1))


def test_a_file_with_other_bytes_is_refused(receipt: bytes) -> None:
    with pytest.raises(FileDiffers):
        verify(receipt, s.given(WHEEL, b"other"))
    with pytest.raises(FileDiffers):
        verify(receipt, s.given(WHEEL + ".asc", b"other"))


def test_a_file_that_the_receipt_does_not_know_is_refused(receipt: bytes) -> None:
    with pytest.raises(FileNotInReceipt):
        verify(receipt, s.given("unknown", b"other"))
