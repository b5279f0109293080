"""The detail of a file: asked of what came with it, and refused where it is none for the format."""

from __future__ import annotations

from typing import Protocol

from hsmpub.errors import Invalid
from hsmpub.formats.format import Artifact


class DetailMissing(Invalid):
    advice = "Sign with 'hsmpub sign', which sends what the format needs, or upload the file."


class DetailMalformed(Invalid):
    """Family of what is wrong with the detail that came for a file."""

    advice = "Sign with 'hsmpub sign' of the service's version, or upload the file."


class Detailed(Protocol):
    """What `detail_of` asks of a format."""

    @property
    def name(self) -> str: ...

    @property
    def detail_limit(self) -> int: ...


def detail_of(artifact: Artifact, format_: Detailed) -> bytes:
    """The detail of a file for a format.

    Raises:
        DetailMissing, DetailMalformed: there is none, or more than the format's limit.
    """
    detail = artifact.details.get(format_.name)
    if detail is None:
        raise DetailMissing(f"The format {format_.name!r} needs more of {artifact.name!r} than its hash.")
    if len(detail) > format_.detail_limit:
        raise DetailMalformed(
            f"The detail of {artifact.name!r} for {format_.name!r} has over {format_.detail_limit} bytes."
        )
    return detail
