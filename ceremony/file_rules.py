"""Rules of the files that people write for ceremonies: each refusal has its line, and nothing was done."""

from __future__ import annotations

from hsmpub.model.toml_lines import InFile


class CeremonyFileRefused(InFile):
    advice = "Correct the line and start again; nothing was done."

    def __init__(self, detail: str, *, line: int, next_step: str | None = None) -> None:
        super().__init__(detail, line=line, file="ceremony file", next_step=next_step)


class UnknownCeremonyKey(CeremonyFileRefused):
    advice = "Check the spelling; nothing was done."


class MissingCeremonyKey(CeremonyFileRefused):
    advice = "Add it; nothing was done."


class WrongCeremonyValue(CeremonyFileRefused):
    pass


class ThresholdUnsafe(CeremonyFileRefused):
    advice = (
        "Ask for two or more, and for no more than there are; if one is to be enough, say 'alone = true' beside it."
    )


class GroupTwice(CeremonyFileRefused):
    advice = "Give each group a name of its own."


class HolderTwice(CeremonyFileRefused):
    advice = "Each holder has a name and a key of their own: who held two shares would be two holders."


class HolderKeyRefused(CeremonyFileRefused):
    pass
