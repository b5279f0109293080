"""Witnesses countersign what they saw; a transcript whose steps are not a ceremony's is refused, whoever signed it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from ceremony_stage import make_stage, run_command
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ceremony.file import WrongCeremonyValue, load_ceremony_file
from ceremony.witness_table import WitnessTable, witness_facts
from ceremony.witnesses import check_witnesses, signature_path
from hsmpub.model.trust import Trust, dump_trust
from hsmpub.tlog.note import VerifierKey
from hsmpub.transcript.check import TranscriptIncomplete, check_transcript
from hsmpub.transcript.record import Ceremony, Recorder
from hsmpub.transcript.script import has_its_steps
from hsmpub.transcript.witness import (
    WITNESS_NAMESPACE,
    WitnessMissing,
    WitnessRefused,
    WitnessUnknown,
    check_witness,
    named_witnesses,
)

LOG, KEEPER = Ed25519PrivateKey.from_private_bytes(b"l" * 32), Ed25519PrivateKey.from_private_bytes(b"k" * 32)
TRUST = Trust(
    "releases", str(VerifierKey("log.example.org/x", LOG.public_key().public_bytes_raw())),
    KEEPER.public_key().public_bytes_raw().hex(), (),
)  # fmt: skip
STEPS = ("drill", "drill share", "drill share", "proven")


def signed(*steps: str, ceremony: Ceremony = "drill", **first: object) -> bytes:
    """A transcript with both signatures, as a compromised keeper could make it."""
    recorder = Recorder(ceremony, "releases", lambda: 1, lambda step: None, rehearsal=False)
    for number, step in enumerate(steps):
        recorder.record(step, **(first if not number else {}))
    return recorder.sign([("log", TRUST.log_key, LOG.sign), ("keeper", TRUST.keeper_key, KEEPER.sign)])


@dataclass(frozen=True)
class Seen:
    """A transcript on disk, and the keys of its two witnesses and of a stranger."""

    path: Path
    data: bytes
    keys: dict[str, Path]

    def sign(self, name: str, key: str = "", namespace: str = WITNESS_NAMESPACE, data: bytes = b"") -> Path:
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(self.keys[key or name])]
        signature = subprocess.run(command, input=data or self.data, capture_output=True, check=True).stdout
        out = signature_path(self.path, name)
        out.write_bytes(signature)
        return out

    def check(self, *, required: bool = False) -> tuple[str, ...]:
        return check_witnesses(self.path, self.data, check_transcript(self.data, TRUST), required=required)


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    keys = {}
    for name in ("witness-1", "witness-2", "stranger"):
        keys[name] = tmp_path / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys[name])], check=True)
    named = [
        WitnessTable(name=name, key=keys[name].with_suffix(".pub").read_text()) for name in ("witness-1", "witness-2")
    ]
    data = signed(*STEPS, **witness_facts(named))
    path = tmp_path / "transcript.json"
    path.write_bytes(data)
    return Seen(path, data, keys)


def test_witnesses_sign_beside_the_transcript_and_all_can_be_required(seen: Seen) -> None:
    assert seen.check() == ()
    seen.sign("witness-2")
    assert seen.check() == ("witness-2",)
    with pytest.raises(WitnessMissing, match="witness-1"):
        seen.check(required=True)
    seen.sign("witness-1")
    assert seen.check(required=True) == ("witness-1", "witness-2")
    data = signed(*STEPS)
    alone = check_transcript(data, TRUST)
    with pytest.raises(WitnessMissing, match="named no witness"):
        check_witnesses(seen.path.with_name("other.json"), data, alone, required=True)


def test_a_wrong_witness_is_refused(seen: Seen) -> None:
    other = seen.data.replace(b"proven", b"prove")
    for change in ({"key": "stranger"}, {"key": "witness-2"}, {"namespace": "file"}, {"data": other}):
        seen.sign("witness-1", **change)  # type: ignore[arg-type]
        with pytest.raises(WitnessRefused, match="witness-1"):
            seen.check()
    signature_path(seen.path, "witness-1").unlink()
    seen.sign("stranger")
    with pytest.raises(WitnessUnknown, match="stranger"):
        seen.check()
    with pytest.raises(WitnessRefused):
        check_witness(check_transcript(seen.data, TRUST), seen.data, "witness-1", b"no signature")


def test_the_commands_countersign_and_show_who_has(seen: Seen) -> None:
    trust = seen.path.with_name("trust.json")
    trust.write_bytes(dump_trust(TRUST))
    common = (seen.path, "--trust", trust)
    ran = run_command("witness", *common, "--name", "witness-1", "--key", seen.keys["witness-1"], "--yes")
    assert ran.returncode == 0, ran.stderr
    ran = run_command("verify", *common)
    assert b"Witnessed by witness-1. Not yet by witness-2." in ran.stdout
    assert run_command("verify", *common, "--require-witnesses").returncode == 1
    refused = run_command("witness", *common, "--name", "witness-2", "--key", seen.keys["stranger"], "--yes")
    assert refused.returncode == 1
    assert not signature_path(seen.path, "witness-2").exists()


def test_a_missing_or_moved_step_is_found_although_everything_is_signed() -> None:
    check_transcript(signed(*STEPS), TRUST)
    for wrong in (STEPS[1:], STEPS[:-1], (STEPS[0], STEPS[-1]), (STEPS[0], STEPS[3], STEPS[1]), (*STEPS, "more")):
        with pytest.raises(TranscriptIncomplete):
            check_transcript(signed(*wrong), TRUST)
    genesis = ("ceremony file", "recovery quorum", "keys born", "token", "unseal quorum", "keeper identity",
               "backup of the keys", "public keys", "outputs")  # fmt: skip
    check_transcript(signed(*genesis, ceremony="genesis"), TRUST)
    for at in range(len(genesis)):
        with pytest.raises(TranscriptIncomplete):
            check_transcript(signed(*genesis[:at], *genesis[at + 1 :], ceremony="genesis"), TRUST)


@pytest.mark.parametrize("ceremony", get_args(Ceremony))
def test_every_ceremony_has_steps_that_it_cannot_lack(ceremony: Ceremony) -> None:
    assert not has_its_steps(ceremony, ())
    assert not has_its_steps(ceremony, check_transcript(signed(*STEPS), TRUST).steps[:1])


def test_witnesses_of_a_ceremony_file_are_checked(seen: Seen, tmp_path: Path) -> None:
    text = _file(tmp_path)
    line = seen.keys["witness-1"].with_suffix(".pub").read_text().strip()

    def table(name: str, key: str) -> str:
        return f'[[witness]]\nname = "{name}"\nkey = "{key}"\n'

    [witness] = load_ceremony_file(text + table("witness-1", line)).witness
    assert witness.key == " ".join(line.split()[:2])
    for wrong in (
        table("witness-1", "ssh-ed25519 broken"), table("wit ness", line),
        table("witness-1", line) + table("witness-2", line),
    ):  # fmt: skip
        with pytest.raises(WrongCeremonyValue):
            load_ceremony_file(text + wrong)
    facts = msgspec.to_builtins(named_witnesses(check_transcript(seen.data, TRUST)))
    assert list(facts) == ["witness-1", "witness-2"]


def _file(folder: Path) -> str:
    (folder / "stage").mkdir()
    return make_stage(folder / "stage").file.read_text()
