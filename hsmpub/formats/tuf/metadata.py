"""What a piece of TUF metadata says, read strictly: what is not understood in full is not signed.

Members that TUF leaves open (`custom`, delegations, anything unknown) are refused, since nobody could be shown what
they mean to a client. Limits of expiry are the role's own; the policy can only tighten them.
Source: TUF specification 1.0, sections 4.3 to 4.7.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import msgspec

from hsmpub.formats.tuf.canonical import load_canonical
from hsmpub.formats.tuf.keys import TufKey, read_keys
from hsmpub.formats.tuf.rules import (
    TufExpiryRefused,
    TufKeyRefused,
    TufMemberRefused,
    TufThresholdOutOfReach,
    TufValueRefused,
    TufWrongRole,
)

Role = Literal["root", "targets", "snapshot", "timestamp"]
ROLES: tuple[Role, ...] = get_args(Role)
#: Seconds from now that an expiry may lie ahead at most.
LONGEST: dict[Role, int] = {
    "root": 731 * 86_400,
    "targets": 366 * 86_400,
    "snapshot": 92 * 86_400,
    "timestamp": 31 * 86_400,
}
MAX_VERSION = 2**31 - 1
_EXPIRES = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_SPEC = re.compile(r"1\.0\.[0-9]{1,3}")
_HEX = {"sha256": re.compile(r"[0-9a-f]{64}"), "sha512": re.compile(r"[0-9a-f]{128}")}
_PATH = re.compile(r"[A-Za-z0-9_+~@=,-][A-Za-z0-9._+~@=,-]*(/[A-Za-z0-9_+~@=,-][A-Za-z0-9._+~@=,-]*)*")
_META_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}\.json")
_COMMON = {"_type", "spec_version", "version", "expires"}


class FileFacts(msgspec.Struct, frozen=True):
    """A file that metadata names. version: of metadata; length, hashes: -1 and {} where they are not said."""

    name: str
    length: int = -1
    hashes: dict[str, str] = {}
    version: int = 0


class RoleKeys(msgspec.Struct, frozen=True):
    role: str
    threshold: int
    keys: tuple[TufKey, ...]


class Metadata(msgspec.Struct, frozen=True):
    """One piece of metadata. expires: seconds since 1970. roles, consistent: of a root; files: of all others."""

    role: Role
    version: int
    expires: int
    roles: tuple[RoleKeys, ...] = ()
    consistent: bool = False
    files: tuple[FileFacts, ...] = ()


def read_metadata(payload: bytes, role: Role) -> Metadata:
    """Reads the member `signed` in canonical JSON. Raises a rule under TufRefused."""
    value = load_canonical(payload)
    if not isinstance(value, dict) or value.get("_type") != role:
        raise TufWrongRole(f"This is no TUF metadata of the role {role!r}.")
    own = {"root": {"consistent_snapshot", "keys", "roles"}, "targets": {"targets"}}.get(role, {"meta"})
    _members(value, _COMMON | own, f"the {role} metadata")
    if not isinstance(value["spec_version"], str) or not _SPEC.fullmatch(value["spec_version"]):
        raise TufValueRefused("The metadata is not of version 1.0 of the TUF specification.")
    version, expires = whole(value["version"], "version", 1, MAX_VERSION), _time(value["expires"])
    if role == "root":
        if not isinstance(value["consistent_snapshot"], bool):
            raise TufValueRefused("'consistent_snapshot' is neither true nor false.")
        return Metadata(role, version, expires, _roles(value), value["consistent_snapshot"])
    return Metadata(role, version, expires, files=_targets(value) if role == "targets" else _meta(value, role))


def check_expiry(found: Metadata, at: int, longest: int = 0) -> None:
    """Raises TufExpiryRefused. at: now; longest: seconds that the policy allows, 0 where it says nothing."""
    bound = min(LONGEST[found.role], longest or LONGEST[found.role])
    if found.expires <= at:
        raise TufExpiryRefused(f"The {found.role} metadata would have expired when it is signed.")
    if found.expires > at + bound:
        raise TufExpiryRefused(f"The {found.role} metadata would expire more than {bound / 86_400:.4g} days from now.")


def whole(value: Any, what: str, least: int, most: int) -> int:
    """Raises TufValueRefused unless it is a whole number within these bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise TufValueRefused(f"A {what} is no whole number from {least} to {most}.")
    return value


def _members(value: Any, names: set[str], what: str, optional: frozenset[str] = frozenset()) -> dict[str, Any]:
    if not isinstance(value, dict) or not names <= set(value) <= names | optional:
        raise TufMemberRefused(f"{what[0].upper()}{what[1:]} has not the members {', '.join(sorted(names))} alone.")
    return value


def _time(value: Any) -> int:
    try:
        if isinstance(value, str) and _EXPIRES.fullmatch(value):
            return int(datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        pass
    raise TufValueRefused("'expires' is no time such as 2027-01-31T00:00:00Z.")


def _roles(value: dict[str, Any]) -> tuple[RoleKeys, ...]:
    keys, roles = read_keys(value["keys"]), _members(value["roles"], set(ROLES), "'roles'")
    found = []
    for role in ROLES:
        table = _members(roles[role], {"keyids", "threshold"}, f"the role {role!r}")
        ids = table["keyids"]
        if not isinstance(ids, list) or not all(isinstance(one, str) and one in keys for one in ids):
            raise TufKeyRefused(f"The role {role!r} names a key that the metadata does not hold.")
        if len(set(ids)) != len(ids):
            raise TufKeyRefused(f"The role {role!r} names a key twice.")
        threshold = table["threshold"]
        if isinstance(threshold, bool) or not isinstance(threshold, int) or not 1 <= threshold <= len(ids):
            raise TufThresholdOutOfReach(f"The role {role!r} has {len(ids)} keys and another threshold.")
        found.append(RoleKeys(role, threshold, tuple(keys[one] for one in ids)))
    if set(keys) != {key.id for one in found for key in one.keys}:
        raise TufKeyRefused("The metadata holds a key that serves no role.")
    return tuple(found)


def _targets(value: dict[str, Any]) -> tuple[FileFacts, ...]:
    if not isinstance(value["targets"], dict):
        raise TufMemberRefused("'targets' is no object.")
    found = []
    for path, facts in value["targets"].items():
        if len(path) > 400 or not _PATH.fullmatch(path):
            raise TufValueRefused(f"The target {path[:80]!r} is no plain relative path.")
        _members(facts, {"length", "hashes"}, f"the target {path!r}")
        found.append(FileFacts(path, whole(facts["length"], "length", 0, 2**53), _hashes(facts["hashes"])))
    return tuple(found)


def _meta(value: dict[str, Any], role: Role) -> tuple[FileFacts, ...]:
    meta, first = value["meta"], "snapshot.json" if role == "timestamp" else "targets.json"
    if not isinstance(meta, dict) or first not in meta or (role == "timestamp" and len(meta) != 1):
        raise TufMemberRefused(f"The {role} metadata does not name {first}, or names something else.")
    found = []
    for name, facts in meta.items():
        if not _META_NAME.fullmatch(name) or name in {"root.json", "timestamp.json"} | {"snapshot.json"} - {first}:
            raise TufValueRefused(f"{name[:80]!r} is no metadata that a {role} names.")
        _members(facts, {"version"}, f"'{name}'", frozenset({"length", "hashes"}))
        length = whole(facts.get("length", -1), "length", -1 if "length" not in facts else 0, 2**53)
        hashes = _hashes(facts["hashes"]) if "hashes" in facts else {}
        found.append(FileFacts(name, length, hashes, whole(facts["version"], "version", 1, MAX_VERSION)))
    return tuple(found)


def _hashes(value: Any) -> dict[str, str]:
    _members(value, {"sha256"}, "'hashes'", frozenset({"sha512"}))
    if not all(isinstance(text, str) and _HEX[name].fullmatch(text) for name, text in value.items()):
        raise TufValueRefused("A hash is not lower-case hex of its length.")
    return dict(value)
