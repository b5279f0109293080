"""`hsmpub upgrade …`: the keeper goes on in new code with nobody there, by a permission of a quorum."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from hsmpub.cli.holder_share import signed
from hsmpub.cli.options import DEFAULT_URL, AsJson, CaFile, Pins, Url, connect
from hsmpub.cli.quorum_progress import progress_lines
from hsmpub.cli.say import say, say_json
from hsmpub.cli.share_file import Holder, Identity, Share
from hsmpub.cli.visible import visible
from hsmpub.errors import Conflict, Invalid, NotFound, Unavailable
from hsmpub.home import Home
from hsmpub.model.clock import rfc3339
from hsmpub.model.holder_act import Permission, dump_permission, load_permission
from hsmpub.policy.period import parse_period
from hsmpub.sandbox import code_digest
from hsmpub.wire.messages import UpgradeReply
from hsmpub.wire.peer import peer_of

app = typer.Typer(help="Let the keeper go on in new code without sealing.", no_args_is_help=True)


class CodeNotThere(NotFound):
    advice = "Name the folder that holds the package 'hsmpub': a checkout, an unpacked wheel, or site-packages."


class NothingToPermit(Conflict):
    advice = "A permission continues an unsealing; unseal the service first."


class PermissionNotAgreed(Conflict):
    advice = "Compare the digest with 'hsmpub upgrade digest' of the release, then name it with --code, or say --yes."


class PermissionOfAnother(Invalid):
    advice = "Check the address (--url) and the pins (--trust): they are of different services."


class KeeperNotFound(Unavailable):
    advice = "Run this where the keeper runs, as its user or as root."


@app.command()
def digest(folder: Annotated[Path | None, typer.Argument(help="Folder with the package 'hsmpub'.")] = None) -> None:
    """Print the digest of this installation's code, or of the code in a folder."""
    try:
        say(code_digest(folder))
    except OSError as e:
        raise CodeNotThere(f"{folder or 'This installation'} holds no code of hsmpub: {e.strerror}.") from None


@app.command()
def show(as_json: AsJson = False, url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None) -> None:
    """Show what code would come next, and who permits it."""
    with connect(url, trust, ca_file) as client:
        found = client.upgrade()
    if as_json:
        say_json(found)
        return
    _say(found)


@app.command()
def permit(
    holder: Holder,
    share: Share,
    identity: Identity = None,
    code: Annotated[str, typer.Option("--code", help="Digest of the code that may come next.")] = "",
    period: Annotated[str, typer.Option("--within", help="For so long from now on, such as 2h.")] = "2h",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Sign a permission to go on once in this code, with your share, which stays on this machine.

    The first holder begins a permission, the others sign the same one; a quorum of them gives it.
    """
    with connect(url, trust, ca_file) as client:
        found = client.upgrade()
        if found.service != client.trust.service:
            raise PermissionOfAnother("The service that answers is not the one in the pins.")
        body = _body(found, code, period)
        _check_agreed(load_permission(body), code, yes)
        signature = signed(share, identity, holder, "upgrade", body, found.epoch)
        found = client.permit_upgrade(holder, body, signature)
    say(f"Signed by {visible(holder)}.")
    _say(found)


@app.command()
def now(home: Annotated[Path, typer.Option(help="The service's home.", envvar="HSMPUB_HOME")]) -> None:
    """Tell the keeper on this machine to go on in the code that is installed now; as its user, or as root."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(Home(home.resolve()).front_socket))
            keeper = peer_of(line).pid
        handle = os.pidfd_open(keeper)
    except OSError as e:
        raise KeeperNotFound(f"The keeper of {home} cannot be told: {e.strerror}.") from None
    signal.pidfd_send_signal(handle, signal.SIGHUP)
    say("The keeper was told. 'hsmpub status' says how it stands; its log says why if it refused.")


def _body(found: UpgradeReply, code: str, period: str) -> bytes:
    """The permission that others began with, or a new one."""
    if found.unsealed_at < 0:
        raise NothingToPermit("The service is sealed.")
    begun = [one.body for one in found.permissions if not one.given]
    fitting = [body for body in begun if not code or load_permission(body).code == code]
    if len(fitting) > 1:
        raise PermissionNotAgreed("Holders have signed different permissions; name the code with --code.")
    if fitting:
        return fitting[0]
    try:
        seconds = parse_period(period)
    except ValueError as e:
        raise typer.BadParameter(f"--within: {e}") from None
    begins = int(time.time())
    return dump_permission(
        Permission(
            service=found.service,
            epoch=found.epoch,
            unsealed_at=found.unsealed_at,
            code=code or found.next,
            begins=begins,
            ends=begins + seconds,
            nonce=secrets.token_hex(16),
        )
    )


def _check_agreed(permission: Permission, code: str, yes: bool) -> None:
    """The holder named this code, or says yes to it. Raises PermissionNotAgreed."""
    told = _sentence(permission)
    say(told)
    if yes or code == permission.code:
        return
    if not sys.stdin.isatty() or not typer.confirm("Sign this permission?"):
        raise PermissionNotAgreed("The permission was not signed.")


def _sentence(permission: Permission) -> str:
    return (
        f"The keeper of {visible(permission.service)} may go on once in the code {visible(permission.code)}, "
        f"from {rfc3339(permission.begins)} to {rfc3339(permission.ends)}."
    )


def _say(found: UpgradeReply) -> None:
    say(f"The keeper runs the code {visible(found.running)}.")
    say(f"What lies there now is {'the same' if found.next == found.running else visible(found.next)}.")
    for one in found.permissions:
        say(_sentence(load_permission(one.body)))
        lines = ["A quorum has permitted it."] if one.given else progress_lines(found.group_threshold, one.groups)
        for line in lines:
            say(f"  {line.replace('Handed in', 'Signed')}")
    say("It may go on now: 'hsmpub upgrade now'." if not found.why else visible(found.why))
