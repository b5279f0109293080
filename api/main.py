"""The front's process: `main` is started by the supervisor with two arguments, the home and where to listen."""

from __future__ import annotations

import gc
import logging
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import uvicorn

from api.app import create_app
from api.connection import KEEP_ALIVE, connection_with
from api.logs import JsonLog
from api.settings import Settings, load_settings
from hsmpub.errors import HsmpubError
from hsmpub.listening import listen_at
from hsmpub.logs import log_to_stderr
from hsmpub.sandbox import harden

USAGE = "usage: front HOME (HOST:PORT | fd:NUMBER)"


def bind(listen: str) -> socket.socket:
    """A listening socket: `127.0.0.1:8700`, `[::1]:8700`, or `fd:3` for one that was passed.

    Raises:
        AddressMalformed, AddressInUse. OSError: there is no such socket.
    """
    kind, _, number = listen.partition(":")
    if kind == "fd" and number.isdecimal():
        return socket.socket(fileno=int(number))
    return listen_at(listen)


def confine(settings: Settings) -> dict[str, str]:
    """Gives up what the front never needs: it writes uploads, and reads the log. Name → "on", or why it is off."""
    home = settings.home
    folders = [str(path) for path in (home.log.parent, home.run) if path.exists()]
    return harden("front", read=folders, write=[str(home.artifacts)])


def server(settings: Settings, protections: Mapping[str, str] | None = None) -> uvicorn.Server:
    """The HTTP server, not yet running. It writes no access log of its own: the edge writes one without bodies."""
    caps = settings.front
    app = create_app(settings, protections)
    config = uvicorn.Config(
        app,
        http=connection_with(caps.max_header_bytes, caps.body_timeout, app.state.short_way),
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=10,
    )
    return uvicorn.Server(config)


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    if len(sys.argv) != 3:
        sys.exit(USAGE)
    log_to_stderr("front", logging.WARNING)
    try:
        settings = load_settings(Path(sys.argv[1]))
        listener = bind(sys.argv[2])
    except (HsmpubError, OSError) as e:
        sys.exit(f"The front cannot start. {e}")
    protections = confine(settings)
    host, port = listener.getsockname()[:2]
    JsonLog().write({"event": "front", "listen": f"{host}:{port}", "protections": protections})
    front = server(settings, protections)
    gc.freeze()  # modules and routes stay; collections need not walk them
    front.run(sockets=[listener])


if __name__ == "__main__":
    main()
