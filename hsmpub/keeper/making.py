"""Outputs in one trip to the HSM: signed by key and hash, put together, and each read back.

A routine request is made at once (hsmpub.keeper.routine), a release file by file (hsmpub.keeper.executing), which
verifies each output once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hsmpub.errors import Broken
from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Format, HashName, Prepared, claim_of, digests_of
from hsmpub.hsm.pool import Signers
from hsmpub.model.key import KeyRecord


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


def plan(artifact: Artifact, makes: Iterable[tuple[KeyRecord, Format]], context: Context) -> list[Work]:
    """The outputs of one file. Raises what a format's `prepare` raises."""
    return [Work(artifact, key, form, form.prepare(artifact, key, context)) for key, form in makes]


async def make(planned: Sequence[Work], signers: Signers, context: Context) -> list[bytes]:
    """The outputs, in their order. One call to the signers for each key and hash; usually that is one for all. A second
    round where signatures cover signatures.

    Raises:
        As `assemble_and_read`, and the rules of the signers.
    """
    outputs: list[bytes] = [b""] * len(planned)
    todo = dict(enumerate(planned))
    while todo:
        following: dict[int, Work] = {}
        for (key, hash_name), (payloads, works) in _calls(todo).items():
            raw = await signers.sign(key, payloads, hash=hash_name)
            used = 0
            for position, work in works:
                signature = b"".join(raw[used : used + work.prepared.count])
                used += work.prepared.count
                then = work.format.follow(work.prepared, signature)
                if then is None:
                    outputs[position] = assemble_and_read(work, signature, context)
                else:
                    following[position] = work._replace(prepared=then)
        todo = following
    return outputs


def _calls(todo: dict[int, Work]) -> dict[tuple[str, HashName], tuple[list[bytes], list[tuple[int, Work]]]]:
    """What goes to the signers together, of one key and hash: what they sign, and for which of the works."""
    calls: dict[tuple[str, HashName], tuple[list[bytes], list[tuple[int, Work]]]] = {}
    for position, work in todo.items():
        payloads, works = calls.setdefault((work.key.name, work.prepared.hash), ([], []))
        payloads += digests_of(work.prepared)
        works.append((position, work))
    return calls


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
