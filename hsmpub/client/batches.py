"""How many files go into one request: what the log takes as one entry, and the front as one body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from hsmpub.client.signing import Work
from hsmpub.model.attested import Attestation
from hsmpub.model.submission import MAX_FILES

#: One log entry holds a batch: 65,535 bytes, of which names, digests and the statement's frame take their share.
_ENTRY_ROOM = 52_000
_SUBJECT_BYTES, _OUTPUT_BYTES = 130, 70
#: What the statement says of a file that takes other formats than the next, beside their names.
_OWN_BYTES, _NAME_BYTES = 45, 5
#: Formats of which the log tells what they say, too (hsmpub.model.said): about as much as they were asked with.
_SAID = frozenset({"jwt", "x509-certificate"})
#: Details travel in base64 within one body, of which the front takes a mebibyte.
_BODY_ROOM = 600_000

_encode = msgspec.json.Encoder().encode


class _Size(NamedTuple):
    """signatures: how many; entry: bytes of the log's entry; own: of these, where files differ in formats; body: of
    the details."""

    signatures: int = 0
    entry: int = 0
    own: int = 0
    body: int = 0

    def plus(self, work: Work) -> _Size:
        entry = _SUBJECT_BYTES + len(work.path.name) + len(work.ask.image) + _OUTPUT_BYTES * len(work.formats)
        entry += sum(2 * len(detail) for name, detail in work.details.items() if name in _SAID)
        own = _OWN_BYTES + sum(_NAME_BYTES + len(name) for name in work.formats)
        body = sum(map(len, work.details.values()))
        return _Size(
            self.signatures + len(work.formats), self.entry + entry, self.own + own, self.body + body
        )  # fmt: skip


def batches(works: Iterable[Work], attest: Attestation | None = None) -> Iterator[list[Work]]:
    """Groups that one request may hold, whatever formats each file takes: at most 256 signatures, one log entry's room,
    each name once."""
    room = _ENTRY_ROOM - (len(_encode(_encode(attest).decode())) if attest else 0)  # the entry quotes the statement
    held: list[Work] = []
    names: set[str] = set()
    size, mixed = _Size(), False
    for work in works:
        grown, mixed = size.plus(work), mixed or bool(held and work.formats != held[0].formats)
        entry = grown.entry + (grown.own if mixed else 0)
        over = entry > room or grown.body > _BODY_ROOM or grown.signatures > MAX_FILES
        if held and (over or work.path.name in names):
            yield held
            held, names, grown, mixed = [], set(), _Size().plus(work), False
        held.append(work)
        names.add(work.path.name)
        size = grown
    if held:
        yield held
