"""Small changes to a roster's text that leave the rest of it, comments and all, as people wrote it."""

from __future__ import annotations

import json
import re

from hsmpub.approval import load_roster
from hsmpub.errors import Conflict, NotFound

_HEADER = re.compile(r"\s*\[")
_REVOKED = re.compile(r"\s*revoked\s*=")


class PersonUnknown(NotFound):
    advice = "Check the name in the roster."


class PersonEnrolled(Conflict):
    advice = "Edit the roster's text and use 'hsmpub roster adopt'."


class NotChangedByItself(Conflict):
    advice = "Edit the roster's text and use 'hsmpub roster adopt'."


def revoke(text: str, person: str) -> str:
    """The text with `revoked = true` for one person.

    Raises:
        PersonUnknown, NotChangedByItself, RosterRefused.
    """
    if person not in load_roster(text).persons:
        raise PersonUnknown(f"{person!r} is not in the roster.")
    lines = text.splitlines(keepends=True)
    header = re.compile(rf"""\s*\[\s*person\s*\.\s*["']?{re.escape(person)}["']?\s*\]\s*(#.*)?""")
    at = next((i for i, line in enumerate(lines) if header.fullmatch(line.rstrip("\r\n"))), None)
    if at is None:
        raise NotChangedByItself(f"{person!r} has no table of its own in the roster's text.")
    end = next((i for i in range(at + 1, len(lines)) if _HEADER.match(lines[i])), len(lines))
    kept = [line for line in lines[at + 1 : end] if not _REVOKED.match(line)]
    changed = "".join([*lines[:at], lines[at].rstrip("\r\n") + "\n", "revoked = true\n", *kept, *lines[end:]])
    roster = load_roster(changed)
    if not roster.persons[person].revoked:
        raise NotChangedByItself(f"The roster's text about {person!r} has a form that needs an editor.")
    return changed


def enrol(text: str, person: str, groups: list[str], keys: list[str]) -> str:
    """The text with one more person. keys: OpenSSH public key lines.

    Raises:
        PersonEnrolled, RosterRefused.
    """
    if person in load_roster(text).persons:
        raise PersonEnrolled(f"{person!r} is in the roster already.")
    table = f"\n[person.{json.dumps(person)}]\ngroups = {json.dumps(groups)}\nkeys = {json.dumps(keys)}\n"
    changed = text.rstrip("\n") + "\n" + table
    load_roster(changed)
    return changed
