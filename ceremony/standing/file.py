"""The file of a standing ceremony: which ceremony, of which service, and what it is to do.

```toml
ceremony = "pin-change"
service = "releases"
```

Each ceremony adds tables of its own; docs/ceremonies.md shows them.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ceremony.file import first_refusal
from ceremony.file_rules import MissingCeremonyKey, WrongCeremonyValue
from ceremony.quorum_table import Name
from ceremony.witness_table import Witnesses
from hsmpub.model.toml_lines import TomlText, load_toml


class StandingFile(BaseModel):
    """What every file says. service: must be the home's, so that a file is not used on another one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ceremony: str
    service: Name
    witness: Witnesses = ()

    def check(self, toml: TomlText) -> None:
        """What a schema cannot say. Raises CeremonyFileRefused, with the line."""


File = TypeVar("File", bound=StandingFile)


class FileOfAnotherCeremony(WrongCeremonyValue):
    advice = "Give the file to the command that it names, or correct its first line; nothing was done."


def load_standing_file(text: str, ceremony: str, form: type[File]) -> File:
    """What the file of one ceremony says.

    Raises:
        CeremonyFileRefused: one of its subclasses, with the line.
        TomlSyntax, InvisibleCharacter, FileTooLong: with the line.
    """
    toml = load_toml(text, file="ceremony file")
    named = toml.data.get("ceremony")
    if named is None:
        raise MissingCeremonyKey(f"'ceremony' is missing: write ceremony = \"{ceremony}\".", line=1)
    if named != ceremony:
        raise FileOfAnotherCeremony(f"it is a file for {str(named)[:40]!r}, not for {ceremony!r}.",
                                    line=toml.line_of(("ceremony",)))  # fmt: skip
    try:
        file = form.model_validate(toml.data)
    except ValidationError as error:
        raise first_refusal(error, toml) from None
    file.check(toml)
    return file
