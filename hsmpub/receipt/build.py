"""Making a receipt from the log: whoever serves it need not be trusted, so nothing is verified here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hsmpub.model import entry as e
from hsmpub.model.statement import load_statement
from hsmpub.receipt.facts import ReceiptIncomplete
from hsmpub.receipt.model import LoggedEntry, dump_receipt
from hsmpub.tlog.reader import LogReader
from hsmpub.tlog.rules import CheckpointPending

_POLICY, _ROSTER, _SESSION = b'{"kind":"policy",', b'{"kind":"roster",', b'{"kind":"session",'


class ReceiptBuilder:
    """Builds receipts of one log; remembers where policies are. Safe to use from several threads."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._policies: dict[str, int] = {}

    def build(self, indexes: Iterable[int], key_entries: Iterable[int] = ()) -> bytes:
        """The receipt file of one request.

        indexes: entries that speak of it, at least its own: for routine signing the one entry, for others as the
        keeper's view of the request names them. Genesis, policy, roster and session are added where they lack.
        key_entries: all entries about keys; those up to the newest of `indexes` go in, so that keys born since the
        genesis, and retirements, can be told from the receipt alone.
        Looking those up may read much of the log: call it in a thread.

        Raises:
            NotInLog: an index is beyond the log.
            CheckpointPending: the newest of them is not under a signed checkpoint yet.
            ReceiptIncomplete: no request is among them, or what it hangs on is not in the log.
        """
        named = sorted(set(indexes))
        wanted = sorted({*self._completed(named), *(index for index in key_entries if index < named[-1])})
        return dump_receipt(*logged_entries(self._reader, wanted))

    def _completed(self, indexes: Sequence[int]) -> list[int]:
        found = {index: e.load_entry(self._reader.entry(index)) for index in indexes}
        asked = [(i, entry) for i, entry in found.items() if isinstance(entry, e.Requested | e.RoutineSigned)]
        if len(asked) != 1:
            raise ReceiptIncomplete(f"A receipt is of one request; {len(asked)} were named.")
        index, request = asked[0]
        predicate = load_statement(request.statement.encode()).predicate
        before = {type(entry) for i, entry in found.items() if i < index}
        wanted = {0, *found}
        if e.PolicyAdopted not in before:
            wanted.add(self._policy(predicate.policy_sha256, index))
        if e.RosterAdopted not in before and predicate.approvals:
            wanted.add(self._find(_ROSTER, b"", index))
        if e.SessionOpened not in before and "session" in predicate.requester:
            wanted.add(self._find(_SESSION, b'"session":"%b"' % predicate.requester["session"].encode(), index))
        return sorted(wanted)

    def _policy(self, sha256: str, before: int) -> int:
        index = self._policies.get(sha256)
        if index is None or index >= before:
            index = self._policies[sha256] = self._find(_POLICY, b'"sha256":"%b"' % sha256.encode(), before)
        return index

    def _find(self, prefix: bytes, containing: bytes, before: int) -> int:
        found = self._reader.find_last(prefix, containing, before)
        if found is None:
            raise ReceiptIncomplete("The policy, roster or session of the request is not in the log.")
        return found


def logged_entries(reader: LogReader, indexes: Sequence[int]) -> tuple[bytes, tuple[LoggedEntry, ...]]:
    """The newest checkpoint, and entries with their proofs under it. indexes: in order.

    Raises:
        CheckpointPending: the newest of them is not under a signed checkpoint yet. NotInLog.
    """
    if indexes and indexes[-1] >= reader.checkpoint_size:
        raise CheckpointPending(f"Entry {indexes[-1]} is not under a signed checkpoint yet.")
    note, proofs = reader.log_proofs(indexes)
    texts = [reader.entry(index).decode() for index in indexes]
    parts = zip(indexes, texts, proofs, strict=True)
    return note, tuple(LoggedEntry(index, text, proof) for index, text, proof in parts)


def build_receipt(reader: LogReader, indexes: Iterable[int]) -> bytes:
    """One receipt; see `ReceiptBuilder.build`."""
    return ReceiptBuilder(reader).build(indexes)
