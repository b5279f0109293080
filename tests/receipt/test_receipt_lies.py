"""A log that its own service made lie: the log key signed it all, and still the receipt is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import story as s

from hsmpub.errors import HsmpubError
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.model.predicate import Quorum, Signing
from hsmpub.receipt import GivenFile, Report, verify_receipt
from hsmpub.receipt import approvals as approvals_rule
from hsmpub.receipt import facts as facts_rule
from hsmpub.receipt import files as files_rule
from hsmpub.receipt import outputs as outputs_rule
from hsmpub.receipt import policy as policy_rule
from hsmpub.receipt import publishing as publishing_rule
from hsmpub.receipt import tags as tags_rule

WHEEL, SDIST = s.FILES


def verify(receipt: bytes, *files: GivenFile) -> Report:
    return verify_receipt(receipt, str(s.LOG_KEY), files)


Lie = Callable[[dict[str, e.Entry]], None]


def without(name: str) -> Lie:
    return lambda story: story.pop(name) and None  # type: ignore[func-returns-value]


def change(name: str, **changes: object) -> Lie:
    def lie(story: dict[str, e.Entry]) -> None:
        story[name] = msgspec.structs.replace(story[name], **changes)

    return lie


def after(name: str, called: str, entry: e.Entry) -> Lie:
    """Puts an entry behind another."""

    def lie(story: dict[str, e.Entry]) -> None:
        items = list(story.items())
        at = list(story).index(name) + 1
        story.clear()
        story.update([*items[:at], (called, entry), *items[at:]])

    return lie


def approval_by(name: str, **rest: str) -> Lie:
    """The lead's approval is replaced by one of somebody else."""

    def lie(story: dict[str, e.Entry]) -> None:
        statement = story["request"].statement.encode()  # type: ignore[union-attr]
        signature = s.co_sign(rest.get("signer", name), statement, rest.get("namespace", "hsmpub-approval"))
        story["approval of the lead"] = e.Approved(s.NOW + 200, "r1", name, signature)

    return lie


def outputs_of(name: str, change: Callable[[tuple[e.Output, ...]], tuple[e.Output, ...]]) -> Lie:
    def lie(story: dict[str, e.Entry]) -> None:
        entry = story[name]
        assert isinstance(entry, e.Signed)
        story[name] = msgspec.structs.replace(entry, outputs=change(entry.outputs))

    return lie


REVOKED = s.roster(revoked=["lead-1"])
STRANGERS = s.roster(leads=["lead-2"])
LIES: dict[str, tuple[Lie, type[HsmpubError]]] = {
    "no genesis": (without("genesis"), facts_rule.ReceiptIncomplete),
    "no session": (without("session"), facts_rule.ReceiptIncomplete),
    "another requester": (change("session", subject="repo:evil/sdk"), policy_rule.RequesterDiffers),
    "other claims": (change("session", claims={"repository": "acme/sdk"}), policy_rule.RequesterDiffers),
    "another policy": (change("policy", text=s.POLICY + "#", sha256=sha256_hex((s.POLICY + "#").encode())),
                       policy_rule.PolicyDiffers),
    "a policy with another digest": (change("policy", text=s.POLICY + "#"), policy_rule.PolicyDiffers),
    "no approval by a lead": (without("approval of the lead"), approvals_rule.ApprovalsMissing),
    "no approval by a manager": (without("approval of the manager"), approvals_rule.ApprovalsMissing),
    "an approval by a stranger": (approval_by("stranger"), approvals_rule.ApprovalDoesNotCount),
    "an approval signed by somebody else": (approval_by("lead-1", signer="lead-2"),
                                            approvals_rule.ApprovalDoesNotCount),
    "an approval with a refusal's namespace": (approval_by("lead-1", namespace="hsmpub-refusal"),
                                               approvals_rule.ApprovalDoesNotCount),
    "one person twice": (approval_by("release-manager"), approvals_rule.ApprovalDoesNotCount),
    "an approval for other bytes": (change("approval of the lead", signature=s.co_sign("lead-1", b"other")),
                                    approvals_rule.ApprovalDoesNotCount),
    "an approval after the end": (change("approval of the lead", at=s.NOW + 10 + 72 * 3600),
                                  approvals_rule.ApprovalDoesNotCount),
    "a lead revoked before": (change("roster", text=REVOKED, sha256=sha256_hex(REVOKED.encode())),
                              approvals_rule.ApprovalDoesNotCount),
    "a lead revoked before it was carried out": (
        after("approval of the lead", "roster 2", e.RosterAdopted(s.NOW + 250, REVOKED, sha256_hex(REVOKED.encode()))),
        approvals_rule.ApprovalsMissing),
    "a lead who left before it was carried out": (
        after("approval of the lead", "roster 2",
              e.RosterAdopted(s.NOW + 250, STRANGERS, sha256_hex(STRANGERS.encode()))),
        approvals_rule.ApprovalsMissing),
    "a roster with another digest": (change("roster", text=s.roster() + "#"), facts_rule.ReceiptContradicts),
    "a refused request": (after("approval of the lead", "refusal", e.Declined(s.NOW + 210, "r1", "lead-2", "")),
                          facts_rule.ReceiptContradicts),
    "an expired request": (after("approval of the lead", "expiry", e.Expired(s.NOW + 210, "r1")),
                           facts_rule.ReceiptContradicts),
    "a second genesis": (lambda story: after("policy", "genesis 2", story["genesis"])(story),
                         facts_rule.ReceiptContradicts),
    "another request's entry": (change("tag", request="r2"), facts_rule.ReceiptContradicts),
    "a file that was not signed": (without(f"signed {SDIST}"), outputs_rule.SignedOtherwise),
    "a signature too few": (outputs_of(f"signed {WHEEL}", lambda made: made[:1]), outputs_rule.SignedOtherwise),
    "a signature too many": (outputs_of(f"signed {WHEEL}", lambda made: (*made, made[0])),
                             outputs_rule.SignedOtherwise),
    "other bytes signed": (change(f"signed {WHEEL}", artifact_sha256="ab" * 32), outputs_rule.SignedOtherwise),
    "a file that was not asked for": (change(f"signed {WHEEL}", artifact="evil.whl"), outputs_rule.SignedOtherwise),
    "a signature under another digest": (
        outputs_of(f"signed {WHEEL}", lambda made: (msgspec.structs.replace(made[0], sha256="ab" * 32), made[1])),
        outputs_rule.SignedOtherwise),
    "a key that the genesis does not know": (
        outputs_of(f"signed {WHEEL}", lambda made: (msgspec.structs.replace(made[0], key="other"), made[1])),
        outputs_rule.KeyNotOfLog),
    "a key that may not make the format": (
        lambda story: change("genesis", keys=(msgspec.structs.replace(s.KEY, formats=("openpgp",)),))(story),
        outputs_rule.KeyNotOfLog),
    "no tag": (lambda story: [story.pop(name) for name in ("tag", "intent of the tag", "outcome of the tag")] and None,
               outputs_rule.SignedOtherwise),
    "a tag of another name": (outputs_of("tag", lambda made: (msgspec.structs.replace(made[0], name="v9"),)),
                              tags_rule.TagOtherwise),
    "a tag by another tagger": (lambda story: story.update(tag=s.tag(s.predicate(), s.NOW + 300, tagger="somebody")),
                                tags_rule.TagOtherwise),
    "a tag of another time": (lambda story: story.update(tag=s.tag(s.predicate(), s.NOW + 300, at=s.NOW)),
                              tags_rule.TagOtherwise),
    "published without an intent": (without(f"intent {WHEEL}"), publishing_rule.PublishedOtherwise),
    "other bytes published": (change(f"intent {WHEEL}", sha256="ab" * 32), publishing_rule.PublishedOtherwise),
    "published elsewhere": (change(f"intent {WHEEL}", target="evil"), publishing_rule.PublishedOtherwise),
    "something else published": (change(f"intent {WHEEL}", item="evil"), publishing_rule.PublishedOtherwise),
    "an attempt out of turn": (change(f"intent {WHEEL}", attempt=2), publishing_rule.PublishedOtherwise),
    "the registry shows other bytes": (change(f"outcome {WHEEL}", observed="ab" * 32),
                                       publishing_rule.PublishedOtherwise),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_refuses_a_log_that_tells(tmp_path: Path, lie: str) -> None:
    """The log key signed it, and still it is refused: whoever runs the service cannot make it look right."""
    spoil, rule = LIES[lie]
    story = s.release()
    spoil(story)
    with pytest.raises(rule):
        verify(s.told(tmp_path, story))


@pytest.mark.parametrize(("changes", "rule"), [
    ({"sign": (Signing("release", ("openpgp", "sshsig")),)}, policy_rule.PolicyGrantsOtherwise),
    ({"approvals": (Quorum("managers", 1),)}, policy_rule.PolicyGrantsOtherwise),
    ({"approvals": ()}, policy_rule.PolicyGrantsOtherwise),
    ({"publish": ("git",)}, policy_rule.PolicyGrantsOtherwise),
    ({"expires_at": s.NOW + 10**7}, policy_rule.PolicyGrantsOtherwise),
    ({"policy_sha256": "ab" * 32}, policy_rule.PolicyDiffers),
    ({"request": "r2"}, facts_rule.ReceiptContradicts),
    ({"project": "elsewhere"}, HsmpubError),
    ({"requester": {"person": "release-manager"}}, policy_rule.RequesterDiffers),
    ({"kind": "credential", "credential": "pypi-token"}, policy_rule.RequesterDiffers),
    ({"kind": "sign"}, facts_rule.ReceiptContradicts),
])  # fmt: skip
def test_refuses_a_statement_that_the_policy_does_not_grant(
    tmp_path: Path, changes: dict[str, object], rule: type[HsmpubError]
) -> None:
    story = s.release(s.predicate(**changes))
    with pytest.raises((rule, facts_rule.ReceiptIncomplete) if "policy_sha256" in changes else rule):
        verify(s.told(tmp_path, story))


def test_refuses_what_was_carried_out_after_it_expired(tmp_path: Path) -> None:
    with pytest.raises(approvals_rule.CarriedOutLate):
        verify(s.told(tmp_path, s.release(done_at=s.NOW + 10 + 72 * 3600)))


def test_refuses_a_request_that_is_still_open(tmp_path: Path) -> None:
    story = {name: entry for name, entry in s.release().items() if entry.at < s.NOW + 300}
    with pytest.raises(facts_rule.ReceiptIncomplete):
        verify(s.told(tmp_path, story))


def test_refuses_a_signature_in_the_log_that_another_key_made(tmp_path: Path) -> None:
    story = s.release()
    forged = s.output(WHEEL, "dsse", s.predicate(), s.NOW + 300, lambda prepared: s.raw(prepared, s.OTHER_P256))

    def fake(made: tuple[e.Output, ...]) -> tuple[e.Output, ...]:
        return made[0], msgspec.structs.replace(made[1], sha256=sha256_hex(forged), text=forged.decode())

    outputs_of(f"signed {WHEEL}", fake)(story)
    receipt = s.told(tmp_path, story)
    assert verify(receipt).artifacts == ()  # without the file nothing can be said
    with pytest.raises(files_rule.SignatureFails):
        verify(receipt, s.given(WHEEL))


@pytest.mark.parametrize("lie", [
    {"outputs": ("ab" * 32,)},
    {"session": "other"},
])  # fmt: skip
def test_refuses_a_routine_entry_that_does_not_fit_its_statement(tmp_path: Path, lie: dict[str, object]) -> None:
    story, _ = s.routine()
    change("routine", **lie)(story)
    with pytest.raises((outputs_rule.SignedOtherwise, policy_rule.RequesterDiffers)):
        verify(s.told(tmp_path, story))


def test_refuses_routine_signatures_where_the_policy_asks_for_approvals(tmp_path: Path) -> None:
    with pytest.raises(HsmpubError) as refused:
        verify(s.told(tmp_path, s.routine(project="sdk")[0]))
    assert refused.value.rule == "approval-needed"


def test_builds_no_receipt_of_two_requests_or_of_none(tmp_path: Path) -> None:
    with pytest.raises(facts_rule.ReceiptIncomplete):
        s.told(tmp_path, s.release(), ["genesis", "policy"])
