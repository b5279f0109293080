"""A policy's answer to one session, kept for every file that it covers."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hsmpub.errors import HsmpubError, again
from hsmpub.formats.format import Format
from hsmpub.formats.registry import get_format
from hsmpub.formats.tuf.role import TufRole
from hsmpub.keeper.book import Book, KeyRetired
from hsmpub.model.key import KeyRecord
from hsmpub.model.predicate import Predicate, Signing, taken
from hsmpub.policy import Policy
from hsmpub.policy.by_file import check_formats
from hsmpub.policy.lists import IMAGE_FORMATS


@dataclass(frozen=True)
class Allowed:
    """What the policy lets this session do with one project and set of formats: which key makes which, for whom.

    refused: of the formats that it does not grant, or whose key was retired, why. predicate: of all its statements,
    but for what each has of its own: request, nonce, times, and what its requester attests. patterns: of those formats
    that are not made of every file, the names.
    """

    policy: Policy
    makes: tuple[tuple[KeyRecord, Format], ...]
    signing: tuple[Signing, ...]
    refused: dict[str, HsmpubError]
    predicate: Predicate
    patterns: dict[str, tuple[str, ...]]

    def covers(self, formats: tuple[str, ...]) -> bool:
        """Whether a file that takes these formats can have them all. Empty: it takes all that were asked for."""
        return not self.refused or (bool(formats) and self.refused.keys().isdisjoint(formats))

    def of(self, formats: tuple[str, ...]) -> Allowed:
        """What of it is for a file that takes these formats. Raises FormatNotGranted, KeyRetired."""
        if self.refused and not self.covers(formats):
            raise again(next(error for name, error in self.refused.items() if not formats or name in formats))
        if not formats:
            return self
        makes = tuple((key, form) for key, form in self.makes if form.name in formats)
        return replace(self, makes=makes, signing=taken(self.signing, formats))

    @functools.cached_property
    def signs_tuf(self) -> bool:
        """Whether a role of TUF is among the formats: their versions count upward."""
        return any(isinstance(form, TufRole) for _, form in self.makes)

    @functools.cached_property
    def signs_images(self) -> bool:
        """Whether a format that speaks of images is among them: each file has to be the manifest of one."""
        return any(not IMAGE_FORMATS.isdisjoint(one.formats) for one in self.signing)

    def check_file(self, name: str) -> None:
        """Whether the formats are for a file of this name. Raises FormatNotForFile."""
        if self.patterns:
            check_formats(self.patterns, (form.name for _, form in self.makes), name)


def keys_for(
    granted: Sequence[Signing], book: Book, refused: dict[str, HsmpubError]
) -> tuple[tuple[tuple[KeyRecord, Format], ...], tuple[Signing, ...]]:
    """Which key makes which format, and what of `granted` that is. refused: takes the formats of retired keys, too."""
    makes: list[tuple[KeyRecord, Format]] = []
    able: list[Signing] = []
    for one in granted:
        try:
            key = book.signing_key(one.key)
        except KeyRetired as error:
            refused.update(dict.fromkeys(one.formats, again(error)))
            continue
        makes += [(key, get_format(name)) for name in one.formats]
        able.append(one)
    return tuple(makes), tuple(able)
