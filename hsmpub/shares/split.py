"""Splitting, from the ceremony's side: a child makes the secret; only records and encrypted files come back."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hsmpub.errors import Invalid, Unavailable
from hsmpub.sandbox import python_command
from hsmpub.shares.channel import Split, SplitDone, frame, read_reply, receive_frame, send
from hsmpub.shares.facts import new_holders
from hsmpub.shares.plan import QuorumPlan
from hsmpub.shares.recipient import PAPER
from hsmpub.shares.record import GroupRule, HolderRecord, Purpose, RecoveryRecord, UnsealRecord, WrappedKey
from hsmpub.shares.record_file import check_quorum

_NONE = memoryview(b"")


class SplitterLost(Unavailable):
    advice = "Nothing was kept: run the ceremony again."


class CardsMissing(Invalid):
    advice = (
        "Say with --cards where the share cards are to be written: a folder in memory, or of a stick for the printer."
    )


@dataclass(frozen=True)
class Cards:
    """Where the cards of holders with paper go. service: as the cards say it; files: name → descriptor to write to."""

    service: str
    files: Mapping[str, int]


@dataclass(frozen=True)
class NewUnseal:
    """record: for the keeper; files: share file (age, OpenPGP) of each holder with a key, by name.

    old_pin_box: the PIN that is in force until the set is, under the new secret too; hex, empty at a genesis.
    """

    record: UnsealRecord
    files: dict[str, bytes]
    old_pin_box: str = ""


@dataclass(frozen=True)
class NewRecovery:
    """A recovery quorum whose boxes are still to be filled with `record`.

    public_key: raw X25519, 32 bytes; files: as of NewUnseal.
    """

    epoch: int
    public_key: bytes
    files: dict[str, bytes]
    plan: QuorumPlan
    holders: tuple[HolderRecord, ...]
    _done: SplitDone

    def record(
        self, *, wrapping_key_box: str, so_pin_box: str, identity_box: str, wrapped: Sequence[WrappedKey]
    ) -> RecoveryRecord:
        """The finished record; boxes are of hsmpub.shares.recovery.seal_for_recovery."""
        record = RecoveryRecord(
            epoch=self.epoch,
            identifier=self._done.identifier,
            extendable=self._done.extendable,
            iteration_exponent=self._done.iteration_exponent,
            threshold=self.plan.threshold,
            holders=self.holders,
            check=self._done.check,
            group_threshold=self.plan.group_threshold,
            group_rules=_group_rules(self.plan),
            public_key=self.public_key.hex(),
            wrapping_key_box=wrapping_key_box,
            so_pin_box=so_pin_box,
            identity_box=identity_box,
            wrapped=tuple(wrapped),
        )
        check_quorum(record)
        return record


def split_unseal(
    plan: QuorumPlan,
    *,
    epoch: int,
    pin: bytearray | memoryview,
    avoid: Sequence[int] = (),
    old_pin: bytearray | memoryview = _NONE,
    cards: Cards | None = None,
) -> NewUnseal:
    """A new unseal secret that opens a box with `pin` (which is left as it is), split as `plan` says.

    old_pin: for a reshare, the PIN in force until the new set is: it gets a box of its own.
    avoid: SLIP-39 identifiers of earlier sets, so that an old share is recognised as one; cards: where share cards go,
    needed if a holder has paper instead of a key.

    Raises:
        PlanUnfit: no such split.
        CardsMissing: nobody said where the share cards go.
        RecipientUnusable: a holder's public key.
        SplitNotProven, ShareFileNotProven, SplitterLost: nothing was kept.
    """
    order = _order("unseal", epoch, plan, avoid, cards, len(pin), len(old_pin))
    done = _run(order, pin, old_pin)
    record = UnsealRecord(
        epoch=epoch,
        identifier=done.identifier,
        extendable=done.extendable,
        iteration_exponent=done.iteration_exponent,
        threshold=plan.threshold,
        holders=_holders(order, done),
        check=done.check,
        group_threshold=plan.group_threshold,
        group_rules=_group_rules(plan),
        pin_box=done.pin_box.hex(),
    )
    check_quorum(record)
    return NewUnseal(record, _files(order, done), done.old_pin_box.hex())


def split_recovery(
    plan: QuorumPlan, *, epoch: int, avoid: Sequence[int] = (), cards: Cards | None = None
) -> NewRecovery:
    """A new recovery secret, split as `plan` says; its public key is known from here on, its private key to nobody.

    Raises as split_unseal does.
    """
    order = _order("recovery", epoch, plan, avoid, cards)
    done = _run(order)
    return NewRecovery(epoch, done.public_key, _files(order, done), plan, _holders(order, done), done)


def _order(
    purpose: Purpose, epoch: int, plan: QuorumPlan, avoid: Sequence[int], cards: Cards | None, *pin_sizes: int
) -> Split:
    on_paper = [holder.name for holder in plan.holders if holder.recipient == PAPER]
    if missing := [name for name in on_paper if cards is None or name not in cards.files]:
        raise CardsMissing(f"{', '.join(missing)} will hold a share on paper, and nobody said where the card goes.")
    pin_size, old_pin_size = pin_sizes or (0, 0)
    service, files = ("", ()) if cards is None else (cards.service, tuple(cards.files[name] for name in on_paper))
    return Split(purpose, epoch, plan, tuple(avoid), pin_size, old_pin_size, service, files)


def _run(order: Split, *pins: bytearray | memoryview) -> SplitDone:
    command = python_command("hsmpub.shares.splitter")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, pass_fds=order.cards
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            send(child.stdin.fileno(), frame(order))
            for pin in pins:
                send(child.stdin.fileno(), pin)
            return read_reply(receive_frame(child.stdout.fileno()), SplitDone)
        except (EOFError, BrokenPipeError):
            raise SplitterLost("The process that splits the secret ended early.") from None
        finally:
            child.kill()


def _holders(order: Split, done: SplitDone) -> tuple[HolderRecord, ...]:
    return new_holders(order.plan, [(made.commitment, made.verifier) for made in done.shares])


def _group_rules(plan: QuorumPlan) -> tuple[GroupRule, ...]:
    """Of named groups; a quorum without them says no more than its threshold."""
    return tuple(GroupRule(group.name, group.threshold) for group in plan.groups if group.name)


def _files(order: Split, done: SplitDone) -> dict[str, bytes]:
    return {holder.name: made.file for holder, made in zip(order.plan.holders, done.shares, strict=True) if made.file}
