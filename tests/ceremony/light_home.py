"""A home without an HSM, to kill ceremonies on: real log, real files, a log key in software, a token that is a file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ceremony_stage import POLICY, ROSTER
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ceremony.standing.file import StandingFile, load_standing_file
from ceremony.standing.held import Held
from ceremony.standing.kind import Kind, Papers
from ceremony.standing.quorum import AtHand
from hsmpub.home import Home
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.model.trust import Trust, dump_trust
from hsmpub.shares.record import HolderRecord, UnsealRecord
from hsmpub.shares.record_file import dump_record
from hsmpub.tlog.log import Log
from hsmpub.tlog.note import VerifierKey

LOG_SIGNER = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
LOG_KEY = str(VerifierKey("log.example.org/light", LOG_SIGNER.public_key().public_bytes_raw()))
IDENTITY = b"i" * 32
FILE = 'ceremony = "pin-change"\nservice = "releases"\n'
BEFORE, AFTER = b"the PIN before", b"the PIN after"


def record(pin_box: bytes) -> UnsealRecord:
    holders = tuple(
        HolderRecord(name=f"holder-{n}", index=n - 1, commitment="ab" * 32, recipient="age1", fingerprint="x")
        for n in (1, 2, 3)
    )
    return UnsealRecord(
        epoch=1, identifier=7, extendable=True, iteration_exponent=0, threshold=2, holders=holders, check="cd" * 32,
        pin_box=pin_box.hex(),
    )  # fmt: skip


def make_light_home(root: Path) -> Home:
    home = Home(root)
    for folder in (home.keeper, home.log.parent):
        folder.mkdir(parents=True)
    keeper_key = Ed25519PrivateKey.from_private_bytes(IDENTITY).public_key().public_bytes_raw().hex()
    home.identity_key.write_bytes(IDENTITY)
    home.trust.write_bytes(dump_trust(Trust("releases", LOG_KEY, keeper_key, ())))
    home.config.write_text('[hsm]\nmodule = "/nowhere"\ntoken = "hsmpub"\n')
    home.unseal_record.write_bytes(dump_record(record(BEFORE)))
    (home.keeper / "goes").write_bytes(b"until the end")
    token_of(home).write_bytes(BEFORE)
    first: list[e.Entry] = [
        e.Genesis(1, "releases", "ef" * 32, 1, keeper_key, LOG_KEY, ()),
        e.PolicyAdopted(1, POLICY, sha256_hex(POLICY.encode())),
        e.RosterAdopted(1, ROSTER, sha256_hex(ROSTER.encode())),
    ]
    entries = [e.dump_entry(entry) for entry in first]
    Log.create(home.log, home.log_head, log_key=LOG_KEY, entries=entries).close()
    return home


def token_of(home: Home) -> Path:
    """Stands for the HSM."""
    return home.root / "token"


def papers() -> Papers[StandingFile]:
    return Papers(FILE, load_standing_file(FILE, "pin-change", StandingFile), {})


def _run(held: Held, papers: Papers[StandingFile], shares: AtHand) -> None:
    """Everything that a ceremony can do: outputs, files put in place and taken away, the token, the log."""
    held.holders = ("holder-1", "holder-2")
    held.recorder.record("unseal share", holder="holder-1")
    if held.resumed is None:
        held.output("shares/holder-1.age", b"for a holder")
        held.replace(held.home.unseal_record, dump_record(record(AFTER)))
        held.replace(held.home.root / "certificate.pem", b"new")
        held.remove(held.home.keeper / "goes")
        held.act(key="one")
    else:
        assert held.resumed == {"key": "one"}
        assert held.waiting(held.home.unseal_record) == dump_record(record(AFTER))
    token_of(held.home).write_bytes(AFTER)
    held.recorder.record("PIN changed")
    signer: Any = SimpleNamespace(sign=lambda key, message, hash_name: LOG_SIGNER.sign(message))
    held.finish(signer)


LIGHT = Kind("pin-change", StandingFile, _run)
