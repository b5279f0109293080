"""What the log says of unsealings: the last one, what left under it, and who may resume it."""

from __future__ import annotations

from dataclasses import dataclass, field

from hsmpub.model import entry as e
from hsmpub.model.contradiction import require
from hsmpub.model.holder_act import Permission, load_permission, permission_id
from hsmpub.model.terms import Terms


@dataclass
class Opened:
    """The last unsealing, until something seals. signatures: that left since; last_signature_at: 0 before the first."""

    index: int
    at: int
    terms: Terms
    holders: tuple[str, ...]
    signatures: int = 0
    last_signature_at: int = 0


@dataclass
class Unsealings:
    """A part of `hsmpub.model.fold.ServiceState`."""

    #: as the log has it; a keeper that was started anew is sealed all the same
    opened: Opened | None = None
    #: the unsealing that ended last, or that another one followed
    ended: Opened | None = None
    #: permissions to upgrade that were not used, by their id
    permissions: dict[str, Permission] = field(default_factory=dict)
    #: index of the entry of each
    permitted_at: dict[str, int] = field(default_factory=dict)
    #: ids of all that were given in this unsealing: their signatures stand in the log, for everybody to send again
    permitted: set[str] = field(default_factory=set)
    #: when a holder was last heard of
    present_at: int = 0

    def _open(self, index: int, entry: e.UnsealedBy) -> None:
        self._forget_permissions()
        self.opened = Opened(index, entry.at, entry.terms, entry.holders)

    def _close(self) -> None:
        """Nothing is unsealed any more: sealed, or the keeper was stopped for a ceremony."""
        self.ended, self.opened = self.opened, None
        self._forget_permissions()

    def _count(self, index: int, at: int, signatures: int) -> None:
        if self.opened is not None and index > self.opened.index:
            self.opened.signatures += signatures
            self.opened.last_signature_at = max(self.opened.last_signature_at, at)

    def _permit(self, index: int, entry: e.UpgradePermitted) -> None:
        data = entry.permission.encode()
        name = permission_id(data)
        require(name not in self.permitted, index, "a permission given twice")
        self.permissions[name] = load_permission(data)
        self.permitted_at[name] = index
        self.permitted.add(name)
        self.present_at = max(self.present_at, entry.at)

    def _resume(self, index: int, entry: e.Resumed) -> None:
        require(entry.permission in self.permissions, index, "a resumption without its permission")
        del self.permissions[entry.permission], self.permitted_at[entry.permission]

    def _forget_permissions(self) -> None:
        """Each is for the unsealing in which it was given, and names it."""
        self.permissions.clear()
        self.permitted_at.clear()
        self.permitted.clear()
