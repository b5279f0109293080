"""Signatures that go into the file: put in, read back, and only then written, whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from hsmpub.artifact.source import PathSource
from hsmpub.client.outputs import NotWritten
from hsmpub.errors import Broken
from hsmpub.formats.format import Artifact, Format
from hsmpub.formats.sha256state import FileHash
from hsmpub.model.key import KeyRecord


class SignedFileDiffers(Broken):
    advice = "Nothing was written; report the file and the format."


def write_signed(path: Path, folder: Path, hash_: FileHash, output: bytes, form: Format, key: KeyRecord) -> Path:
    """Writes the signed form of `path` into `folder` under its own name; there it replaces whatever had that name.

    What is written was read back first: it holds this output, and the output fits what the format reads in it.

    Raises:
        SignedFileDiffers, NotWritten; the rules of the format.
    """
    target, passing = folder / path.name, folder / f".{path.name[:180]}.{secrets.token_hex(6)}"
    try:
        with passing.open("xb") as file:
            os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
            for piece in form.attach(PathSource(path), output):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        check_signed(passing, path.name, hash_, output, form, key)
        passing.replace(target)
    except OSError as e:
        raise NotWritten(f"{target} cannot be written: {e.strerror}.") from None
    finally:
        passing.unlink(missing_ok=True)
    return target


def check_signed(path: Path, name: str, hash_: FileHash, output: bytes, form: Format, key: KeyRecord) -> None:
    """A signed file holds this very output, and it verifies. Raises SignedFileDiffers and the rules of the format."""
    source = PathSource(path)
    if form.detach(source) != output:
        raise SignedFileDiffers(f"The signature in {name} is not the one that was put there.")
    form.check(output, Artifact(name, hash_, {form.name: form.extract(source)}), key)
