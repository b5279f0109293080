"""Hashes and proofs against known answers, against the recursive definition of RFC 6962, and under mutation."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import root_of

from hsmpub.tlog.merkle import CompactRange, inclusion_proof, leaf_hash, node_hash
from hsmpub.tlog.merkle_check import ProofMismatch, check_inclusion

# Inputs and answers of the certificate transparency project's reference tests for RFC 6962.
INPUTS = [bytes.fromhex(h) for h in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
_96A2 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
_5F08 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
_6B47 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
_BC1A = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
_CA85 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
_D37E = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
PATHS = {(0, 1): [], (0, 8): [_96A2, _5F08, _6B47], (5, 8): [_BC1A, _CA85, _D37E],
         (2, 3): [ROOTS[2]], (1, 5): [ROOTS[1], _5F08, _BC1A]}  # fmt: skip


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 writes it down."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\1" + defined_root(leaves[:k]) + defined_root(leaves[k:])).digest()


class Tree:
    """Every complete node of a list of leaves."""

    def __init__(self, size: int) -> None:
        self.rows = [[leaf_hash(b"%d" % i) for i in range(size)]]
        while len(self.rows[-1]) > 1:
            below = self.rows[-1]
            self.rows.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
        self.roots = [root_of(self.rows[0][:n]) for n in range(size + 1)]

    def node(self, level: int, index: int) -> bytes:
        return self.rows[level][index]


TREE = Tree(300)


@pytest.mark.parametrize("size", range(9))
def test_known_roots(size: int) -> None:
    leaves = [leaf_hash(data) for data in INPUTS[:size]]
    assert root_of(leaves).hex() == ROOTS[size]
    assert defined_root(leaves).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_known_inclusion_proofs(index: int, size: int) -> None:
    leaves = [leaf_hash(data) for data in INPUTS]
    tree = Tree(0)
    tree.rows = [leaves, [node_hash(*leaves[i : i + 2]) for i in range(0, 8, 2)]]
    tree.rows.append([node_hash(*tree.rows[1][i : i + 2]) for i in (0, 2)])
    assert [node.hex() for node in inclusion_proof(index, size, tree.node)] == PATHS[index, size]
    path = [bytes.fromhex(node) for node in PATHS[index, size]]
    check_inclusion(leaves[index], index, size, path, bytes.fromhex(ROOTS[size]))


def test_roots_of_all_sizes_are_as_defined() -> None:
    assert TREE.roots == [defined_root(TREE.rows[0][:n]) for n in range(301)]


def test_every_inclusion_proof_of_every_size_up_to_300_verifies() -> None:
    for size in range(1, 301):
        for index in range(size):
            path = inclusion_proof(index, size, TREE.node)
            check_inclusion(TREE.rows[0][index], index, size, path, TREE.roots[size])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_refuses_an_inclusion_proof_with_any_change(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_proof(index, size, TREE.node)
    changed, other, leaf, root = list(path), index, TREE.rows[0][index], TREE.roots[size]
    what = data.draw(st.sampled_from(["node", "shorter", "longer", "index", "leaf", "root"]))
    if what == "node" and path:
        at = data.draw(st.integers(0, len(path) - 1))
        changed[at] = bytes([changed[at][0] ^ 1]) + changed[at][1:]
    elif what == "shorter" and path:
        changed.pop(data.draw(st.integers(0, len(path) - 1)))
    elif what == "longer":
        changed.insert(data.draw(st.integers(0, len(path))), bytes(32))
    elif what == "index":
        other = data.draw(st.integers(-1, size + 1).filter(lambda i: i != index))
    elif what == "leaf":
        leaf = bytes(32)
    else:
        root = bytes(32)
    with pytest.raises(ProofMismatch):
        check_inclusion(leaf, other, size, changed, root)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=60), st.integers(0, 60))
def test_a_compact_range_grows_alike_from_any_size(datas: list[bytes], cut: int) -> None:
    leaves = [leaf_hash(data) for data in datas]
    grown = CompactRange()
    grown.extend(leaves[:cut])
    twin = grown.copy()
    for leaf in leaves[cut:]:
        twin.extend([leaf])
    assert twin.root() == defined_root(leaves)
    assert grown.root() == defined_root(leaves[:cut])
