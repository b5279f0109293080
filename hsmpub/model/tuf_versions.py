"""Which versions of TUF metadata each key has signed, as the log tells it: they only count upward.

Clients keep what they saw, so a second content under a version that was signed, or a lower version, is an attack or a
mistake. Root metadata alone may be made anew under its version: clients need every version of it in turn, so one that
was signed in part and then dropped must not close the way; approvers see that it is so.
Source: TUF specification 1.0, sections 5.3 to 5.6.
"""

from __future__ import annotations

from hsmpub.errors import Conflict
from hsmpub.model.statement import Statement, TufFacts

_PREFIX = "tuf-"


class TufVersionNotNewer(Conflict):
    advice = "Use a higher version: 'hsmpub tuf refresh --past N'. If nobody knows the other one, look into the log."


class TufVersions:
    """(key, role) → highest version, and the digest of what was signed under it."""

    def __init__(self) -> None:
        self._highest: dict[tuple[str, str], tuple[int, str]] = {}

    def take(self, statement: Statement) -> None:
        """Remembers what was signed by a statement."""
        digests = {subject.name: subject.sha256 for subject in statement.subject}
        for facts in statement.predicate.tuf:
            for signing in statement.predicate.sign:
                if _PREFIX + facts.role in signing.formats:
                    self.signed(signing.key, facts, digests[facts.file])

    def signed(self, key: str, facts: TufFacts, sha256: str) -> None:
        """Remembers one piece. Entries may come out of order."""
        held = self._highest.get((key, facts.role), (0, ""))
        if facts.version > held[0] or (facts.version == held[0] and facts.role == "root"):
            self._highest[key, facts.role] = (facts.version, sha256)

    def check(self, key: str, facts: TufFacts, sha256: str) -> None:
        """Whether a key may sign this after what it signed: higher, or the very same again.

        Raises:
            TufVersionNotNewer.
        """
        version, digest = self._highest.get((key, facts.role), (0, ""))
        if facts.version < version:
            raise TufVersionNotNewer(
                f"The key {key!r} signed {facts.role} metadata of version {version}; this is version {facts.version}."
            )
        if facts.version == version and sha256 != digest and facts.role != "root":
            raise TufVersionNotNewer(f"The key {key!r} signed other {facts.role} metadata of version {version}.")

    def other_of_this_version(self, key: str, facts: TufFacts, sha256: str) -> str:
        """Digest of other metadata that the key signed under this version; empty: there is none."""
        version, digest = self._highest.get((key, facts.role), (0, ""))
        return digest if version == facts.version and digest != sha256 else ""
