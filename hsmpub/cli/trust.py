"""`hsmpub trust …`: the pins, and what became of the keys since they were made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsmpub.cli.options import DEFAULT_URL, CaFile, Url, connect, pins
from hsmpub.cli.say import note, say
from hsmpub.cli.visible import visible
from hsmpub.client.outputs import write_whole
from hsmpub.model.key import DECRYPTS
from hsmpub.model.keys import Key, Keys
from hsmpub.model.trust import dump_trust, known_keys, with_keys

app = typer.Typer(help="Show the pins and bring them up to date.", no_args_is_help=True)
PinsFile = Annotated[
    Path, typer.Option("--trust", envvar="HSMPUB_TRUST", help="The service's pins: your copy of its trust.json.")
]


@app.command()
def update(trust: PinsFile = Path("trust.json"), url: Url = DEFAULT_URL, ca_file: CaFile = None) -> None:
    """Learn which keys were made, certified, retired or destroyed since, proven from your pins on, and rewrite them.

    The log key and the keeper's identity never change by this.
    """
    before = pins(trust)
    with connect(url, trust, ca_file) as client:
        now = client.keys()
    known = known_keys(before)
    changes = list(_changes(known, now))
    if not changes:
        say(f"{trust} is up to date: {len(now.active)} keys are in force.")
        return
    for change in changes:
        say(change)
    target = trust.resolve()
    write_whole(target.parent, target.name, dump_trust(with_keys(before, now)))
    say(f"{trust} is brought up to date, to entry {now.last} of the log.", "green")
    if any(key.name not in known.by_name for key in now.known):
        note("Hand the certificates of new keys to whoever verifies with gpg or ssh-keygen.")


@app.command()
def show(trust: PinsFile = Path("trust.json")) -> None:
    """Show the keys of the pins, what each makes, and how they stand."""
    known = pins(trust)
    say(f"{visible(known.service)}, log key {visible(known.log_key)}")
    for key in known_keys(known).known:
        say(f"  {visible(key.name)} ({key.record.kind}): {_standing(key)}")


def _changes(before: Keys, now: Keys) -> list[str]:
    """In plain words, in the order of the log."""
    found: list[tuple[int, str]] = []
    for key in now.known:
        old = before.by_name.get(key.name)
        name, life = visible(key.name), key.life
        if old is None:
            formats = ", ".join(key.record.formats) or "no format yet"
            found.append((life.born, f"New key {name} ({key.record.kind}), for {formats} (entry {life.born})."))
        if life.certified > (old.life.certified if old else 0):
            found.append((life.certified, f"Key {name} has a new X.509 certificate (entry {life.certified})."))
        if life.retired and not (old and old.life.retired):
            found.append((life.retired, f"Key {name} {_retired(key)} (entry {life.retired})."))
        if life.destroyed and not (old and old.life.destroyed):
            found.append((life.destroyed, f"Key {name} is destroyed (entry {life.destroyed})."))
    return [said for _, said in sorted(found)]


#: Of those that do not sign.
_USES = {DECRYPTS: "opens what is encrypted to it", "aes256": "seals credentials"}


def _standing(key: Key) -> str:
    if key.state == "destroyed":
        return f"destroyed (entry {key.life.destroyed})"
    if key.state != "active":
        return f"{_retired(key)} (entry {key.life.retired})"
    makes = ", ".join(key.record.formats)
    return _USES.get(key.record.kind) or (f"makes {makes}" if makes else "signs")


def _retired(key: Key) -> str:
    why = {"compromised": ": it may be known to others", "superseded": ""}.get(key.life.reason, "")
    then = f"; {visible(key.life.successor)} takes its place" if key.life.successor else ""
    ended = "is encrypted to no more, and opens what was" if key.record.kind == DECRYPTS else "signs nothing any more"
    return f"{ended}{why}{then}"
