"""What every check of a policy's tables takes: the line of a place, what may stand once, which key makes what."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping

from hsmpub.formats.purposes import PurposesMixed, check_purposes
from hsmpub.formats.registry import FORMATS
from hsmpub.model.key import KeyRecord
from hsmpub.model.toml_lines import TomlText
from hsmpub.model.toml_walk import Path
from hsmpub.policy import refusals as rule
from hsmpub.policy.model import PolicyFile
from hsmpub.policy.project import Approvals

Groups = Collection[str] | Mapping[str, Collection[str]]


class Checking:
    """A policy with the keys and groups that it is checked against."""

    def __init__(
        self,
        policy: PolicyFile,
        toml: TomlText,
        keys: Mapping[str, KeyRecord],
        groups: Groups,
        retired: Collection[str],
    ) -> None:
        self.policy, self.toml, self.keys, self.groups, self.retired = policy, toml, keys, groups, retired

    def line(self, *path: str | int) -> int:
        return self.toml.line_of(path)

    def once(self, values: Iterable[tuple[Hashable, Path]], what: str, next_step: str | None = None) -> None:
        seen: dict[Hashable, int] = {}
        for value, path in values:
            line = self.line(*path)
            if value in seen:
                raise rule.SaidTwice(f"{what} stands in line {seen[value]} already.", line=line, next_step=next_step)
            seen[value] = line

    def fit(self, key: str, format_name: str, line: int) -> None:
        if key in self.retired:
            raise rule.SigningKeyRetired(f"The key {key!r} was retired: it signs nothing any more.", line=line)
        record = self.keys.get(key)
        if record is None:
            raise rule.UnknownSigningKey(f"The service has no key {key!r}.", line=line)
        if format_name not in FORMATS:
            raise rule.UnknownFormat(f"There is no format {format_name!r}; there are {', '.join(FORMATS)}.", line=line)
        if record.kind not in FORMATS[format_name].key_kinds:
            raise rule.KeyUnfitForFormat(f"{record.kind} keys make no {format_name}.", line=line)
        if format_name not in record.formats:
            raise rule.KeyNotMeantForFormat(f"The ceremony did not make {key!r} for {format_name}.", line=line)
        try:
            check_purposes(record)
        except PurposesMixed as e:
            raise rule.KeyPurposesMixed(e.detail, line=line, next_step=e.next_step) from None

    def approvals(self, path: Path, approvals: Iterable[Approvals]) -> None:
        asked = list(enumerate(approvals))
        self.once(((a.group, (*path, "approvals", i)) for i, a in asked), "The same group")
        for i, quorum in asked:
            line = self.line(*path, "approvals", i)
            if quorum.group not in self.groups:
                raise rule.UnknownGroup(f"The roster has no group {quorum.group!r}.", line=line)
            if isinstance(self.groups, Mapping) and len(self.groups[quorum.group]) < quorum.count:
                people = len(self.groups[quorum.group])
                raise rule.QuorumOutOfReach(f"Group {quorum.group!r} has {people}, not {quorum.count}.", line=line)
