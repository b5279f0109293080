"""Reshare, first step: new sets of shares are made; the old ones stay in force until the new holders have confirmed.

```toml
ceremony = "reshare"
service = "releases"
[unseal]                   # either quorum, or both
threshold = 3
holders = [{ name = "holder-1", key = "age1…" }, …]
```

1 the old quorum opens the PIN; a new secret, split among the new holders, locks a new random PIN and the old one
2 for the recovery quorum, its old holders open what it keeps, which is sealed again to the new recovery key
3 share files, and the file for the second step, go into the ceremony's folder; the records wait in keeper/pending.json

Nothing in the HSM is touched. `reshare_finish` is the second step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from pydantic import Field, StrictInt

from ceremony import birth
from ceremony.cards import open_cards
from ceremony.file_rules import MissingCeremonyKey
from ceremony.quorum_table import QuorumTable, check_quorum_table
from ceremony.standing.file import StandingFile
from ceremony.standing.held import Held
from ceremony.standing.kind import Kind, Papers
from ceremony.standing.quorum import AtHand, open_pin, open_recovery
from hsmpub.hsm.pin import new_pin
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model.toml_lines import TomlText
from hsmpub.scratch import scratch_folder
from hsmpub.secret.page import SecretPage
from hsmpub.shares.box import box_of
from hsmpub.shares.facts import facts_of
from hsmpub.shares.pending import PendingSets, dump_pending
from hsmpub.shares.recipient import share_file_name
from hsmpub.shares.record import Purpose, Quorum
from hsmpub.shares.recovery import Content, birth_content, key_boxes, seal_for_recovery
from hsmpub.shares.split import Cards, split_recovery, split_unseal


class ReshareFile(StandingFile):
    """pin_length: characters of the new PINs."""

    unseal: QuorumTable | None = None
    recovery: QuorumTable | None = None
    pin_length: Annotated[StrictInt, Field(ge=8, le=255)] = 40

    def check(self, toml: TomlText) -> None:
        if self.unseal is None and self.recovery is None:
            raise MissingCeremonyKey("neither [unseal] nor [recovery] says who gets new shares.", line=1)
        for name, table in (("unseal", self.unseal), ("recovery", self.recovery)):
            if table is not None:
                check_quorum_table(name, table, toml)


def run_reshare(held: Held, papers: Papers[ReshareFile], shares: AtHand) -> None:
    """Raises the rules of a refused share, of hsmpub.shares.split and of Held.finish."""
    file = papers.file
    with SecretPage() as pin, _cards(held, file, shares.cards) as cards:
        open_pin(held, shares.unseal, pin)
        pending = PendingSets(number=held.number)
        if file.unseal is not None:
            pending = _new_unseal(held, file.unseal, file.pin_length, pin, pending, cards["unseal"])
        if file.recovery is not None:
            pending = _new_recovery(held, file.recovery, file.pin_length, shares, pending, cards["recovery"])
        held.replace(held.home.pending_sets, dump_pending(pending))
        held.output("finish.toml", _finish_file(held, pending).encode())
        with TokenSigner(held.hsm, pin) as signer:
            held.finish(
                signer,
                pending_epoch=pending.unseal.epoch if pending.unseal else 0,
                pending_recovery_epoch=pending.recovery.epoch if pending.recovery else 0,
            )


@contextmanager
def _cards(held: Held, file: ReshareFile, folder: Path | None) -> Iterator[dict[Purpose, Cards]]:
    """Where the cards of new holders with paper go; a rehearsal throws them away."""
    tables: dict[Purpose, QuorumTable | None] = {"unseal": file.unseal, "recovery": file.recovery}
    plans = {purpose: table.plan for purpose, table in tables.items() if table is not None}
    with ExitStack() as stack:
        if held.rehearsal:
            folder = stack.enter_context(scratch_folder("hsmpub-rehearsal-"))
        yield stack.enter_context(open_cards(folder, held.home.root, file.service, plans))


def _new_unseal(
    held: Held, table: QuorumTable, length: int, pin: SecretPage, pending: PendingSets, cards: Cards
) -> PendingSets:
    before = held.opened.unseal_record()
    with SecretPage() as new:
        new.take(new_pin(length))
        split = split_unseal(
            table.plan, epoch=held.state.last_epoch + 1, pin=new.view, old_pin=pin.view,
            avoid=_known(held), cards=cards,
        )  # fmt: skip
    record = msgspec.structs.replace(split.record, earlier=before.history)
    for name, file in split.files.items():
        held.output(f"shares/{share_file_name(name, file)}", file)
    birth.record_quorum(held.recorder, "unseal quorum", record)
    return msgspec.structs.replace(pending, unseal=record, old_pin_box=split.old_pin_box)


def _new_recovery(
    held: Held, table: QuorumTable, length: int, shares: AtHand, pending: PendingSets, cards: Cards
) -> PendingSets:
    before = held.opened.recovery_record()
    split = split_recovery(table.plan, epoch=held.state.last_recovery_epoch + 1, avoid=_known(held), cards=cards)
    with ExitStack() as pages:
        wrapping, identity, so_pin, new, *later = (
            pages.enter_context(SecretPage()) for _ in range(4 + len(before.births))
        )
        boxes = [*key_boxes(before), box_of("SO PIN", before.so_pin_box)]
        open_recovery(held, shares.recovery, wrapping, identity, *later, so_pin, boxes=boxes)
        new.take(new_pin(length))

        def sealed(content: Content | str, page: SecretPage) -> str:
            return seal_for_recovery(split.public_key, split.epoch, content, page.view)

        record = split.record(
            wrapping_key_box=sealed("wrapping key", wrapping), so_pin_box=sealed("SO PIN", new),
            identity_box=sealed("keeper identity", identity), wrapped=before.wrapped,
        )  # fmt: skip
        old_so_pin_box = sealed("old SO PIN", so_pin)
        births = tuple(
            msgspec.structs.replace(one, wrapping_key_box=sealed(birth_content(one.number), page))
            for one, page in zip(before.births, later, strict=True)
        )
    record = msgspec.structs.replace(record, earlier=before.history, births=births)
    for name, file in split.files.items():
        held.output(f"recovery/{share_file_name(name, file)}", file)
    birth.record_quorum(held.recorder, "recovery quorum", record, public_key=record.public_key)
    held.recorder.record(
        "old backups", sealed_to_recovery_epochs=[earlier.epoch for earlier in before.history],
        advice="Their keys stay open to the old recovery quorum: take a new backup after the second step, and destroy "
        "the old ones.",
    )  # fmt: skip
    return msgspec.structs.replace(pending, recovery=record, old_so_pin_box=old_so_pin_box)


def _known(held: Held) -> list[int]:
    """Identifiers of every set of this service, so that a share of another one is recognised."""
    records: list[Quorum] = [held.opened.unseal_record(), held.opened.recovery_record()]
    waiting = held.opened.pending_sets()
    if waiting is not None:
        records += [record for record in (waiting.unseal, waiting.recovery) if record is not None]
    return [known.identifier for record in records for known in record.history]


def _finish_file(held: Held, pending: PendingSets) -> str:
    lines = ['ceremony = "reshare-finish"', f'service = "{held.trust.service}"', f"reshare = {held.number}"]
    lines += [f'{purpose} = "{facts_of(record).digest(purpose)}"' for purpose, record in pending.records().items()]
    return "\n".join(lines) + "\n"


RESHARE = Kind("reshare", ReshareFile, run_reshare)
