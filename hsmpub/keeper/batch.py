"""What one routine request comes to: for its asker, and for its entry in the log."""

from __future__ import annotations

from collections.abc import Sequence

from hsmpub.keeper.making import Work
from hsmpub.model.digest import sha256_hex
from hsmpub.model.predicate import TufFacts
from hsmpub.model.said import Said
from hsmpub.model.statement import Subject
from hsmpub.wire import messages as m


class Batch:
    """made: for its asker; the others: for its entry."""

    __slots__ = ("made", "outputs", "said", "subjects", "tuf", "work")

    def __init__(self) -> None:
        self.made: list[m.MadeSignature] = []
        self.subjects: list[Subject] = []
        self.outputs: list[str] = []
        self.said: list[Said] = []
        self.work: list[Work] = []
        self.tuf: list[TufFacts] = []

    def take(self, outputs: Sequence[bytes]) -> None:
        """The outputs of all its work, in their order."""
        for work, output in zip(self.work, outputs, strict=True):
            self.outputs.append(sha256_hex(output))
            if work.prepared.said is not None:
                self.said.append(work.prepared.said)
            made = m.MadeSignature(work.artifact.name, work.format.name, work.key.name, work.output_name, output)
            self.made.append(made)
