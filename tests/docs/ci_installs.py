"""Which foreign verifiers CI has: what `.ci/run` installs, read from it and from the lists that it installs."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
#: What brings a program or library that has another name.
_BRINGS = {
    "PyJWT": "pyjwt",
    "apt-get": "apt-utils",
    "gpg": "gnupg",
    "jarsigner": "openjdk-17-jdk-headless",
    "modinfo": "kmod",
    "pdfsig": "poppler-utils",
    "pyHanko": "pyhanko",
    "python-tuf": "tuf",
    "sbverify": "sbsigntool",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
}
_DEBIAN = re.compile(r"apt-get install ((?:\\\n|[^\n>])*)")
_GO = re.compile(r"go install \S+/([\w-]+)@v[\d.]+")
_LOCKED = re.compile(r"^([\w.-]+)==", re.MULTILINE)


def ci_installs(verifier: str) -> bool:
    """Whether `.ci/run` brings a verifier, named as in the table: the program or library is the first word."""
    name = verifier.split()[0]
    return _BRINGS.get(name, name) in _brought()


@functools.cache
def _brought() -> frozenset[str]:
    script = "\n".join(
        line for line in (PROJECT / ".ci" / "run").read_text().splitlines() if not line.lstrip().startswith("#")
    )
    debian = {word for found in _DEBIAN.findall(script) for word in found.split()}
    python = _LOCKED.findall((PROJECT / "requirements-dev.txt").read_text())
    npm = {}
    if "npm ci" in script:
        npm = json.loads((PROJECT / "tests" / "foreign_node" / "package.json").read_bytes())["dependencies"]
    return frozenset({*debian, *_GO.findall(script), *python, *npm})
