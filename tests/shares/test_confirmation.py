"""Confirmations: every holder, this set, nothing else."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shares_of import Holders, make_groups

from hsmpub.shares.confirmation import (
    Confirmation,
    ConfirmationMalformed,
    ConfirmationOfAnotherSet,
    HoldersNotConfirmed,
    check_all_confirmed,
    check_confirmation,
    confirm_with_share,
    dump_confirmation,
    load_confirmation,
    unconfirmed,
)
from hsmpub.shares.facts import FactsMalformed, facts_of, load_facts
from hsmpub.shares.record import UnknownHolder
from hsmpub.shares.verifier import HolderSignatureWrong


def confirmation_of(holders: Holders, name: str) -> Confirmation:
    return confirm_with_share(holders.words(name), "unseal", facts_of(holders.record), name)


def test_every_holder_confirms_and_who_has_not_is_named(holders: Holders) -> None:
    facts = facts_of(holders.record)
    files = [dump_confirmation(confirmation_of(holders, f"holder-{n}")) for n in range(1, 6)]
    given = [load_confirmation(file) for file in files]
    check_all_confirmed(given, "unseal", facts)
    assert unconfirmed(given[1:4], "unseal", facts) == ("holder-1", "holder-5")
    with pytest.raises(HoldersNotConfirmed, match=r"Not confirmed yet by holder-1, holder-5\."):
        check_all_confirmed([*given[1:4], given[2]], "unseal", facts)
    words = holders.words("holder-1").decode().split()
    assert not any(word in files[0].decode() for word in words if len(word) > 6)


def test_a_confirmation_of_another_set_or_of_somebody_else_is_refused(holders: Holders, other_holders: Holders) -> None:
    facts = facts_of(holders.record)
    good = confirmation_of(holders, "holder-1")
    assert check_confirmation(good, "unseal", facts) == "holder-1"
    with pytest.raises(ConfirmationOfAnotherSet):
        check_confirmation(confirmation_of(other_holders, "holder-1"), "unseal", facts)
    with pytest.raises(ConfirmationOfAnotherSet):
        check_confirmation(good, "recovery", facts)
    moved = msgspec.structs.replace(holders.record, threshold=4)
    with pytest.raises(ConfirmationOfAnotherSet):
        check_confirmation(good, "unseal", facts_of(moved))
    with pytest.raises(HolderSignatureWrong):
        check_confirmation(msgspec.structs.replace(good, holder="holder-2"), "unseal", facts)
    with pytest.raises(UnknownHolder):
        check_confirmation(msgspec.structs.replace(good, holder="somebody"), "unseal", facts)
    with pytest.raises(HolderSignatureWrong):
        check_confirmation(msgspec.structs.replace(good, signature="00" * 64), "unseal", facts)


@given(st.binary(max_size=200))
def test_refuses_what_is_no_confirmation(data: bytes) -> None:
    with pytest.raises(ConfirmationMalformed):
        load_confirmation(data)


def test_transcript_and_record_give_the_same_digest_and_words() -> None:
    groups = make_groups(2, {"operations": (2, 2), "auditor": (1, 1)})
    facts = facts_of(groups.record)
    told = msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(facts) | {"sha256": "…", "public_key": "…"}))
    assert load_facts(told) == facts
    assert load_facts(told).digest("unseal") == facts.digest("unseal") != facts.digest("recovery")
    assert len(facts.words("unseal").split()) == 12
    with pytest.raises(FactsMalformed):
        load_facts({"threshold": 3})
