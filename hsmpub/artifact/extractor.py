"""The process that looks into uploaded files for the keeper: `main()`, started by hsmpub.artifact.extraction.

python -I -S … hsmpub.artifact.extractor COPY_FD

It holds nothing but the copy of one file after the other, may reach nothing else, and has little memory. Who uploaded a
hostile file has only this process to spoil.
"""

from __future__ import annotations

import os
import resource
import sys

import msgspec

from hsmpub.artifact.source import DescriptorSource
from hsmpub.errors import HsmpubError, Problem, TooLarge
from hsmpub.formats.registry import get_format
from hsmpub.sandbox import harden
from hsmpub.wire.pipe import receive_frame, send_frame

#: Of address space, the interpreter and its libraries (some 200 MiB) among them.
MEMORY_BYTES = 1 << 30
_IN, _OUT = 0, 1


class ExtractionTooLarge(TooLarge):
    advice = "The file is none of its kind, or asks for more memory than the service gives: sign it by its digest."


class Extract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked: the details of the copy, of `size` bytes, for these formats."""

    formats: tuple[str, ...]
    size: int


class Extracted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="extracted", tag_field="type"):
    """The answer, unless it is a problem. details: format name → detail."""

    details: dict[str, bytes]


_decode = msgspec.msgpack.Decoder(Extract).decode


def main() -> int:
    """Answers until its parent has no more questions. Exit status 70: it does not know what happened."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    copy = int(sys.argv[1])
    harden("extractor", read=[os.devnull])  # a path, so that files are confined: none is needed any more
    try:
        while True:
            order = _decode(receive_frame(_IN))
            send_frame(_OUT, msgspec.msgpack.encode(_answer(order, copy)))
    except EOFError:
        return 0  # the keeper has no more questions, or is gone
    except BaseException as error:  # what it says could be the file's own words
        print(f"hsmpub extractor: {type(error).__name__}", file=sys.stderr, flush=True)
        return 70


def _answer(order: Extract, copy: int) -> Extracted | Problem:
    source = DescriptorSource(copy, order.size)
    try:
        return Extracted({name: get_format(name).extract(source) for name in order.formats})
    except HsmpubError as error:
        return Problem.of(error)
    except MemoryError:
        return Problem.of(ExtractionTooLarge(f"Looking into the file takes over {MEMORY_BYTES >> 20} MiB."))
