"""What the next metadata of each role says: built with python-tuf from the settings and from what is published."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from tuf.api.metadata import MetaFile, Role, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import CanonicalJSONSerializer

from hsmpub.client.tuf.settings import TufSettings
from hsmpub.client.tuf.signer import Asking, public_key
from hsmpub.formats.tuf.metadata import ROLES
from hsmpub.formats.tuf.metadata import Role as RoleName


def payload_of(signed: Any) -> bytes:
    """The exact bytes that are signed."""
    return bytes(CanonicalJSONSerializer().serialize(signed))


def expiry(settings: TufSettings, role: RoleName, now: datetime) -> datetime:
    return now.replace(microsecond=0) + timedelta(seconds=settings.role(role).valid)


def next_root(settings: TufSettings, asking: Asking, version: int, now: datetime) -> Root:
    """The keys and thresholds of the settings. Raises KeyNotPinned, KeyPinnedAsRetired."""
    keys: dict[str, Any] = {}
    roles = {}
    for role in ROLES:
        table = settings.role(role)
        public = [public_key(asking.key(one.key)) for one in table.signers]
        keys |= {key.keyid: key for key in public}
        roles[role] = Role([key.keyid for key in public], table.threshold)
    return Root(version=version, expires=expiry(settings, "root", now), keys=keys, roles=roles)


def next_targets(
    settings: TufSettings, before: Targets | None, add: Iterable[TargetFile], remove: Iterable[str], now: datetime
) -> Targets:
    """The targets before, with some added or replaced and some left out."""
    held = dict(before.targets) if before else {}
    held |= {target.path: target for target in add}
    gone = set(remove)
    left = {path: target for path, target in held.items() if path not in gone}
    version = before.version + 1 if before else 1
    return Targets(version=version, expires=expiry(settings, "targets", now), targets=left)


def next_snapshot(settings: TufSettings, targets: Targets, version: int, now: datetime) -> Snapshot:
    meta = {"targets.json": MetaFile(targets.version)}
    return Snapshot(version=version, expires=expiry(settings, "snapshot", now), meta=meta)


def next_timestamp(settings: TufSettings, snapshot: Snapshot, version: int, now: datetime) -> Timestamp:
    return Timestamp(
        version=version, expires=expiry(settings, "timestamp", now), snapshot_meta=MetaFile(snapshot.version)
    )


def seconds_left(signed: Any, now: datetime) -> float:
    """Until it expires; python-tuf gives the time aware, of UTC."""
    return float((signed.expires.replace(tzinfo=UTC) - now).total_seconds())
