"""Which format a file asks for by what it is, where the command does not say."""

from __future__ import annotations

from pathlib import Path

from hsmpub.artifact.plain_file import open_plain
from hsmpub.client.upload import FileUnreadable
from hsmpub.errors import Invalid
from hsmpub.formats.format import Format
from hsmpub.formats.output_names import check_one_inside
from hsmpub.formats.purposes import BEARER_FORMATS
from hsmpub.formats.registry import FORMATS

_HEAD_BYTES = 4096


class NoFormatByContent(Invalid):
    advice = (
        "Say which signature to put beside it: --format sshsig for every file, or --otherwise sshsig for such files "
        "alone. The policy lists a project's formats."
    )


class SeveralFormatsByContent(Invalid):
    advice = "Say --format."


class TokenBesideFile(Invalid):
    advice = "Use 'hsmpub jwt'."


def choose_formats(path: Path, asked: tuple[str, ...], otherwise: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The formats for a file: those that were asked for, or those whose kind of file this is, or else `otherwise`.

    Raises:
        NoFormatByContent, SeveralFormatsByContent, TwoSignaturesInOneFile, TokenBesideFile; FileUnreadable,
        NotAPlainFile.
    """
    if asked:
        return _checked(path, asked)
    found = [form.name for form in _recognising(path)]
    if not found and otherwise:
        return _checked(path, otherwise)
    if not found:
        raise NoFormatByContent("No format is made for files of this kind.")
    if sum(FORMATS[name].embedded for name in found) > 1:
        raise SeveralFormatsByContent(f"{path.name!r} can be signed as {' or '.join(found)}.")
    return tuple(found)


def _checked(path: Path, formats: tuple[str, ...]) -> tuple[str, ...]:
    if BEARER_FORMATS.intersection(formats):
        raise TokenBesideFile("Tokens are not written beside files, where others could read them.")
    check_one_inside(path.name, formats)
    return formats


def _recognising(path: Path) -> list[Format]:
    try:
        with open_plain(path) as file:
            head = file.read(_HEAD_BYTES)
    except OSError as e:
        raise FileUnreadable(f"{path} cannot be read: {e.strerror}.") from None
    return [form for form in FORMATS.values() if form.recognises(path.name, head)]
