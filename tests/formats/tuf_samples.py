"""TUF metadata as tests of several folders need it."""

from __future__ import annotations

import hashlib
import json

_ONE_KEY = "b1b6de1a7ad0ad79e6b4f7bb0ed4a5d8a4ee5ab62bbd6a0b6b8d2a9f4d4a0b11"


def tuf_metadata(role: str, version: int = 1, expires: str = "2026-10-01T00:00:00Z") -> bytes:
    """The member `signed` of a piece of TUF metadata, in canonical JSON."""
    said: dict[str, object] = {"_type": role, "expires": expires, "spec_version": "1.0.31", "version": version}
    if role == "root":
        key = {"keytype": "ed25519", "keyval": {"public": _ONE_KEY}, "scheme": "ed25519"}
        key_id = hashlib.sha256(compact_json(key)).hexdigest()
        said["keys"], said["consistent_snapshot"] = {key_id: key}, True
        roles = ("root", "targets", "snapshot", "timestamp")
        said["roles"] = {name: {"keyids": [key_id], "threshold": 1} for name in roles}
    elif role == "targets":
        said["targets"] = {"x.whl": {"hashes": {"sha256": "ab" * 32}, "length": 5}}
    else:
        said["meta"] = {{"snapshot": "targets.json", "timestamp": "snapshot.json"}[role]: {"version": 1}}
    return compact_json(said)


def compact_json(value: object) -> bytes:
    """Sorted and without spaces: canonical where no text needs an escape."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
