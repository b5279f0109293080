"""What the log says of each CA: certificates that it issued and that still hold, those that it revoked, its lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hsmpub.model.said import CertificateSaid, CrlSaid, Revoked, Said

#: So many certificates are remembered before those that are over are looked for.
_MANY = 1024


@dataclass
class Authority:
    """issued: serial number (hex) → until when it is valid; revoked: in the order of the lists; number: of the last."""

    issued: dict[str, int] = field(default_factory=dict)
    revoked: dict[str, Revoked] = field(default_factory=dict)
    number: int = 0


class Authorities:
    """CAs by the names of their keys."""

    def __init__(self) -> None:
        self._by_key: dict[str, Authority] = {}

    def of(self, key: str) -> Authority:
        return self._by_key.setdefault(key, Authority())

    def apply(self, at: int, said: Iterable[Said | None]) -> None:
        """Takes what an entry says. at: its time, seconds since 1970."""
        for one in said:
            if isinstance(one, CertificateSaid):
                issued = self.of(one.key).issued
                issued[one.serial] = one.not_after
                if len(issued) % _MANY == 0:
                    self._forget(at, self.of(one.key))
            elif isinstance(one, CrlSaid):
                self._listed(at, one)

    def _listed(self, at: int, one: CrlSaid) -> None:
        authority = self.of(one.key)
        authority.number = max(authority.number, one.number)
        for revoked in one.revoked:
            authority.revoked.setdefault(revoked.serial, revoked)
        self._forget(at, authority)

    @staticmethod
    def _forget(at: int, authority: Authority) -> None:
        """What is over can be revoked no more, and need not be remembered."""
        authority.issued = {serial: until for serial, until in authority.issued.items() if until >= at}

    def next_number(self, key: str, now: int) -> int:
        """Higher than any before it, also after a restore that lost entries: time has gone on since."""
        return max(self.of(key).number + 1, now)

    def issued(self, key: str) -> Mapping[str, int]:
        return self.of(key).issued

    def revoked(self, key: str) -> tuple[Revoked, ...]:
        return tuple(self.of(key).revoked.values())
