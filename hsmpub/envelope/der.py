"""As much of BER as the beginning of a CMS file needs: tags of one byte, lengths definite or not.

Source: X.690, 8.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from hsmpub.envelope.header import Bytes
from hsmpub.envelope.rules import HeaderMalformed

SEQUENCE, SET, INTEGER, BITS, OCTETS, OID = 0x30, 0x31, 0x02, 0x03, 0x04, 0x06


@dataclass(frozen=True)
class Node:
    """tag: its byte; length: of the content, None if it ends by an end mark; start: where the tag stands; at: where
    the content begins."""

    tag: int
    length: int | None
    start: int
    at: int


def read_node(source: Bytes) -> Node:
    """Tag and length; the source stands at the content then. Raises HeaderCut, HeaderMalformed."""
    start, tag = source.at, source.number(1)
    if tag & 0x1F == 0x1F:
        raise HeaderMalformed("The CMS header has a tag that no such file has.")
    first = source.number(1)
    if first == 0x80:
        return Node(tag, None, start, source.at)
    length = first if first < 0x80 else source.number(_width(first))
    return Node(tag, length, start, source.at)


def _width(first: int) -> int:
    if first & 0x7F > 8:
        raise HeaderMalformed("The CMS header has a length that no file has.")
    return first & 0x7F


def read_whole(source: Bytes, *tags: int) -> bytes:
    """The content of the next node, which has one of these tags and says its length."""
    node = read_node(source)
    if node.tag not in tags or node.length is None:
        raise HeaderMalformed("The CMS header is not built as it should be.")
    return source.take(node.length)


def enter(source: Bytes, tag: int) -> Node:
    """Goes into the next node, which has this tag."""
    node = read_node(source)
    if node.tag != tag:
        raise HeaderMalformed("The CMS header is not built as it should be.")
    return node


def write_node(tag: int, content: bytes) -> bytes:
    return bytes((tag,)) + write_length(len(content)) + content


def write_length(length: int) -> bytes:
    if length < 0x80:
        return bytes((length,))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets
