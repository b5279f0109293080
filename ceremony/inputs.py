"""Files that a command is given."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ceremony.gather import ShareAtHand
from ceremony.plan import CeremonyInputMissing, CeremonyInputUnreadable
from hsmpub.errors import Invalid
from hsmpub.model.trust import Trust, load_trust
from hsmpub.tlog.checkpoint import Checkpoint, check_checkpoint
from hsmpub.tlog.note import load_verifier_key

_MAX_BYTES = 64 << 20


class OptionMalformed(Invalid):
    advice = "Write it as HOLDER=FILE, once for each holder."


def read_file(path: Path, size: int = _MAX_BYTES) -> bytes:
    """The first `size` bytes of a file. Raises CeremonyInputMissing, CeremonyInputUnreadable."""
    with _refusing(path), path.open("rb") as file:
        return file.read(size)


def read_secret_file(path: Path) -> bytearray:
    """A holder's private key, read without another copy. Raises as read_file does."""
    with _refusing(path), path.open("rb", buffering=0) as file:
        data = bytearray(1 << 16)
        size = file.readinto(data) or 0
        del data[size:]
        return data


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Raises CeremonyInputMissing, CeremonyInputUnreadable, where this file cannot be read."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise CeremonyInputMissing(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise CeremonyInputMissing(f"{path} is a folder, not a file.") from None
    except OSError as error:
        raise CeremonyInputUnreadable(f"The file {path} cannot be read: {error.strerror}.") from None


def read_trust(path: Path) -> Trust:
    """Raises CeremonyInputMissing, CeremonyInputUnreadable, TrustMalformed."""
    return load_trust(read_file(path))


def read_checkpoint_note(path: Path, trust: Trust) -> Checkpoint:
    """A checkpoint of the service's log, verified. Raises NoteMalformed, NoteUntrusted, CheckpointMalformed."""
    return check_checkpoint(read_file(path), load_verifier_key(trust.log_key))


def read_shares(shares: Sequence[str], identities: Sequence[str]) -> list[ShareAtHand]:
    """Share files with the private keys of their holders, of options `HOLDER=FILE`; `-` is stdin, for one share.

    Raises:
        OptionMalformed, CeremonyInputMissing, CeremonyInputUnreadable.
    """
    files, keys = _pairs("--share", shares), _pairs("--identity", identities)
    if strange := set(keys) - set(files):
        raise OptionMalformed(f"There is a private key of {min(strange)}, but no share.")
    if list(files.values()).count("-") > 1:
        raise OptionMalformed("Only one share can come from stdin.")
    return [
        ShareAtHand(
            holder,
            sys.stdin.buffer.read(1 << 16) if name == "-" else read_file(Path(name), 1 << 16),
            read_secret_file(Path(keys[holder])) if holder in keys else bytearray(),
        )
        for holder, name in files.items()
    ]


def _pairs(option: str, values: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        holder, equals, name = value.partition("=")
        if not equals or not holder or not name or holder in pairs:
            raise OptionMalformed(f"{option} {holder[:80]!r} is not of the form HOLDER=FILE, or comes twice.")
        pairs[holder] = name
    return pairs
