"""`hsmpub-gpg`: in gpg's place for git, debsign, rpmsign and the like; signs with the service, leaves the rest to gpg.

    git config gpg.program hsmpub-gpg

It is told of the service by the variables that `hsmpub sign` reads (hsmpub.cli.gpg_sign).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer

from hsmpub.cli.gpg_sign import env_path, sign_by_service
from hsmpub.cli.gpg_words import Asked, asks_to_sign, parse
from hsmpub.cli.options import pins
from hsmpub.cli.say import note
from hsmpub.cli.visible import visible
from hsmpub.client.gpg_key import find_key
from hsmpub.client.outputs import NotWritten, write_whole
from hsmpub.client.signing import Work
from hsmpub.errors import HsmpubError, Unavailable
from hsmpub.formats.hash_detail import hash_pieces
from hsmpub.formats.openpgp.parse import dearmor, packets, read_subpackets
from hsmpub.formats.openpgp.text import MAX_TEXT_BYTES
from hsmpub.formats.registry import get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.model.trust import Trust

#: Says that a call comes from here already: without it, two of these that find each other would call on for ever.
_GUARD = "HSMPUB_GPG_CALLED"
_PIECE = 1 << 20
_FAILED = 2

#: Makes one signature: what is signed, the format, the key's name.
Sign = Callable[[Work, str], bytes]


class NoGpg(Unavailable):
    advice = "Install gpg, or name it in HSMPUB_GPG: hsmpub only signs."
    retry_is_safe = False


def run() -> None:
    """The entry point of `hsmpub-gpg`."""
    sys.exit(main(sys.argv[1:]))


def gpg(words: Annotated[list[str], typer.Argument(help="As git, debsign or rpmsign say them.")]) -> None:
    """Sign in gpg's place; everything but detached and clear-text signatures is left to gpg itself. The command
    hsmpub-gpg is the same, for programs that take one word: git config gpg.program hsmpub-gpg. Settings are the
    variables of 'hsmpub sign', and HSMPUB_GPG_RECEIPTS, a folder for receipts."""
    sys.exit(main(words))


def main(words: Sequence[str]) -> int:
    """Returns the exit status, as gpg has it: 0 or 2; of what is left to gpg, gpg's own."""
    try:
        if not asks_to_sign(words):
            return _call_gpg(words)
        answer(parse(words), pins(env_path("HSMPUB_TRUST")), sign_by_service)
    except HsmpubError as e:
        return _failed(words, f"hsmpub-gpg: {e.detail}", f"Next: {e.next_step}" if e.next_step else "")
    except OSError as e:
        return _failed(words, f"hsmpub-gpg: {e.filename or 'input or output'}: {e.strerror}")
    return 0


def _failed(words: Sequence[str], *lines: str) -> int:
    """git, which reads the status from our standard error, keeps to itself what else comes there: so the terminal is
    told, too."""
    for line in filter(None, lines):
        note(line)
        if "--status-fd=2" in words:
            with contextlib.suppress(OSError), Path("/dev/tty").open("w", encoding="utf-8") as terminal:
                terminal.write(f"{visible(line)}\n")
    return _FAILED


def answer(asked: Asked, trust: Trust, sign: Sign) -> None:
    """One signature, from input to output and status lines.

    Raises:
        KeyNotHere, NotWritten, OSError; what `sign` and the format raise.
    """
    key = find_key(trust, asked.key)
    if asked.file in ("", "-"):
        made, signature = _make(asked, sys.stdin.buffer, "", key, sign)
    else:
        with Path(asked.file).open("rb") as file:
            made, signature = _make(asked, file, Path(asked.file).name, key, sign)
    _write(asked, made)
    if asked.status_fd >= 0:
        os.write(asked.status_fd, status_lines(signature).encode())


def _make(asked: Asked, file: BinaryIO, name: str, key: str, sign: Sign) -> tuple[bytes, bytes]:
    """What goes out, and the bare packet of the signature."""
    if asked.kind == "cleartext":
        form, source = get_format("openpgp-cleartext"), BytesSource(file.read(MAX_TEXT_BYTES + 1))
        state, details = Sha256State.of(source.read(0, source.size)), {form.name: form.extract(source)}
        ask = state.to_state(name or "text")
        ask = msgspec.structs.replace(ask, details=details)
        output = sign(Work(Path(ask.name), (form.name,), state, ask, details), key)
        return b"".join(form.attach(source, output)), dearmor(output, "SIGNATURE")
    first = file.read(_PIECE)
    state = hash_pieces(_rest(first, file))
    ask = state.to_state(name or _kind_of(first))
    output = sign(Work(Path(ask.name), ("openpgp",), state, ask), key)
    signature = dearmor(output, "SIGNATURE")
    return output if asked.armor else signature, signature


def _rest(first: bytes, file: BinaryIO) -> Iterator[bytes]:
    yield first
    while piece := file.read(_PIECE):
        yield piece


def _kind_of(data: bytes) -> str:
    """How the log names what came over standard input."""
    return "git-commit" if data.startswith(b"tree ") else "git-tag" if data.startswith(b"object ") else "stdin"


def _write(asked: Asked, made: bytes) -> None:
    if asked.output in ("", "-"):
        sys.stdout.buffer.write(made)
        sys.stdout.buffer.flush()
        return
    target = Path(asked.output)
    if target.exists() and not asked.overwrite:
        raise NotWritten(f"{target} is there already.", next_step="Say --yes, or choose another name.")
    write_whole(target.parent, target.name, made)


def status_lines(signature: bytes) -> str:
    """What gpg says of a signature on its status descriptor. Source: GnuPG, doc/DETAILS, SIG_CREATED."""
    [(_, body)] = packets(signature)
    hashed = read_subpackets(body[6 : 6 + int.from_bytes(body[4:6], "big")])
    fingerprint, at = hashed[33][1:].hex().upper(), int.from_bytes(hashed[2], "big")
    created = f"SIG_CREATED {'C' if body[1] else 'D'} {body[2]} {body[3]} {body[1]:02X} {at} {fingerprint}"
    return "".join(
        f"[GNUPG:] {line}\n" for line in (f"KEY_CONSIDERED {fingerprint} 0", f"BEGIN_SIGNING H{body[3]}", created)
    )


def _call_gpg(words: Sequence[str]) -> int:
    """gpg itself, with the same input, output and descriptors."""
    if os.environ.get(_GUARD):
        raise NoGpg("The gpg that was found is hsmpub-gpg again.")
    program, environ = os.environ.get("HSMPUB_GPG", "gpg"), os.environ | {_GUARD: "1"}
    try:
        return subprocess.run([program, *words], close_fds=False, env=environ, check=False).returncode
    except OSError as e:
        raise NoGpg(f"{program} cannot be started: {e.strerror}.") from None
