"""Everything that a genesis is going to use, read and checked before anything happens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ceremony.file import CeremonyFile, load_ceremony_file
from ceremony.keys import planned_keys
from hsmpub.approval.roster import load_roster
from hsmpub.errors import Invalid, NotFound
from hsmpub.model.digest import sha256_hex
from hsmpub.policy import load_policy


class CeremonyInputMissing(NotFound):
    advice = "Check the path; those in the ceremony file count from its own folder."


class CeremonyInputUnreadable(Invalid):
    advice = "Give a text file in UTF-8."


@dataclass(frozen=True)
class Plan:
    """A checked ceremony file with the files that it names. sha256: of the ceremony file's bytes, hex."""

    file: CeremonyFile
    sha256: str
    policy: str
    roster: str


def load_plan(path: Path) -> Plan:
    """Reads the ceremony file, policy and roster, and checks each against the others.

    Raises:
        CeremonyInputMissing, CeremonyInputUnreadable: of a file.
        CeremonyFileRefused, PolicyRefused, RosterRefused, InFile: of what a file says, with its line.
    """
    text = read_text(path)
    file = load_ceremony_file(text)
    policy = read_text(path.parent / file.files.policy)
    roster = read_text(path.parent / file.files.roster)
    load_policy(policy, keys=planned_keys(), groups=load_roster(roster).groups)
    return Plan(file, sha256_hex(text.encode()), policy, roster)


def read_text(path: Path) -> str:
    """Raises CeremonyInputMissing, CeremonyInputUnreadable."""
    try:
        return path.read_bytes().decode()
    except (FileNotFoundError, NotADirectoryError):
        raise CeremonyInputMissing(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise CeremonyInputMissing(f"{path} is a folder, not a file.") from None
    except PermissionError:
        raise CeremonyInputUnreadable(f"The file {path} may not be read.") from None
    except UnicodeDecodeError:
        raise CeremonyInputUnreadable(f"The file {path} is not text.") from None
