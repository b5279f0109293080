"""A log as it is served counts only as far as it leads to the signed root: every altered byte is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.client.adopted import Adopted, AdoptionNotShown, Naming, Search
from hsmpub.client.signed_log import ServedLogDiffers, SignedLog, edge_tiles
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.model.predicate import Predicate
from hsmpub.model.statement import Subject, dump_statement
from hsmpub.tlog.bundle import dump_bundle
from hsmpub.tlog.checkpoint import Checkpoint
from hsmpub.tlog.merkle import HASH_BYTES, leaf_hash
from hsmpub.tlog.tile import WIDTH, Frontier, tile_width


class Served:
    """A log of so many entries, and what a front would answer."""

    def __init__(self, size: int) -> None:
        self.entries = [b"%d" % index for index in range(size)]
        frontier = Frontier()
        self.tiles = dict(frontier.extend([leaf_hash(entry) for entry in self.entries]))
        self.checkpoint = Checkpoint("log.example", size, frontier.root())

    def edges(self) -> dict[int, bytes]:
        return {t.level: self.tiles[t.level, t.index][: t.width * HASH_BYTES] for t in edge_tiles(len(self.entries))}

    def bundle(self, index: int) -> bytes:
        return dump_bundle(self.entries[index * WIDTH : (index + 1) * WIDTH])

    def read(self, log: SignedLog, bundle: int) -> list[tuple[int, bytes]]:
        for tile in log.lacks(bundle):
            log.add(tile, self.tiles[tile.level, tile.index])
        return log.entries(bundle, self.bundle(bundle))


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700, 65536, 65536 + 300])
def test_reads_every_entry_of_a_signed_log(size: int) -> None:
    served = Served(size)
    log = SignedLog(served.checkpoint, served.edges())
    for bundle in {0, (size - 1) // WIDTH, (size - 1) // WIDTH // 2}:
        found = served.read(log, bundle)
        first = bundle * WIDTH
        assert found == list(enumerate(served.entries, 0))[first : first + tile_width(0, bundle, size)]
        assert not log.lacks(bundle)


SMALL = Served(700)


@given(st.data())
def test_refuses_any_altered_byte(data: st.DataObject) -> None:
    what = data.draw(st.sampled_from(["edge", "tile", "bundle", "root", "tail", "cut"]))
    edges, checkpoint = SMALL.edges(), SMALL.checkpoint
    tile, bundle = SMALL.tiles[0, 1], SMALL.bundle(1)
    match what:
        case "edge":
            level = data.draw(st.sampled_from(sorted(edges)))
            edges[level] = _altered(edges[level], data)
        case "tile":
            tile = _altered(tile, data)
        case "bundle":
            bundle = _altered(bundle, data)
        case "root":
            checkpoint = Checkpoint(checkpoint.origin, checkpoint.size, _altered(checkpoint.root, data))
        case "tail":
            bundle += data.draw(st.binary(min_size=1, max_size=4))
        case "cut":
            bundle = bundle[: data.draw(st.integers(0, len(bundle) - 1))]
    with pytest.raises(ServedLogDiffers):
        _read(checkpoint, edges, tile, bundle)


def _read(checkpoint: Checkpoint, edges: dict[int, bytes], tile: bytes, bundle: bytes) -> None:
    log = SignedLog(checkpoint, edges)
    for wanted in log.lacks(1):
        log.add(wanted, tile)
    log.entries(1, bundle)


def _altered(data: bytes, draw: st.DataObject) -> bytes:
    at, bit = draw.draw(st.integers(0, len(data) - 1)), draw.draw(st.integers(0, 7))
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


# --- what is in force, out of entries from the newest to the oldest ---

OLD, NEW = "old", "new"


def policy(text: str, at: int) -> e.PolicyAdopted:
    return e.PolicyAdopted(at, text, sha256_hex(text.encode()), "r-0")


def statement(text: str, at: int) -> str:
    predicate = Predicate("r-1", "release", {"subject": "ci"}, sha256_hex(text.encode()), "00", at, at + 9)
    return dump_statement((Subject("x", {"sha256": "00" * 32}),), predicate).decode()


def routine(text: str, at: int) -> e.RoutineSigned:
    return e.RoutineSigned(at, "r-1", "s-1", statement(text, at), ())


def search(*entries: e.Entry) -> Adopted | Naming | None:
    looking = Search("policy")
    for index, entry in reversed(list(enumerate(entries))):
        found = looking.take(index, entry)
        if found is not None:
            return found
    return None


def test_finds_the_newest_adoption() -> None:
    found = search(policy(OLD, 1), policy(NEW, 2), e.SealedBy(3, "x"))
    assert found == Adopted("policy", 1, 2, NEW, "r-0")


def test_a_request_names_the_policy_of_its_entry() -> None:
    found = search(policy(NEW, 1), e.Requested(9, "r-1", statement(NEW, 9)), e.SealedBy(3, "x"))
    assert found == Naming(1, "r-1", sha256_hex(NEW.encode()))


def test_a_routine_signature_behind_an_adoption_names_the_policy_before_it_and_does_not_count() -> None:
    entries = [policy(OLD, 1), e.SealedBy(900, "x"), policy(NEW, 1000), routine(OLD, 999)]
    assert search(*entries) == Adopted("policy", 2, 1000, NEW, "r-0")


def test_a_routine_signature_counts_once_the_entries_before_it_are_older() -> None:
    entries = [policy(NEW, 1), e.SealedBy(900, "x"), e.SealedBy(995, "x"), routine(NEW, 999)]
    assert search(*entries) == Naming(3, "", sha256_hex(NEW.encode()))


def test_refuses_an_adoption_whose_digest_is_of_another_text() -> None:
    with pytest.raises(AdoptionNotShown):
        search(e.PolicyAdopted(1, NEW, sha256_hex(b"x"), "r-0"))


def test_a_roster_is_named_by_its_own_entry_alone() -> None:
    looking = Search("roster")
    assert looking.take(1, e.Requested(9, "r-1", statement(NEW, 9))) is None
    assert looking.take(0, e.RosterAdopted(1, NEW, sha256_hex(NEW.encode()))) == Adopted("roster", 0, 1, NEW, "")
