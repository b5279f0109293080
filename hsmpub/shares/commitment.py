"""A commitment per share: a good share is known the moment it is handed in, a bad one has a name.

A share of a threshold of two or more is 256 random bits, so its digest tells nothing about it.
"""

from __future__ import annotations

import hashlib

from hsmpub.shares.record import Purpose

_CONTEXT = b"hsmpub share commitment v1"


def share_commitment(purpose: Purpose, epoch: int, holder: str, mnemonic: bytes | bytearray) -> str:
    """SHA-256 (hex) over context, purpose, epoch, holder and canonical words, each with its length before it.

    epoch: 8 bytes, big-endian.
    """
    digest = hashlib.sha256(_CONTEXT)
    for part in (purpose.encode(), epoch.to_bytes(8, "big"), holder.encode(), mnemonic):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.hexdigest()
