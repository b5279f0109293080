"""Another key takes the backup key's place: teams encrypt to the new one, and the old one opens what it always did."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from ceremony_stage import Born, hsm_of, unseal
from standing_stage import copy_home, files, hold_file, quorum, write_papers

from ceremony.standing.certificates import CSR
from ceremony.standing.hold import Done
from ceremony.standing.key_announce import KeyDecrypts, KeyOfTheService
from ceremony.standing.key_birth import KEY_GENERATE, KEY_ROTATE, SuccessorUnfit
from ceremony.standing.key_end import KEY_DESTROY
from ceremony.standing.key_files import KeyGenerateFile, KeyRetireFile
from ceremony.standing.key_history import key_history
from ceremony.standing.kind import AnyKind
from ceremony.standing.openpgp_subkey import OPENPGP_SUBKEY
from hsmpub.client.backup_key import (
    BackupKeyRetired,
    SeveralBackupKeys,
    age_recipient,
    find_backup_key,
    openpgp_certificate,
    x509_certificate,
)
from hsmpub.errors import HsmpubError
from hsmpub.formats.openpgp.encryption import subkey_fingerprint
from hsmpub.formats.openpgp.encryption_read import check_encryption_certificate
from hsmpub.home import Home
from hsmpub.hsm.custody import find_keys
from hsmpub.hsm.present import check_pinned_keys
from hsmpub.model.trust import Trust, known_keys, load_trust
from hsmpub.secret.page import SecretPage
from hsmpub.shares.record_file import load_recovery_record
from hsmpub.transcript.check import check_transcript

HEAD = 'ceremony = "{}"\nservice = "releases"\n'
ROTATE = HEAD.format("key-rotate") + '[[key]]\nreplaces = "backup"\nname = "backup-2027"\n'
GENERATE = HEAD.format("key-generate") + '[[key]]\nname = "databases"\nkind = "rsa3072-decrypt"\n'


def hold(kind: AnyKind, text: str, born: Born, home: Home, papers: Path) -> Done:
    return hold_file(kind, write_papers(papers, ceremony=text), home, quorum(born, recovery=()))


@dataclass(frozen=True)
class Rotated:
    home: Home
    done: Done

    @property
    def trust(self) -> Trust:
        return load_trust(self.home.trust.read_bytes())


@pytest.fixture(scope="module")
def rotated(born: Born, tmp_path_factory: pytest.TempPathFactory) -> Rotated:
    folder = tmp_path_factory.mktemp("rotated")
    home = copy_home(born.home, folder / "home")
    return Rotated(home, hold(KEY_ROTATE, ROTATE, born, home, folder / "papers"))


def test_the_new_key_is_the_one_to_encrypt_to(rotated: Rotated) -> None:
    trust, folder = rotated.trust, rotated.done.folder
    key = find_backup_key(trust)
    assert age_recipient(key).endswith(" hsmpub-backup-2027")
    assert (folder / "backup-2027.asc").read_text() == openpgp_certificate(trust, key)
    assert (folder / "backup-2027.crt").read_text() == x509_certificate(trust, key)
    with pytest.raises(BackupKeyRetired, match="'backup' any more"):
        find_backup_key(rotated.trust, "backup")


def test_the_token_opens_with_both_and_the_recovery_quorum_has_both(born: Born, rotated: Rotated) -> None:
    keys = known_keys(rotated.trust)
    assert (keys.by_name["backup"].state, keys.by_name["backup"].life.successor) == ("retired", "backup-2027")
    both = [key for key in keys.at_work if key.name.startswith("backup-2") or key.name == "backup"]
    assert len(both) == 2
    with SecretPage() as pin:
        unseal(born.stage, rotated.home, born.home.genesis / "shares", ("holder-1", "holder-2", "holder-3"), pin)
        check_pinned_keys(hsm_of(rotated.home), pin, both)
    record = load_recovery_record(rotated.home.recovery_record.read_bytes())
    assert {"backup", "backup-2027"} <= {key.name for key in record.all_wrapped}


def test_who_has_the_old_openpgp_certificate_imports_the_new_one_into_it(
    born: Born, rotated: Rotated, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    gpg = ["gpg", "--homedir", str(tmp_path), "--batch", "--no-autostart", "--trust-model", "always"]
    old_one = find_backup_key(born.done.trust).openpgp.encode()
    for certificate in (old_one, *((rotated.done.folder / f"backup-{name}.asc").read_bytes()
                                   for name in ("2027", "revocation"))):  # fmt: skip
        subprocess.run([*gpg, "--import"], input=certificate, check=True, capture_output=True)
    shown = subprocess.run([*gpg, "--with-colons", "-k"], check=True, capture_output=True, text=True).stdout
    subkeys = {line.split(":")[4]: line.split(":")[1] for line in shown.splitlines() if line.startswith("sub")}
    old, new = (subkey_fingerprint(known_keys(rotated.trust).by_name[name].record).hex().upper()[-16:]
                for name in ("backup", "backup-2027"))  # fmt: skip
    assert subkeys.keys() == {old, new}
    assert subkeys[old] == "r"
    encrypt = [*gpg, "--encrypt", "-r", "Example Releases backups", "-o", str(tmp_path / "x.gpg")]
    subprocess.run(encrypt, input=b"backup", check=True, capture_output=True)
    packets = subprocess.run([*gpg, "--list-packets", "--list-only", tmp_path / "x.gpg"], capture_output=True)
    assert f"keyid {new}".encode() in packets.stdout


def test_its_x509_certificate_is_of_the_authority_of_the_genesis(born: Born, rotated: Rotated) -> None:
    leaf = rotated.done.folder / "backup-2027.crt"
    command = ["openssl", "verify", "-x509_strict", "-CAfile", born.home.genesis / "backup-certify.crt", leaf]
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_the_transcript_has_no_statement_that_keys_would_sign_which_cannot(born: Born, rotated: Rotated) -> None:
    transcript = check_transcript(rotated.done.transcript, born.done.trust)
    assert [step.what for step in transcript.steps][-6:] == [
        "keys born", "backup of the keys", "certificates", "key retired", "keys", "outputs",
    ]  # fmt: skip
    assert {path.name for path in rotated.done.folder.iterdir()} == {
        "backup-2027.asc", "backup-2027.crt", "backup-2027.pem", "backup-revocation.asc", "ceremony.toml",
        "transcript.json",
    }  # fmt: skip


def test_a_rehearsal_makes_such_keys_first(rotated: Rotated) -> None:
    (make, made), (retire, gone) = key_history(known_keys(rotated.trust), "releases")
    assert (make.name, retire.name) == ("key-generate", "key-retire")
    assert isinstance(made, KeyGenerateFile)
    assert [(key.name, key.kind) for key in made.keys] == [("backup-2027", "rsa3072-decrypt")]
    assert made.keys[0].openpgp_user_id == "Example Releases backups <releases@example.org>"
    assert isinstance(gone, KeyRetireFile)
    assert [key.name for key in gone.keys] == ["backup"]


def test_a_second_key_beside_is_called_as_the_first_and_the_first_can_be_destroyed(
    born: Born, rotated: Rotated, tmp_path: Path
) -> None:
    home = copy_home(rotated.home, tmp_path / "home")
    hold(KEY_GENERATE, GENERATE, born, home, tmp_path / "more")
    hold(KEY_DESTROY, HEAD.format("key-destroy") + '[[key]]\nname = "backup"\n', born, home, tmp_path / "less")
    keys = known_keys(load_trust(home.trust.read_bytes()))
    certifier, made = keys.by_name["backup-certify"].record, keys.by_name["databases"].record
    assert check_encryption_certificate(made.openpgp, certifier, made).startswith("Example Releases backups <")
    with pytest.raises(SeveralBackupKeys):
        find_backup_key(load_trust(home.trust.read_bytes()))
    assert "backup" not in {key.name for key in keys.at_work}
    with SecretPage() as pin:
        unseal(born.stage, home, born.home.genesis / "shares", ("holder-1", "holder-2", "holder-3"), pin)
        assert find_keys(hsm_of(home), pin, ["backup", "backup-2027", "databases"]) == ("backup-2027", "databases")


@pytest.mark.parametrize(
    ("kind", "text", "rule"),
    [
        (KEY_ROTATE, ROTATE + 'kind = "rsa3072"\n', SuccessorUnfit),
        (KEY_ROTATE, ROTATE.replace('"backup"', '"release"') + 'kind = "rsa3072-decrypt"\n', SuccessorUnfit),
        (KEY_ROTATE, ROTATE + 'formats = ["openpgp"]\n', HsmpubError),
        (KEY_ROTATE, ROTATE.replace('"backup"', '"backup-certify"'), KeyOfTheService),
        (KEY_GENERATE, GENERATE + 'formats = ["sshsig"]\n', HsmpubError),
        (CSR, HEAD.format("csr") + '[[request]]\nkey = "backup"\ncommon_name = "x"\n', KeyDecrypts),
        (OPENPGP_SUBKEY, HEAD.format("openpgp-subkey")
         + '[[certificate]]\nprimary = "backup"\nkey = "release"\nuser_id = "A <a@example.org>"\n', KeyDecrypts),
    ],
)  # fmt: skip
def test_a_key_that_decrypts_takes_no_place_of_one_that_signs(
    kind: AnyKind, text: str, rule: type[HsmpubError], born: Born, tmp_path: Path
) -> None:
    before = files(born.home)
    with pytest.raises(rule):
        hold(kind, text, born, born.home, tmp_path / "papers")
    assert files(born.home) == before
