"""Homes to hold ceremonies on: copies of one genesis, and the shares of its holders."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ceremony_stage import Born, tree

from ceremony.gather import ShareAtHand
from ceremony.standing.hold import Done, hold, read_papers
from ceremony.standing.kind import AnyKind
from ceremony.standing.quorum import AtHand
from hsmpub.home import Home
from hsmpub.hsm.softhsm import softhsm_conf_text
from hsmpub.model import entry as e
from hsmpub.tlog.log import Log

HOLDERS = ("holder-1", "holder-3", "holder-4")
RECOVERY = ("recovery-1", "recovery-3")


def now() -> int:
    return int(time.time())


def copy_home(source: Home, to: Path) -> Home:
    """A home of its own, with its token."""
    shutil.copytree(source.root, to)
    home = Home(to)
    home.softhsm_conf.write_text(softhsm_conf_text(home.tokens))
    return home


def shares(
    born: Born, folder: Path, names: Sequence[str], identities: dict[str, bytes] | None = None
) -> list[ShareAtHand]:
    known = identities or born.stage.identities
    return [ShareAtHand(name, (folder / f"{name}.age").read_bytes(), bytearray(known[name])) for name in names]


def quorum(born: Born, unseal: Sequence[str] = HOLDERS, recovery: Sequence[str] = RECOVERY) -> AtHand:
    """Shares of the genesis, of either quorum."""
    genesis = born.home.genesis
    return AtHand(shares(born, genesis / "shares", unseal), shares(born, genesis / "recovery", recovery))


def write_papers(folder: Path, **texts: str) -> Path:
    """Writes `<name>.toml` for each text. Returns: the path of `ceremony.toml`."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    return folder / "ceremony.toml"


def hold_file(kind: AnyKind, file: Path, home: Home, at_hand: AtHand) -> Done:
    return hold(kind, read_papers(file, kind), home, at_hand, now=now)


def entries(home: Home, log_key: str) -> list[e.Entry]:
    with closing(Log.open(home.log, home.log_head, log_key=log_key)) as log:
        return [e.load_entry(data) for _, data in log.iterate()]


def files(home: Home) -> dict[str, bytes]:
    """Content of every file of a home, but for those that SQLite makes and removes by itself."""
    return {name: data for name, data in tree(home.root).items() if "log.sqlite-" not in name}


def append(home: Home, log_key: str, *facts: e.Entry) -> None:
    """As a keeper would."""
    with closing(Log.open(home.log, home.log_head, log_key=log_key)) as log:
        asyncio.run(log.append([e.dump_entry(fact) for fact in facts]))
