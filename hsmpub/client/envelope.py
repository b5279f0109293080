"""Encrypted files on this machine: their header read, and joined anew. Only the header is ever in memory."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path

from hsmpub.client.outputs import NotWritten
from hsmpub.client.upload import FileUnreadable
from hsmpub.envelope.age_recipient import load_age_recipient
from hsmpub.envelope.armour import without_armour
from hsmpub.envelope.cms_recipient import recipient_of_x509
from hsmpub.envelope.forms import check_ours, find_header, form_of
from hsmpub.envelope.header import MAX_HEADER_BYTES, Form, Header
from hsmpub.envelope.openpgp_keyring import MAX_CERTIFICATE_BYTES, recipient_of_certificate
from hsmpub.envelope.recipient import Recipient
from hsmpub.envelope.rules import HeaderForOthers, RecipientRefused
from hsmpub.errors import Conflict
from hsmpub.model.key import DECRYPTS, KeyRecord
from hsmpub.model.trust import Trust

#: A header and the beginning of the content.
_PREFIX_BYTES = MAX_HEADER_BYTES + 1024
_CHUNK = 1 << 20


class OutputExists(Conflict):
    advice = "Choose another name: no file is replaced."


class HeaderChanged(Conflict):
    advice = "Take the file that the request was made for."


def read_header(path: Path, trust: Trust) -> tuple[Header, KeyRecord]:
    """The header of a file, and the pinned decryption key that it is encrypted to.

    Raises:
        FileUnreadable, ArmourMalformed, HeaderForOthers, HeaderTooLarge, HeaderMalformed and the rules under it.
    """
    try:
        with path.open("rb") as file:
            prefix = without_armour(file).read(_PREFIX_BYTES)
    except OSError as e:
        raise FileUnreadable(f"{path} cannot be read: {e.strerror}.") from None
    form = form_of(prefix)
    for key in (key for key in trust.keys if key.kind == DECRYPTS):
        header = find_header(prefix, form, key)
        if header.ours >= 0:
            check_ours(header, key)
            return header, key
    raise HeaderForOthers(f"{path} is encrypted to no key of the pins.")


def name_recipient(to: str, form: Form) -> Recipient:
    """Whom `--to` means: an age recipient, or a file with one, with an OpenPGP or an X.509 certificate.

    Raises:
        RecipientRefused, FileUnreadable.
    """
    if form == "age" and to.startswith(("age1", "ssh-")):
        return load_age_recipient(to)
    path = Path(to).expanduser()
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CERTIFICATE_BYTES + 1)
    except OSError as e:
        raise FileUnreadable(f"{path} cannot be read: {e.strerror}.") from None
    if form == "openpgp":
        return recipient_of_certificate(data, now=int(time.time()))
    if form == "cms":
        return recipient_of_x509(data)
    lines = [line for line in data.decode("utf-8", "replace").splitlines() if line.strip() and line[0] != "#"]
    if len(lines) != 1:
        raise RecipientRefused(f"{path} does not hold one recipient of age.")
    return load_age_recipient(lines[0])


def check_free(target: Path | None) -> None:
    """Told before anybody is asked. Raises OutputExists."""
    if target is not None and target.exists():
        raise OutputExists(f"{target} exists already.")


def join(source: Path, old: bytes, new: bytes, target: Path) -> None:
    """Writes a file with another header and the same content: whole or not at all, and over no other file.

    Args:
        source: with or without text armour; the new file has none.
        old: the header that `source` must begin with; new: what takes its place.

    Raises:
        HeaderChanged: the file begins with something else. ArmourMalformed. OutputExists. NotWritten: the disk refused.
    """
    passing = target.parent / f".{target.name[:180]}.{secrets.token_hex(6)}"
    try:
        with source.open("rb") as file:
            data = without_armour(file)
            if data.read(len(old)) != old:
                raise HeaderChanged(f"{source} begins with another header.")
            with open(os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as out:
                out.write(new)
                while chunk := data.read(_CHUNK):
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
        os.link(passing, target)  # unlike a renaming, it replaces nothing
    except FileExistsError:
        raise OutputExists(f"{target} exists already.") from None
    except OSError as e:
        raise NotWritten(f"{target} cannot be written: {e.strerror}.") from None
    finally:
        with contextlib.suppress(OSError):
            passing.unlink()
