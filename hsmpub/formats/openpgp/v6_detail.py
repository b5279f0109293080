"""What a client sends of what version 6 signs: the salt, and the unfinished hash of it and what follows.

Source: RFC 9580, 5.2.4 (the salt is hashed first).
"""

from __future__ import annotations

from collections.abc import Iterable

from hsmpub.formats.detail import DetailMalformed
from hsmpub.formats.hash_detail import STATE_BYTES, dump_states, hash_pieces, load_states
from hsmpub.formats.openpgp.v6_signature import SALT_BYTES, check_salt
from hsmpub.formats.sha256state import Sha256State

DETAIL_BYTES = SALT_BYTES + STATE_BYTES


def salted(salt: bytes, pieces: Iterable[bytes]) -> bytes:
    """The detail of what is hashed after a salt. Raises SaltMalformed."""
    return salt + dump_states(hash_pieces(pieces, Sha256State.of(check_salt(salt))))


def read_salted(detail: bytes, name: str) -> tuple[bytes, Sha256State]:
    """Salt, and the state after it and what follows. name: of the file, for messages. Raises DetailMalformed."""
    salt = detail[:SALT_BYTES]
    if len(salt) < SALT_BYTES:
        raise DetailMalformed(f"What came with {name!r} has no whole salt.")
    [state] = load_states(detail[SALT_BYTES:], 1, name)
    return salt, state
