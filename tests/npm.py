"""Verifiers that npm has. `.ci/run` installs them outside the tree, pinned by digest in foreign_node/package-lock.json.

Elsewhere: `npm ci --ignore-scripts` in a copy of that folder's two .json files, and HSMPUB_NODE names the copy. Without
it tests are skipped, and say why.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.formats.foreign_tool import needs, run

#: The scripts that hand what we made to a package, and what they need.
SOURCE = Path(__file__).parent / "foreign_node"
INSTALLED = Path(os.environ.get("HSMPUB_NODE", "/opt/hsmpub-node")) / "node_modules"


def installed(package: str) -> str:
    """The version of a package that is there. The test is skipped where it, or node, is missing."""
    needs("node")
    try:
        told = json.loads((INSTALLED / package / "package.json").read_bytes())
    except FileNotFoundError:
        pytest.skip(f"npm's {package} is not installed: see tests/npm.py")
    version: str = told["version"]
    return version


def node(script: str, *argv: object, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """Runs a script of SOURCE, which finds the installed packages; nothing is raised for a refusal."""
    packages = {"NODE_PATH": str(INSTALLED)}
    done: subprocess.CompletedProcess[bytes] = run("node", SOURCE / script, *argv, stdin=stdin, cwd=cwd, env=packages)
    return done
