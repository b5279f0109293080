"""What a restore goes on from: entries that the backup lacks, a token that its maker restored, or nothing at all."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from ceremony_stage import Born, run_command, tree, unseal
from golden_transcript import check_golden

from ceremony import backup_check, backup_tar
from ceremony.backup import make_backup
from ceremony.backup_check import open_backup
from ceremony.backup_tar import BackupOfNewerVersion
from ceremony.file import CeremonyFile, HsmTable, load_ceremony_file
from ceremony.gather import ShareAtHand
from ceremony.log_snapshot import BackupStale
from ceremony.lost_entries import After, EntriesDoNotContinue, what_follows
from ceremony.restore import Restored, run_restore
from ceremony.restore_rehearsal import prove_shares, rehearse_restore
from ceremony.restore_token import VendorTokenIsEmbedded
from ceremony.softhsm import find_softhsm
from hsmpub.errors import HsmpubError
from hsmpub.home import Home
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.rules import KeyMissing, ModuleUnfit, PinRefused, SignatureNotVerified, TokenGone
from hsmpub.hsm.signer import TokenSigner
from hsmpub.hsm.softhsm import softhsm_conf_text
from hsmpub.hsm.token import init_token
from hsmpub.model import entry as e
from hsmpub.model.fold import ServiceState
from hsmpub.model.keys import Keys
from hsmpub.secret.page import SecretPage
from hsmpub.shares.gathering import TooFewHolders
from hsmpub.shares.record import plan_of
from hsmpub.shares.record_file import load_recovery_record, load_unseal_record
from hsmpub.shares.slip39 import ShareOfAnotherEpoch
from hsmpub.shares.split import split_recovery
from hsmpub.tlog.checkpoint import Checkpoint
from hsmpub.tlog.log import Log
from hsmpub.transcript.check import check_transcript, load_transcript


def now() -> int:
    return int(time.time())


@pytest.fixture(scope="module")
def backup(born: Born, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("continued") / "backup.tar"
    make_backup(born.home, out, now=now())
    return out


@pytest.fixture(scope="module")
def later(born: Born, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, bytes]:
    """What happened after the backup: two entries, and the checkpoint that somebody kept of them."""
    home = Home(tmp_path_factory.mktemp("later") / "home")
    shutil.copytree(born.done.home, home.root)
    log = Log.open(home.log, home.log_head, log_key=born.done.trust.log_key)
    entries = [e.dump_entry(e.SealedBy(now(), f"reason {n}")) for n in range(2)]
    asyncio.run(log.append(entries))
    known = Checkpoint("log.example.org/releases", log.size, log.root)
    log.close()
    return known, b"".join(entry + b"\n" for entry in entries)


def at_hand(born: Born, *names: str) -> list[ShareAtHand]:
    return [
        ShareAtHand(name, (born.home.genesis / "recovery" / f"{name}.age").read_bytes(),
                    bytearray(born.stage.identities[name]))
        for name in names or ("recovery-1", "recovery-2")
    ]  # fmt: skip


def kinds(born: Born, home: Path) -> list[str]:
    place = Home(home)
    log = Log.open(place.log, place.log_head, log_key=born.done.trust.log_key)
    try:
        state = ServiceState()
        entries = [e.load_entry(data) for _, data in log.iterate()]
        for index, entry in enumerate(entries):
            state.apply(index, entry)
        return [type(entry).__name__ for entry in entries]
    finally:
        log.close()


def test_entries_that_somebody_kept_complete_the_log(
    born: Born, backup: Path, later: tuple[Checkpoint, bytes], tmp_path: Path
) -> None:
    known, lines = later
    pins = born.done.trust
    with open_backup(backup, pins, known=known) as checked:
        after = what_follows(checked, known, lines, accept_loss=False)
        done = run_restore(checked, pins, at_hand(born), tmp_path / "home", now=now, after=after)
    assert kinds(born, done.home)[3:] == ["SealedBy", "SealedBy", "Restored"]
    home = Home(done.home)
    with open_backup(_backup_of(home, tmp_path), pins, known=known) as again:  # the log is the known one, continued
        assert again.manifest.log_size == known.size + 1
    facts = check_transcript(done.transcript, pins).facts("entries brought")
    assert facts == {"first": 3, "count": 2}


def _backup_of(home: Home, folder: Path) -> Path:
    make_backup(home, folder / "again.tar", now=now())
    return folder / "again.tar"


def test_other_entries_complete_nothing(born: Born, backup: Path, later: tuple[Checkpoint, bytes]) -> None:
    known, lines = later
    for wrong in (b"", lines[:-40], lines.replace(b"reason 1", b"reason 2"), lines + lines):
        with open_backup(backup, born.done.trust, known=known) as checked, pytest.raises(EntriesDoNotContinue):
            what_follows(checked, known, wrong, accept_loss=True)
    with open_backup(backup, born.done.trust, known=known) as checked, pytest.raises(BackupStale):
        what_follows(checked, known, None, accept_loss=False)


def test_a_loss_that_is_accepted_is_said_at_each_index(
    born: Born, backup: Path, later: tuple[Checkpoint, bytes], tmp_path: Path
) -> None:
    known, _ = later
    pins = born.done.trust
    with open_backup(backup, pins, known=known) as checked:
        after = what_follows(checked, known, None, accept_loss=True)
        assert after == After(lost=known)
        done = run_restore(checked, pins, at_hand(born), tmp_path / "home", now=now, after=after)
    assert kinds(born, done.home)[3:] == ["Lost", "Lost", "Restored"]
    facts = check_transcript(done.transcript, pins).facts("loss accepted")
    assert facts == {"first": 3, "size": 5, "root": known.root.hex()}


def test_a_log_of_a_newer_version_is_named_so(tmp_path: Path, born: Born) -> None:
    home = Home(tmp_path / "home")
    shutil.copytree(born.done.home, home.root)
    log = Log.open(home.log, home.log_head, log_key=born.done.trust.log_key)
    asyncio.run(log.append([b'{"kind":"of-tomorrow","at":1}']))
    log.close()
    with pytest.raises(BackupOfNewerVersion):
        backup_check._fold(home.log)


def test_a_backup_of_a_newer_form_is_named_so() -> None:
    body = msgspec.json.encode({"backup": "hsmpub backup v2", "anything": "else"})
    with pytest.raises(BackupOfNewerVersion, match="v2"):
        backup_tar.check_version(body)
    backup_tar.check_version(b'{"backup":"hsmpub backup v1"}')


def test_shares_of_another_epoch_restore_nothing(born: Born, backup: Path, tmp_path: Path) -> None:
    record = load_recovery_record(born.home.recovery_record.read_bytes())
    other = split_recovery(plan_of(record), epoch=2, avoid=(record.identifier,))
    shares = [
        ShareAtHand(name, other.files[name], bytearray(born.stage.identities[name]))
        for name in ("recovery-1", "recovery-2")
    ]
    with open_backup(backup, born.done.trust) as checked, pytest.raises(ShareOfAnotherEpoch):
        run_restore(checked, born.done.trust, shares, tmp_path / "home", now=now)
    assert list(tmp_path.iterdir()) == []


# --- the maker's own backup ---


@pytest.fixture
def module_file(born: Born, tmp_path: Path) -> CeremonyFile:
    """An HSM that is reached as any other module, with the token of the service as its maker's means restored it."""
    tokens = tmp_path / "hsm" / "tokens"
    shutil.copytree(born.home.tokens, tokens)
    conf = tmp_path / "hsm" / "softhsm2.conf"
    conf.write_text(softhsm_conf_text(tokens))
    file = load_ceremony_file(born.stage.file.read_text())
    variables = {"SOFTHSM2_CONF": str(conf)}
    table = HsmTable(module=find_softhsm(), vendor_backup="smart card in safe 2", environment=variables)
    return file.model_copy(update={"hsm": table})


def hsm_config(file: CeremonyFile, token: str) -> HsmConfig:
    return HsmConfig(file.hsm.module, token, environment=tuple(file.hsm.environment.items()))


def restore_with(born: Born, backup: Path, home: Path, file: CeremonyFile, *, vendor: bool = True) -> Restored:
    pins = born.done.trust
    with open_backup(backup, pins) as checked:
        return run_restore(checked, pins, at_hand(born), home, now=now, file=file, vendor_token=vendor)


def test_a_token_that_its_maker_restored_gets_a_new_pin_and_keeps_its_keys(
    born: Born, backup: Path, module_file: CeremonyFile, tmp_path: Path
) -> None:
    done = restore_with(born, backup, tmp_path / "home", module_file)
    home = Home(done.home)
    hsm = hsm_config(module_file, "hsmpub")
    with SecretPage() as pin:
        unseal(born.stage, home, done.home / "restore-2" / "shares", ("holder-1", "holder-2", "holder-3"), pin)
        with TokenSigner(hsm, pin) as signer:
            assert len(signer.sign("release", hashlib.sha256(b"x").digest(), "sha256")) == 64
    with SecretPage() as old:
        unseal(born.stage, born.home, born.home.genesis / "shares", ("holder-1", "holder-2", "holder-3"), old)
        with pytest.raises(PinRefused):
            TokenSigner(hsm, old)
    facts = check_transcript(done.transcript, born.done.trust).facts("vendor token")
    assert facts["reference"] == "smart card in safe 2"
    assert 'vendor_backup = "smart card in safe 2"' in home.config.read_text()
    make_backup(home, tmp_path / "second.tar", now=now())
    with open_backup(tmp_path / "second.tar", born.done.trust) as checked:
        assert checked.manifest.vendor_backup == "smart card in safe 2"


def test_a_token_that_is_not_the_services_is_refused(
    born: Born, backup: Path, module_file: CeremonyFile, tmp_path: Path
) -> None:
    absent = module_file.model_copy(update={"hsm": module_file.hsm.model_copy(update={"token": "elsewhere"})})
    with pytest.raises(TokenGone):
        restore_with(born, backup, tmp_path / "home", absent)
    init_token(hsm_config(module_file, "stranger"), so_pin=b"1" * 40, pin=b"2" * 40)
    strange = module_file.model_copy(update={"hsm": module_file.hsm.model_copy(update={"token": "stranger"})})
    with pytest.raises(PinRefused):
        restore_with(born, backup, tmp_path / "home", strange)
    first, second, *rest = born.done.trust.keys
    swapped = (msgspec.structs.replace(first, public=second.public), second, *rest)
    for keys, rule in (
        (swapped, SignatureNotVerified),
        ((msgspec.structs.replace(first, name="absent"), second, *rest), KeyMissing),
    ):
        pins = msgspec.structs.replace(born.done.trust, keys=keys)
        with open_backup(backup, pins) as checked:
            checked.state.keys = Keys.of_genesis(keys)  # as if the log told so
            with pytest.raises(rule):
                run_restore(
                    checked, pins, at_hand(born), tmp_path / "home", now=now, file=module_file, vendor_token=True
                )
    assert [path.name for path in tmp_path.iterdir()] == ["hsm"]


def test_a_fresh_token_is_never_one_that_is_there(
    born: Born, backup: Path, module_file: CeremonyFile, tmp_path: Path
) -> None:
    with pytest.raises(ModuleUnfit, match="there is a token named 'hsmpub' already"):
        restore_with(born, backup, tmp_path / "home", module_file, vendor=False)
    with pytest.raises(VendorTokenIsEmbedded), open_backup(backup, born.done.trust) as checked:
        run_restore(checked, born.done.trust, at_hand(born), tmp_path / "home", now=now, vendor_token=True)
    assert [path.name for path in tmp_path.iterdir()] == ["hsm"]


# --- rehearsal ---


def test_a_rehearsal_takes_the_same_steps_and_touches_no_production_key(
    born: Born, backup: Path, tmp_path: Path
) -> None:
    before = tree(born.done.home)
    with open_backup(backup, born.done.trust) as checked:
        rehearsed = rehearse_restore(checked, born.done.trust, now=now)
        record = load_unseal_record(checked.read("keeper/unseal.json"))
    transcript = load_transcript(rehearsed.transcript)
    assert transcript.head.rehearsal
    check_golden("restore", transcript)
    real = ["backup", *["recovery share"] * 2, "keys restored", "token", "unseal quorum", "outputs"]
    assert [step.what for step in transcript.steps] == real
    names = [holder["name"] for holder in transcript.facts("unseal quorum")["holders"]]
    assert names == [holder.name for holder in record.holders]
    assert not rehearsed.home.exists()
    assert tree(born.done.home) == before
    public = [key.public for key in born.done.trust.keys if key.public]
    assert not any(pem.encode() in rehearsed.transcript for pem in public)


def test_real_shares_are_proven_against_the_backup_and_wiped(born: Born, backup: Path) -> None:
    shares = at_hand(born)
    with open_backup(backup, born.done.trust) as checked:
        proven = prove_shares(checked, born.done.trust, shares, now=now())
        assert proven[:4] == ("secret", "wrapping key", "SO PIN", "keeper identity")
        assert {f"key {key.name}" for key in born.done.trust.keys} <= set(proven)
        with pytest.raises(TooFewHolders):
            prove_shares(checked, born.done.trust, at_hand(born, "recovery-3"), now=now())
        altered = [replace(share, file=share.file[:-1] + b"x") for share in at_hand(born)]
        with pytest.raises(HsmpubError):
            prove_shares(checked, born.done.trust, altered, now=now())
    assert not any(any(share.identity) for share in shares)


def test_the_commands_say_what_is_in_a_backup_and_rehearse(born: Born, backup: Path) -> None:
    trust = born.home.trust
    ran = run_command("backup", "verify", backup, "--trust", trust, "--max-age", "1")
    assert ran.returncode == 0, ran.stderr
    text = ran.stdout.decode()
    for said in ("0 hours old", "epoch 1", "3 of holder-1, holder-2", "2 of recovery-1", "release-openpgp"):
        assert said in text
    shares = born.home.genesis / "recovery"
    options: list[str | Path] = []
    for name in ("recovery-1", "recovery-2"):
        options += ["--share", f"{name}={shares / name}.age", "--identity", f"{name}={born.stage.key_file(name)}"]
    ran = run_command("restore", backup, "--trust", trust, "--dry-run", *options)
    assert ran.returncode == 0, ran.stderr
    assert b"The shares open the backup: secret, wrapping key, SO PIN, keeper identity" in ran.stderr
    assert b'"rehearsal":true' in ran.stdout
