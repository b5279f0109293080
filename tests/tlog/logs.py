"""What the tests of the log share: a log key of their own, and small logs of known entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.tlog.checkpoint import Checkpoint, check_checkpoint
from hsmpub.tlog.head import Head, HeadFile
from hsmpub.tlog.log import Log
from hsmpub.tlog.memory import MemoryStore
from hsmpub.tlog.merkle import EMPTY_ROOT, CompactRange, leaf_hash
from hsmpub.tlog.merkle_check import check_inclusion
from hsmpub.tlog.note import VerifierKey
from hsmpub.tlog.proof import load_proof
from hsmpub.tlog.store import Commit, make_stamp

SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_SIGNER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
KEY = VerifierKey("log.example/test", SIGNING_KEY.public_key().public_bytes_raw())


async def sign(message: bytes) -> bytes:
    return SIGNING_KEY.sign(message)


def entry(index: int) -> bytes:
    return b'{"kind":"test","at":%d}' % index


def entries(start: int, stop: int) -> list[bytes]:
    return [entry(i) for i in range(start, stop)]


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Root over leaf hashes."""
    tree = CompactRange()
    tree.extend(leaves)
    return tree.root()


def check_proof(text: str, entry: bytes) -> tuple[int, Checkpoint]:
    """Checks offline that the log of `KEY` holds the entry: its index, and the checkpoint that covers it."""
    proof = load_proof(text)
    checkpoint = check_checkpoint(proof.checkpoint, KEY)
    check_inclusion(leaf_hash(entry), proof.index, checkpoint.size, proof.path, checkpoint.root)
    return proof.index, checkpoint


def bundled(bundle: bytes) -> Iterator[bytes]:
    """The entries of a bundle, as C2SP tlog-tiles has them."""
    while bundle:
        stop = 2 + int.from_bytes(bundle[:2], "big")
        assert stop <= len(bundle)
        yield bundle[2:stop]
        bundle = bundle[stop:]


@dataclass
class Place:
    """Where a log of a test lies. apart: a process of its own commits."""

    folder: Path
    apart: bool = False

    @property
    def db(self) -> Path:
        return self.folder / "log.sqlite"

    @property
    def head(self) -> Path:
        return self.folder / "head"

    @property
    def who(self) -> str:
        """Who commits, in the appender's words."""
        return "process" if self.apart else "thread"

    def create(self, size: int = 0) -> Log:
        log = Log.create(self.db, self.head, log_key=str(KEY), entries=entries(0, size))
        if not self.apart:
            return log
        log.close()
        return self.open()

    def open(self) -> Log:
        return Log.open(self.db, self.head, log_key=str(KEY), apart=self.apart)


def memory_log(folder: Path, store: MemoryStore | None = None) -> Log:
    """A log whose rows are in memory; the head file is real."""
    store = store or MemoryStore()
    head = HeadFile.create(folder / "head", Head(0, EMPTY_ROOT))
    store.commit(Commit(0, [], {}, make_stamp(head.key, 0, EMPTY_ROOT)))
    return Log(store, head, KEY)
