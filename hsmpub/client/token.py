"""Where a CI job gets its identity token: from the forge's own service, a command, a file, or a variable."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import httpx
import msgspec

from hsmpub.errors import Invalid, Unavailable

_MOST = 32 * 1024
#: Where GitLab's `id_tokens` puts the token (deploy/gitlab).
VARIABLE = "HSMPUB_ID_TOKEN"


class NoTokenSource(Invalid):
    advice = (
        "In GitHub Actions grant 'id-token: write', in GitLab define the id_token HSMPUB_ID_TOKEN; elsewhere use"
        " --token-command or --token-file."
    )


class TokenNotMade(Unavailable):
    advice = "See why the source of the identity token fails; nothing was sent to the service."


class TokenSource(Protocol):
    """Gives an identity token made out to an audience."""

    def token(self, audience: str) -> str:
        """Raises TokenNotMade."""


class GitHubActions:
    """The token service of a GitHub Actions job. Source: GitHub, "OpenID Connect reference"."""

    def __init__(self, url: str, bearer: str) -> None:
        self._url = url
        self._bearer = bearer

    def token(self, audience: str) -> str:
        joint = "&" if "?" in self._url else "?"
        try:
            answer = httpx.get(
                f"{self._url}{joint}audience={quote(audience, safe='')}",
                headers={"authorization": f"bearer {self._bearer}"}, timeout=30, follow_redirects=False,
            )  # fmt: skip
            answer.raise_for_status()
            value = msgspec.json.decode(answer.content, type=dict[str, object])["value"]
        except (httpx.HTTPError, msgspec.MsgspecError, KeyError) as e:
            raise TokenNotMade(f"The forge gave no identity token ({type(e).__name__}).") from None
        return _checked(str(value))


class TokenCommand:
    """A command that prints a token. `{audience}` in any of its words is replaced; no shell is involved."""

    def __init__(self, command: str) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError:
            raise NoTokenSource("The token command has an open quotation.") from None
        if not self._words:
            raise NoTokenSource("The token command is empty.")

    def token(self, audience: str) -> str:
        words = [word.replace("{audience}", audience) for word in self._words]
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60, check=True)
        except subprocess.CalledProcessError as e:
            raise TokenNotMade(f"The token command ended with status {e.returncode}.") from None
        except (OSError, subprocess.TimeoutExpired) as e:
            raise TokenNotMade(f"The token command did not run ({type(e).__name__}).") from None
        return _checked(done.stdout.decode("ascii", "replace"))


class TokenFile:
    """A token that lies in a file. It cannot be bound to the session, so the policy must allow bearer tokens."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def token(self, audience: str) -> str:
        try:
            return _checked(self._path.read_text("ascii"))
        except (OSError, UnicodeDecodeError):
            raise TokenNotMade(f"The token file {self._path} cannot be read.") from None


class TokenVariable:
    """A token that lies in a variable of the job, as GitLab's `id_tokens` puts it there. Not bound to the session, too.

    It opens one session: the service uses it up.
    """

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "TokenVariable()"

    def token(self, audience: str) -> str:
        return _checked(self._value)


def token_source(command: str = "", file: Path | None = None, environ: Mapping[str, str] | None = None) -> TokenSource:
    """The source that was named, else that of the forge in whose job this runs.

    Raises:
        NoTokenSource: none is named and none is found.
    """
    environ = os.environ if environ is None else environ
    if command and file:
        raise NoTokenSource("Both a token command and a token file are named.")
    if command:
        return TokenCommand(command)
    if file is not None:
        return TokenFile(file)
    url, bearer = environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"), environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if url and bearer:
        return GitHubActions(url, bearer)
    if value := environ.get(VARIABLE):
        return TokenVariable(value)
    raise NoTokenSource("There is no identity token to get here.")


def _checked(token: str) -> str:
    token = token.strip()
    if not token or len(token) > _MOST or not token.isprintable() or " " in token:
        raise TokenNotMade("What the source gave is not a token.")
    return token
