"""Waiting for a request to decrypt, and believing what it made only once the log says so."""

from __future__ import annotations

import time

from hsmpub.client.client import Client
from hsmpub.client.receipts import OutputNotInLog, check_receipt
from hsmpub.envelope.header import Header
from hsmpub.errors import Conflict, Unavailable
from hsmpub.model.digest import sha256_hex

_EVERY_SECONDS = 1.0


class NotDecrypted(Conflict):
    advice = "See 'hsmpub release show'; what was refused, expired or came to nothing is asked for anew."


class DecryptionWaits(Unavailable):
    advice = "Fetch it with 'hsmpub decrypt FILE --request REQUEST --output NEW' once it is approved."


def wait_for(client: Client, request: str, timeout: int) -> None:
    """Returns once the request is carried out.

    Raises:
        NotDecrypted: it never will be. DecryptionWaits: not within `timeout` seconds.
    """
    end = time.monotonic() + timeout
    while True:
        view = client.request(request)
        if view.kind != "decrypt":
            raise NotDecrypted("That request is none to decrypt.")
        if view.state == "done":
            return
        if view.state not in ("pending", "approved"):
            raise NotDecrypted(f"The request is {view.state}: {view.why}.")
        if time.monotonic() >= end:
            raise DecryptionWaits(f"The request is {view.state} still. {view.why}".strip())
        time.sleep(_EVERY_SECONDS)


def check_delivered(client: Client, request: str, header: Header, made: bytes) -> None:
    """The receipt verifies, is about this file's header, and records the very header that came.

    Raises:
        OutputNotInLog, and what verify_receipt raises.
    """
    report = check_receipt(client.receipt(request), client.trust)
    if report.request != request or [s.sha256 for s in report.subjects] != [sha256_hex(header.raw)]:
        raise OutputNotInLog("The request was made for another file.", next_step="Name the file that was asked for.")
    if report.delivered != sha256_hex(made):
        raise OutputNotInLog("The header that came is not the one in the log.")
