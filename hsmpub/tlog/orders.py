"""What the log and the process that writes it say to each other. One order at a time, each answered once."""

from __future__ import annotations

import msgspec

from hsmpub.errors import Problem
from hsmpub.tlog.committer import Checkpoint
from hsmpub.tlog.tile import Frontier


class Edge(msgspec.Struct, frozen=True, array_like=True):
    """A frontier on its way. Raw hashes; `edges` one string for each level."""

    size: int
    nodes: list[bytes]
    edges: list[bytes]

    @classmethod
    def of(cls, frontier: Frontier) -> Edge:
        return cls(frontier.size, frontier.range.nodes, list(map(bytes, frontier.edges)))

    def frontier(self) -> Frontier:
        """Raises ValueError: nodes and size do not fit."""
        return Frontier.made_of(self.size, self.nodes, self.edges)


class Begin(msgspec.Struct, frozen=True):
    """The first word to the process.

    Attributes:
        db: path of the database. head: handle of the open, locked head file. parent: process id.
        edge: what is held.
        unsettled: a process before it ended amid a commit.
    """

    db: str
    head: int
    parent: int
    edge: Edge
    unsettled: bool


class Begun(msgspec.Struct, frozen=True, tag="begun", tag_field="type"):
    """protections: what the sandbox could do, name → "on" or why not."""

    protections: dict[str, str]


class Order(msgspec.Struct, frozen=True, array_like=True):
    """What to commit together."""

    entries: list[bytes]
    checkpoint: Checkpoint | None


class Committed(msgspec.Struct, frozen=True, tag="committed", tag_field="type"):
    """It is durable. edge: of the log as it is now."""

    edge: Edge


BEGIN: msgspec.msgpack.Decoder[Begin] = msgspec.msgpack.Decoder(Begin)
ORDER: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
ANSWER: msgspec.msgpack.Decoder[Begun | Committed | Problem] = msgspec.msgpack.Decoder(Begun | Committed | Problem)
