"""The options for a predicate of one's own, and the file that is read for them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsmpub.client.upload import FileUnreadable
from hsmpub.errors import Invalid
from hsmpub.model.attested import MAX_PREDICATE_BYTES, Attestation, PredicateRefused, load_attestation

PredicateFile = Annotated[
    Path | None, typer.Option("--predicate", help="JSON file with a predicate to attest; makes the format 'in-toto'.")
]
PredicateType = Annotated[
    str, typer.Option("--predicate-type", help="Its type, a URI, as the policy lists it for the project.")
]


class PredicateHalfNamed(Invalid):
    advice = "Say --predicate FILE and --predicate-type TYPE, both."


def read_predicate(path: Path | None, kind: str) -> Attestation | None:
    """None: none is named. Raises PredicateHalfNamed, FileUnreadable, PredicateRefused, PredicateTypeReserved."""
    if (path is None) != (not kind):
        raise PredicateHalfNamed("A predicate is a file and its type.")
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            data = file.read(8 * MAX_PREDICATE_BYTES + 1)  # room for another spelling
    except OSError as e:
        raise FileUnreadable(f"{path} cannot be read: {e.strerror}.") from None
    if len(data) > 8 * MAX_PREDICATE_BYTES:
        raise PredicateRefused(f"{path.name!r} is larger than any predicate.")
    return load_attestation(kind, data)
