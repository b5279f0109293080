"""Requests to decrypt: the header of a file comes in, people approve, and a header for one recipient goes out.

The file itself never comes here, and its key is met by a one-shot vault process alone (hsmpub.hsm). Each approval
opens one header once: whatever is wrong inside it ends the request, so that nobody learns more from asking often.
"""

from __future__ import annotations

import base64
import binascii
import time
from pathlib import Path

from hsmpub.envelope.forms import load_header, load_recipient
from hsmpub.envelope.rules import HeaderMalformed
from hsmpub.errors import Broken, Forbidden, Invalid, NotFound
from hsmpub.keeper.book import Book
from hsmpub.keeper.durable import read_durable, write_durable
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.model import entry as e
from hsmpub.model import submission as s
from hsmpub.model.key import DECRYPTS, KeyRecord
from hsmpub.model.request_state import Request
from hsmpub.model.statement import Decryption

#: How long the asker may fetch what was made.
KEPT_SECONDS = 7 * 86_400
#: A file may be on its way into a request; none waits that long.
_SETTLED_SECONDS = 600


class NoDecryptionKey(NotFound):
    advice = "Name a decryption key: 'hsmpub backup-key' prints it."


class NotTheAsker(Forbidden):
    advice = "Who asked for the decryption fetches it."


class NothingDelivered(NotFound):
    advice = "See with 'hsmpub release list' where the request stands; what was made is kept for seven days."


class HeaderLost(Broken):
    advice = "The keeper's folder lacks a header, or holds another one: ask anew."


class Decrypting:
    """Headers in `keeper/headers/<sha256>`; which of them count, the log says."""

    def __init__(self, book: Book, unsealing: Unsealing, folder: Path) -> None:
        self._book = book
        self._unsealing = unsealing
        self._folder = folder

    def take_in(self, body: s.AskDecrypt) -> tuple[bytes, Decryption]:
        """Checks a header and keeps it, so that nobody is asked to approve what cannot be carried out.

        Raises:
            NoDecryptionKey, HeaderForOthers, RecipientRefused and the rules of a malformed header.
        """
        key = self._key(body.key)
        try:
            raw = base64.b64decode(body.header, validate=True)
        except (binascii.Error, ValueError):
            raise HeaderMalformed("The header is not base64.") from None
        load_header(raw, body.form, key)
        recipient = load_recipient(body.recipient, body.form)
        write_durable(self._folder, raw)
        return raw, Decryption(body.key, body.form, recipient.text, recipient.fingerprint, body.reason)

    async def carry_out(self, request: Request) -> e.Delivered | e.NotDelivered:
        """Has the HSM open the header and seal the file's key to the recipient that was approved.

        Raises:
            HeaderLost; Sealed and the rules of an HSM that is away: it is tried again.
        """
        statement = request.statement
        asked = statement.predicate.decrypt
        assert asked is not None
        raw = read_durable(self._folder, statement.subject[0].sha256)
        if raw is None:
            raise HeaderLost(f"The header of the request {request.id} is missing or altered.")
        signers = self._unsealing.signers()
        try:
            made = await signers.reseal_header(asked.key, asked.form, raw, asked.recipient)
        except Invalid as error:  # it would be no better another time, and would only be one more look inside
            return e.NotDelivered(self._book.now(), request.id, error.rule)
        return e.Delivered(self._book.now(), request.id, write_durable(self._folder, made))

    def header_for(self, body: s.AskHeader) -> bytes:
        """What an approved request has made, for its asker, whose signature was checked.

        Raises:
            NoSuchRequest, NotTheAsker, NothingDelivered.
        """
        request = self._book.request(body.request)
        delivered = self._book.state.deliveries.get(request.id)
        if request.statement.predicate.requester.get("person") != body.person:
            raise NotTheAsker(f"The request {request.id} is another person's.")
        made = None if delivered is None else read_durable(self._folder, delivered.header_sha256)
        if made is None:
            raise NothingDelivered(f"For the request {request.id} nothing is kept.")
        return made

    def forget(self) -> None:
        """Removes headers that no request needs any more."""
        if not self._folder.is_dir():
            return
        now, state = self._book.now(), self._book.state
        needed = {d.header_sha256 for d in state.deliveries.values() if d.at + KEPT_SECONDS > now}
        for request in state.open_requests():
            if request.statement.predicate.decrypt is not None:
                needed.add(request.statement.subject[0].sha256)
        for file in self._folder.iterdir():
            if file.name not in needed and file.stat().st_mtime + _SETTLED_SECONDS < time.time():
                file.unlink(missing_ok=True)

    def _key(self, name: str) -> KeyRecord:
        """Retired or not: what was encrypted to a key while it was in force must open for as long as it exists."""
        key = next((one for one in self._book.keys.at_work if one.name == name), None)
        if key is None or key.kind != DECRYPTS:
            raise NoDecryptionKey(f"There is no decryption key {name[:80]!r}, or no longer.")
        return key
