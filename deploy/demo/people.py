"""The people of the demo, by role, with keys of their own: holders use age or SSH, approvers SSH."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyrage import x25519

from deploy.demo.stage import Stage


@dataclass(frozen=True)
class Person:
    """identity: path of the private key file; public: its public line (age recipient or SSH public key)."""

    name: str
    identity: Path
    public: str


def age_person(stage: Stage, name: str) -> Person:
    identity = x25519.Identity.generate()
    path = stage.root / "people" / f"{name}.age-identity"
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(f"{identity}\n")
    return Person(name, path, str(identity.to_public()))


def ssh_person(stage: Stage, name: str) -> Person:
    path = stage.root / "people" / f"{name}.ssh"
    path.parent.mkdir(exist_ok=True)
    stage.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path)
    return Person(name, path, " ".join(path.with_suffix(".ssh.pub").read_text().split()[:2]))


@dataclass(frozen=True)
class People:
    holders: tuple[Person, ...]
    recovery: tuple[Person, ...]
    manager: Person
    lead: Person
    officer: Person


def gather(stage: Stage) -> People:
    """Five holders (three with age keys, two with SSH keys), three for the recovery, and three who approve."""
    holders = tuple(
        age_person(stage, f"holder-{n}") if n <= 3 else ssh_person(stage, f"holder-{n}") for n in range(1, 6)
    )
    recovery = tuple(age_person(stage, f"recovery-{n}") for n in range(1, 4))
    return People(
        holders,
        recovery,
        ssh_person(stage, "release-manager"),
        ssh_person(stage, "sdk-lead"),
        ssh_person(stage, "security-officer"),
    )
