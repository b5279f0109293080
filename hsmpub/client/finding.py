"""Finds the signatures of a file: the one in it, and those beside it under the names that `hsmpub sign` gives them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hsmpub.artifact.plain_file import open_plain
from hsmpub.artifact.source import PathSource
from hsmpub.client.upload import FileUnreadable
from hsmpub.errors import Invalid
from hsmpub.formats.cms.stamp import Stamped
from hsmpub.formats.format import Format
from hsmpub.formats.registry import FORMATS
from hsmpub.receipt.files import MAX_SIGNATURE_BYTES

_HEAD_BYTES = 4096
_CLEARTEXT = b"-----BEGIN PGP SIGNED MESSAGE-----"
#: Any text may be signed so; that it is shows in its first line alone.
_AROUND_TEXTS = frozenset({"openpgp-cleartext", "openpgp-v6-cleartext"})
#: What agents sign is no file; what is encrypted may end like `Release.gpg`.
_NOT_BESIDE = frozenset({"ssh-agent-file", "ssh-agent-git"})
_ONLY_FOR = {"apt-release-gpg": "Release"}


class NoSignatureFound(Invalid):
    advice = "Give the signature beside the file the name that 'hsmpub sign' gave it, or verify with the receipt."


class SignatureTooLarge(Invalid):
    advice = "No signature is that large: look at what the file is."


class Found(NamedTuple):
    """A signature that has to be judged. path: the file that holds it; forms: what it may be; output: as it is there,
    its timestamp included; embedded: it is in the file that it signs."""

    path: Path
    forms: tuple[Format, ...]
    output: bytes
    embedded: bool


def find_signatures(path: Path, beside: Sequence[Path] | None = None) -> list[Found]:
    """Every signature of a file; at least one. beside: look only at these files, beyond the file itself.

    Raises:
        NoSignatureFound, SignatureTooLarge, FileUnreadable, NotAPlainFile.
    """
    trouble: list[str] = []
    try:
        found = [*_inside(path, trouble), *_beside(path, beside)]
    except OSError as e:
        raise FileUnreadable(f"{e.filename or path} cannot be read: {e.strerror}.") from None
    if not found:
        raise NoSignatureFound(" ".join([f"There is no signature in {path.name!r}, and none beside it.", *trouble]))
    return found


def signed_by(path: Path) -> Path | None:
    """The file beside a signature that it is for, by its name; None: there is none."""
    named = (path.with_name(path.name.removesuffix(form.suffix)) for form in _detached() if _is_for(path, form))
    return next((base for base in named if base.is_file()), None)


def _is_for(path: Path, form: Format) -> bool:
    return path.name.endswith(form.suffix) and path.name != form.suffix and _may_be(path.name, form)


def _may_be(name: str, form: Format) -> bool:
    return form.name not in _ONLY_FOR or name.removesuffix(form.suffix) == _ONLY_FOR[form.name]


def _detached() -> Iterator[Format]:
    return (form for form in FORMATS.values() if not form.embedded and form.name not in _NOT_BESIDE)


def _inside(path: Path, trouble: list[str]) -> list[Found]:
    """trouble: takes up why a file of a kind that holds signatures could not be looked into."""
    with open_plain(path) as file:
        head = file.read(_HEAD_BYTES)
    source = PathSource(path)
    held: dict[bytes, list[Format]] = {}
    for form in FORMATS.values():
        if not form.embedded or not (form.recognises(path.name, head) or _is_cleartext(form, head)):
            continue
        try:
            output = form.held(source) if isinstance(form, Stamped) else form.detach(source)
        except Invalid as e:
            trouble.append(e.detail)
            continue
        if output is not None:
            held.setdefault(output, []).append(form)
    return [Found(path, tuple(forms), output, True) for output, forms in held.items()]


def _is_cleartext(form: Format, head: bytes) -> bool:
    return form.name in _AROUND_TEXTS and head.startswith(_CLEARTEXT)


def _beside(path: Path, only: Sequence[Path] | None) -> Iterator[Found]:
    for form in _detached():
        other = path.with_name(form.output_name(path.name))
        if not _may_be(other.name, form) or not other.is_file():
            continue
        if only is not None and not any(one.exists() and one.samefile(other) for one in only):
            continue
        if other.stat().st_size > MAX_SIGNATURE_BYTES:
            raise SignatureTooLarge(f"{other.name!r} has more than {MAX_SIGNATURE_BYTES:,} bytes.")
        yield Found(other, (form,), other.read_bytes(), False)
