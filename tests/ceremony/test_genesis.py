"""What a genesis leaves behind, with a real SoftHSM."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from ceremony_stage import POLICY, ROSTER, Born, Stage, hsm_of, run_command, tree, unseal
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from golden_transcript import check_golden

from ceremony.rehearsal import rehearse_genesis
from hsmpub.config import load_config
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model import entry as e
from hsmpub.model.trust import load_trust
from hsmpub.secret.page import SecretPage
from hsmpub.shares.record_file import load_recovery_record, load_unseal_record
from hsmpub.tlog.checkpoint import check_checkpoint
from hsmpub.tlog.log import Log
from hsmpub.tlog.note import load_verifier_key
from hsmpub.transcript.check import check_transcript


def test_three_holders_open_the_token_and_its_release_key_signs(born: Born) -> None:
    digest = hashlib.sha256(b"a release").digest()
    with SecretPage() as pin:
        unseal(born.stage, born.home, born.home.genesis / "shares", ("holder-5", "holder-1", "holder-4"), pin)
        with TokenSigner(hsm_of(born.home), pin) as signer:
            raw = signer.sign("release", digest, "sha256")
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    public = load_pem_public_key(born.done.trust.keys[0].public.encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(SHA256())))


def test_keys_are_pinned_by_kind_and_purpose(born: Born) -> None:
    trust = load_trust(born.home.trust.read_bytes())
    assert trust == born.done.trust
    assert {key.name: key.kind for key in trust.keys} == {
        "release": "p256",
        "release-bundle": "p256",
        "release-openpgp": "rsa3072",
        "routine": "p256",
        "log": "ed25519",
        "sealing": "aes256",
        "backup": "rsa3072-decrypt",
        "backup-certify": "p256",
    }
    certified = {key.name for key in trust.keys if key.openpgp}
    assert certified == {key.name for key in trust.keys if "openpgp" in key.formats} | {"backup"}


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")
def test_gpg_takes_the_certificates(born: Born, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    certificates = sorted(born.home.genesis.glob("*.asc"))
    shown = subprocess.run(
        ["gpg", "--homedir", str(tmp_path), "--batch", "--show-keys", *map(str, certificates)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert len(certificates) == 4
    assert shown.count("Example Releases <releases@example.org>") == 3
    assert shown.count("Example Releases backups <releases@example.org>") == 1


def test_the_log_begins_with_genesis_policy_and_roster_under_a_signed_checkpoint(born: Born, tmp_path: Path) -> None:
    database, head = tmp_path / "log.sqlite", tmp_path / "head"
    shutil.copyfile(born.home.log, database)
    shutil.copyfile(born.home.log_head, head)
    log = Log.open(database, head, log_key=born.done.trust.log_key)
    genesis, policy, roster = (e.load_entry(data) for _, data in log.iterate())
    note = log.checkpoints.newest
    log.close()
    assert isinstance(genesis, e.Genesis)
    assert genesis.transcript_sha256 == hashlib.sha256(born.done.transcript).hexdigest()
    assert (genesis.epoch, genesis.keys, genesis.keeper_key) == (1, born.done.trust.keys, born.done.trust.keeper_key)
    assert isinstance(policy, e.PolicyAdopted)
    assert policy.text == POLICY
    assert isinstance(roster, e.RosterAdopted)
    assert roster.text == ROSTER
    assert note is not None
    assert check_checkpoint(note[1], load_verifier_key(born.done.trust.log_key)).size == 3


def test_the_transcript_names_every_holder_commitment_and_output(born: Born) -> None:
    transcript = check_transcript((born.home.genesis / "transcript.json").read_bytes(), born.done.trust)
    unseal_record = load_unseal_record(born.home.unseal_record.read_bytes())
    recovery_record = load_recovery_record(born.home.recovery_record.read_bytes())
    for what, record in (("unseal quorum", unseal_record), ("recovery quorum", recovery_record)):
        assert transcript.facts(what)["holders"] == [msgspec.to_builtins(holder) for holder in record.holders]
    outputs = transcript.facts("outputs")["sha256"]
    assert len(outputs) == 5 + 3 + 4 + 2 + 4
    for name, digest in outputs.items():
        assert hashlib.sha256((born.done.home / name).read_bytes()).hexdigest() == digest
    assert not transcript.head.rehearsal


def test_private_files_are_the_keepers_alone(born: Born) -> None:
    assert born.home.keeper.stat().st_mode & 0o777 == 0o700
    assert born.home.identity_key.stat().st_mode & 0o777 == 0o600
    assert born.home.identity_key.stat().st_size == 32
    assert load_config(born.home).hsm.token == "hsmpub"
    assert not born.done.home.with_name("home.incomplete").exists()


def test_no_word_pin_or_secret_in_any_output_or_argument(born: Born) -> None:
    """I3: what the holders' own keys do not open is nowhere."""
    secrets = set()
    for folder in ("shares", "recovery"):
        for share in (born.home.genesis / folder).glob("*.age"):
            words = born.stage.words(share).split()
            secrets |= {b" ".join(words[at : at + 3]) for at in range(4, len(words) - 3)}
    with SecretPage() as pin:
        unseal(born.stage, born.home, born.home.genesis / "shares", ("holder-1", "holder-2", "holder-3"), pin)
        secrets |= {bytes(pin.view), bytes(pin.view).hex().encode()}
    seed = born.home.identity_key.read_bytes()
    outputs = tree(born.done.home)
    assert outputs.pop("keeper/identity.key") == seed
    secrets |= {seed, seed.hex().encode()}
    assert len(born.seen) >= 5  # splitters and processes of the HSM
    outputs["process arguments"] = "\n".join(born.seen).encode()
    assert not [name for name, content in outputs.items() if any(secret in content for secret in secrets)]


def test_a_rehearsal_says_so_and_leaves_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = stage.folder / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    before = sorted(stage.folder.rglob("*"))
    rehearsed = rehearse_genesis(stage.plan(), now=lambda: 1_800_000_000)
    transcript = check_transcript(rehearsed.transcript, rehearsed.trust)
    assert transcript.head.rehearsal
    check_golden("genesis", transcript)
    assert sorted(stage.folder.rglob("*")) == before


def test_the_command_rehearses_and_prints_a_transcript(stage: Stage) -> None:
    ran = run_command("genesis", stage.file, "--dry-run", "--home", stage.folder / "home")
    assert ran.returncode == 0, ran.stderr
    assert msgspec.json.decode(ran.stdout)["head"]["rehearsal"] is True
    assert b"Rehearsed; nothing was kept." in ran.stderr
    assert not (stage.folder / "home").exists()


def test_an_existing_home_is_never_touched(stage: Stage, born: Born) -> None:
    before = tree(born.done.home)
    ran = run_command("genesis", stage.file, "--home", born.done.home)
    assert ran.returncode == 1
    assert ran.stderr.decode().count("\n") == 1
    assert "exists already and is not empty" in ran.stderr.decode()
    assert ran.stdout == b""
    assert tree(born.done.home) == before
