"""The socket that the front listens on, opened by the supervisor or by the front itself."""

from __future__ import annotations

import socket

from hsmpub.errors import Invalid, Unavailable

BACKLOG = 2048


class AddressMalformed(Invalid):
    advice = "Write HOST:PORT, such as 127.0.0.1:8700 or [::1]:8700; port 0 takes a free one."


class AddressInUse(Unavailable):
    advice = "Choose another one with --listen, or stop what listens there."


def listen_at(address: str) -> socket.socket:
    """A listening TCP socket at `127.0.0.1:8700` or `[::1]:8700`.

    Raises:
        AddressMalformed: another form, or a port over 65535.
        AddressInUse: it is taken, not this machine's, or not for this user.
    """
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdecimal()) or len(port) > 5 or int(port) > 0xFFFF:
        raise AddressMalformed(f"{address!r} is no address to listen on.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    except OSError as error:
        raise AddressInUse(f"Nothing can listen at {address}: {error.strerror}.") from None
