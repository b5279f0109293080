"""Signatures and receipts of files that are named beside them, as `dist/*` does at the second run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hsmpub.cli.visible import visible
from hsmpub.errors import Invalid
from hsmpub.formats.registry import FORMATS
from hsmpub.receipt.model import SUFFIX


class SignaturesAmongFiles(Invalid):
    advice = (
        "Leave them out: the release makes its own. Where they are files of the release, made elsewhere, say "
        "--with-signatures."
    )


WithSignatures = Annotated[
    bool,
    typer.Option("--with-signatures", help="Release files with names of signatures or receipts of others, too."),
]
_SUFFIXES = (*(format_.suffix for format_ in FORMATS.values()), SUFFIX)


def _signed_names(name: str) -> set[str]:
    """Other names under which a signed form of this file would stand."""
    forms = [form for form in FORMATS.values() if form.embedded and form.recognises(name, b"")]
    return {form.signed_name(name) for form in forms} - {name}


def part_outputs(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The files to sign, and those that are a signature or the receipt of another one of `files`."""
    named = {path.absolute() for path in files}
    outputs = {path.with_name(path.name + suffix) for path in named if path.name for suffix in _SUFFIXES}
    outputs |= {path.with_name(other) for path in named for other in _signed_names(path.name)}
    sources: list[Path] = []
    left_out: list[Path] = []
    for path in files:
        (left_out if path.absolute() in outputs else sources).append(path)
    return sources, left_out


def check_release_files(files: Sequence[Path], with_signatures: bool) -> None:
    """What people are asked to approve is what was built. Raises SignaturesAmongFiles, before anything is sent."""
    _, outputs = part_outputs(files)
    if outputs and not with_signatures:
        names = ", ".join(visible(str(path)) for path in outputs)
        raise SignaturesAmongFiles(f"Signatures or receipts of other files of the release are named: {names}.")
