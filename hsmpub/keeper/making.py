"""The outputs of one approved file: planned by the statement, signed one after the other, each verified once more.

What needs no approval goes in batches (hsmpub.keeper.batch), and relies on the signer for that verification.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, digests_of
from hsmpub.formats.registry import get_format
from hsmpub.hsm.pool import Signers
from hsmpub.keeper.batch import Work
from hsmpub.model import entry as e
from hsmpub.model.key import KeyRecord
from hsmpub.model.predicate import Signing


def plan(
    artifact: Artifact, signings: Sequence[Signing], key_of: Callable[[str], KeyRecord], context: Context
) -> list[Work]:
    """The outputs of one file."""
    planned = []
    for signing in signings:
        for format_name in signing.formats:
            form, key = get_format(format_name), key_of(signing.key)
            planned.append(Work(artifact, key, form, form.prepare(artifact, key, context)))
    return planned


async def make(signers: Signers, planned: Sequence[Work], context: Context) -> tuple[e.Output, ...]:
    """Signs, assembles and checks each output by the independent check of its format."""
    outputs = []
    for one in planned:
        output = await _make_one(signers, one)
        one.format.check(output, one.artifact, one.key, context)
        said = one.prepared.said
        outputs.append(e.kept_output(one.artifact.name, one.format.name, one.key.name, one.output_name, output, said))
    return tuple(outputs)


async def _make_one(signers: Signers, one: Work) -> bytes:
    prepared = one.prepared
    while True:
        signature = b"".join(await signers.sign(one.key.name, digests_of(prepared), hash=prepared.hash))
        following = one.format.follow(prepared, signature)
        if following is None:
            return one.format.assemble(prepared, signature)
        prepared = following
