"""`hsmpub trust update`: the keys of a service, followed from the pins on; nothing left out, nothing made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import story as s
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.model import entry as e
from hsmpub.model.key import KeyRecord
from hsmpub.model.keys import Keys, KeysOutOfTurn
from hsmpub.model.trust import Trust, known_keys, with_keys
from hsmpub.receipt import inclusion
from hsmpub.receipt import key_history as rule
from hsmpub.receipt.build import logged_entries
from hsmpub.tlog.log import Log
from hsmpub.tlog.note import NoteUntrusted
from hsmpub.wire.messages import keys_to_sign

KEEPER = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
NONCE = b"n" * 32
PINS = Trust(s.SERVICE, str(s.LOG_KEY), KEEPER.public_key().public_bytes_raw().hex(), (s.KEY,))
NEW = KeyRecord("release-2027", "p256", s.KEY.public, s.NOW + 50, ("openpgp",))


def told() -> tuple[list[e.Entry], list[int], list[Keys]]:
    """A log with a birth, a retirement and a destruction: the entries, where they are, and the keys after each."""
    entries = list(s.beginning().values())
    keys, where, states = Keys.of_genesis((s.KEY,)), [], []
    for facts in ({"born": (NEW,)}, {"retired": (e.Retirement("release", "superseded", "release-2027"),)},
                  {"destroyed": ("release",)}):  # fmt: skip
        change = e.KeysChanged(s.NOW + 60, keys.digest, **facts)  # type: ignore[arg-type]
        where.append(len(entries))
        entries += [change, e.SealedBy(s.NOW + 61, "asked for")]
        keys = keys.after(where[-1], change)
        states.append(keys)
    return entries, where, states


def answer(
    folder: Path, *, leave_out: int | None = None, nonce: bytes = NONCE, digest: str = "",
    keeper: Ed25519PrivateKey = KEEPER, add: int | None = None, signer: Ed25519PrivateKey = s.LOG_SIGNER,
) -> bytes:  # fmt: skip
    """What a service answers; or what one answers that hides, adds or lies."""
    entries, where, states = told()

    async def sign(message: bytes) -> bytes:
        return signer.sign(message)

    log_key = s.VerifierKey(s.LOG_KEY.name, signer.public_key().public_bytes_raw())
    data = [e.dump_entry(entry) for entry in entries]
    log = Log.create(folder / "log.sqlite", folder / "head", log_key=str(log_key), entries=data)
    try:
        asyncio.run(log.publish_checkpoint(sign))
        named = sorted([index for i, index in enumerate(where) if i != leave_out] + ([] if add is None else [add]))
        note, logged = logged_entries(log.reader(), named)
    finally:
        log.close()
    said = digest or states[-1].digest
    return rule.dump_key_history(note, logged, said, keeper.sign(keys_to_sign(nonce, said)))


def test_the_keys_are_followed_from_the_genesis_and_from_anywhere_between(tmp_path: Path) -> None:
    _, _, states = told()
    data = answer(tmp_path)
    assert rule.check_key_history(data, PINS, NONCE) == states[-1]
    for between in states:
        assert rule.check_key_history(data, with_keys(PINS, between), NONCE) == states[-1]


def test_nothing_to_tell_is_an_answer_too(tmp_path: Path) -> None:
    _, _, states = told()
    pins = with_keys(PINS, states[-1])
    assert known_keys(pins) == rule.check_key_history(answer(tmp_path), pins, NONCE)


@pytest.mark.parametrize(("gone", "why"), [(0, KeysOutOfTurn), (1, KeysOutOfTurn), (2, rule.KeyHistoryIncomplete)])
def test_refuses_an_answer_that_hides_an_entry(gone: int, why: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(why):
        rule.check_key_history(answer(tmp_path, leave_out=gone), PINS, NONCE)


def test_refuses_a_service_that_is_behind_the_pins(tmp_path: Path) -> None:
    _, _, states = told()
    with pytest.raises(rule.KeyHistoryIncomplete):
        rule.check_key_history(answer(tmp_path, leave_out=2, digest=states[1].digest),
                               with_keys(PINS, states[2]), NONCE)  # fmt: skip


LIES: dict[str, tuple[dict[str, object], type[Exception]]] = {
    "an answer of yesterday": ({"nonce": b"y" * 32}, rule.KeyHistoryUntrusted),
    "another keeper": ({"keeper": Ed25519PrivateKey.from_private_bytes(b"x" * 32)}, rule.KeyHistoryUntrusted),
    "another log": ({"signer": Ed25519PrivateKey.from_private_bytes(b"x" * 32)}, NoteUntrusted),
    "an entry about something else": ({"add": 1}, rule.KeyHistoryMalformed),
}


@pytest.mark.parametrize("lie", LIES)
def test_refuses(lie: str, tmp_path: Path) -> None:
    options, why = LIES[lie]
    with pytest.raises(why):
        rule.check_key_history(answer(tmp_path, **options), PINS, NONCE)  # type: ignore[arg-type]


CHANGES: dict[str, Callable[[rule.KeyHistory], rule.KeyHistory]] = {
    "another text": lambda history: _first(history, text=history.entries[0].text.replace("2027", "2028")),
    "another place": lambda history: _first(history, index=history.entries[0].index + 1),
}


def _first(history: rule.KeyHistory, **changes: object) -> rule.KeyHistory:
    first = msgspec.structs.replace(history.entries[0], **changes)
    return msgspec.structs.replace(history, entries=(first, *history.entries[1:]))


@pytest.mark.parametrize("name", CHANGES)
def test_refuses_an_entry_that_the_log_does_not_hold(name: str, tmp_path: Path) -> None:
    changed = CHANGES[name](rule.load_key_history(answer(tmp_path)))
    with pytest.raises(inclusion.EntryNotInLog):
        rule.check_key_history(msgspec.json.encode(changed), PINS, NONCE)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"format":"hsmpub-keys-2"}'])
def test_refuses_what_is_no_history(data: bytes) -> None:
    with pytest.raises(rule.KeyHistoryMalformed):
        rule.check_key_history(data, PINS, NONCE)
