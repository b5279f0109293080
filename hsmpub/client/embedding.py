"""Signatures that go into the file: put in, read back, and only then written, whole or not at all."""

from __future__ import annotations

import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hsmpub.artifact.source import PathSource
from hsmpub.client.outputs import NotWritten
from hsmpub.client.write_behind import WriteBehind
from hsmpub.errors import Broken
from hsmpub.formats.cms.stamp import Stamped, with_timestamp
from hsmpub.formats.format import Artifact, Format
from hsmpub.formats.salted import details_to_check
from hsmpub.formats.sha256state import FileHash
from hsmpub.model.key import KeyRecord


class SignedFileDiffers(Broken):
    advice = "Nothing was written; report the file and the format."


def write_signed(path: Path, folder: Path, hash_: FileHash, output: bytes, form: Format, key: KeyRecord,
                 token: bytes | None = None) -> Path:  # fmt: skip
    """Writes the signed form of `path` into `folder` under the name that the format gives it; whatever had that name
    there is replaced.

    What is written was read back first: it holds this output, and the output fits what the format reads in it.
    token: a verified timestamp over the signature, which goes in, too.

    Raises:
        SignedFileDiffers, NotWritten; the rules of the format.
    """
    target, passing = folder / form.signed_name(path.name), folder / f".{path.name[:180]}.{secrets.token_hex(6)}"
    try:
        with passing.open("xb") as file, ThreadPoolExecutor(1) as beside:
            os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
            behind = WriteBehind(file, beside)
            for piece in form.attach(PathSource(path), stamped(output, token, form)):
                behind.write(piece)
            behind.flush()
            on_disk = beside.submit(os.fsync, file.fileno())  # meanwhile it is read back, out of memory
            check_signed(passing, path.name, hash_, output, form, key, token)
            on_disk.result()
        passing.replace(target)
    except OSError as e:
        raise NotWritten(f"{target} cannot be written: {e.strerror}.") from None
    finally:
        passing.unlink(missing_ok=True)
    return target


def stamped(output: bytes, token: bytes | None, form: Format) -> bytes:
    """The output with a timestamp in it, where there is one."""
    return output if token is None else with_timestamp(output, token, form.name)


def check_signed(path: Path, name: str, hash_: FileHash, output: bytes, form: Format, key: KeyRecord,
                 token: bytes | None = None) -> None:  # fmt: skip
    """A signed file holds this very output and timestamp, and the output verifies.

    Raises SignedFileDiffers and the rules of the format."""
    source = PathSource(path)
    if form.detach(source) != output:
        raise SignedFileDiffers(f"The signature in {name} is not the one that was put there.")
    if token is not None and not (isinstance(form, Stamped) and form.timestamp(source) == token):
        raise SignedFileDiffers(f"The timestamp in {name} is not the one that was put there.")
    form.check(output, Artifact(name, hash_, details_to_check(form, source, output)), key)
