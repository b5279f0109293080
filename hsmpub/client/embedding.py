"""Signatures that go into the file: put in, read back, and only then written, whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from hsmpub.artifact.plain_file import open_plain
from hsmpub.artifact.source import DescriptorSource
from hsmpub.client.new_file import NewFile
from hsmpub.client.outputs import NotWritten
from hsmpub.client.seen import Seen, notes_of
from hsmpub.errors import Broken
from hsmpub.formats.cms.stamp import Stamped, with_timestamp
from hsmpub.formats.format import Artifact, Format
from hsmpub.formats.noted import NotedSource
from hsmpub.formats.salted import details_to_check
from hsmpub.formats.sha256state import FileHash
from hsmpub.formats.source import Source
from hsmpub.formats.spliced import Part, Spliced
from hsmpub.model.key import KeyRecord


class SignedFileDiffers(Broken):
    advice = "Nothing was written; report the file and the format."


def write_signed(path: Path, folder: Path, hash_: FileHash, output: bytes, form: Format, key: KeyRecord,
                 token: bytes | None = None, seen: Seen | None = None) -> Path:  # fmt: skip
    """Writes the signed form of `path` into `folder` under the name that the format gives it; whatever had that name
    there is replaced.

    What is written was read back first: it holds this output, and the output fits what the format reads in it.
    token: a verified timestamp over the signature, which goes in, too. seen: what was noted when `path` was hashed.

    Raises:
        SignedFileDiffers, NotWritten, NotAPlainFile; the rules of the format.
    """
    target, passing = folder / form.signed_name(path.name), folder / f".{path.name[:180]}.{secrets.token_hex(6)}"
    try:
        with open_plain(path) as original, _new_file(passing) as file:
            status = os.fstat(original.fileno())
            os.fchmod(file.fileno(), status.st_mode & 0o777)
            source = NotedSource(DescriptorSource(original.fileno(), status.st_size), notes_of(seen, status))
            new = NewFile(file.fileno(), source, _parts(form, source, stamped(output, token, form)))
            with ThreadPoolExecutor(1) as beside:
                try:
                    written = beside.submit(new.write)
                    check_signed(new, path.name, hash_, output, form, key, token)
                    new.all_read()
                    written.result()
                finally:
                    new.stop()
        passing.replace(target)
    except OSError as e:
        raise NotWritten(f"{target} cannot be written: {e.strerror}.") from None
    finally:
        passing.unlink(missing_ok=True)
    return target


def _new_file(path: Path) -> BinaryIO:
    """Nobody else's from the first moment on: who opened it before it got its permissions could read what comes."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    return os.fdopen(fd, "r+b", buffering=0)


def _parts(form: Format, source: NotedSource, output: bytes) -> Iterator[Part]:
    """Formats that take small files only say no ranges."""
    return form.splice(source, output) if isinstance(form, Spliced) else form.attach(source, output)


def stamped(output: bytes, token: bytes | None, form: Format) -> bytes:
    """The output with a timestamp in it, where there is one."""
    return output if token is None else with_timestamp(output, token, form.name)


def check_signed(file: Source, name: str, hash_: FileHash, output: bytes, form: Format, key: KeyRecord,
                 token: bytes | None = None) -> None:  # fmt: skip
    """A signed file holds this very output and timestamp, and the output verifies.

    Raises SignedFileDiffers and the rules of the format."""
    source = NotedSource(file)
    details = details_to_check(form, source, output)  # first, front to back, as it is written
    if form.detach(source) != output:
        raise SignedFileDiffers(f"The signature in {name} is not the one that was put there.")
    if token is not None and not (isinstance(form, Stamped) and form.timestamp(source) == token):
        raise SignedFileDiffers(f"The timestamp in {name} is not the one that was put there.")
    form.check(output, Artifact(name, hash_, details), key)
