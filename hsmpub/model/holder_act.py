"""What holders sign with their shares while the service runs: the exact bytes of each act.

Every one names the service. Seal and presence carry a nonce of the keeper, so that none can be used again; a permission
to upgrade is of one unsealing and one code, and is used once.
"""

from __future__ import annotations

import hashlib

import msgspec

from hsmpub.errors import Invalid
from hsmpub.model.digest import is_sha256_hex

MAX_REASON = 500
MAX_PERMISSION_SECONDS = 7 * 86_400
_encoder = msgspec.json.Encoder(order="deterministic")


class PermissionMalformed(Invalid):
    advice = "Let 'hsmpub upgrade permit' write it; a permission lasts seven days at most."


def act_to_sign(service: str, nonce: bytes, reason: str = "") -> bytes:
    """What a holder signs to seal (kind "seal", with a reason) or to say that they are there (kind "alive")."""
    return _encoder.encode({"service": service, "nonce": nonce.hex(), "reason": reason})


class Permission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keeper may go on in new code without a quorum, once. Signed by a quorum of holders, kind "upgrade".

    unsealed_at: index of the log entry of the unsealing that may go on. code: SHA-256 (hex) of the code that may
    come next (hsmpub.sandbox.code). begins, ends: seconds since 1970.
    """

    service: str
    epoch: int
    unsealed_at: int
    code: str
    begins: int
    ends: int
    nonce: str


_permission = msgspec.json.Decoder(Permission)


def dump_permission(permission: Permission) -> bytes:
    """The exact bytes that holders sign."""
    return _encoder.encode(permission)


def load_permission(data: bytes) -> Permission:
    """Raises PermissionMalformed: not one, not its one spelling, or of no sensible length."""
    try:
        permission = _permission.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise PermissionMalformed("These bytes are no permission to upgrade.") from None
    if dump_permission(permission) != data or not is_sha256_hex(permission.code):
        raise PermissionMalformed("The permission to upgrade is not in its one spelling.")
    if not 0 < permission.ends - permission.begins <= MAX_PERMISSION_SECONDS or not 1 <= len(permission.nonce) <= 64:
        raise PermissionMalformed("The permission to upgrade lasts no time, or too long.")
    return permission


def permission_id(data: bytes) -> str:
    """How a permission is called: the first 16 hex characters of its SHA-256."""
    return hashlib.sha256(data).hexdigest()[:16]
