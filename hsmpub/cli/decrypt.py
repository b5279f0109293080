"""`hsmpub decrypt`: have a file that is encrypted to the team opened for one person. Only its header is sent.

hsmpub decrypt FILE                                  what its header says
hsmpub decrypt FILE --to RECIPIENT --reason WHY      ask; others approve
hsmpub decrypt FILE --request REQUEST --output NEW   write the file anew, for the recipient
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from hsmpub.cli.decrypt_fetch import check_delivered, wait_for
from hsmpub.cli.options import DEFAULT_URL, Agent, CaFile, Pins, Url, connect, pins
from hsmpub.cli.person import fresh, say_outcome, signed_body, submit
from hsmpub.cli.say import say
from hsmpub.cli.visible import visible
from hsmpub.client.client import Client
from hsmpub.client.envelope import check_free, join, name_recipient, read_header
from hsmpub.envelope.header import Header
from hsmpub.errors import Invalid
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyRecord
from hsmpub.model.personal import AskDecrypt, AskHeader
from hsmpub.wire.messages import RequestView


@dataclass(frozen=True)
class _Asker:
    """Who signs the requests, and with what."""

    person: str
    key: Path
    agent: bool


class AskedByHalf(Invalid):
    advice = "Ask with --to, --reason, --person and --key; fetch with --request, --output, --person and --key."


def decrypt(
    file: Annotated[Path, typer.Argument(help="The encrypted file: age, OpenPGP or CMS, also in text armour.")],
    to: Annotated[str, typer.Option("--to", help="Who shall open it: age or SSH key, or a certificate's file.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why; approvers see it, and it stays in the log.")] = "",
    request: Annotated[str, typer.Option("--request", help="Fetch what this approved request has made.")] = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write; it must not exist.")] = None,
    timeout: Annotated[int, typer.Option("--timeout", help="Seconds to wait for the approvals.", min=0)] = 0,
    name: Annotated[str, typer.Option("--name", help="What to call the file in the request.")] = "",
    person: Annotated[str, typer.Option("--person", envvar="HSMPUB_PERSON", help="Your name in the roster.")] = "",
    key: Annotated[Path | None, typer.Option("--key", envvar="HSMPUB_KEY", help="Your SSH key.")] = None,
    agent: Agent = False, url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Have a file that is encrypted to the team opened for one person, after others approved. Only its header is sent.

    With the file alone, show what its header says.
    """
    header, opener = read_header(file, pins(trust))
    if not (to or reason or request or output):
        _show(header, opener)
        return
    if not person or key is None or bool(to) != bool(reason) or bool(to) == bool(request):
        raise AskedByHalf("It is not clear what is to be done.")
    if request and output is None:
        raise AskedByHalf("There is no name for the file to write.")
    check_free(output)
    asker = _Asker(person, key, agent)
    with connect(url, trust, ca_file) as client:
        if to:
            request = _ask(client, asker, header, opener, name or file.name, to, reason)
            if output is None or not timeout:
                return
        assert output is not None
        wait_for(client, request, timeout)
        _fetch(client, asker, header, request, file, output)


def _ask(
    client: Client, asker: _Asker, header: Header, opener: KeyRecord, name: str, to: str, reason: str
) -> str:  # fmt: skip
    """The request. What is asked is said before it is signed."""
    recipient = name_recipient(to, header.form)
    say(f"The header of {visible(name)}: sha256 {sha256_hex(header.raw)}.")
    say(f"To be opened for {visible(recipient.fingerprint)}.")
    nonce, at = fresh()
    ask = AskDecrypt(
        person=asker.person, nonce=nonce, at=at, name=name, key=opener.name, form=header.form,
        header=base64.b64encode(header.raw).decode(), recipient=recipient.text, reason=reason,
    )  # fmt: skip
    outcome = submit(client, ask, asker.key, asker.agent)
    say_outcome(outcome)
    assert isinstance(outcome, RequestView)
    return outcome.request


def _fetch(client: Client, asker: _Asker, header: Header, request: str, file: Path, output: Path) -> None:
    """1. fetches the header, 2. finds it in the log, as made for this very file, 3. writes the new file."""
    nonce, at = fresh()
    ask = AskHeader(person=asker.person, nonce=nonce, at=at, request=request)
    made = client.header(*signed_body(ask, asker.key, asker.agent))
    check_delivered(client, request, header, made)
    join(file, header.raw, made, output)
    say(f"Wrote {output}. The recipient opens it with {_TOOLS[header.form]}.")


_TOOLS = {"age": "'age -d'", "openpgp": "'gpg -d'", "cms": "'openssl cms -decrypt -inform DER'"}


def _show(header: Header, opener: KeyRecord) -> None:
    say(f"A file in the form {header.form}; its header has {len(header.raw):,} bytes.")
    say(f"  sha256 {sha256_hex(header.raw)}")
    for index, sealed in enumerate(header.sealed):
        own = f" ({visible(opener.name)})" if index == header.ours else ""
        say(f"  encrypted to {visible(sealed.who)}{own}")
