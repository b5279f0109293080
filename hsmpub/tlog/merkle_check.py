"""Checking inclusion and consistency proofs. Pure; shares nothing with the making of proofs but the node hash.

Source: RFC 9162, sections 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

from collections.abc import Sequence

from hsmpub.errors import Invalid
from hsmpub.tlog.merkle import EMPTY_ROOT, node_hash


class ProofMismatch(Invalid):
    advice = "The proof belongs to another entry or another tree, or it was altered. Fetch it again from the log."


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Checks that the leaf hash is entry `index` of the tree with this size and root.

    Source: RFC 9162, section 2.1.3.2.

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


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Checks that the older tree is a prefix of the newer one. Source: RFC 9162, section 2.1.4.2.

    Raises:
        ProofMismatch: it is not, or the proof is for something else.
    """
    problem = ProofMismatch(f"The log of {new} entries does not continue the log of {old} entries.")
    if not 0 <= old <= new or (old == 0 and old_root != EMPTY_ROOT):
        raise problem
    if old in (0, new):
        if proof or (old == new and old_root != new_root):
            raise problem
        return
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        raise problem
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for node in path[1:]:
        if sn == 0:
            raise problem
        if fn & 1 or fn == sn:
            first, second = node_hash(node, first), node_hash(node, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, node)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or first != old_root or second != new_root:
        raise problem
