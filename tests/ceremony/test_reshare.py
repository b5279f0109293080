"""New sets of shares in two steps: the old set stays in force until the second one, and opens nothing after it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pyrage
import pytest
from ceremony_stage import Born, hsm_of, run_command, tree, unseal
from standing_stage import copy_home, entries, files, hold_file, now, quorum, shares, write_papers

from ceremony.backup import make_backup
from ceremony.backup_check import open_backup
from ceremony.file_rules import HolderTwice, MissingCeremonyKey, ThresholdUnsafe
from ceremony.own_share import check_share
from ceremony.restore import run_restore
from ceremony.standing.file import load_standing_file
from ceremony.standing.finish_file import NoReshareWaiting, ReshareOfAnotherFile
from ceremony.standing.hold import Done, read_papers, resume
from ceremony.standing.kinds import KINDS
from ceremony.standing.pin_change import PIN_CHANGE, ReshareWaiting
from ceremony.standing.quorum import AtHand
from ceremony.standing.reshare import RESHARE, ReshareFile
from ceremony.standing.reshare_finish import RESHARE_FINISH
from hsmpub.errors import HsmpubError
from hsmpub.home import Home
from hsmpub.hsm.pin import new_pin
from hsmpub.hsm.rules import PinRefused
from hsmpub.hsm.signer import TokenSigner
from hsmpub.hsm.token import change_pin
from hsmpub.model import entry as e
from hsmpub.secret.page import SecretPage
from hsmpub.shares.confirmation import (
    Confirmation,
    HoldersNotConfirmed,
    dump_confirmations,
    load_confirmation,
    load_confirmations,
)
from hsmpub.shares.identity import open_share_file
from hsmpub.shares.record import UnknownHolder
from hsmpub.shares.record_file import load_recovery_record, load_unseal_record
from hsmpub.shares.slip39 import ShareOfAnotherEpoch
from hsmpub.shares.split import CardsMissing
from hsmpub.transcript.check import check_transcript

NEW = ("holder-2", "holder-5", "new-holder")
NEW_RECOVERY = ("recovery-2", "new-recovery")


@dataclass(frozen=True)
class Reshared:
    """A home after the first step, after the second if it was held, and the keys of the new holders."""

    home: Home
    keys: dict[str, bytes]
    first: Done

    @property
    def finish(self) -> Path:
        return self.first.folder / "finish.toml"

    def at_hand(self, born: Born, *names: str, recovery: tuple[str, ...] = NEW_RECOVERY) -> AtHand:
        folder = self.first.folder
        return AtHand(
            shares(born, folder / "shares", names, self.keys),
            shares(born, folder / "recovery", recovery, self.keys),
            confirmations(born, self.first, self.keys),
        )


def confirmations(born: Born, first: Done, keys: dict[str, bytes]) -> list[Confirmation]:
    """Every holder of a new set has checked the own share against the transcript."""
    transcript = check_transcript(first.transcript, born.done.trust)
    made = []
    for file in sorted(first.folder.glob("*/*.age")):
        key = bytearray(keys[file.stem])
        made.append(check_share(transcript, file.stem, file.read_bytes(), key).confirm(file.read_bytes(), key))
    return made


def table(name: str, threshold: int, rows: dict[str, str]) -> str:
    holders = ",\n".join(f'  {{ name = "{holder}", key = "{key}" }}' for holder, key in rows.items())
    return f"[{name}]\nthreshold = {threshold}\nholders = [\n{holders}\n]\n"


def new_keys(born: Born) -> tuple[dict[str, bytes], dict[str, str]]:
    """Private keys and recipients: some holders stay with their keys, some are new."""
    private, public = dict(born.stage.identities), {}
    unseal, recovery = born.home.unseal_record.read_bytes(), born.home.recovery_record.read_bytes()
    for record in (load_unseal_record(unseal), load_recovery_record(recovery)):
        public |= {holder.name: holder.recipient for holder in record.holders}
    for name in ("new-holder", "new-recovery"):
        identity = pyrage.x25519.Identity.generate()
        private[name], public[name] = str(identity).encode(), str(identity.to_public())
    return private, public


def file_text(public: dict[str, str], *, unseal: bool = True, recovery: bool = True) -> str:
    text = 'ceremony = "reshare"\nservice = "releases"\n'
    text += table("unseal", 2, {name: public[name] for name in NEW}) if unseal else ""
    return text + (table("recovery", 2, {name: public[name] for name in NEW_RECOVERY}) if recovery else "")


def first_step(born: Born, folder: Path) -> Reshared:
    home = copy_home(born.home, folder / "home")
    private, public = new_keys(born)
    done = hold_file(RESHARE, write_papers(folder / "papers", ceremony=file_text(public)), home, quorum(born))
    return Reshared(home, private, done)


@pytest.fixture(scope="module")
def waiting(born: Born, tmp_path_factory: pytest.TempPathFactory) -> Reshared:
    """After the first step. Not to be changed."""
    return first_step(born, tmp_path_factory.mktemp("waiting"))


@pytest.fixture(scope="module")
def reshared(born: Born, waiting: Reshared, tmp_path_factory: pytest.TempPathFactory) -> Reshared:
    """After both."""
    home = copy_home(waiting.home, tmp_path_factory.mktemp("reshared") / "home")
    hold_file(RESHARE_FINISH, waiting.finish, home, waiting.at_hand(born, "new-holder", "holder-5"))
    return Reshared(home, waiting.keys, waiting.first)


def opens(born: Born, home: Home, folder: Path, names: tuple[str, ...], keys: dict[str, bytes]) -> None:
    """These shares unseal the token."""
    stage = type(born.stage)(born.stage.folder, keys)
    with SecretPage() as pin:
        unseal(stage, home, folder, names, pin)
        with TokenSigner(hsm_of(home), pin) as signer:
            assert len(signer.sign("log", b"x", "none")) == 64


def test_the_old_set_stays_in_force_after_the_first_step(born: Born, waiting: Reshared) -> None:
    genesis = born.home.genesis / "shares"
    opens(born, waiting.home, genesis, ("holder-1", "holder-2", "holder-3"), waiting.keys)
    assert waiting.home.unseal_record.read_bytes() == born.home.unseal_record.read_bytes()
    assert waiting.home.recovery_record.read_bytes() == born.home.recovery_record.read_bytes()
    last = entries(waiting.home, born.done.trust.log_key)[-1]
    assert isinstance(last, e.CeremonyHeld)
    assert (last.epoch, last.pending_epoch, last.pending_recovery_epoch) == (0, 2, 2)


def test_after_the_second_step_the_new_shares_open_and_the_old_pin_is_dead(born: Born, reshared: Reshared) -> None:
    folder = reshared.first.folder / "shares"
    opens(born, reshared.home, folder, ("holder-2", "new-holder"), reshared.keys)
    with SecretPage() as old:
        unseal(born.stage, born.home, born.home.genesis / "shares", ("holder-1", "holder-2", "holder-3"), old)
        with pytest.raises(PinRefused), TokenSigner(hsm_of(reshared.home), old):
            pytest.fail("the old PIN was taken")
    assert not reshared.home.pending_sets.exists()
    last = entries(reshared.home, born.done.trust.log_key)[-1]
    assert isinstance(last, e.CeremonyHeld)
    assert (last.ceremony, last.epoch, last.recovery_epoch) == ("reshare-finish", 2, 2)
    assert last.holders == ("new-holder", "holder-5")


def test_old_shares_are_refused_by_the_name_of_their_epoch(born: Born, reshared: Reshared) -> None:
    folder = born.home.genesis / "shares"
    with SecretPage() as pin, pytest.raises(ShareOfAnotherEpoch, match="of epoch 1; epoch 2 is in force"):
        unseal(born.stage, reshared.home, folder, ("holder-2", "holder-5"), pin)
    with SecretPage() as pin, pytest.raises(UnknownHolder):
        unseal(born.stage, reshared.home, folder, ("holder-1",), pin)


def test_a_new_backup_opens_to_the_new_recovery_quorum_only(born: Born, reshared: Reshared, tmp_path: Path) -> None:
    out = tmp_path / "backup.tar"
    make_backup(reshared.home, out, now=now())
    folder = reshared.first.folder / "recovery"
    with open_backup(out, born.done.trust) as checked:
        old = shares(born, born.home.genesis / "recovery", ("recovery-2",))
        with pytest.raises(ShareOfAnotherEpoch, match="of epoch 1; epoch 2 is in force"):
            run_restore(checked, born.done.trust, old, tmp_path / "old", now=now)
        new = shares(born, folder, NEW_RECOVERY, reshared.keys)
        restored = run_restore(checked, born.done.trust, new, tmp_path / "new", now=now)
    assert restored.epoch == 3
    record = load_unseal_record(Home(tmp_path / "new").unseal_record.read_bytes())
    assert [earlier.epoch for earlier in record.earlier] == [1, 2]
    assert {holder.name for holder in record.holders} == set(NEW)


def test_transcripts_name_the_new_sets_and_what_old_backups_are_open_to(born: Born, reshared: Reshared) -> None:
    first = check_transcript(reshared.first.transcript, born.done.trust)
    assert [holder["name"] for holder in first.facts("unseal quorum")["holders"]] == list(NEW)
    assert first.facts("old backups")["sealed_to_recovery_epochs"] == [1]
    second = reshared.home.ceremonies / "2-reshare-finish/transcript.json"
    steps = [step.what for step in check_transcript(second.read_bytes(), born.done.trust).steps]
    assert steps == [
        "ceremony file", "unseal set confirmed", "recovery set confirmed", "unseal share", "unseal share",
        "recovery share", "recovery share", "sets in force", "PIN changed", "SO PIN changed", "outputs",
    ]  # fmt: skip


def test_no_word_or_pin_in_any_file_of_either_step(born: Born, waiting: Reshared, reshared: Reshared) -> None:
    secrets = set()
    for folder in ("shares", "recovery"):
        for share in (waiting.first.folder / folder).glob("*.age"):
            words = words_of(share, waiting.keys)
            secrets |= {b" ".join(words[at : at + 3]) for at in range(4, len(words) - 3)}
    stage = type(born.stage)(born.stage.folder, waiting.keys)
    with SecretPage() as pin:
        unseal(stage, reshared.home, waiting.first.folder / "shares", ("holder-2", "holder-5"), pin)
        secrets.add(bytes(pin.view))
    for home in (waiting.home, reshared.home):
        assert not [name for name, data in tree(home.root).items() if any(secret in data for secret in secrets)]


def words_of(share: Path, keys: dict[str, bytes]) -> list[bytes]:
    return open_share_file(share.read_bytes(), keys[share.stem]).split()


@pytest.mark.parametrize("changed", ["nothing", "PIN", "both PINs"])
def test_killed_while_the_pins_change_a_quorum_of_the_new_shares_goes_on(
    born: Born, waiting: Reshared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    home = copy_home(waiting.home, tmp_path / "home")
    left = ["nothing", "PIN", "both PINs"].index(changed)

    def dies(hsm, *, old, new, so):  # type: ignore[no-untyped-def]
        nonlocal left
        left -= 1
        if left >= 0:
            change_pin(hsm, old=old, new=new, so=so)
        if left < 0 or so:
            raise ZeroDivisionError
        return True

    monkeypatch.setattr("ceremony.standing.pin_change.change_pin", dies)
    with pytest.raises(ZeroDivisionError):
        hold_file(RESHARE_FINISH, waiting.finish, home, waiting.at_hand(born, "new-holder", "holder-5"))
    monkeypatch.undo()
    ended = resume(KINDS, home, waiting.at_hand(born, "holder-2", "holder-5"), now=now)
    assert ended.how == "resumed"
    opens(born, home, waiting.first.folder / "shares", ("holder-2", "new-holder"), waiting.keys)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"reshare = 1": "reshare = 7"}, ReshareOfAnotherFile),
        ({'unseal = "': 'unseal = "0', '"\nrecovery': '"\nrecovery'}, HsmpubError),
    ],
)
def test_refuses_to_finish_what_the_file_does_not_name(
    born: Born, waiting: Reshared, tmp_path: Path, change: dict[str, str], rule: type[HsmpubError]
) -> None:
    home = copy_home(waiting.home, tmp_path / "home")
    text = waiting.finish.read_text()
    for old, new in change.items():
        text = text.replace(old, new)
    before = files(home)
    with pytest.raises(rule):
        hold_file(RESHARE_FINISH, write_papers(tmp_path / "papers", ceremony=text), home,
                  waiting.at_hand(born, "new-holder", "holder-5"))  # fmt: skip
    assert files(home) == before


def test_a_new_holder_with_paper_gets_a_card_and_no_file(born: Born, tmp_path: Path) -> None:
    _, public = new_keys(born)
    rows = "".join(f'  {{ name = "{name}", key = "{public[name]}" }},\n' for name in ("holder-2", "holder-5"))
    text = f'ceremony = "reshare"\nservice = "releases"\n[unseal]\nthreshold = 2\nholders = [\n{rows}'
    file = write_papers(tmp_path / "papers", ceremony=text + '  { name = "new-holder", paper = true },\n]\n')
    home = copy_home(born.home, tmp_path / "home")
    with pytest.raises(CardsMissing):
        hold_file(RESHARE, file, home, quorum(born))
    (tmp_path / "cards").mkdir()
    done = hold_file(RESHARE, file, home, replace(quorum(born), cards=tmp_path / "cards"))
    assert [path.name for path in (tmp_path / "cards").iterdir()] == ["unseal-new-holder.pdf"]
    assert sorted(path.stem for path in (done.folder / "shares").iterdir()) == ["holder-2", "holder-5"]


def test_refuses_to_finish_what_was_not_begun_and_old_shares(born: Born, waiting: Reshared, tmp_path: Path) -> None:
    home = copy_home(born.home, tmp_path / "fresh")
    with pytest.raises(NoReshareWaiting):
        hold_file(RESHARE_FINISH, waiting.finish, home, quorum(born))
    home = copy_home(waiting.home, tmp_path / "waiting")
    with pytest.raises(HoldersNotConfirmed, match="holder-2, holder-5, new-holder"):
        hold_file(RESHARE_FINISH, waiting.finish, home, quorum(born, ("holder-2", "holder-5")))
    confirmed = waiting.at_hand(born).confirmations
    old = replace(quorum(born, ("holder-2", "holder-5")), confirmations=confirmed)
    with pytest.raises(ShareOfAnotherEpoch, match="of epoch 1"):
        hold_file(RESHARE_FINISH, waiting.finish, home, old)
    one_lacks = replace(waiting.at_hand(born, "holder-2", "holder-5"), confirmations=confirmed[:-1])
    with pytest.raises(HoldersNotConfirmed):
        hold_file(RESHARE_FINISH, waiting.finish, home, one_lacks)
    file = write_papers(tmp_path / "papers", ceremony='ceremony = "pin-change"\nservice = "releases"\n')
    with pytest.raises(ReshareWaiting):
        hold_file(PIN_CHANGE, file, home, quorum(born))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (("threshold = 2", "threshold = 1"), ThresholdUnsafe),
        (("new-holder", "holder-5"), HolderTwice),
        (("[unseal]", "[unsaal]"), HsmpubError),
    ],
)
def test_refuses_quorums_that_are_none(born: Born, change: tuple[str, str], rule: type[HsmpubError]) -> None:
    _, public = new_keys(born)
    with pytest.raises(rule, match="Line"):
        load_standing_file(file_text(public).replace(*change), "reshare", ReshareFile)
    with pytest.raises(MissingCeremonyKey):
        load_standing_file('ceremony = "reshare"\nservice = "releases"\n', "reshare", ReshareFile)


def test_the_recovery_quorum_alone_and_no_so_pin_in_any_file(
    born: Born, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unseal quorum opens the ceremony and stays."""
    made: list[bytes] = []

    def remembered(length: int) -> bytearray:
        pin = new_pin(length)
        made.append(bytes(pin))
        return pin

    monkeypatch.setattr("ceremony.standing.reshare.new_pin", remembered)
    home = copy_home(born.home, tmp_path / "home")
    private, public = new_keys(born)
    text = file_text(public, unseal=False)
    first = hold_file(RESHARE, write_papers(tmp_path / "papers", ceremony=text), home, quorum(born))
    new = AtHand(
        shares(born, born.home.genesis / "shares", ("holder-1", "holder-2", "holder-4")),
        shares(born, first.folder / "recovery", NEW_RECOVERY, private),
        confirmations(born, first, private),
    )
    hold_file(RESHARE_FINISH, first.folder / "finish.toml", home, new)
    opens(born, home, born.home.genesis / "shares", ("holder-1", "holder-2", "holder-4"), private)
    assert len(made) == 1
    assert not [name for name, data in tree(home.root).items() if made[0] in data]
    assert load_recovery_record(home.recovery_record.read_bytes()).epoch == 2
    assert load_unseal_record(home.unseal_record.read_bytes()).epoch == 1


def test_the_commands_do_both_steps(born: Born, tmp_path: Path) -> None:
    home = copy_home(born.home, tmp_path / "home")
    private, public = new_keys(born)
    file = write_papers(tmp_path / "papers", ceremony=file_text(public, recovery=False))
    options: list[str | Path] = []
    for name in ("holder-1", "holder-2", "holder-3"):
        options += ["--share", f"{name}={home.genesis / 'shares' / name}.age"]
        options += ["--identity", f"{name}={born.stage.key_file(name)}"]
    said = run_command("reshare", file, "--home", home.root, *options)
    assert said.returncode == 0, said.stderr
    folder = home.ceremonies / "1-reshare"
    options = []
    for name in NEW:
        (tmp_path / name).write_bytes(private[name])
        said = run_command(
            "share", "check", folder / "shares" / f"{name}.age", "--transcript", folder / "transcript.json", "--trust",
            home.trust, "--holder", name, "--identity", tmp_path / name, "--confirmation", tmp_path / f"{name}.json",
        )  # fmt: skip
        assert said.returncode == 0, said.stderr
        options += ["--confirmation", tmp_path / f"{name}.json"] if name != "holder-5" else []
    sent = [load_confirmation((tmp_path / "holder-5.json").read_bytes())]  # to the service, while it ran
    home.confirmations.write_bytes(dump_confirmations(sent))
    for name in ("holder-5", "new-holder"):
        options += ["--share", f"{name}={folder / 'shares' / name}.age", "--identity", f"{name}={tmp_path / name}"]
    said = run_command("reshare", "--finish", folder / "finish.toml", "--home", home.root, *options)
    assert said.returncode == 0, said.stderr
    assert b"old shares open nothing" in said.stdout
    kept = load_confirmations(home.confirmations.read_bytes())
    assert sorted(one.holder for one in kept) == sorted(NEW)
    msgspec.json.decode((home.ceremonies / "2-reshare-finish/transcript.json").read_bytes())
    assert read_papers(file, RESHARE).file.recovery is None
