"""Checking inclusion proofs. Pure; shares nothing with the making of proofs but the node hash.

Source: RFC 9162, section 2.1.3.2.
"""

from __future__ import annotations

from collections.abc import Sequence

from hsmpub.errors import Invalid
from hsmpub.tlog.merkle import node_hash


class ProofMismatch(Invalid):
    advice = "The proof belongs to another entry or another tree, or it was altered. Fetch it again from the log."


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Checks that the leaf hash is entry `index` of the tree with this size and root.

    Raises:
        ProofMismatch: it is not, or the proof is for something else.
    """
    if not 0 <= index < size:
        raise ProofMismatch(f"Entry {index} cannot be in a log of {size} entries.")
    fn, sn, node = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            raise ProofMismatch(f"The inclusion proof of entry {index} is too long.")
        if fn & 1 or fn == sn:
            node = node_hash(sibling, node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = node_hash(node, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or node != root:
        raise ProofMismatch(f"Entry {index} is not in the log of {size} entries with this root.")
