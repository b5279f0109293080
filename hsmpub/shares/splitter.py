"""Main of the short-lived child that makes a quorum's secret and splits it. Secret and words never leave it.

1 draws the secret (32 random bytes) and an identifier that no earlier set of the service had
2 splits it, and combines shares again: each takes part in a whole quorum; a share or a group fewer must fail
3 seals the PIN (unseal), or derives the recovery key (recovery)
4 encrypts each share to its holder's own key and checks the file as far as that can be done without it; for a holder
  with paper it writes a card to the descriptor that it was given
5 answers with commitments, verifiers, check value and encrypted files
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

from shamir_mnemonic.share import Share

from hsmpub.errors import Broken
from hsmpub.secret.page import wipe
from hsmpub.shares.card import CardFacts, make_card
from hsmpub.shares.channel import MadeShare, Split, SplitDone, frame, read_message, receive, receive_frame, send
from hsmpub.shares.child import run_child
from hsmpub.shares.commitment import share_commitment
from hsmpub.shares.derive import SECRET_BYTES, check_value, recovery_key, seal_pin
from hsmpub.shares.facts import facts_of_plan, new_holders
from hsmpub.shares.layout import Layout
from hsmpub.shares.plan import check_plan
from hsmpub.shares.recipient import PAPER, check_share_file, encrypt_to, parse_recipient
from hsmpub.shares.slip39 import SharesDoNotCombine, combine_shares, read_share, split_secret
from hsmpub.shares.verifier import share_verifier

#: The secret is random, so PBKDF2 protects nothing here: the smallest exponent of the library's default.
ITERATION_EXPONENT = 1
_IN, _OUT = 0, 1


class SplitNotProven(Broken):
    advice = "Nothing was kept: run the ceremony again, and report this if it happens twice."


def main() -> None:
    """Entry point of the child process."""
    run_child("splitter", _serve)


def _serve(_: dict[str, str]) -> None:
    order = read_message(receive_frame(_IN))
    if not isinstance(order, Split):
        raise Broken("A splitting child was sent a message of another kind.")
    pin, old_pin = receive(_IN, order.pin_size), receive(_IN, order.old_pin_size)
    secret = bytearray(os.urandom(SECRET_BYTES))
    try:
        send(_OUT, frame(split_quorum_secret(order, secret, pin, old_pin)))
    finally:
        wipe(secret)
        wipe(pin)
        wipe(old_pin)


def split_quorum_secret(order: Split, secret: bytearray, pin: bytearray, old_pin: bytearray | None = None) -> SplitDone:
    """Splits `secret` as ordered. Raises PlanUnfit, SplitNotProven, RecipientUnusable, ShareFileNotProven."""
    check_plan(order.plan)
    layout = order.plan.layout(_new_identifier(order.avoid), True, ITERATION_EXPONENT)
    groups = split_secret(secret, layout)
    check_split(groups, layout, secret)
    mnemonics = [mnemonic for group in groups for mnemonic in group]
    shares = _for_holders(order, mnemonics)
    for mnemonic in mnemonics:
        wipe(mnemonic)
    pin_box = public_key = old_pin_box = b""
    if order.purpose == "unseal":
        pin_box = seal_pin(secret, order.epoch, pin)
        old_pin_box = seal_pin(secret, order.epoch, old_pin, "old PIN") if old_pin else b""
    else:
        private, public_key = recovery_key(secret, order.epoch)
        wipe(private)
    check = check_value(order.purpose, order.epoch, secret)
    return SplitDone(
        layout.identifier,
        layout.extendable,
        layout.iteration_exponent,
        check,
        shares,
        pin_box,
        public_key,
        old_pin_box,
    )


def check_split(mnemonics: list[list[bytearray]], layout: Layout, secret: bytearray) -> None:
    """Every share takes part in a combination that gives the secret; a share or a group fewer gives nothing.

    mnemonics: by group and member.

    Raises:
        SplitNotProven: the split is not what was asked for.
    """
    shares = [[read_share(mnemonic) for mnemonic in group] for group in mnemonics]
    last: list[Share] = []
    for quorum in _covering_quorums(shares, layout):
        last = quorum
        if combine_shares(quorum, layout) != secret:
            raise SplitNotProven("The new shares do not give the secret back.")
    one_group_fewer = [share for share in last if share.group_index != last[0].group_index]
    for fewer in (last[1:], one_group_fewer):
        try:
            combine_shares(fewer, layout)
        except SharesDoNotCombine:
            continue
        raise SplitNotProven("Fewer shares than the threshold combined.")


def _covering_quorums(shares: list[list[Share]], layout: Layout) -> Iterator[list[Share]]:
    """Whole quorums in which every share takes part at least once: neighbours among groups and among members."""
    for first in range(len(shares) - layout.group_threshold + 1):
        chosen = range(first, first + layout.group_threshold)
        starts = {index: len(shares[index]) - layout.groups[index][0] + 1 for index in chosen}
        for start in range(max(starts.values())):
            quorum: list[Share] = []
            for index in chosen:
                at = start % starts[index]
                quorum += shares[index][at : at + layout.groups[index][0]]
            yield quorum


def _for_holders(order: Split, mnemonics: list[bytearray]) -> tuple[MadeShare, ...]:
    """Encrypts each share to its holder, or writes the holder's card to the descriptor that waits for it."""
    plan, made, shares = order.plan, [], []
    for holder, mnemonic in zip(plan.holders, mnemonics, strict=True):
        share = (order.purpose, order.epoch, holder.name, mnemonic)
        made.append((share_commitment(*share), share_verifier(*share)))
    records = new_holders(plan, made)
    fingerprint = facts_of_plan(plan, order.epoch, records).words(order.purpose)
    cards = iter(order.cards)
    for record, mnemonic in zip(records, mnemonics, strict=True):
        file = b""
        if record.recipient == PAPER:
            facts = CardFacts(order.service, order.purpose, order.epoch, record.name, record.group, fingerprint)
            _write_card(next(cards), facts, mnemonic)
        else:
            file = _share_file(record.recipient, mnemonic)
        shares.append(MadeShare(record.commitment, record.verifier, file))
    return tuple(shares)


def _share_file(key: str, mnemonic: bytearray) -> bytes:
    recipient = parse_recipient(key)
    words = bytes(mnemonic) + b"\n"
    file = encrypt_to(recipient, words)
    check_share_file(file, recipient, len(words))
    return file


def _write_card(fd: int, facts: CardFacts, mnemonic: bytearray) -> None:
    card = make_card(facts, mnemonic)
    try:
        send(fd, card)
    finally:
        wipe(card)


def _new_identifier(avoid: tuple[int, ...]) -> int:
    while (identifier := secrets.randbits(15)) in avoid:
        pass
    return identifier
