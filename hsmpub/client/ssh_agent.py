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
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from hsmpub.client.client import Client
from hsmpub.client.token import TokenSource
from hsmpub.errors import HsmpubError, Invalid, Unauthenticated
from hsmpub.formats.format import Artifact
from hsmpub.formats.registry import FORMATS, get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.ssh_wire import Reader, WireMalformed
from hsmpub.formats.sshsig import public_blob, string
from hsmpub.formats.sshsig_agent import SshAgentSig, read_asked, signature_of
from hsmpub.model.key import KeyRecord
from hsmpub.model.submission import HashState
from hsmpub.model.trust import known_keys
from hsmpub.wire.messages import SignReply

_RSA_SHA2_512 = 4
_FAILURE, _LIST, _LISTED, _SIGN, _SIGNED = 5, 11, 12, 13, 14
_MOST_BYTES = 16 * 1024
_IDLE_SECONDS = 60
AGENT_FORMATS = frozenset(name for name, form in FORMATS.items() if isinstance(form, SshAgentSig))

Say = Callable[[str], None]


class SocketTaken(Invalid):
    advice = "Choose another path with --socket, in a folder of yours."


class NoAgentKey(Invalid):
    advice = "A key must make ssh-agent-git or ssh-agent-file; the ceremony says which do."


class NotForAgents(Invalid):
    advice = "Only what ssh-keygen -Y sign and git ask for is signed; SSH logins are not."


class Signer:
    """Has structures signed in one project; opens a session when one is needed.

    Args:
        names: of the keys to serve; empty: all that make a format for agents.

    Raises:
        NoAgentKey: none does. PinsMissing.
    """

    def __init__(self, client: Client, source: TokenSource, project: str, *, audience: str = "",
                 names: Iterable[str] = ()) -> None:  # fmt: skip
        wanted = frozenset(names)
        able = [key for key in known_keys(client.trust).active.values() if AGENT_FORMATS.intersection(key.formats)]
        self.keys = {public_blob(key): key for key in able if not wanted or key.name in wanted}
        if not self.keys:
            raise NoAgentKey("The pins name no key that an agent may use.")
        self._client = client
        self._source = source
        self._audience = audience
        self._project = project
        self._is_open = False
        self._lock = threading.Lock()

    def sign(self, blob: bytes, data: bytes, flags: int = 0) -> bytes:
        """The SSH signature, checked with the pinned key. flags: of the agent protocol, 3.6.1; RSA keys make
        rsa-sha2-512 and nothing else, which is what ssh-keygen asks for.

        Raises:
            NotForAgents, NoAgentKey; Refused, ServiceUnreachable, TokenNotMade; the rules of the format.
        """
        key = self.keys.get(blob)
        if key is None:
            raise NoAgentKey("The key is none of this agent's.")
        try:
            name = f"ssh-agent-{read_asked(data).namespace}"
        except Invalid:
            name = ""
        if name not in key.formats or (key.kind == "rsa3072" and not flags & _RSA_SHA2_512):
            raise NotForAgents(f"The key {key.name!r} was asked for something that it does not sign.")
        form, state = get_format(name), Sha256State.of(data)
        asked = state.to_state(f"{name}-{sha256(data).hexdigest()[:16]}")
        ask = HashState(asked.name, asked.h, asked.tail, asked.size, {name: data})
        with self._lock:
            [made] = self._ask(name, key, ask).made
        if made.problem is not None:
            raise made.problem.as_error()
        form.check(made.output, Artifact(asked.name, state, {name: data}), key)
        return signature_of(made.output)

    def _ask(self, name: str, key: KeyRecord, ask: HashState) -> SignReply:
        """A session that has ended is opened again, once."""
        if self._is_open:
            try:
                return self._client.sign(self._project, [name], key=key.name, states=[ask])
            except HsmpubError as e:
                if e.rule != "session-unknown" and not isinstance(e, Unauthenticated):
                    raise
        self._client.open_session(self._source, self._audience)
        self._is_open = True
        return self._client.sign(self._project, [name], key=key.name, states=[ask])


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, path: Path, signer: Signer, say: Say) -> None:
        self.signer = signer
        self.say = say
        super().__init__(str(path), _Connection)

    def verify_request(self, request: socket.socket, client_address: object) -> bool:  # type: ignore[override]
        """Whoever is not this user is not answered, whatever the socket's mode."""
        raw = request.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return bool(struct.unpack("3i", raw)[1] == os.getuid())


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
