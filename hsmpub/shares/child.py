"""Life of a share-handling child: hardened first, silent about what it holds, gone with its parent."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Literal

from hsmpub.errors import HsmpubError, Problem
from hsmpub.sandbox import harden
from hsmpub.shares.channel import frame, send

_OUT = 1


def run_child(role: Literal["unsealer", "splitter"], serve: Callable[[dict[str, str]], None]) -> None:
    """Runs `serve` with every protection that the platform gives, and tells it which; leaves by `os._exit`.

    An unforeseen error is told to the parent by its type alone: its text could hold words of a share.
    """
    protections = harden("unsealer", read=[os.devnull])  # a path, so that files are confined: none is needed any more
    status = 0
    try:
        serve(protections)
    except EOFError:
        pass  # the parent closed the pipe: the attempt is over
    except HsmpubError as error:
        send(_OUT, frame(Problem.of(error)))
    except BaseException as error:
        print(f"hsmpub {role}: {type(error).__name__}", file=sys.stderr, flush=True)
        status = 70
    os._exit(status)
