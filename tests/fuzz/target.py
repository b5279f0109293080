"""A target of fuzzing: parsers, what counts as their refusal, and where to begin."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "formats"))  # where the samples are

from samples import SAMPLES
from software_hsm import CONTEXT, artifact_of, key_record, make

from hsmpub.errors import HsmpubError
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource
from hsmpub.model.key import KeyRecord

#: The bytes of a signature that is put into files that could be read.
_OUTPUT = bytes.fromhex("3003020100")


class Target(NamedTuple):
    """parsers: given the bytes one after the other; refuses: errors that are a refusal; seeds: where to begin."""

    parsers: tuple[Callable[[bytes], object], ...]
    refuses: tuple[type[Exception], ...] = (HsmpubError,)
    seeds: Callable[[], list[bytes]] = list

    def run(self, data: bytes) -> None:
        for parser in self.parsers:
            try:
                parser(data)
            except self.refuses:
                continue


def embedded(name: str) -> Target:
    """Everything that a file for signing meets: on the client and, in a child, at the keeper."""
    form = FORMATS[name]

    def attached(data: bytes) -> None:
        for _ in form.attach(BytesSource(data), _OUTPUT):
            pass

    def seeds() -> list[bytes]:
        data = SAMPLES[name]
        output = make(form, data, key_record("p256", name))
        return [data, b"".join(form.attach(BytesSource(data), output))]

    looks = (lambda data: form.extract(BytesSource(data)), lambda data: form.detach(BytesSource(data)))
    return Target((*looks, attached), seeds=seeds)


@functools.cache
def key_for(name: str) -> KeyRecord:
    kind = "p256" if "p256" in FORMATS[name].key_kinds else "ed25519"
    return key_record(kind, name)


def outputs(*names: str) -> Target:
    """Signature files, read back. The first byte chooses the format; whatever is read must not verify by chance."""

    def read(data: bytes) -> None:
        name = names[data[0] % len(names)] if data else names[0]
        form = FORMATS[name]
        form.check(data[1:], _artifact(name), key_for(name), CONTEXT)

    def seeds() -> list[bytes]:
        return [bytes((i,)) + make(FORMATS[n], SAMPLES.get(n, b"x"), key_for(n)) for i, n in enumerate(names)]

    return Target((read,), seeds=seeds)


@functools.cache
def _artifact(name: str):
    return artifact_of(SAMPLES.get(name, b"x"), format_=FORMATS[name])
