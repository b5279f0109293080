"""`hsmpub jwt`: a JSON Web Token signed in the HSM, for whoever takes it instead of a password."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hsmpub.cli.options import DEFAULT_URL, Audience, CaFile, Pins, TokenCommand, TokenFile, Url, connect_ci
from hsmpub.client.claims import claims_work
from hsmpub.client.outputs import write_whole
from hsmpub.client.receipts import check_receipt
from hsmpub.client.upload import FileUnreadable
from hsmpub.errors import Invalid
from hsmpub.model.digest import sha256_hex


class ClaimMalformed(Invalid):
    advice = "Write --claim NAME=TEXT, or give a file with the claims as one JSON object."


def jwt(
    project: Annotated[str, typer.Option("--project", envvar="HSMPUB_PROJECT")],
    file: Annotated[Path | None, typer.Argument(help="Claims as one JSON object; '-' reads them from stdin.")] = None,
    claims: Annotated[
        list[str] | None, typer.Option("--claim", help="NAME=TEXT: one more claim; may be given more than once.")
    ] = None,
    key: Annotated[str, typer.Option("--signing-key", help="The key's name, where the policy leaves a choice.")] = "",
    receipt: Annotated[Path | None, typer.Option("--receipt", help="Where to write the receipt.")] = None,
    token_command: TokenCommand = "", token_file: TokenFile = None, audience: Audience = "",
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Print a token with the claims that the policy lets the project say; the policy sets the others. The token goes
    to stdout alone, and the service keeps only its hash and claims."""
    work = claims_work(_claims(file, claims or []))
    with connect_ci(url, trust, ca_file, command=token_command, file=token_file, audience=audience) as client:
        [made] = client.sign_batch([work], project, key)
        for problem in made.problems:
            raise problem.as_error()
        [token] = made.outputs.values()
        if receipt is not None:
            data = client.routine_receipt(made.entry)
            check_receipt(data, client.trust, [sha256_hex(token)])
            write_whole(receipt.parent, receipt.name, data)
    sys.stdout.write(token.decode() + "\n")


def _claims(file: Path | None, pairs: list[str]) -> bytes:
    """The file as it is; with pairs, or without a file, an object of texts."""
    given = _read(file)
    if given and not pairs:
        return given
    try:
        said: dict[str, Any] = json.loads(given or b"{}", object_pairs_hook=_once)
        more = dict(pair.split("=", 1) for pair in pairs)
    except (ValueError, RecursionError):
        raise ClaimMalformed("The claims cannot be read.") from None
    if not isinstance(said, dict) or said.keys() & more.keys() or len(more) < len(pairs):
        raise ClaimMalformed("The claims are no JSON object, or one of them is said twice.")
    return json.dumps({**said, **more}).encode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ClaimMalformed("A claim is said twice.")
    return dict(pairs)


def _read(file: Path | None) -> bytes:
    try:
        if file is None:
            return b""
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise FileUnreadable(f"{file} cannot be read: {error.strerror}.") from None
