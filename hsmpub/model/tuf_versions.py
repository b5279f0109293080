"""Which versions of TUF metadata each key has signed, as the log tells it: they only count upward.

Clients keep what they saw, so a second content under a version that was signed, or a lower version, is an attack or a
mistake. Root metadata alone may be made anew under its version: clients need every version of it in turn, so one that
was signed in part and then dropped must not close the way; approvers see that it is so.
Source: TUF specification 1.0, sections 5.3 to 5.6.
"""

from __future__ import annotations

from typing import NamedTuple

from hsmpub.errors import Conflict
from hsmpub.model.predicate import TufFacts
from hsmpub.model.statement import Statement

_PREFIX = "tuf-"


class TufVersionNotNewer(Conflict):
    advice = "Use a higher version: 'hsmpub tuf refresh --past N'. If nobody knows the other one, look into the log."


class TufRollsBack(Conflict):
    advice = "Publish from the newest metadata. To go back on purpose, publish the older content under a new version."


class _Held(NamedTuple):
    version: int = 0
    sha256: str = ""
    refers: int = 0


class TufVersions:
    """(key, role) → the highest version that the key signed, what it was, and the version of what it named."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], _Held] = {}

    def take(self, statement: Statement) -> None:
        """Remembers what was signed by a statement."""
        digests = {subject.name: subject.sha256 for subject in statement.subject}
        for facts in statement.predicate.tuf:
            for signing in statement.predicate.sign:
                if _PREFIX + facts.role in signing.formats:
                    self.signed(signing.key, facts, digests[facts.file])

    def signed(self, key: str, facts: TufFacts, sha256: str) -> None:
        """Remembers one piece. Entries may come out of order."""
        held = self._of(key, facts)
        if facts.version > held.version or (facts.version == held.version and facts.role == "root"):
            self._held[key, facts.role] = _Held(facts.version, sha256, max(held.refers, facts.refers))

    def check(self, key: str, facts: TufFacts, sha256: str) -> None:
        """Whether a key may sign this after what it signed: higher, or the very same again.

        Raises:
            TufVersionNotNewer; TufRollsBack: it names an older version than before.
        """
        held = self._of(key, facts)
        if facts.version < held.version:
            raise TufVersionNotNewer(
                f"The key {key!r} signed {facts.role} metadata of version {held.version}; this is version"
                f" {facts.version}."
            )
        if facts.version == held.version and sha256 != held.sha256 and facts.role != "root":
            raise TufVersionNotNewer(f"The key {key!r} signed other {facts.role} metadata of version {held.version}.")
        if facts.refers < held.refers:
            raise TufRollsBack(
                f"The {facts.role} metadata names version {facts.refers}; the key {key!r} signed one that names"
                f" {held.refers}."
            )

    def other_of_this_version(self, key: str, facts: TufFacts, sha256: str) -> str:
        """Digest of other metadata that the key signed under this version; empty: there is none."""
        held = self._of(key, facts)
        return held.sha256 if held.version == facts.version and held.sha256 != sha256 else ""

    def _of(self, key: str, facts: TufFacts) -> _Held:
        return self._held.get((key, facts.role), _Held())
