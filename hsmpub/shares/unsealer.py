"""Main of the short-lived child that gathers the shares of one attempt and opens what they lock.

1 makes the attempt's X25519 key; its private half never leaves this process
2 opens each box, accepts or refuses the share in it (hsmpub.shares.gathering); shares of one attempt are gathered
  apart for each terms that holders agreed to, and a holder's share counts under the terms that they named last
3 at the k-th combines, tests the key-check value
4 opens the box (PIN; or wrapping key and identity) and writes its content to the release pipe
5 wipes and ends; it ends also when its time is over or its parent is gone

In a drill, 4 proves what the secret opens (hsmpub.shares.proving), and nothing of it leaves.
"""

from __future__ import annotations

import os
import signal

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hsmpub.errors import Broken, HsmpubError, Problem
from hsmpub.model.terms import bound_attempt
from hsmpub.secret.page import wipe
from hsmpub.shares.channel import (
    Accepted,
    Gather,
    Gathers,
    HandInBox,
    HandInFile,
    frame,
    read_message,
    receive,
    receive_frame,
    send,
)
from hsmpub.shares.child import run_child
from hsmpub.shares.derive import open_pin, seal_pin
from hsmpub.shares.gathering import DRILL_CONTEXT, SHARE_CONTEXT, Gathering
from hsmpub.shares.identity import open_share_file
from hsmpub.shares.proving import prove_recovery, prove_unseal
from hsmpub.shares.record import RecoveryRecord, UnsealRecord
from hsmpub.shares.record_file import load_recovery_record, load_unseal_record
from hsmpub.shares.recovery import open_boxes

_IN, _OUT = 0, 1


def main() -> None:
    """Entry point of the child process."""
    run_child("unsealer", _serve)


def _serve(protections: dict[str, str]) -> None:
    order = read_message(receive_frame(_IN))
    if not isinstance(order, Gather):
        raise Broken("The first message to a gathering child was of another kind.")
    signal.alarm(max(order.lifetime, 1))  # default action: the process ends, and its memory with it
    record = _record(order)
    to_seal = receive(_IN, order.seal_size)
    key = X25519PrivateKey.generate()
    gatherings = _Gatherings(order, record, bytearray(key.private_bytes_raw()))
    send(_OUT, frame(Gathers(key.public_key().public_bytes_raw(), protections)))
    while True:
        try:
            gathering = gatherings.take()
            reply: Accepted | Problem = Accepted(gathering.accepted)
            if gathering.is_complete:
                finish = _prove if order.drill else _release
                reply = finish(gathering, record, order, to_seal)
        except HsmpubError as error:
            reply = Problem.of(error)
        send(_OUT, frame(reply))
        if isinstance(reply, Accepted) and (reply.released or reply.proven):
            return


def _record(order: Gather) -> UnsealRecord | RecoveryRecord:
    if order.purpose == "unseal":
        return load_unseal_record(order.record)
    return load_recovery_record(order.record)


class _Gatherings:
    """One gathering for each terms. There are never more than holders who have handed in."""

    def __init__(self, order: Gather, record: UnsealRecord | RecoveryRecord, private: bytearray) -> None:
        self._order = order
        self._record = record
        self._private = private
        self._by_terms: dict[bytes, Gathering] = {}

    def take(self) -> Gathering:
        """Takes the next share; returns where it went. Raises the rules of hsmpub.shares.gathering."""
        message = read_message(receive_frame(_IN))
        if not isinstance(message, HandInBox | HandInFile):
            raise Broken("A gathering child takes shares only.")
        terms = message.terms if isinstance(message, HandInBox) else b""
        gathering = self._by_terms.get(terms) or self._empty(terms)
        if isinstance(message, HandInBox):
            gathering.hand_in_box(message.holder, message.box)
        else:
            identity = receive(_IN, message.identity_size)
            try:
                gathering.hand_in(message.holder, open_share_file(message.file, identity))
            finally:
                wipe(identity)
        self._moved(message.holder, terms, gathering)
        return gathering

    def _moved(self, holder: str, terms: bytes, gathering: Gathering) -> None:
        for other in self._by_terms.values():
            if other is not gathering:
                other.withdraw(holder)
        self._by_terms[terms] = gathering
        self._by_terms = {name: one for name, one in self._by_terms.items() if one.accepted}

    def _empty(self, terms: bytes) -> Gathering:
        bound = bound_attempt(self._order.attempt, terms)
        context = DRILL_CONTEXT if self._order.drill else SHARE_CONTEXT
        return Gathering(self._record, self._order.purpose, bound, self._private, context)


def _prove(gathering: Gathering, record: UnsealRecord | RecoveryRecord, order: Gather, _: bytearray) -> Accepted:
    holders, secret = gathering.accepted, gathering.secret()
    try:
        if isinstance(record, RecoveryRecord):
            return Accepted(holders, proven=prove_recovery(record, secret, order.boxes, order.keeper_key))
        return Accepted(holders, proven=prove_unseal(record, secret))
    finally:
        wipe(secret)


def _release(
    gathering: Gathering, record: UnsealRecord | RecoveryRecord, order: Gather, to_seal: bytearray
) -> Accepted:
    holders, secret, sealed = gathering.accepted, gathering.secret(), b""
    try:
        if isinstance(record, RecoveryRecord):
            contents = open_boxes(record, secret, order.boxes)
        else:
            contents = [
                open_pin(secret, record.epoch, box.sealed, "PIN" if box.content == "PIN" else "old PIN")
                for box in order.boxes
            ]
            if to_seal:
                sealed = seal_pin(secret, record.epoch, to_seal)
    finally:
        wipe(secret)
        wipe(to_seal)
    for content in contents:
        send(order.release_fd, content)
        wipe(content)
    os.close(order.release_fd)
    return Accepted(holders, tuple(len(content) for content in contents), sealed)
