"""Do key, hash and items fit together? Asked before a signer sees them, so that one bad item harms no other."""

from __future__ import annotations

from collections.abc import Sequence

from hsmpub.hsm.rules import ItemTooLarge, KeyUnfit
from hsmpub.model.key import DECRYPTS, KeyRecord

DIGEST_BYTES = {"sha256": 32, "sha512": 64}
#: Messages are signed whole; artifacts are signed by digest, so nothing real comes near.
MAX_MESSAGE_BYTES = 512 * 1024
#: What signs by digest: kind and hash → how long each item is.
_FITTING = {(kind, name): {length} for kind in ("p256", "rsa3072") for name, length in DIGEST_BYTES.items()}


def check_fit(key: KeyRecord, hash_name: str, items: Sequence[bytes]) -> None:
    """Raises KeyUnfit or ItemTooLarge unless this key can sign these items."""
    if set(map(len, items)) == _FITTING.get((key.kind, hash_name)):
        return
    if key.kind == "aes256":
        raise KeyUnfit(f"The key {key.name!r} seals secrets and signs nothing.")
    if key.kind == DECRYPTS:
        raise KeyUnfit(f"The key {key.name!r} decrypts and signs nothing.")
    if (key.kind == "ed25519") != (hash_name == "none"):
        raise KeyUnfit(f"The key {key.name!r} ({key.kind}) does not sign items of the form {hash_name!r}.")
    if hash_name == "none":
        if items and max(map(len, items)) > MAX_MESSAGE_BYTES:
            raise ItemTooLarge(f"A message over {MAX_MESSAGE_BYTES} bytes is not signed whole.")
        return
    length = DIGEST_BYTES.get(hash_name)
    if length is None:
        raise KeyUnfit(f"The hash {hash_name!r} is unknown.")
    for item in items:
        if len(item) != length:
            raise KeyUnfit(f"A {hash_name} digest has {length} bytes, not {len(item)}.")
