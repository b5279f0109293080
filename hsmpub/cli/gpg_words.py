"""The words that git, debsign and rpmsign say to gpg when they want a signature, and no others.

An option that is not known here is refused rather than passed over: it could ask for another signature than is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from hsmpub.errors import Invalid

SignatureKind = Literal["detached", "cleartext"]

_SHORT = {"s": "--sign", "b": "--detach-sign", "a": "--armor", "t": "--textmode", "q": "--quiet", "v": "--verbose",
          "u": "--local-user", "o": "--output"}  # fmt: skip
_CLEARSIGN = {"--clearsign", "--clear-sign"}
_DETACH = {"--detach-sign", "--detach-sig"}
_SIGN = {"--sign", *_DETACH, *_CLEARSIGN}
#: Of no consequence here: nobody is asked, nothing is remembered, no agent and no passphrase are needed.
_IGNORED = {"--batch", "--no-tty", "--quiet", "--verbose", "--no-verbose", "--no-secmem-warning", "--use-agent",
            "--no-use-agent", "--no-greeting", "--no-options", "--no-auto-check-trustdb", "--no-emit-version",
            "--no-comments"}  # fmt: skip
_IGNORED_WITH_VALUE = {"--homedir", "--list-options", "--pinentry-mode", "--passphrase-fd", "--logger-fd",
                       "--keyid-format", "--trust-model", "--display-charset"}  # fmt: skip
_WITH_VALUE = {"--local-user", "--default-key", "--output", "--status-fd", "--digest-algo", *_IGNORED_WITH_VALUE}


class GpgWordUnknown(Invalid):
    advice = "Ask for a detached or a clear-text signature with SHA-256, or call gpg itself."


@dataclass(frozen=True)
class Asked:
    """One signature. key: as the caller names it, empty: any; file, output: empty or `-`: standard input and output;
    status_fd: where the status lines go, -1: nowhere."""

    kind: SignatureKind
    key: str = ""
    armor: bool = False
    file: str = ""
    output: str = ""
    overwrite: bool = False
    status_fd: int = -1


def asks_to_sign(words: Sequence[str]) -> bool:
    """Whether these words want a signature; everything else is for gpg itself."""
    names = [name for name, _ in _split(words)]
    return "--verify" not in names and not _SIGN.isdisjoint(names)


def parse(words: Sequence[str]) -> Asked:
    """Raises GpgWordUnknown."""
    said: dict[str, str] = {}
    files: list[str] = []
    for name, value in _split(words):
        if not name:
            files.append(value)
        elif name in _WITH_VALUE or (name in _SIGN | _IGNORED | _FLAGS and not value):
            said[name] = value
        else:
            raise GpgWordUnknown(f"The option {name[:40]!r} of gpg means nothing here.")
    clear, detached = not _CLEARSIGN.isdisjoint(said), not _DETACH.isdisjoint(said)
    if clear == detached or (detached and "--textmode" in said) or len(files) > 1:
        raise GpgWordUnknown("Only one detached or one clear-text signature is made in one call.")
    if said.get("--digest-algo", "SHA256").upper() not in ("SHA256", "8"):
        raise GpgWordUnknown(f"Signatures are made with SHA-256 only, not {said['--digest-algo'][:20]!r}.")
    return Asked(
        kind="cleartext" if clear else "detached",
        key=said.get("--local-user") or said.get("--default-key", ""),
        armor="--armor" in said and "--no-armor" not in said,
        file="".join(files),
        output=said.get("--output", ""),
        overwrite="--yes" in said,
        status_fd=_descriptor(said.get("--status-fd", "-1")),
    )


_FLAGS = {"--armor", "--no-armor", "--textmode", "--yes", "--openpgp"}


def _descriptor(text: str) -> int:
    try:
        found = int(text)
    except ValueError:
        found = -2
    if not -1 <= found <= 1024:
        raise GpgWordUnknown(f"The status lines cannot go to {text[:20]!r}.")
    return found


def _split(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Long name and value of each option, and files under an empty name; options with a missing value get none."""
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            yield from (("", file) for file in left)
            return
        if word.startswith("--"):
            name, joint, value = word.partition("=")
            yield name, value if joint or name not in _WITH_VALUE or not left else left.pop(0)
        elif word.startswith("-") and len(word) > 1:
            yield from _cluster(word[1:], left)
        else:
            yield "", word


def _cluster(letters: str, left: list[str]) -> Iterator[tuple[str, str]]:
    """Short options in one word, as in `-bsau KEY`."""
    for at, letter in enumerate(letters):
        name = _SHORT.get(letter, f"-{letter}")
        if name in _WITH_VALUE:
            yield name, letters[at + 1 :] or (left.pop(0) if left else "")
            return
        yield name, ""
