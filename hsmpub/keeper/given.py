"""The files of a routine request: each with what is allowed of it, or why it is not signed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hsmpub.errors import HsmpubError, Problem
from hsmpub.formats.format import Artifact
from hsmpub.formats.sha256state import Sha256State
from hsmpub.keeper.allowed import Allowed
from hsmpub.keeper.artifacts import Artifacts
from hsmpub.model import submission as s
from hsmpub.policy.attesting import check_images
from hsmpub.wire import messages as m

#: By state of its hash, by upload, or by digest alone.
Given = s.HashState | s.FileRef | Artifact
#: A file with what is allowed of it, or why it is not signed.
Read = tuple[Artifact, Allowed] | m.MadeSignature


class GivenFiles:
    """Of files that were uploaded, the keeper reads every byte itself."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts

    async def read(self, given: Iterable[Given], project: str, allowed: Allowed) -> list[Read]:
        """All of them, in their order. It can take minutes, so nobody else waits for it."""
        found: list[Read] = []
        for one in given:
            try:
                own = _own(one, project, allowed)
                if isinstance(one, s.HashState):
                    artifact = Artifact(one.name, Sha256State.of_state(one), one.details, one.image)
                else:
                    artifact = one if isinstance(one, Artifact) else await self._upload(one, own)
            except HsmpubError as error:
                found.append(not_made(one.name, error))
            else:
                found.append((artifact, own))
        return found

    async def _upload(self, file: s.FileRef, own: Allowed) -> Artifact:
        forms = [form for _, form in own.makes]
        return msgspec.structs.replace(await self._artifacts.check(file, forms), image=file.image)


def not_made(name: str, error: HsmpubError) -> m.MadeSignature:
    return m.MadeSignature(name, "", "", "", b"", Problem.of(error))


def _own(given: Given, project: str, allowed: Allowed) -> Allowed:
    """What is allowed of this file. Raises FormatNotGranted, KeyRetired, FormatNotForFile, ImageNotGranted,
    ImageUnnamed."""
    own = allowed if isinstance(given, Artifact) else allowed.of(given.formats)
    own.check_file(given.name)
    if given.image or own.signs_images:
        check_images(own.policy, project, own.signing, [given.image])
    return own
