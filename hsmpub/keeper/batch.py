"""Many outputs in one trip to the HSM: signed by key and hash, put together, and each read back."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from hsmpub.errors import Broken
from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Format, HashName, Prepared, claim_of, digests_of
from hsmpub.hsm.pool import Signers
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyRecord
from hsmpub.model.said import Said
from hsmpub.model.statement import Subject, TufFacts
from hsmpub.wire import messages as m


class OutputDiffers(Broken):
    advice = "Nothing was released. Report the format and the version of the service."


class Work(NamedTuple):
    """One output to make."""

    artifact: Artifact
    key: KeyRecord
    format: Format
    prepared: Prepared

    @property
    def output_name(self) -> str:
        """No two outputs of a request share one: the policy has each format of a project made by one key."""
        return self.format.output_name(self.artifact.name)


@dataclass
class Batch:
    """What one routine request comes to. made: for its asker; the others: for its entry."""

    made: list[m.MadeSignature] = field(default_factory=list)
    subjects: list[Subject] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    work: list[Work] = field(default_factory=list)
    tuf: list[TufFacts] = field(default_factory=list)


async def sign_batch(batch: Batch, signers: Signers, context: Context) -> None:
    """One call to the signers for each key and hash; usually that is one for the whole batch. A second round where
    signatures cover signatures."""
    outputs: list[bytes] = [b""] * len(batch.work)
    todo = dict(enumerate(batch.work))
    while todo:
        todo = await _round(todo, signers, context, outputs)
    for work, output in zip(batch.work, outputs, strict=True):
        batch.outputs.append(sha256_hex(output))
        if work.prepared.said is not None:
            batch.said.append(work.prepared.said)
        made = m.MadeSignature(work.artifact.name, work.format.name, work.key.name, work.output_name, output)
        batch.made.append(made)


async def _round(todo: dict[int, Work], signers: Signers, context: Context, outputs: list[bytes]) -> dict[int, Work]:
    """Fills in the outputs, by position. Returns: what is to be signed after that."""
    calls: dict[tuple[str, HashName], list[int]] = {}
    for position, work in todo.items():
        calls.setdefault((work.key.name, work.prepared.hash), []).append(position)
    following = {}
    for (key, hash_name), positions in calls.items():
        payloads = [digest for p in positions for digest in digests_of(todo[p].prepared)]
        raw = iter(await signers.sign(key, payloads, hash=hash_name))
        for p in positions:
            work = todo[p]
            signature = b"".join(islice(raw, work.prepared.count))
            if (then := work.format.follow(work.prepared, signature)) is not None:
                following[p] = work._replace(prepared=then)
            else:
                outputs[p] = assemble_and_read(work, signature, context)
    return following


def assemble_and_read(work: Work, signature: bytes, context: Context) -> bytes:
    """The output, read back by code that shares nothing with what made it: it says what the HSM was asked to sign,
    and holds the very signature that the signer verified.

    Raises:
        OutputDiffers, and the rules of the format's reader.
    """
    output = work.format.assemble(work.prepared, signature)
    claim = work.format.read(output, work.artifact, work.key, context)
    if claim != claim_of(work.prepared, signature):
        raise OutputDiffers(f"The {work.format.name} output for {work.artifact.name} says something else.")
    return output
