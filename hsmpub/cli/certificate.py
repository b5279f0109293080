"""`hsmpub certificate`: certificates of the service's own CA, and the list of those that it revoked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsmpub.cli.options import DEFAULT_URL, Audience, CaFile, Pins, TokenCommand, TokenFile, Url, connect_ci
from hsmpub.cli.say import note, say
from hsmpub.cli.sign import sign
from hsmpub.client.claims import small_work
from hsmpub.client.outputs import write_whole
from hsmpub.client.receipts import check_receipt
from hsmpub.errors import Invalid
from hsmpub.formats.x509.crl import REASONS, dump_revocations
from hsmpub.model.digest import sha256_hex
from hsmpub.receipt.model import SUFFIX

app = typer.Typer(no_args_is_help=True, help="Issue and revoke X.509 certificates.")
Project = Annotated[str, typer.Option("--project", envvar="HSMPUB_PROJECT")]
Key = Annotated[str, typer.Option("--signing-key", help="The CA's name, where the policy leaves a choice.")]
Output = Annotated[Path, typer.Option("--output", help="Where to write the list; its receipt lies beside it.")]


class ReasonUnknown(Invalid):
    advice = f"Say one of {', '.join(REASONS)}; nothing was revoked."


@app.callback()
def _about() -> None:
    """Issue and revoke X.509 certificates."""


@app.command()
def issue(
    requests: Annotated[list[Path], typer.Argument(help="Certificate signing requests (PKCS#10), in PEM.")],
    project: Project, key: Key = "",
    output: Annotated[Path | None, typer.Option("--output", help="Folder; otherwise beside each request.")] = None,
    token_command: TokenCommand = "", token_file: TokenFile = None, audience: Audience = "",
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Have certificates issued for these requests: REQUEST.crt, and REQUEST.receipt.json. The policy's profile decides
    what stands in them; of the request it takes the key and the names. Where the project takes approvals, ask for them
    with 'hsmpub release submit'."""
    sign(
        requests, project, ["x509-certificate"], key=key, output=output, token_command=token_command,
        token_file=token_file, audience=audience, url=url, trust=trust, ca_file=ca_file,
    )  # fmt: skip


@app.command()
def revoke(
    serials: Annotated[list[str], typer.Argument(help="Serial numbers in hex, as 'openssl x509 -serial' prints them.")],
    project: Project, key: Key = "",
    reason: Annotated[str, typer.Option("--reason", help=f"One of {', '.join(REASONS)}.")] = "unspecified",
    output: Output = Path("ca.crl"),
    token_command: TokenCommand = "", token_file: TokenFile = None, audience: Audience = "",
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Revoke certificates for good, and write the new list. It holds everything that this CA ever revoked."""
    if reason not in REASONS:
        raise ReasonUnknown(f"{reason!r} is no reason.")
    asked = dump_revocations((serial.lower().lstrip("0"), reason) for serial in serials)
    _list(asked, project, key, output, token_command, token_file, audience, url, trust, ca_file)


@app.command()
def crl(
    project: Project, key: Key = "", output: Output = Path("ca.crl"),
    token_command: TokenCommand = "", token_file: TokenFile = None, audience: Audience = "",
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Write a fresh list of revoked certificates, before the last one is over."""
    _list(b"", project, key, output, token_command, token_file, audience, url, trust, ca_file)


def _list(
    asked: bytes, project: str, key: str, output: Path, command: str, file: Path | None, audience: str, url: str,
    trust: Path | None, ca_file: Path | None,
) -> None:  # fmt: skip
    work = small_work(asked, "revocations", "x509-crl")
    with connect_ci(url, trust, ca_file, command=command, file=file, audience=audience) as client:
        [made] = client.sign_batch([work], project, key)
        for problem in made.problems:
            raise problem.as_error()
        [content] = made.outputs.values()
        say(str(write_whole(output.parent, output.name, content)))  # a revocation is not kept back by a late receipt
        receipt = client.routine_receipt(made.entry)
        check_receipt(receipt, client.trust, [sha256_hex(content)])
        write_whole(output.parent, output.name + SUFFIX, receipt)
    note("Put it where the certificates say that it is.")
