"""`hsmpub-ceremony`: the ceremonies, non-interactive; every refusal is one plain sentence with the next step."""

from __future__ import annotations

import sys

from ceremony.commands import (  # noqa: F401 - each registers its commands
    backup,
    break_glass,
    certificates,
    genesis,
    hsm,
    keys,
    offboard,
    pin_change,
    reshare,
    restore,
    resume,
    share,
    verify,
    witness,
)
from ceremony.commands.app import app
from hsmpub import __version__
from hsmpub.errors import HsmpubError

__all__ = ["app", "run"]


def run() -> None:
    """Entry point of the command."""
    if sys.argv[1:] == ["--version"]:
        print(f"hsmpub-ceremony {__version__}")
        return
    try:
        app()
    except HsmpubError as error:
        _fail(f"{error.detail} {error.next_step}")
    except OSError as error:
        _fail(
            f"{error.strerror or error}: {error.filename or ''}. Nothing was kept; make room or choose another place."
        )


def _fail(sentence: str) -> None:
    print(f"hsmpub-ceremony: {sentence}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    run()
