"""What the keeper says while nobody can see it: checked against its pinned identity before anything is sent."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hsmpub.client.session import KeeperNotThePinnedOne
from hsmpub.client.trust import keeper_identity
from hsmpub.model.trust import Trust
from hsmpub.wire.messages import StatusReply, intake_to_sign


def check_intake(trust: Trust, status: StatusReply) -> bytes:
    """The intake key, raw X25519.

    Raises:
        KeeperNotThePinnedOne: it is not signed by the pinned keeper.
    """
    try:
        key, signature = bytes.fromhex(status.intake_key), bytes.fromhex(status.intake_signature)
        Ed25519PublicKey.from_public_bytes(keeper_identity(trust)).verify(signature, intake_to_sign(key))
    except (InvalidSignature, ValueError):
        raise KeeperNotThePinnedOne("The key for credentials is not signed by the pinned keeper.") from None
    return key
