"""Which foreign verifiers CI has: what `.ci/run` installs, read from it and from the lists that it installs."""

from __future__ import annotations

import functools
import json
import re
import shutil
from pathlib import Path

from tests.npm import INSTALLED

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


def is_here(verifier: str) -> bool:
    """Whether what CI brings by Go or npm is on this machine; anything else counts as here, for Debian and Python have
    it. Machines without these two languages can show nothing by their programs."""
    name = verifier.split()[0]
    if name in _from_go():
        return shutil.which(name) is not None
    return name not in _from_npm() or (INSTALLED / name / "package.json").exists()


@functools.cache
def _brought() -> frozenset[str]:
    debian = {word for found in _DEBIAN.findall(_script()) for word in found.split()}
    python = _LOCKED.findall((PROJECT / "requirements-dev.txt").read_text())
    return frozenset({*debian, *python, *_from_go(), *_from_npm()})


@functools.cache
def _from_go() -> frozenset[str]:
    return frozenset(_GO.findall(_script()))


@functools.cache
def _from_npm() -> frozenset[str]:
    if "npm ci" not in _script():
        return frozenset()
    return frozenset(json.loads((PROJECT / "tests" / "foreign_node" / "package.json").read_bytes())["dependencies"])


@functools.cache
def _script() -> str:
    lines = (PROJECT / ".ci" / "run").read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))
