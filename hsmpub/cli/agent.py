"""`hsmpub agent`: the service's keys behind an SSH agent's socket, for ssh-keygen and git."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import typer

from hsmpub.cli.options import DEFAULT_URL, Audience, CaFile, Pins, TokenCommand, TokenFile, Url, connect
from hsmpub.cli.say import note, say
from hsmpub.client.agent_signer import Signer
from hsmpub.client.ssh_agent import listening
from hsmpub.client.token import token_source


def agent(
    project: Annotated[str, typer.Option("--project", envvar="HSMPUB_PROJECT")],
    path: Annotated[Path | None, typer.Option("--socket", help="Where to listen; otherwise in a new folder.")] = None,
    names: Annotated[
        list[str] | None, typer.Option("--signing-key", help="Serve only these keys; may be given more than once.")
    ] = None,
    token_command: TokenCommand = "", token_file: TokenFile = None, audience: Audience = "",
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Serve keys to 'ssh-keygen -Y sign' and 'git commit -S' (gpg.format=ssh) until it is stopped. Each signature is
    one that the policy lets the project have without approval, and is in the log. Not for SSH logins."""
    source = token_source(token_command, token_file)
    with connect(url, trust, ca_file) as client:
        signer = Signer(client, source, project, audience=audience, names=names or ())
        folder = None if path else Path(mkdtemp(prefix="hsmpub-agent-"))
        where = path or Path(str(folder)) / "socket"
        try:
            with listening(where, signer, note) as server:
                signal.signal(signal.SIGTERM, _stop)
                say(f"SSH_AUTH_SOCK={where}; export SSH_AUTH_SOCK")
                server.serve_forever()
        except KeyboardInterrupt:
            return
        finally:
            if folder is not None:
                os.rmdir(folder)


def _stop(*_: object) -> None:
    """As Ctrl-C does, and also where a script that started it in the background has SIGINT ignored."""
    raise KeyboardInterrupt
