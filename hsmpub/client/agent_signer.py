"""Has signed what an SSH agent is asked for: SSHSIG structures, by keys that make `ssh-agent-…` formats."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from hashlib import sha256

from hsmpub.client.client import Client
from hsmpub.client.token import TokenSource
from hsmpub.errors import HsmpubError, Invalid, Unauthenticated
from hsmpub.formats.format import Artifact
from hsmpub.formats.registry import FORMATS, get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.ssh.sshsig import public_blob
from hsmpub.formats.ssh.sshsig_agent import SshAgentSig, read_asked, signature_of
from hsmpub.model.key import KeyRecord
from hsmpub.model.submission import HashState
from hsmpub.model.trust import known_keys
from hsmpub.wire.messages import SignReply

_RSA_SHA2_512 = 4
AGENT_FORMATS = frozenset(name for name, form in FORMATS.items() if isinstance(form, SshAgentSig))


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
            asked_for = read_asked(data).namespace
        except Invalid:
            raise NotForAgents(f"The key {key.name!r} was asked for something else than a signed message.") from None
        name = f"ssh-agent-{asked_for}"
        if name not in key.formats:
            able = " and ".join(form.removeprefix("ssh-agent-") for form in key.formats if form in AGENT_FORMATS)
            raise NotForAgents(f"The key {key.name!r} signs for the namespace {able}, not for {asked_for[:40]!r}.")
        if key.kind == "rsa3072" and not flags & _RSA_SHA2_512:
            raise NotForAgents(f"The key {key.name!r} makes rsa-sha2-512 and was asked for another kind of signature.")
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
