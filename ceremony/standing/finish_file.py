"""The file of a reshare's second step, an output of the first, and the sets that it names."""

from __future__ import annotations

from typing import Annotated

from pydantic import StrictInt

from ceremony.file_rules import MissingCeremonyKey
from ceremony.standing.file import StandingFile
from hsmpub.errors import Conflict
from hsmpub.model.toml_lines import TomlText
from hsmpub.model.toml_words import formed
from hsmpub.shares.facts import facts_of
from hsmpub.shares.pending import PendingSets
from hsmpub.shares.record import Purpose

Digest = Annotated[str, formed(r"[0-9a-f]{64}", "a SHA-256: 64 hexadecimal digits in small letters")]


class NoReshareWaiting(Conflict):
    advice = "Hold the first step: 'hsmpub-ceremony reshare FILE'."


class ReshareOfAnotherFile(Conflict):
    advice = "Give the finish.toml of the last reshare, whose sets of shares are waiting."


class FinishFile(StandingFile):
    """reshare: number of the first step; unseal, recovery: digests of the new sets, hex."""

    reshare: StrictInt
    unseal: Digest | None = None
    recovery: Digest | None = None

    def check(self, toml: TomlText) -> None:
        if self.unseal is None and self.recovery is None:
            raise MissingCeremonyKey("neither 'unseal' nor 'recovery' says which set comes in force.", line=1)


def check_named(pending: PendingSets | None, file: FinishFile) -> PendingSets:
    """The sets that wait, if they are those of the file. Raises NoReshareWaiting, ReshareOfAnotherFile."""
    if pending is None:
        raise NoReshareWaiting("No new set of shares waits for its holders.")
    digests = {purpose: facts_of(record).digest(purpose) for purpose, record in pending.records().items()}
    named: dict[Purpose, str | None] = {"unseal": file.unseal, "recovery": file.recovery}
    if pending.number != file.reshare or digests != {purpose: sha for purpose, sha in named.items() if sha}:
        raise ReshareOfAnotherFile(f"The sets that ceremony {pending.number} made are waiting, not those of the file.")
    return pending
