"""The table `[[witness]]` of a ceremony file: who is going to countersign the transcript."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from hsmpub.errors import HsmpubError
from hsmpub.formats.ssh.key import load_ssh_key
from hsmpub.model.toml_words import NAME


def _ssh_line(text: str) -> str:
    """The key without its comment."""
    try:
        return load_ssh_key(text).line
    except HsmpubError as error:
        raise ValueError(error.detail) from None


class WitnessTable(BaseModel):
    """key: OpenSSH public key line, of a file, an agent or a hardware key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, NAME]
    key: Annotated[str, StringConstraints(max_length=4096), AfterValidator(_ssh_line)]


def _different(witnesses: tuple[WitnessTable, ...]) -> tuple[WitnessTable, ...]:
    if len({one.name for one in witnesses}) != len(witnesses) or len({one.key for one in witnesses}) != len(witnesses):
        raise ValueError("each witness has a name and a key of their own")
    return witnesses


Witnesses = Annotated[tuple[WitnessTable, ...], AfterValidator(_different)]


def witness_facts(witnesses: Sequence[WitnessTable]) -> dict[str, Any]:
    """What the first step of a transcript says of them; nothing where there are none."""
    return {"witnesses": [{"name": one.name, "key": one.key} for one in witnesses]} if witnesses else {}
