"""The life of keys after the genesis, on real tokens: made, put in another's place, retired, destroyed, restored."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from ceremony_stage import Born, hsm_of, run_command, tree, unseal
from standing_stage import RECOVERY, copy_home, entries, files, hold_file, now, quorum, shares, write_papers
from test_reshare import confirmations

from ceremony import birth
from ceremony.backup import BackupDuringCeremony, make_backup
from ceremony.backup_check import open_backup
from ceremony.file_rules import CeremonyFileRefused, MissingCeremonyKey, UnknownCeremonyKey, WrongCeremonyValue
from ceremony.lost_entries import what_follows
from ceremony.restore import run_restore
from ceremony.restore_token import RestoredKeysDiffer, check_keys
from ceremony.softhsm import find_softhsm
from ceremony.standing.hold import Done, read_papers, resume
from ceremony.standing.key_announce import KeyNameTaken, KeyOfTheService, KeyStateUnfit, NoSuchKey
from ceremony.standing.key_birth import KEY_GENERATE, KEY_ROTATE
from ceremony.standing.key_end import KEY_DESTROY, KEY_RETIRE
from ceremony.standing.kind import AnyKind
from ceremony.standing.kinds import KINDS
from ceremony.standing.openpgp_subkey import OPENPGP_SUBKEY, PrimaryUnfit, SubkeyUnfit
from ceremony.standing.quorum import AtHand, SharesNeeded
from ceremony.standing.reshare import RESHARE
from ceremony.standing.reshare_finish import RESHARE_FINISH
from hsmpub.client.public_key import public_form
from hsmpub.errors import HsmpubError
from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Claim
from hsmpub.formats.openpgp.certificate import openpgp_fingerprint
from hsmpub.formats.openpgp.certificate_read import check_certificate
from hsmpub.formats.openpgp.change_read import check_revocation, check_vouching
from hsmpub.formats.openpgp.subkey_read import check_signing_certificate
from hsmpub.formats.openpgp.v6_certificate import openpgp_v6_fingerprint
from hsmpub.formats.openpgp.v6_certificate_read import (
    check_v6_certificate,
    check_v6_revocation,
    check_v6_vouching,
)
from hsmpub.formats.openpgp.v6_subkey_read import check_v6_signing_certificate, check_v6_subkey_revocation
from hsmpub.formats.public_key import check_claim
from hsmpub.formats.registry import get_format
from hsmpub.formats.salted import details_to_check
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.home import Home
from hsmpub.hsm.birth import bear_keys
from hsmpub.hsm.config import KeySpec
from hsmpub.hsm.custody import find_keys, import_keys
from hsmpub.hsm.present import check_pinned_keys
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model import entry as e
from hsmpub.model.trust import known_keys, load_trust
from hsmpub.secret.page import SecretPage
from hsmpub.shares.record_file import dump_record, load_recovery_record
from hsmpub.tlog.checkpoint import check_checkpoint
from hsmpub.tlog.note import load_verifier_key
from hsmpub.tlog.reader import LogReader
from hsmpub.transcript.check import TranscriptOfRehearsal, check_transcript, load_transcript

HEAD = 'ceremony = "{}"\nservice = "releases"\n'
GENERATE = (
    HEAD.format("key-generate")
    + """\
[[key]]
name = "nightly"
kind = "ed25519"
formats = ["openpgp-v6", "sshsig"]
openpgp_user_id = "Nightly Builds"
[[key]]
name = "windows"
kind = "rsa3072"
"""
)
ROTATE = HEAD.format("key-rotate") + '[[key]]\nreplaces = "release"\nname = "release-2027"\n'
RETIRE = HEAD.format("key-retire") + '[[key]]\nname = "routine"\nreason = "compromised"\n'
DESTROY = HEAD.format("key-destroy") + '[[key]]\nname = "release"\n'


def hold(kind: AnyKind, text: str, born: Born, home: Home, papers: Path) -> Done:
    return hold_file(kind, write_papers(papers, ceremony=text), home, quorum(born, recovery=()))


@dataclass(frozen=True)
class Lived:
    """One home on which every ceremony on keys was held, in order."""

    home: Home
    generated: Done
    rotated: Done
    retired: Done
    destroyed: Done


@pytest.fixture(scope="module")
def lived(born: Born, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("keys")
    home = copy_home(born.home, folder / "home")
    done = [
        hold(kind, text, born, home, folder / kind.name)
        for kind, text in ((KEY_GENERATE, GENERATE), (KEY_ROTATE, ROTATE), (KEY_RETIRE, RETIRE), (KEY_DESTROY, DESTROY))
    ]
    return Lived(home, *done)


def test_the_log_tells_of_each_change_and_of_its_ceremony(born: Born, lived: Lived) -> None:
    told = entries(lived.home, born.done.trust.log_key)[3:]
    changes, held = told[::2], told[1::2]
    assert all(isinstance(change, e.KeysChanged) for change in changes)
    assert [(one.number, one.ceremony) for one in held if isinstance(one, e.CeremonyHeld)] == [
        (1, "key-generate"), (2, "key-rotate"), (3, "key-retire"), (4, "key-destroy"),
    ]  # fmt: skip


def test_trust_json_names_every_key_and_how_it_stands(lived: Lived) -> None:
    keys = known_keys(load_trust(lived.home.trust.read_bytes()))
    assert {key.name: key.state for key in keys.known if not key.name.startswith("backup")} == {
        "release": "destroyed", "release-bundle": "active", "release-openpgp": "active", "routine": "retired",
        "log": "active", "sealing": "active", "nightly": "active", "windows": "active", "release-2027": "active",
    }  # fmt: skip
    assert keys.by_name["release"].life.successor == "release-2027"
    assert keys.by_name["routine"].life.reason == "compromised"
    assert keys.by_name["release-2027"].record.formats == ("openpgp", "sshsig", "dsse")


def test_the_transcripts_verify_and_name_every_output(born: Born, lived: Lived) -> None:
    for done in (lived.generated, lived.rotated, lived.retired, lived.destroyed):
        transcript = check_transcript(done.transcript, born.done.trust)
        named = {name.rpartition("/")[2] for name in transcript.facts("outputs")["sha256"]}
        assert {path.name for path in done.folder.iterdir()} - {"transcript.json"} <= named
    assert "old_backups" in check_transcript(lived.destroyed.transcript, born.done.trust).facts("keys destroyed")


def test_the_new_key_has_a_certificate_and_both_keys_speak_for_the_change(born: Born, lived: Lived) -> None:
    keys = known_keys(load_trust(lived.home.trust.read_bytes())).by_name
    old, new = keys["release"].record, keys["release-2027"].record
    folder = lived.rotated.folder
    assert check_certificate(new.openpgp, new).user_id == "Example Releases <releases@example.org>"
    check_vouching((folder / "release-2027-vouched-by-release.asc").read_text(), new, old)
    check_vouching((folder / "release-vouched-by-release-2027.asc").read_text(), old, new)
    assert check_revocation((folder / "release-revocation.asc").read_text(), old)[0] == 1
    assert (
        check_revocation((lived.retired.folder / "routine-revocation.asc").read_text(), keys["routine"].record)[0] == 2
    )
    signed = {path.name for path in folder.glob("release-to-release-2027.txt.*")}
    assert signed == {f"release-to-release-2027.txt.{name}.asc" for name in ("release", "release-2027")}


def test_certificates_and_revocations_of_version_6_are_made_as_those_of_version_4(
    born: Born, lived: Lived, tmp_path: Path
) -> None:
    """By an Ed25519 key, which has none of version 4; the statement of the change is signed in version 6, too."""
    home, table = copy_home(lived.home, tmp_path / "home"), '[[key]]\nreplaces = "nightly"\nname = "nightly-2027"\n'
    done = hold(KEY_ROTATE, HEAD.format("key-rotate") + table, born, home, tmp_path / "papers")
    keys, folder = known_keys(load_trust(home.trust.read_bytes())).by_name, done.folder
    old, new = keys["nightly"].record, keys["nightly-2027"].record
    assert (old.openpgp, new.openpgp) == ("", "")
    assert (lived.generated.folder / "nightly.v6.asc").read_text() == old.openpgp_v6
    assert check_v6_certificate((folder / "nightly-2027.v6.asc").read_text(), new).user_id == "Nightly Builds"
    assert check_v6_revocation((folder / "nightly-revocation.v6.asc").read_text(), old)[0] == 1
    check_v6_vouching((folder / "nightly-2027-vouched-by-nightly.v6.asc").read_text(), new, old)
    check_v6_vouching((folder / "nightly-vouched-by-nightly-2027.v6.asc").read_text(), old, new)
    assert public_form(new, "openpgp-v6") == new.openpgp_v6
    [told] = check_transcript(done.transcript, born.done.trust).facts("certificates")["openpgp"]
    assert told == {"key": "nightly-2027", "fingerprint": openpgp_v6_fingerprint(new)}
    text, form = folder / "nightly-to-nightly-2027.txt", get_format("openpgp-v6")
    for key in (old, new):
        output = (folder / f"{text.name}.{key.name}.v6.asc").read_bytes()
        details = details_to_check(form, BytesSource(text.read_bytes()), output)
        form.check(output, Artifact(text.name, Sha256State.of(text.read_bytes()), details), key)


def test_the_token_holds_what_the_log_says_and_the_new_keys_sign(born: Born, lived: Lived) -> None:
    with SecretPage() as pin:
        unseal(born.stage, lived.home, born.home.genesis / "shares", ("holder-1", "holder-2", "holder-3"), pin)
        hsm = hsm_of(lived.home)
        assert find_keys(hsm, pin, ["release", "routine", "nightly", "release-2027"]) == (
            "routine", "nightly", "release-2027",
        )  # fmt: skip
        with TokenSigner(hsm, pin) as signer:
            assert len(signer.sign("nightly", b"whole message", "none")) == 64
            assert len(signer.sign("release-2027", b"d" * 32)) == 64


def test_the_backup_record_holds_every_key_but_the_destroyed(lived: Lived) -> None:
    record = load_recovery_record(lived.home.recovery_record.read_bytes())
    assert [birth.number for birth in record.births] == [1, 2]
    assert {key.name for key in record.all_wrapped} == {
        "backup", "backup-certify",
        "release-bundle", "release-openpgp", "routine", "log", "sealing", "nightly", "windows", "release-2027",
    }  # fmt: skip


def test_a_restore_gives_back_the_keys_of_every_birth_to_whoever_has_the_first_pins(
    born: Born, lived: Lived, tmp_path: Path
) -> None:
    make_backup(lived.home, tmp_path / "backup.tar", now=now())
    at_hand = shares(born, born.home.genesis / "recovery", RECOVERY)
    with open_backup(tmp_path / "backup.tar", born.done.trust) as backup:
        restored = run_restore(backup, born.done.trust, at_hand, tmp_path / "home", now=now)
    home = Home(restored.home)
    assert home.trust.read_bytes() == lived.home.trust.read_bytes()
    with SecretPage() as pin:
        folder = home.root / f"restore-{restored.epoch}" / "shares"
        unseal(born.stage, home, folder, ("holder-1", "holder-2", "holder-5"), pin)
        assert find_keys(hsm_of(home), pin, ["release", "windows", "release-2027"]) == ("windows", "release-2027")
        assert_signs(home, pin, "release-2027")


def test_a_key_that_was_born_after_the_backup_is_named_and_ended_where_its_entries_are_brought(
    born: Born, lived: Lived, tmp_path: Path
) -> None:
    """The log tells of it and nobody has it: it must not stand as one that signs."""
    make_backup(born.home, tmp_path / "before.tar", now=now())
    with closing(LogReader.open(lived.home.log)) as reader:
        lines = b"".join(entry + b"\n" for entry in reader.entries(3, reader.size))
        known = check_checkpoint(reader.checkpoint(), load_verifier_key(born.done.trust.log_key))
    pins, at_hand = load_trust(lived.home.trust.read_bytes()), shares(born, born.home.genesis / "recovery", RECOVERY)
    with open_backup(tmp_path / "before.tar", pins, known=known) as backup:
        after = what_follows(backup, known, lines, accept_loss=False)
        restored = run_restore(backup, pins, at_hand, tmp_path / "home", now=now, after=after)
    home, lost = Home(restored.home), ["nightly", "windows", "release-2027"]
    facts = check_transcript(restored.transcript, pins).facts("keys lost")
    assert (facts["ended"], facts["unknown_to_the_log"]) == (lost, [])
    *_, ended, last = entries(home, pins.log_key)
    assert isinstance(ended, e.KeysChanged)
    assert (list(ended.destroyed), isinstance(last, e.Restored)) == (lost, True)
    keys = known_keys(load_trust(home.trust.read_bytes()))
    assert {keys.by_name[name].state for name in lost} == {"destroyed"}
    assert keys.by_name["release"].state == "destroyed"  # after the backup, too: it does not come back
    with SecretPage() as pin:
        folder = home.root / f"restore-{restored.epoch}" / "shares"
        unseal(born.stage, home, folder, ("holder-1", "holder-2", "holder-5"), pin)
        check_pinned_keys(hsm_of(home), pin, keys.present)
        assert find_keys(hsm_of(home), pin, ["release", "routine"]) == ("routine",)
    make_backup(home, tmp_path / "after.tar", now=now())
    with open_backup(tmp_path / "after.tar", pins) as backup:
        check_keys(load_recovery_record(backup.read("keeper/recovery.json")), backup.state.keys, pins,
                   vendor_token=False)  # fmt: skip


def test_pins_that_know_a_key_of_lost_entries_have_it_named(born: Born, lived: Lived, tmp_path: Path) -> None:
    """Nobody kept the entries; the pins still tell that there was such a key."""
    make_backup(born.home, tmp_path / "before.tar", now=now())
    pins, at_hand = load_trust(lived.home.trust.read_bytes()), shares(born, born.home.genesis / "recovery", RECOVERY)
    with open_backup(tmp_path / "before.tar", pins) as backup:
        restored = run_restore(backup, pins, at_hand, tmp_path / "home", now=now)
    facts = check_transcript(restored.transcript, pins).facts("keys lost")
    assert (facts["ended"], facts["unknown_to_the_log"]) == ([], ["nightly", "release-2027", "windows"])
    assert "release-2027" not in known_keys(load_trust(Home(restored.home).trust.read_bytes())).by_name


SUBKEY = (
    HEAD.format("openpgp-subkey")
    + """\
[[certificate]]
primary = "windows"
key = "release-2027"
user_id = "Example Releases <releases@example.org>"
days = 3650
key_days = 730
"""
)
REVOKE = (
    HEAD.format("openpgp-subkey")
    + '[[revocation]]\nprimary = "windows"\nkey = "release-2027"\nreason = "compromised"\n'
)


def test_gpg_takes_what_a_subkey_signs_until_the_primary_revokes_it(born: Born, lived: Lived, tmp_path: Path) -> None:
    """Both keys in the HSM: one certifies, the other signs. The signature is one that the format makes anyway."""
    home = copy_home(lived.home, tmp_path / "home")
    made = hold(OPENPGP_SUBKEY, SUBKEY, born, home, tmp_path / "made")
    ended = hold(OPENPGP_SUBKEY, REVOKE, born, home, tmp_path / "ended")
    keys = known_keys(load_trust(home.trust.read_bytes())).by_name
    primary, key = keys["windows"].record, keys["release-2027"].record
    certificate = made.folder / "release-2027-of-windows.asc"
    facts = check_signing_certificate(certificate.read_text(), primary, key)
    assert (facts.expires_at, facts.key_expires_at) == (
        primary.created_at + 3650 * 86_400, key.created_at + 730 * 86_400,
    )  # fmt: skip
    told = check_transcript(made.transcript, born.done.trust).facts("OpenPGP certificate")
    assert (told["fingerprint"], told["subkey"]) == (openpgp_fingerprint(primary), openpgp_fingerprint(key))
    with SecretPage() as pin, tempfile.TemporaryDirectory(prefix="pgp", ignore_cleanup_errors=True) as folder:
        unseal(born.stage, home, born.home.genesis / "shares", ("holder-1", "holder-2", "holder-3"), pin)
        (tmp_path / "x").write_bytes(b"A release.")
        form, artifact = get_format("openpgp"), Artifact("x", Sha256State.of(b"A release."))
        prepared = form.prepare(artifact, key, Context(at=now(), service="releases"))
        with TokenSigner(hsm_of(home), pin) as signer:
            raw = signer.sign(key.name, prepared.payload, prepared.hash)
        (tmp_path / "x.asc").write_bytes(form.assemble(prepared, raw))

        def gpg(*words: str | Path) -> str:
            done = subprocess.run(["gpg", "--batch", "--homedir", folder, "--status-fd", "1", *words],
                                  capture_output=True, check=False)  # fmt: skip
            return done.stdout.decode()

        gpg("--import", certificate)
        said = gpg("--verify", tmp_path / "x.asc", tmp_path / "x")
        assert f"VALIDSIG {openpgp_fingerprint(key)}" in said
        assert said.rstrip().split("VALIDSIG")[1].split()[9] == openpgp_fingerprint(primary)
        gpg("--import", ended.folder / "release-2027-of-windows-revocation.asc")
        assert "REVKEYSIG" in gpg("--verify", tmp_path / "x.asc", tmp_path / "x")
    if shutil.which("sqv"):
        line = ["sqv", "--keyring", certificate, tmp_path / "x.asc", tmp_path / "x"]
        assert subprocess.run(line, capture_output=True, check=False).returncode == 0


def test_certificates_with_a_subkey_are_of_the_versions_that_the_subkey_makes(
    born: Born, lived: Lived, tmp_path: Path
) -> None:
    """Ed25519 keys are of version 6 alone; so none of them is the primary of a key that makes version 4."""
    home, table = copy_home(lived.home, tmp_path / "home"), '[[key]]\nname = "edwards"\nkind = "ed25519"\n'
    hold(KEY_GENERATE, HEAD.format("key-generate") + table, born, home, tmp_path / "generated")
    with pytest.raises(PrimaryUnfit):
        hold(OPENPGP_SUBKEY, SUBKEY.replace('"windows"', '"edwards"'), born, home, tmp_path / "refused")
    text = SUBKEY + REVOKE.removeprefix(HEAD.format("openpgp-subkey"))
    text = text.replace('"release-2027"', '"nightly"').replace('"windows"', '"edwards"')
    done = hold(OPENPGP_SUBKEY, text, born, home, tmp_path / "papers")
    keys = known_keys(load_trust(home.trust.read_bytes())).by_name
    primary, key = keys["edwards"].record, keys["nightly"].record
    names = {"nightly-of-edwards.v6.asc", "nightly-of-edwards-revocation.v6.asc"}
    assert {path.name for path in done.folder.glob("*.asc")} == names
    certificate, revocation = ((done.folder / name).read_text() for name in sorted(names, reverse=True))
    facts = check_v6_signing_certificate(certificate, primary, key)
    assert facts.expires_at == primary.created_at + 3650 * 86_400
    assert check_v6_subkey_revocation(revocation, primary, key)[0] == 2
    told = check_transcript(done.transcript, born.done.trust).facts("OpenPGP certificate")
    assert (told["fingerprint"], told["subkey"]) == (openpgp_v6_fingerprint(primary), openpgp_v6_fingerprint(key))


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ('primary = "windows"', 'primary = "release-bundle"', PrimaryUnfit),
        ('primary = "windows"', 'primary = "backup-certify"', KeyOfTheService),
        ('key = "release-2027"', 'key = "release-bundle"', SubkeyUnfit),
        ('key = "release-2027"', 'key = "release"', KeyStateUnfit),
        ("Example Releases <releases@example.org>", "<", CeremonyFileRefused),
        ("key_days = 730", "key_days = -1", CeremonyFileRefused),
    ],
)
def test_refuses_a_primary_that_signs_and_a_subkey_that_does_not(
    born: Born, lived: Lived, tmp_path: Path, old: str, new: str, rule: type[HsmpubError]
) -> None:
    before = files(lived.home)
    assert old in SUBKEY
    with pytest.raises(rule):
        hold(OPENPGP_SUBKEY, SUBKEY.replace(old, new), born, lived.home, tmp_path / "papers")
    assert files(lived.home) == before


def assert_signs(home: Home, pin: SecretPage, name: str) -> None:
    """The token signs with the very key that trust.json names."""
    key = known_keys(load_trust(home.trust.read_bytes())).active[name]
    with TokenSigner(hsm_of(home), pin) as signer:
        check_claim(Claim(b"d" * 32, "sha256", signer.sign(name, b"d" * 32)), key)


def test_a_restore_refuses_a_backup_that_lacks_a_key_of_its_log(born: Born, lived: Lived, tmp_path: Path) -> None:
    home = copy_home(lived.home, tmp_path / "home")
    record = load_recovery_record(home.recovery_record.read_bytes())
    home.recovery_record.write_bytes(dump_record(msgspec.structs.replace(record, births=record.births[:1])))
    make_backup(home, tmp_path / "backup.tar", now=now())
    at_hand = shares(born, born.home.genesis / "recovery", RECOVERY)
    with open_backup(tmp_path / "backup.tar", born.done.trust) as backup, pytest.raises(RestoredKeysDiffer):
        run_restore(backup, born.done.trust, at_hand, tmp_path / "restored", now=now)


def test_a_reshare_of_the_recovery_quorum_takes_every_birth_along(born: Born, lived: Lived, tmp_path: Path) -> None:
    home = copy_home(lived.home, tmp_path / "home")
    before = load_recovery_record(home.recovery_record.read_bytes())
    rows = ",".join(f'{{ name = "{one.name}", key = "{one.recipient}" }}' for one in before.holders[:2])
    text = HEAD.format("reshare") + f"[recovery]\nthreshold = 2\nholders = [{rows}]\n"
    first = hold_file(RESHARE, write_papers(tmp_path / "papers", ceremony=text), home, quorum(born))
    new = shares(born, first.folder / "recovery", ("recovery-1", "recovery-2"))
    unsealing = quorum(born, recovery=()).unseal
    confirmed = confirmations(born, first, born.stage.identities)
    hold_file(RESHARE_FINISH, first.folder / "finish.toml", home, AtHand(unsealing, new, confirmed))
    make_backup(home, tmp_path / "backup.tar", now=now())
    new = shares(born, first.folder / "recovery", ("recovery-1", "recovery-2"))
    with open_backup(tmp_path / "backup.tar", born.done.trust) as backup:
        restored = Home(run_restore(backup, born.done.trust, new, tmp_path / "restored", now=now).home)
    after = load_recovery_record(restored.recovery_record.read_bytes())
    assert after.all_wrapped == before.all_wrapped
    assert (after.epoch, [birth.number for birth in after.births]) == (2, [1, 2])


def test_no_backup_is_taken_while_a_ceremony_is_half_done(born: Born, tmp_path: Path) -> None:
    home = copy_home(born.home, tmp_path / "home")
    home.ceremony_journal.write_text("{}")
    with pytest.raises(BackupDuringCeremony):
        make_backup(home, tmp_path / "backup.tar", now=now())


def test_a_rehearsal_has_keys_of_the_same_names_and_changes_nothing(lived: Lived, tmp_path: Path) -> None:
    next_year = ROTATE.replace('"release-2027"', '"release-2028"').replace('"release"', '"release-2027"')
    before = files(lived.home)
    said = run_command("key-rotate", write_papers(tmp_path / "papers", ceremony=next_year), "--home", lived.home.root,
                       "--dry-run")  # fmt: skip
    assert said.returncode == 0, said.stderr
    rehearsed = load_transcript(said.stdout)
    assert rehearsed.head.rehearsal
    with pytest.raises(TranscriptOfRehearsal):
        check_transcript(said.stdout, load_trust(lived.home.trust.read_bytes()))
    assert [step.what for step in rehearsed.steps] == [
        "ceremony file", "unseal share", "unseal share", "unseal share", "keys taken in", "keys born",
        "backup of the keys", "certificates", "transition", "key retired", "keys", "outputs",
    ]  # fmt: skip
    assert rehearsed.facts("keys")["others"] == {
        "release": "destroyed", "routine": "retired", "release-2027": "retired",
    }  # fmt: skip
    taken = write_papers(tmp_path / "taken", ceremony=next_year.replace('"release-2028"', '"release"'))
    refused = run_command("key-rotate", taken, "--home", lived.home.root, "--dry-run")
    assert b"There is, or was, a key 'release' already." in refused.stderr
    assert files(lived.home) == before


class Killed(BaseException):
    """No ceremony expects it: stands for a kill, since the journal says `acting` either way."""


def killed(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize("at", ["import_keys", "TokenSigner", "announce"])
def test_killed_before_the_log_knows_of_the_key_its_object_goes_and_another_is_made(
    at: str, born: Born, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = copy_home(born.home, tmp_path / "home")
    with monkeypatch.context() as patch:
        patch.setattr(f"ceremony.standing.key_birth.{at}", killed)
        with pytest.raises(Killed):
            hold(KEY_ROTATE, ROTATE, born, home, tmp_path / "papers")
    assert len(entries(home, born.done.trust.log_key)) == 3
    assert load_trust(home.trust.read_bytes()) == born.done.trust
    with pytest.raises(SharesNeeded):
        resume(KINDS, home, AtHand([], []), now=now)
    assert resume(KINDS, home, quorum(born, recovery=()), now=now).how == "resumed"
    with SecretPage() as pin:
        unseal(born.stage, home, born.home.genesis / "shares", ("holder-1", "holder-2", "holder-3"), pin)
        assert_signs(home, pin, "release-2027")
    assert known_keys(load_trust(home.trust.read_bytes())).by_name["release"].state == "retired"
    assert len(load_recovery_record(home.recovery_record.read_bytes()).births) == 1


def test_killed_after_the_destruction_it_goes_on_to_the_log(
    born: Born, lived: Lived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = copy_home(lived.home, tmp_path / "home")
    with monkeypatch.context() as patch:
        patch.setattr("ceremony.standing.key_end.announce", killed)
        with pytest.raises(Killed):
            hold(KEY_DESTROY, DESTROY.replace('"release"', '"routine"'), born, home, tmp_path / "papers")
    assert resume(KINDS, home, quorum(born, recovery=()), now=now).how == "resumed"
    assert known_keys(load_trust(home.trust.read_bytes())).by_name["routine"].state == "destroyed"


def test_a_foreign_object_in_the_token_is_neither_used_nor_destroyed(born: Born, tmp_path: Path) -> None:
    home = copy_home(born.home, tmp_path / "home")
    with SecretPage() as pin, SecretPage() as wrapping_key:
        unseal(born.stage, home, born.home.genesis / "shares", ("holder-1", "holder-2", "holder-3"), pin)
        wrapping_key.take(bytearray(32))
        foreign = bear_keys(find_softhsm(), [KeySpec("release-2027", "p256")], wrapping_key)
        import_keys(hsm_of(home), pin, foreign, wrapping_key)
        with pytest.raises(KeyNameTaken, match="the log does not know"):
            hold(KEY_ROTATE, ROTATE, born, home, tmp_path / "papers")
        assert not home.ceremony_journal.exists()
        assert find_keys(hsm_of(home), pin, ["release-2027"]) == ("release-2027",)


def test_the_wrapping_key_of_a_birth_and_the_pin_stay_nowhere(
    born: Born, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, secrets, fill = copy_home(born.home, tmp_path / "home"), [], birth.fill_random
    started: list[bytes] = []

    def seen(page: SecretPage, size: int = 32) -> None:
        fill(page, size)
        secrets.append(bytes(page.view))

    def noted(event: str, arguments: tuple[object, ...]) -> None:
        if event == "subprocess.Popen" and secrets:
            started.append(repr(arguments).encode())

    sys.addaudithook(noted)
    monkeypatch.setattr(birth, "fill_random", seen)
    done = hold(KEY_GENERATE, GENERATE, born, home, tmp_path / "papers")
    assert len(secrets) == 1
    with SecretPage() as pin:
        unseal(born.stage, home, born.home.genesis / "shares", ("holder-1", "holder-2", "holder-3"), pin)
        secrets.append(bytes(pin.view))
    places = [*tree(home.root).values(), done.transcript, *started]
    spellings = [form for secret in secrets for form in (secret, secret.hex().encode(), base64.b64encode(secret))]
    assert started
    assert not [place[:80] for place in places if any(spelling in place for spelling in spellings)]


REFUSED: dict[str, tuple[AnyKind, str, type[HsmpubError]]] = {
    "a name that is taken": (KEY_GENERATE, GENERATE.replace("nightly", "routine"), KeyNameTaken),
    "a successor of nobody": (KEY_ROTATE, ROTATE.replace('"release"', '"stranger"'), NoSuchKey),
    "another log key": (KEY_ROTATE, ROTATE.replace('"release"', '"log"'), KeyOfTheService),
    "the sealing key's end": (KEY_RETIRE, RETIRE.replace("routine", "sealing"), KeyOfTheService),
    "an active key's destruction": (KEY_DESTROY, DESTROY, KeyStateUnfit),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_and_leaves_the_home_as_it_was(name: str, born: Born, tmp_path: Path) -> None:
    kind, text, rule = REFUSED[name]
    before = files(born.home)
    with pytest.raises(rule):
        hold(kind, text, born, born.home, tmp_path / "papers")
    assert files(born.home) == before


@pytest.mark.parametrize(
    ("kind", "text", "rule", "line"),
    [
        (KEY_GENERATE, GENERATE.replace("kind =", "knid ="), UnknownCeremonyKey, 5),
        (KEY_GENERATE, GENERATE.replace('"ed25519"', '"aes256"'), CeremonyFileRefused, 5),
        (KEY_GENERATE, GENERATE.replace('"sshsig"', '"openpgp"'), WrongCeremonyValue, 3),
        (KEY_GENERATE, GENERATE.replace('"sshsig"', '"sshsig", "sigstore-bundle"'), WrongCeremonyValue, 3),
        (KEY_GENERATE, GENERATE.replace("windows", "nightly"), WrongCeremonyValue, 3),
        (KEY_GENERATE, HEAD.format("key-generate"), MissingCeremonyKey, 1),
        (KEY_ROTATE, ROTATE.replace('"release-2027"', '"release"'), WrongCeremonyValue, 3),
        (KEY_RETIRE, RETIRE.replace("compromised", "bored"), CeremonyFileRefused, 5),
    ],
)
def test_refuses_a_file_with_the_line(
    kind: AnyKind, text: str, rule: type[CeremonyFileRefused], line: int, tmp_path: Path
) -> None:
    with pytest.raises(rule) as refused:
        read_papers(write_papers(tmp_path / "papers", ceremony=text), kind)
    assert refused.value.line == line
