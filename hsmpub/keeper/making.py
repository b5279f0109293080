"""The outputs of one file: planned by the statement, signed in the HSM, checked by code of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Format, Prepared, digests_of
from hsmpub.formats.registry import get_format
from hsmpub.hsm.pool import Signers
from hsmpub.model import entry as e
from hsmpub.model.key import KeyRecord
from hsmpub.model.statement import Signing


@dataclass(frozen=True)
class _Planned:
    """One output to make: which file, in which format, by which key, under which name."""

    artifact: Artifact
    format: Format
    key: KeyRecord
    name: str
    prepared: Prepared


def plan(
    artifact: Artifact, signings: Sequence[Signing], key_of: Callable[[str], KeyRecord], context: Context
) -> list[_Planned]:
    """The outputs of one file. No two share a name: the policy has each format of a project made by one key."""
    planned: list[_Planned] = []
    for signing in signings:
        for format_name in signing.formats:
            form, key = get_format(format_name), key_of(signing.key)
            name = artifact.name + form.suffix
            planned.append(_Planned(artifact, form, key, name, form.prepare(artifact, key, context)))
    return planned


async def make(signers: Signers, planned: Sequence[_Planned], context: Context) -> tuple[e.Output, ...]:
    """Signs, assembles and checks each output by the independent check of its format."""
    outputs = []
    for one in planned:
        output = await _make_one(signers, one)
        one.format.check(output, one.artifact, one.key, context)
        said = one.prepared.said
        outputs.append(e.kept_output(one.artifact.name, one.format.name, one.key.name, one.name, output, said))
    return tuple(outputs)


async def _make_one(signers: Signers, one: _Planned) -> bytes:
    prepared = one.prepared
    while True:
        signature = b"".join(await signers.sign(one.key.name, digests_of(prepared), hash=prepared.hash))
        following = one.format.follow(prepared, signature)
        if following is None:
            return one.format.assemble(prepared, signature)
        prepared = following
