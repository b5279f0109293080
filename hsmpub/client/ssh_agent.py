"""An SSH agent whose keys are in the service: for `ssh-keygen -Y sign` and `git commit -S`.

It lists the keys that make `ssh-agent-…` formats, and has SSHSIG structures signed, which the keeper takes apart and
builds anew. Whatever else it is asked for it refuses here and the keeper would there: no SSH login, no adding of keys.
Only the user who runs it may connect.
Source: draft-ietf-sshm-ssh-agent, 3 and 4; OpenSSH, PROTOCOL.agent.
"""

from __future__ import annotations

import os
import socket
import socketserver
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hsmpub.client.agent_signer import Signer
from hsmpub.errors import HsmpubError, Invalid
from hsmpub.formats.ssh.sshsig import string
from hsmpub.formats.ssh.wire import Reader, WireMalformed
from hsmpub.wire.peer import peer_of

_FAILURE, _LIST, _LISTED, _SIGN, _SIGNED = 5, 11, 12, 13, 14
_MOST_BYTES = 16 * 1024
_IDLE_SECONDS = 60

Say = Callable[[str], None]


class SocketTaken(Invalid):
    advice = "Choose another path with --socket, in a folder of yours."


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, path: Path, signer: Signer, say: Say) -> None:
        self.signer = signer
        self.say = say
        super().__init__(str(path), _Connection)

    def verify_request(self, request: socket.socket, client_address: object) -> bool:  # type: ignore[override]
        """Whoever is not this user is not answered, whatever the socket's mode."""
        return peer_of(request).uid == os.getuid()


class _Connection(socketserver.StreamRequestHandler):
    server: _Server
    timeout = _IDLE_SECONDS

    def handle(self) -> None:
        try:
            while (message := self._receive()) is not None:
                answer = self._answer(message)
                self.wfile.write(string(answer))
        except OSError:
            return  # it went away, or said nothing for a minute

    def _receive(self) -> bytes | None:
        size = int.from_bytes(self.rfile.read(4), "big")
        if not 0 < size <= _MOST_BYTES:
            return None
        data = self.rfile.read(size)
        return data if len(data) == size else None

    def _answer(self, message: bytes) -> bytes:
        signer = self.server.signer
        if message[0] == _LIST:
            listed = [string(blob) + string(f"hsmpub-{key.name}".encode()) for blob, key in signer.keys.items()]
            return bytes((_LISTED,)) + len(listed).to_bytes(4, "big") + b"".join(listed)
        if message[0] != _SIGN:
            return bytes((_FAILURE,))
        reader = Reader(message[1:])
        try:
            blob, data, flags = reader.string(), reader.string(), reader.uint32()
            reader.end()
            return bytes((_SIGNED,)) + string(signer.sign(blob, data, flags))
        except WireMalformed:
            return bytes((_FAILURE,))
        except HsmpubError as e:
            self.server.say(str(e))
            return bytes((_FAILURE,))


@contextmanager
def listening(path: Path, signer: Signer, say: Say) -> Iterator[_Server]:
    """An agent at this path, for this user alone; `serve_forever` it. The socket is gone afterwards.

    Args:
        say: is told why something was not signed.

    Raises:
        SocketTaken: there is something at the path, or it cannot be made.
    """
    before = os.umask(0o177)
    try:
        server = _Server(path, signer, say)
    except OSError as e:
        raise SocketTaken(f"{path}: {e.strerror or e}.") from None
    finally:
        os.umask(before)
    try:
        with server:
            yield server
    finally:
        path.unlink(missing_ok=True)
