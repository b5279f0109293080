"""The papers that an offboarding leaves: a roster without the person, a reshare file without their shares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ceremony.offboard.findings import Findings
from hsmpub.cli.roster_edit import revoke
from hsmpub.shares.record import Group, Quorum, RecoveryRecord, UnsealRecord


def roster_without(text: str, findings: Findings, enrolled: Iterable[str]) -> str:
    """The roster in force with every name of theirs revoked.

    enrolled: names of the roster.

    Raises:
        NotChangedByItself: its text has a form that needs an editor.
    """
    for name in enrolled:
        if name in findings.names:
            text = revoke(text, name)
    return text


def reshare_without(service: str, findings: Findings, unseal: UnsealRecord, recovery: RecoveryRecord) -> str:
    """A reshare file for the quorums that they hold shares of; the others keep their keys and thresholds.

    Where a threshold is out of reach without them, it stays in the file, which is refused at that line: people decide.
    """
    touched = {share.quorum for share in findings.shares if not share.waiting}
    tables = [("unseal", unseal), ("recovery", recovery)]
    parts = [f"# Without {', '.join(findings.names)}. Review it, name who takes their place, and hold the ceremony.",
             'ceremony = "reshare"', f"service = {json.dumps(service)}"]  # fmt: skip
    for name, record in tables:
        if name in touched:
            parts += ["", *_table(name, record, set(findings.names))]
    return "\n".join(parts) + "\n"


def _table(name: str, record: Quorum, without: set[str]) -> Iterator[str]:
    yield f"[{name}]"
    if not record.group_rules:
        yield from _holders(record.groups[0], without)
        return
    yield f"groups_needed = {record.group_threshold}"
    for group in record.groups:
        yield ""
        yield f"[[{name}.group]]"
        yield f"name = {json.dumps(group.name)}"
        yield from _holders(group, without)


def _holders(group: Group, without: set[str]) -> Iterator[str]:
    left = [holder for holder in group.holders if holder.name not in without]
    few = "  # decide: so many are not left" if len(left) < group.threshold else ""
    yield f"threshold = {group.threshold}{few}"
    if group.threshold == 1 and len(left) == 1:
        yield "alone = true"
    yield "holders = ["
    for holder in left:
        # JSON's strings are TOML's basic strings
        yield f"  {{ name = {json.dumps(holder.name)}, key = {json.dumps(holder.recipient)} }},"
    yield "]"
