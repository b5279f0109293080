"""Signatures over TUF metadata from the service: for securesystemslib, and as `hsmpub tuf` asks for them.

What needs no approval is signed at once. What needs approvals becomes a release request, whose version is that of the
metadata with its digest; asking again finds the same request, so a run that was cut short goes on where it stood.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from securesystemslib.signer import Key, SecretsHandler, Signature, Signer, SSlibKey

from hsmpub.client.client import Client
from hsmpub.client.receipts import check_receipt
from hsmpub.client.signing import Work
from hsmpub.client.trust import pinned_key
from hsmpub.client.tuf.settings import SignedBy
from hsmpub.errors import HsmpubError, Refused, Unavailable
from hsmpub.formats.format import Artifact
from hsmpub.formats.registry import get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.tuf.key import tuf_key, tuf_key_id
from hsmpub.formats.tuf.metadata import Role
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyRecord
from hsmpub.model.trust import Trust
from hsmpub.receipt.model import SUFFIX

_MADE = frozenset({"signed", "published", "done"})
#: keeps a receipt: its file name and bytes
Keep = Callable[[str, bytes], Any]


class TufWaitsForApproval(Unavailable):
    advice = "Have it approved ('hsmpub approve'), then do the same again: it goes on from there."


def public_key(record: KeyRecord) -> SSlibKey:
    """A key of the service as root metadata holds it."""
    held: Any = tuf_key(record)
    return SSlibKey(tuf_key_id(record), held["keytype"], held["scheme"], held["keyval"])


class Asking:
    """Asks the service for signatures.

    Args:
        connect: gives a client with a session; called once, and only when something is to be signed.
        commit: of the repository that holds `tuf.toml`, for release requests; empty: the metadata's own digest.
    """

    def __init__(self, connect: Callable[[], Client], trust: Trust, keep: Keep, commit: str = "") -> None:
        self._connect, self._trust, self._keep, self._commit = connect, trust, keep, commit
        self._client: Client | None = None

    @property
    def _connected(self) -> Client:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()

    def key(self, name: str) -> KeyRecord:
        """Raises KeyNotPinned, KeyPinnedAsRetired."""
        return pinned_key(self._trust, name)

    def signature(self, role: Role, path: Path, by: SignedBy) -> bytes:
        """The signature object over a payload, checked against the pinned key.

        Raises:
            TufWaitsForApproval: a request stands, and is not approved yet.
            Refused, ServiceUnreachable, and what the format's check raises.
        """
        payload, form = path.read_bytes(), get_format(f"tuf-{role}")
        state = Sha256State.of(payload)
        details = {form.name: payload}
        ask = msgspec.structs.replace(state.to_state(path.name), details=details)
        work = Work(path, (form.name,), state, ask, details)
        try:
            [made] = self._connected.sign_batch([work], by.project, by.key)
        except Refused as e:
            if e.rule != "approval-needed":
                raise
            return self._approved(role, path, by)
        for problem in made.problems:
            raise problem.as_error()
        [output] = made.outputs.values()
        try:
            self._keep(f"{path.name}.{by.key}{SUFFIX}", self._connected.receipt_of([made]))
        except HsmpubError as e:  # a receipt that is only late keeps no signature back
            if e.family != Unavailable.family:
                raise
        return output

    def _approved(self, role: Role, path: Path, by: SignedBy) -> bytes:
        payload, form, client = path.read_bytes(), get_format(f"tuf-{role}"), self._connected
        digest = sha256_hex(payload)
        version = f"{path.name.partition('.')[0]}+{digest[:12]}"
        view = client.ask_release(by.project, version, self._commit or digest, [client.upload(path)]).view
        if view.state not in _MADE:
            raise TufWaitsForApproval(f"{path.name} waits: request {view.request} of {by.project} is {view.state}.")
        output, receipt = client.output(view.request, form.output_name(path.name)), client.receipt(view.request)
        form.check(output, Artifact(path.name, Sha256State.of(payload), {form.name: payload}), self.key(by.key))
        check_receipt(receipt, self._trust, [sha256_hex(output)])
        self._keep(f"{path.name}.{by.key}{SUFFIX}", receipt)
        return output


class HsmpubSigner(Signer):  # type: ignore[misc,unused-ignore]
    """A securesystemslib Signer, for programs that write their metadata with python-tuf themselves.

    Not for `Signer.from_priv_key_uri`: a session with the service is needed.
    """

    def __init__(self, asking: Asking, by: SignedBy) -> None:
        self._asking, self._by = asking, by
        self._public = public_key(asking.key(by.key))

    @property
    def public_key(self) -> Key:
        return self._public

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> Signer:
        raise ValueError("Make it with a session: HsmpubSigner(Asking(...), SignedBy(...)).")

    def sign(self, payload: bytes) -> Signature:
        """payload: a role's `signed` in canonical JSON; the role is read in it. Raises what `Asking.signature` does."""
        said = _head(payload)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{said.version}.{said.role}.signed.json"
            path.write_bytes(payload)
            return signature_of(self._asking.signature(said.role, path, self._by))


class _Head(msgspec.Struct, frozen=True):
    role: Role = msgspec.field(name="_type")
    version: int


def _head(payload: bytes) -> _Head:
    """Canonical JSON has line ends in texts, which plain JSON has not."""
    return msgspec.json.decode(payload.replace(b"\n", b""), type=_Head)


def signature_of(output: bytes) -> Signature:
    """The service's output as python-tuf holds it."""
    value = msgspec.json.decode(output, type=dict[str, str])
    return Signature(value["keyid"], value["sig"])
