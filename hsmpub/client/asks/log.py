"""What anybody may read of the log: the policy and the roster in force, followed back from its signed end."""

from __future__ import annotations

from collections.abc import Callable

from hsmpub.client.adopted import Adopted, Kind, Naming, Search, adopted_in, digest_replaced
from hsmpub.client.asks.anybody import AnybodyAsks
from hsmpub.client.signed_log import SignedLog, edge_tiles
from hsmpub.client.steps import Pause, Steps, fetch
from hsmpub.errors import NotFound
from hsmpub.model.entry import load_entry
from hsmpub.model.statement import Statement
from hsmpub.tlog.checkpoint import check_checkpoint
from hsmpub.tlog.note import load_verifier_key
from hsmpub.tlog.tile import ENTRIES, WIDTH, TileId, tile_path, tile_width

#: A checkpoint is signed soon after the log has grown; seconds between two looks.
_TRIES, _PAUSE = 20, 0.1


class EntryNotThere(NotFound):
    advice = "Name an entry that the log has by now: 'hsmpub status' says how many there are."


class LogAsks(AnybodyAsks):
    def adopted(
        self, kind: Kind, at: int | None = None, *, reading: Callable[[int], None] = lambda _: None
    ) -> Steps[Adopted]:
        """The text in force at the end of the signed log, or right after entry `at`: no later adoption was left out.

        A policy is found at the next request before, which names it; a roster at its own entry, however far back.
        reading: told the index of the first entry of each 256 that are read.

        Raises:
            EntryNotThere: the signed log has no entry `at`, or none was in force yet.
            ServedLogDiffers, AdoptionNotShown, and what verifying a checkpoint and a receipt raises.
        """
        log = yield from self._signed_log((yield from self._logged()) if at is None else 0)
        last = log.size - 1 if at is None else at
        if not 0 <= last < log.size:
            raise EntryNotThere(f"The signed log has {log.size:,} entries; {last} is none of them.")
        search = Search(kind)
        for bundle in range(last // WIDTH, -1, -1):
            reading(bundle * WIDTH)
            for index, data in reversed((yield from self._entries(log, bundle))):
                found = search.take(index, load_entry(data)) if index <= last else None
                if isinstance(found, Naming):
                    return (yield from self._named(kind, found))
                if found is not None:
                    return found
        raise EntryNotThere(f"No {kind} was in force yet at entry {last}.", next_step="Name a later entry.")

    def replaced(self, statement: Statement) -> Steps[Adopted]:
        """The text that a request to adopt a policy or a roster would replace: the very one that its statement names.

        Raises AdoptionNotShown, Refused while the log's end is not signed, and what verifying a receipt raises.
        """
        predicate = statement.predicate
        kind: Kind = "policy" if predicate.kind == "policy" else "roster"
        receipt = yield from self.receipt(predicate.request)
        return adopted_in(receipt, self.trust, kind, digest_replaced(predicate))

    def _named(self, kind: Kind, by: Naming) -> Steps[Adopted]:
        receipt = yield from self.receipt(by.request) if by.request else self.routine_receipt(by.index)
        return adopted_in(receipt, self.trust, kind, by.sha256)

    def _logged(self) -> Steps[int]:
        """How many entries a checkpoint will soon cover: none is signed while the service is sealed."""
        status = yield from self.status()
        return status.log_size if status.state == "unsealed" else 0

    def _signed_log(self, wanted: int) -> Steps[SignedLog]:
        """wanted: entries; what was adopted a moment ago is waited for, but not for long."""
        key = load_verifier_key(self.trust.log_key)
        for _ in range(_TRIES):
            checkpoint = check_checkpoint((yield from fetch("GET", "/log/checkpoint")), key)
            if checkpoint.size >= wanted:
                break
            yield Pause(_PAUSE)
        edges = {}
        for tile in edge_tiles(checkpoint.size):
            edges[tile.level] = yield from fetch("GET", f"/log/{tile_path(tile)}")
        return SignedLog(checkpoint, edges)

    def _entries(self, log: SignedLog, bundle: int) -> Steps[list[tuple[int, bytes]]]:
        for tile in log.lacks(bundle):
            log.add(tile, (yield from fetch("GET", f"/log/{tile_path(tile)}")))
        whole = TileId(ENTRIES, bundle, tile_width(0, bundle, log.size))
        return log.entries(bundle, (yield from fetch("GET", f"/log/{tile_path(whole)}")))
