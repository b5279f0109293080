"""Verify a receipt offline, from the pinned log key alone. Pure.

    1  the checkpoint is signed by the pinned log key
    2  every entry of the receipt is in the log under that checkpoint
    3  the request is the one that its requester's session made
    4  the policy in force is the one that the statement names, and grants exactly what it says
    5  every approval verifies over the statement, and none was missing when it was carried out
    6  the signatures recorded are exactly those asked for, by keys that a ceremony made and that were active then
    7  the files at hand are those that were signed, and their signatures verify
    8  what was published is what was approved

What it cannot show: that no *later* entry changes the picture (a key that was reported stolen, a roster adopted between
the ones in the receipt). For that, follow the log; pins that were brought up to date show when a key was retired.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hsmpub.errors import Invalid
from hsmpub.model.clock import rfc3339
from hsmpub.model.keys import Keys
from hsmpub.receipt.approvals import check_approvals
from hsmpub.receipt.facts import gather_facts
from hsmpub.receipt.files import GivenFile, check_files
from hsmpub.receipt.inclusion import check_receipt_checkpoint, check_receipt_entries
from hsmpub.receipt.model import load_receipt
from hsmpub.receipt.outputs import check_outputs
from hsmpub.receipt.pinned import check_against_pins
from hsmpub.receipt.policy import check_grant, check_policy_entry, check_request
from hsmpub.receipt.publishing import check_publishing
from hsmpub.receipt.report import Report, Step, StepName
from hsmpub.receipt.words import published_words, runs_of
from hsmpub.tlog.note import load_verifier_key


class GenesisOfAnotherLog(Invalid):
    advice = "Pin the log key from the trust file of this very service."


def verify_receipt(
    receipt: bytes,
    log_key: str,
    files: Sequence[GivenFile] = (),
    *,
    pinned: Keys | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> Report:
    """Verifies all that a receipt shows, in the order above.

    Args:
        receipt: the receipt file's bytes.
        log_key: C2SP verifier key of the log, pinned (from the service's trust file, not from the receipt).
        files: artifacts and signature files at hand, in any order; each must belong to the receipt.
        pinned: the keys of the service's trust file: a key that it knows as retired counts until then.
        on_step: told of each step as it passes; when one raises, those before it were told.

    Raises:
        ReceiptMalformed, ReceiptTooLarge, VerifierKeyMalformed: the input.
        NoteUntrusted and the rules of note and checkpoint: step 1. EntryNotInLog, EntryMalformed: step 2.
        GenesisOfAnotherLog, ReceiptIncomplete, ReceiptContradicts, RequesterDiffers, StatementMalformed: step 3.
        PolicyDiffers, PolicyUnreadable, PolicyGrantsOtherwise and a policy's refusals: step 4.
        ApprovalDoesNotCount, ApprovalsMissing, CarriedOutLate: step 5.
        SignedOtherwise, KeyNotOfLog, KeyNotActive, KeyDiffersFromPins, TagOtherwise: step 6.
        FileDiffers, FileNotInReceipt, SignatureFails: step 7. PublishedOtherwise: step 8.
    """
    steps: list[Step] = []

    def passed(name: StepName, said: str, details: Sequence[str] = ()) -> None:
        steps.append(Step(name, said, tuple(details)))
        on_step(steps[-1])

    loaded, key = load_receipt(receipt), load_verifier_key(log_key)
    checkpoint = check_receipt_checkpoint(loaded, key)
    passed("checkpoint", f"{key.name} signed a log of {checkpoint.size} entries.")
    entries = check_receipt_entries(loaded, checkpoint)
    passed(
        "inclusion", f"All {len(entries)} entries of the receipt are in that log.", [runs_of([i for i, _ in entries])]
    )
    facts = gather_facts(entries)
    if facts.genesis.log_key != str(key):
        raise GenesisOfAnotherLog("The genesis in the receipt names another log key than the pinned one.")
    statement = check_request(facts)
    predicate = statement.predicate
    who = predicate.requester.get("person") or predicate.requester.get("subject", "")
    asked = f"{who} asked for {predicate.kind} {predicate.project} {predicate.version}".strip()
    passed("request", f"{asked} at {rfc3339(predicate.requested_at)}.", [s.name for s in statement.subject])
    policy_index, policy = check_policy_entry(facts, statement)
    check_grant(facts, statement, policy)
    passed("policy", f"The policy of entry {policy_index} grants exactly that.")
    roster_index, approvals = check_approvals(facts, statement)
    by = [f"{a.person} ({', '.join(a.groups)}) at {rfc3339(a.at)}, {a.fingerprint}" for a in approvals]
    people = "1 person" if len(by) == 1 else f"{len(by)} people"
    passed("approvals", f"{people} approved it." if by else "It needed no approval.", by)
    made = check_outputs(facts, statement, policy)
    newer = check_against_pins(made, pinned) if pinned is not None else ()
    passed("signatures", f"Made as asked: {len(made)}.", [m.output.name for m in made])
    same, signatures = check_files(facts, statement, made, files)
    checked = [f"{s.name}: {s.format} by {s.key}" for s in signatures if s.checked]
    # a file that carries its signature is another than the one that was asked for
    inside = {one.artifact for one in signatures if one.checked} & {one.name for one in statement.subject} - set(same)
    at_hand = f"{len(same) + len(inside)} of {len(statement.subject)} files are at hand"
    at_hand += f", {len(inside)} with the signature inside" if inside else ""
    passed("files", f"{at_hand}, and {len(checked)} of {len(made)} signatures.", checked)
    published = check_publishing(facts, statement, made)
    passed(
        "publishing",
        published_words(published, len(predicate.publish)),
        [f"{p.item} → {p.target}: {p.result or 'not known yet'}" for p in published],
    )
    return Report(
        service=facts.genesis.service,
        request=predicate.request,
        kind=predicate.kind,
        project=predicate.project,
        version=predicate.version,
        commit=predicate.commit,
        requester=predicate.requester,
        at=facts.carried_out[1],
        checkpoint=checkpoint,
        policy_index=policy_index,
        roster_index=roster_index,
        subjects=statement.subject,
        approvals=approvals,
        signatures=signatures,
        artifacts=same,
        published=published,
        newer_keys=newer,
        steps=tuple(steps),
        delivered=next((d.header_sha256 for d in facts.delivered.values()), ""),
    )
