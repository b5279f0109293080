"""Receipts of services whose keys changed: the log's order decides which signatures count, with or without the pins."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import story as s

from hsmpub.model import entry as e
from hsmpub.model.key import KeyRecord
from hsmpub.model.keys import Keys
from hsmpub.model.statement import dump_statement
from hsmpub.receipt import facts as facts_rule
from hsmpub.receipt import outputs, pinned, verify_receipt

BEGUN = 5  # entries of s.beginning()
OTHER = KeyRecord("other", "p256", s.KEY.public, s.NOW, ("openpgp",))


def changed(keys: Keys, **facts: object) -> e.KeysChanged:
    return e.KeysChanged(s.NOW + 6, keys.digest, **facts)  # type: ignore[arg-type]


def put(entries: dict[str, e.Entry], name: str, entry: e.Entry, *, before: str) -> dict[str, e.Entry]:
    """The story with one more entry."""
    made: dict[str, e.Entry] = {}
    for known, one in entries.items():
        if known == before:
            made[name] = entry
        made[known] = one
    return made


def born_later() -> tuple[dict[str, e.Entry], Keys]:
    """The release key is not of the genesis: a ceremony made it."""
    entries, _ = s.routine()
    genesis = entries["genesis"]
    assert isinstance(genesis, e.Genesis)
    entries["genesis"] = msgspec.structs.replace(genesis, keys=(OTHER,))
    first = Keys.of_genesis((OTHER,))
    birth = changed(first, born=(s.KEY,))
    return put(entries, "birth", birth, before="routine"), first.after(BEGUN, birth)


def test_a_key_born_after_the_genesis_is_proven_by_the_receipt_alone(tmp_path: Path) -> None:
    entries, _ = born_later()
    receipt = s.told(tmp_path, entries)
    assert verify_receipt(receipt, str(s.LOG_KEY)).newer_keys == ()
    old_pins = Keys.of_genesis((OTHER,))
    assert verify_receipt(receipt, str(s.LOG_KEY), pinned=old_pins).newer_keys == ("release",)


def test_refuses_a_key_whose_birth_is_not_in_the_receipt(tmp_path: Path) -> None:
    entries, _ = born_later()
    names = [name for name in entries if name != "birth"]
    with pytest.raises(outputs.KeyNotOfLog):
        verify_receipt(s.told(tmp_path, entries, names), str(s.LOG_KEY))


def test_refuses_a_receipt_that_leaves_out_one_of_two_changes(tmp_path: Path) -> None:
    entries, keys = born_later()
    retired = changed(keys, retired=(e.Retirement("other", "retired"),))
    entries = put(entries, "retirement", retired, before="routine")
    names = [name for name in entries if name != "birth"]
    with pytest.raises(facts_rule.ReceiptIncomplete):
        verify_receipt(s.told(tmp_path, entries, names), str(s.LOG_KEY))


def test_a_signature_of_before_the_retirement_still_counts(tmp_path: Path) -> None:
    entries, _ = s.routine()
    keys = Keys.of_genesis((s.KEY,))
    retired = changed(keys, retired=(e.Retirement("release", "compromised"),))
    entries["retirement"] = retired
    report = verify_receipt(
        s.told(tmp_path, entries), str(s.LOG_KEY), pinned=keys.after(len(entries) - 1, retired)
    )  # fmt: skip
    assert len(report.signatures) == 4


def test_a_signature_is_checked_with_the_certificates_of_its_day() -> None:
    first = Keys.of_genesis((s.KEY,))
    old = changed(first, certified={"release": "OLD"})
    new = changed(first.after(1, old), certified={"release": "NEW"})
    text = dump_statement(s.subjects(), s.predicate(sign=())).decode()
    entries = [(0, s.beginning()["genesis"]), (1, old), (2, e.Requested(s.NOW, "r1", text)), (3, new)]
    facts = facts_rule.gather_facts(entries)
    assert facts.keys_at(2).active["release"].certificates == "OLD"
    assert facts.keys_at(4).active["release"].certificates == "NEW"
    assert facts.keys_at(1).active["release"].certificates == ""


def retired_before() -> tuple[dict[str, e.Entry], Keys]:
    """The log of a keeper that lies: it signed with a key that was retired."""
    entries, _ = s.routine()
    keys = Keys.of_genesis((s.KEY,))
    retired = changed(keys, retired=(e.Retirement("release", "retired"),))
    return put(entries, "retirement", retired, before="routine"), keys.after(BEGUN, retired)


def test_refuses_a_signature_logged_after_the_retirement(tmp_path: Path) -> None:
    entries, _ = retired_before()
    with pytest.raises(outputs.KeyNotActive, match="retired by entry 5"):
        verify_receipt(s.told(tmp_path, entries), str(s.LOG_KEY))


def test_the_pins_tell_of_a_retirement_that_the_receipt_leaves_out(tmp_path: Path) -> None:
    entries, keys = retired_before()
    receipt = s.told(tmp_path, entries, [name for name in entries if name != "retirement"])
    with pytest.raises(outputs.KeyNotActive):
        verify_receipt(receipt, str(s.LOG_KEY), pinned=keys)


def test_refuses_a_release_whose_tag_was_signed_after_the_retirement(tmp_path: Path) -> None:
    retired = changed(Keys.of_genesis((s.KEY,)), retired=(e.Retirement("release", "retired"),))
    entries = put(s.release(), "retirement", retired, before="tag")
    with pytest.raises(outputs.KeyNotActive):
        verify_receipt(s.told(tmp_path, entries), str(s.LOG_KEY))


def test_refuses_another_key_under_a_pinned_name(tmp_path: Path) -> None:
    entries, _ = s.routine()
    other = msgspec.structs.replace(s.KEY, created_at=7)
    with pytest.raises(pinned.KeyDiffersFromPins):
        verify_receipt(s.told(tmp_path, entries), str(s.LOG_KEY), pinned=Keys.of_genesis((other,)))
