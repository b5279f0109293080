"""What one routine request comes to: for its asker, and for its entry in the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hsmpub.keeper.making import Work
from hsmpub.model.digest import sha256_hex
from hsmpub.model.predicate import TufFacts
from hsmpub.model.said import Said
from hsmpub.model.statement import Subject
from hsmpub.wire import messages as m


@dataclass
class Batch:
    """made: for its asker; the others: for its entry."""

    made: list[m.MadeSignature] = field(default_factory=list)
    subjects: list[Subject] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    work: list[Work] = field(default_factory=list)
    tuf: list[TufFacts] = field(default_factory=list)

    def take(self, outputs: Sequence[bytes]) -> None:
        """The outputs of all its work, in their order."""
        for work, output in zip(self.work, outputs, strict=True):
            self.outputs.append(sha256_hex(output))
            if work.prepared.said is not None:
                self.said.append(work.prepared.said)
            made = m.MadeSignature(work.artifact.name, work.format.name, work.key.name, work.output_name, output)
            self.made.append(made)
