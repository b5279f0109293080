"""Runs the trials of a stage in a process, and the table of all in docs/hsm.md.

python -m tests.hsm.modules.table writes the table anew; run it as root, with every module installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PAGE = ROOT / "docs" / "hsm.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->"
_SECONDS = 300

sys.path[:0] = [str(HERE), str(HERE.parent)]
from stage import STAGES, Stage  # noqa: E402


def rows_of(stage: Stage, folder: Path) -> dict[str, str]:
    """What came of the trials of a stage, made in this folder."""
    command = [sys.executable, str(HERE / "trials.py"), stage.name, str(folder)]
    if stage.namespace:
        command = ["unshare", "--mount", "--ipc", "--propagation", "private", *command]
    paths = os.pathsep.join([str(HERE), str(HERE.parent), str(ROOT)])
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    rows: dict[str, str] = json.loads(done.stdout)
    return rows


def table_of(columns: dict[str, dict[str, str]]) -> str:
    """Markdown. columns: stage → row → answer."""
    names = list(dict.fromkeys(row for rows in columns.values() for row in rows))
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[name, *(rows.get(name, "not tried") for rows in columns.values())] for name in names]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def written(page: str) -> dict[str, dict[str, str]]:
    """The columns of the table in the page."""
    lines = page.partition(BEGIN)[2].partition(END)[0].strip().splitlines()
    head, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {name: {row[0]: row[place] for row in body} for place, name in enumerate(head) if name}


def main() -> None:
    columns = {}
    for stage in STAGES.values():
        if stage.lacks():
            sys.exit(f"{stage.name}: {stage.lacks()}")
        with tempfile.TemporaryDirectory(prefix="hsmpub-module-") as folder:
            columns[stage.name] = rows_of(stage, Path(folder))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + table_of(columns) + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
