"""Hash states as details: what a client sends where a part of a file is signed, or its text in another form.

A detail is one or more states, one after the other: eight chaining words (32 bytes), the size (8 bytes, big-endian),
and the `size % 64` bytes that are not hashed yet. The service appends its own trailer to each.
"""

from __future__ import annotations

from collections.abc import Iterable

from hsmpub.formats.detail import DetailMalformed
from hsmpub.formats.sha256state import HashStateMalformed, Sha256State
from hsmpub.model.submission import HashState

_HEAD_BYTES = 40
#: Most bytes of one state.
STATE_BYTES = _HEAD_BYTES + 63


def hash_pieces(pieces: Iterable[bytes], start: Sha256State | None = None) -> Sha256State:
    """The state after all pieces, from the beginning or after another state."""
    state = start or Sha256State.of(b"")
    for piece in pieces:
        state = state.with_suffix(piece)
    return state


def dump_states(*states: Sha256State) -> bytes:
    return b"".join(_dump(state.to_state("")) for state in states)


def _dump(state: HashState) -> bytes:
    return bytes.fromhex(state.h) + state.size.to_bytes(8, "big") + bytes.fromhex(state.tail)


def load_states(detail: bytes, count: int, name: str) -> tuple[Sha256State, ...]:
    """The states of a detail. name: of the file, for messages.

    Raises:
        DetailMalformed: it is not exactly `count` states of anything.
    """
    states = []
    for _ in range(count):
        size = int.from_bytes(detail[32:_HEAD_BYTES], "big")
        end = _HEAD_BYTES + size % 64
        if len(detail) < end:
            raise DetailMalformed(f"A hash state of {name!r} is cut short.")
        sent = HashState(name, detail[:32].hex(), detail[_HEAD_BYTES:end].hex(), size)
        try:
            states.append(Sha256State.of_state(sent))
        except HashStateMalformed as e:
            raise DetailMalformed(e.detail) from None
        detail = detail[end:]
    if detail:
        raise DetailMalformed(f"More follows the hash states of {name!r}.")
    return tuple(states)
