"""A backup without any quorum, and a restore with the recovery quorum: same public keys, new epoch."""

from __future__ import annotations

import asyncio
import hashlib
import io
import shutil
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from ceremony_stage import Born, hsm_of, run_command, tree, unseal
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ceremony.backup import make_backup
from ceremony.backup_check import BackupMissing, open_backup
from ceremony.backup_tar import BackupAltered, BackupMalformed, BackupUntrusted
from ceremony.gather import ShareAtHand
from ceremony.log_snapshot import BackupStale, LogForked
from ceremony.lost_entries import what_follows
from ceremony.place import HomeExists, OutputExists
from ceremony.restore import Restored, run_restore
from ceremony.restore_token import RestoredKeysDiffer
from hsmpub.errors import HsmpubError
from hsmpub.home import Home
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model import entry as e
from hsmpub.model.trust import Trust
from hsmpub.secret.page import SecretPage
from hsmpub.shares.gathering import EnoughShares, ShareAlreadyHandedIn, ShareOfAnotherHolder, TooFewHolders
from hsmpub.shares.record import UnknownHolder
from hsmpub.shares.record_file import load_unseal_record
from hsmpub.shares.slip39 import ShareOfAnotherEpoch
from hsmpub.tlog.checkpoint import Checkpoint
from hsmpub.tlog.log import Log
from hsmpub.transcript.check import check_transcript


def now() -> int:
    return int(time.time())


@pytest.fixture(scope="module")
def backup(born: Born, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("backup") / "backup.tar"
    make_backup(born.home, out, now=now())
    return out


def at_hand(born: Born, *names: str, under: Sequence[str] = ()) -> list[ShareAtHand]:
    """Recovery shares with their holders' keys; `under`: the names that they are handed in under."""
    return [
        ShareAtHand(
            holder,
            (born.home.genesis / "recovery" / f"{name}.age").read_bytes(),
            bytearray(born.stage.identities[name]),
        )
        for name, holder in zip(names, under or names, strict=True)
    ]


def restore(born: Born, backup: Path, home: Path, shares: list[ShareAtHand], trust: Trust | None = None) -> Restored:
    pins = trust or born.done.trust
    with open_backup(backup, pins) as checked:
        return run_restore(checked, pins, shares, home, now=now)


@pytest.fixture(scope="module")
def restored(born: Born, backup: Path, tmp_path_factory: pytest.TempPathFactory) -> Restored:
    home = tmp_path_factory.mktemp("restored") / "home"
    return restore(born, backup, home, at_hand(born, "recovery-3", "recovery-1"))


def test_the_same_keys_sign_again_after_new_shares_open_the_new_token(born: Born, restored: Restored) -> None:
    home = Home(restored.home)
    digest = hashlib.sha256(b"after the disaster").digest()
    with SecretPage() as pin:
        unseal(born.stage, home, restored.home / "restore-2" / "shares", ("holder-2", "holder-4", "holder-3"), pin)
        with TokenSigner(hsm_of(home), pin) as signer:
            signature = signer.sign("release-openpgp", digest, "sha256")
    pinned = next(key for key in born.done.trust.keys if key.name == "release-openpgp")
    public = load_pem_public_key(pinned.public.encode())
    assert isinstance(public, RSAPublicKey)
    public.verify(signature, digest, padding.PKCS1v15(), Prehashed(SHA256()))
    assert home.trust.read_bytes() == born.home.trust.read_bytes()


def test_shares_of_the_old_epoch_are_refused_by_name(born: Born, restored: Restored) -> None:
    home = Home(restored.home)
    assert load_unseal_record(home.unseal_record.read_bytes()).epoch == 2
    with SecretPage() as pin, pytest.raises(ShareOfAnotherEpoch):
        unseal(born.stage, home, born.home.genesis / "shares", ("holder-1", "holder-2", "holder-3"), pin)


def test_the_log_goes_on_with_the_restore(born: Born, restored: Restored) -> None:
    home = Home(restored.home)
    log = Log.open(home.log, home.log_head, log_key=born.done.trust.log_key)
    entries = [e.load_entry(data) for _, data in log.iterate()]
    log.close()
    assert [type(entry).__name__ for entry in entries] == ["Genesis", "PolicyAdopted", "RosterAdopted", "Restored"]
    last = entries[-1]
    assert isinstance(last, e.Restored)
    assert (last.epoch, last.holders) == (2, ("recovery-3", "recovery-1"))
    assert last.transcript_sha256 == hashlib.sha256(restored.transcript).hexdigest()
    transcript = check_transcript(restored.transcript, born.done.trust)
    assert transcript.head.ceremony == "restore"


def test_a_restored_home_can_be_backed_up_and_restored_again(born: Born, restored: Restored, tmp_path: Path) -> None:
    out = tmp_path / "second.tar"
    make_backup(Home(restored.home), out, now=now())
    again = restore(born, out, tmp_path / "home", at_hand(born, "recovery-1", "recovery-2"))
    assert again.epoch == 3


def test_no_word_pin_or_secret_in_backup_or_restored_home(born: Born, backup: Path, restored: Restored) -> None:
    home = Home(restored.home)
    secrets = {born.home.identity_key.read_bytes()}
    for folder in (born.home.genesis / "recovery", restored.home / "restore-2" / "shares"):
        for share in folder.glob("*.age"):
            words = born.stage.words(share).split()
            secrets |= {b" ".join(words[at : at + 3]) for at in range(4, len(words) - 3)}
    for place, shares in ((home, restored.home / "restore-2" / "shares"), (born.home, born.home.genesis / "shares")):
        with SecretPage() as pin:
            unseal(born.stage, place, shares, ("holder-1", "holder-2", "holder-3"), pin)
            secrets.add(bytes(pin.view))
    outputs = tree(restored.home) | {"backup.tar": backup.read_bytes()}
    del outputs["keeper/identity.key"]
    assert not [name for name, content in outputs.items() if any(secret in content for secret in secrets)]
    with tarfile.open(backup) as tar:
        assert not [name for name in tar.getnames() if "identity" in name or "tokens" in name or name.endswith("head")]


def test_a_running_keeper_is_backed_up_with_what_no_checkpoint_covers_yet(born: Born, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    shutil.copytree(born.done.home, home.root)
    log = Log.open(home.log, home.log_head, log_key=born.done.trust.log_key)
    try:
        asyncio.run(log.append([e.dump_entry(e.SealedBy(now(), f"reason {n}")) for n in range(300)]))
        manifest = make_backup(home, tmp_path / "out.tar", now=now())
        assert (manifest.log_size, bytes.fromhex(manifest.log_root)) == log.head == (303, log.root)
    finally:
        log.close()
    with open_backup(tmp_path / "out.tar", born.done.trust) as checked:
        assert checked.manifest == manifest


@pytest.mark.parametrize(
    ("shares", "under", "rule"),
    [
        (("recovery-1",), (), TooFewHolders),
        ((), (), TooFewHolders),
        (("recovery-1", "recovery-1"), (), ShareAlreadyHandedIn),
        (("recovery-1", "recovery-1"), ("recovery-1", "recovery-2"), ShareOfAnotherHolder),
        (("recovery-1", "recovery-2", "recovery-3"), (), EnoughShares),
        (("recovery-1", "recovery-2"), ("recovery-1", "holder-1"), UnknownHolder),
    ],
)
def test_refuses_a_quorum_that_is_none(
    born: Born, backup: Path, tmp_path: Path, shares: tuple[str, ...], under: tuple[str, ...], rule: type[HsmpubError]
) -> None:
    handed = at_hand(born, *shares, under=under)
    with pytest.raises(rule):
        restore(born, backup, tmp_path / "home", handed)
    assert list(tmp_path.iterdir()) == []
    assert all(not any(share.identity) for share in handed)


def test_refuses_a_home_that_is_not_empty(born: Born, backup: Path) -> None:
    before = tree(born.done.home)
    with pytest.raises(HomeExists):
        restore(born, backup, born.done.home, at_hand(born, "recovery-1", "recovery-2"))
    assert tree(born.done.home) == before


def test_refuses_keys_that_are_not_the_pinned_ones(born: Born, backup: Path, tmp_path: Path) -> None:
    first, second, *rest = born.done.trust.keys
    swapped = (msgspec.structs.replace(first, public=second.public), second, *rest)
    other = msgspec.structs.replace(born.done.trust, keys=swapped)
    with pytest.raises(RestoredKeysDiffer):
        restore(born, backup, tmp_path / "home", at_hand(born, "recovery-1", "recovery-2"), other)
    assert list(tmp_path.iterdir()) == []


def test_refuses_a_backup_that_lags_behind_a_known_checkpoint(born: Born, backup: Path) -> None:
    newer = Checkpoint("log.example.org/releases", 9, bytes(32))
    forked = Checkpoint("log.example.org/releases", 2, bytes(32))
    with (
        open_backup(backup, born.done.trust, known=newer) as checked,
        pytest.raises(BackupStale, match="Entries 3 to 8 are missing"),
    ):
        what_follows(checked, newer, None, accept_loss=False)
    with pytest.raises(LogForked), open_backup(backup, born.done.trust, known=forked):
        pytest.fail("it was opened")


def test_refuses_the_backup_of_another_service(born: Born, backup: Path) -> None:
    for changed in ({"keeper_key": "11" * 32}, {"service": "another"}):
        other = msgspec.structs.replace(born.done.trust, **changed)
        with pytest.raises(BackupUntrusted), open_backup(backup, other):
            pytest.fail("it was opened")


def repack(source: Path, target: Path, change: str, member: str = "trust.json") -> None:
    with tarfile.open(source) as old, tarfile.open(target, "x:") as new:
        for info in old:
            file = old.extractfile(info)
            assert file is not None
            data = file.read()
            if info.name == member and change == "drop":
                continue
            if info.name == member and change == "flip":
                data = data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]
            if info.name == member and change == "climb":
                info.name = "../" + info.name
            new.addfile(info, io.BytesIO(data))
            if info.name == member and change == "double":
                new.addfile(info, io.BytesIO(data))
            if info.name == member and change == "link":
                link = tarfile.TarInfo("keeper/link")
                link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
                new.addfile(link)


@pytest.mark.parametrize(
    ("change", "member", "rule"),
    [
        ("flip", "trust.json", BackupAltered),
        ("flip", "log/log.sqlite", BackupAltered),
        ("flip", "keeper/recovery.json", BackupAltered),
        ("flip", "manifest.json", BackupUntrusted),
        ("flip", "manifest.sig", BackupUntrusted),
        ("drop", "trust.json", BackupAltered),
        ("drop", "manifest.sig", BackupMalformed),
        ("double", "trust.json", BackupMalformed),
        ("climb", "trust.json", BackupMalformed),
        ("link", "trust.json", BackupMalformed),
    ],
)
def test_refuses_an_altered_backup(
    born: Born, backup: Path, tmp_path: Path, change: str, member: str, rule: type[HsmpubError]
) -> None:
    altered = tmp_path / "altered.tar"
    repack(backup, altered, change, member)
    with pytest.raises(rule), open_backup(altered, born.done.trust):
        pytest.fail("it was opened")


def test_refuses_what_is_no_backup(born: Born, backup: Path, tmp_path: Path) -> None:
    (tmp_path / "short.tar").write_bytes(backup.read_bytes()[:40_000])
    (tmp_path / "text.tar").write_bytes(b"not a tar at all, although it is called one" * 100)
    for name in ("short.tar", "text.tar"):
        with pytest.raises(HsmpubError), open_backup(tmp_path / name, born.done.trust):
            pytest.fail("it was opened")
    with pytest.raises(BackupMissing), open_backup(tmp_path / "nowhere.tar", born.done.trust):
        pytest.fail("it was opened")


def test_a_backup_never_overwrites_and_leaves_no_scraps(born: Born, backup: Path) -> None:
    before = backup.read_bytes()
    with pytest.raises(OutputExists):
        make_backup(born.home, backup, now=now())
    assert backup.read_bytes() == before
    assert [path.name for path in backup.parent.iterdir()] == ["backup.tar"]


def test_the_commands_back_up_verify_and_restore(born: Born, tmp_path: Path) -> None:
    out, trust = tmp_path / "out.tar", born.home.trust
    ran = run_command("backup", out, "--home", born.done.home, "--dry-run")
    assert ran.returncode == 0, ran.stderr
    assert b"a backup of releases" in ran.stdout
    assert b"nothing was kept" in ran.stdout
    assert not list(tmp_path.iterdir())
    ran = run_command("backup", out, "--home", born.done.home)
    assert ran.returncode == 0, ran.stderr
    assert run_command("backup", out, "--home", born.done.home, "--dry-run").returncode == 1
    ran = run_command("verify", out, "--trust", trust)
    assert b"a backup of releases" in ran.stdout
    shares = born.home.genesis / "recovery"
    words = born.stage.words(shares / "recovery-2.age")
    ran = run_command(
        "restore", out, "--trust", trust, "--home", tmp_path / "home", "--ceremony", born.stage.file,
        "--share", f"recovery-1={shares / 'recovery-1.age'}",
        "--identity", f"recovery-1={born.stage.key_file('recovery-1')}",
        "--share", "recovery-2=-", stdin=bytes(words),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert b"in epoch 2" in ran.stdout
    assert b" ".join(words.split()[4:7]) not in ran.stdout + ran.stderr
    wrong = run_command(
        "restore", out, "--trust", trust, "--home", tmp_path / "other", "--share", "recovery-1=-", stdin=b"no share"
    )
    assert wrong.returncode == 1
    assert wrong.stderr.count(b"\n") == 1
    assert b"SLIP-39" in wrong.stderr
    assert not (tmp_path / "other").exists()
