"""New PINs that nobody sees: the shares stay good, what opened the token before opens nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from ceremony_stage import Born, hsm_of, tree, unseal
from standing_stage import copy_home, hold_file, now, quorum, write_papers

from ceremony.standing.hold import read_papers, resume
from ceremony.standing.kinds import KINDS
from ceremony.standing.pin_change import PIN_CHANGE, SO_PIN_CHANGE
from ceremony.standing.quorum import AtHand, SharesNeeded
from hsmpub.home import Home
from hsmpub.hsm.rules import PinNotChanged, PinRefused
from hsmpub.hsm.signer import TokenSigner
from hsmpub.hsm.token import change_pin
from hsmpub.secret.page import SecretPage
from hsmpub.shares.gathering import TooFewHolders
from hsmpub.transcript.check import check_transcript

FILE = 'ceremony = "{}"\nservice = "releases"\n'


def file_of(folder: Path, name: str) -> Path:
    return write_papers(folder / f"papers-{name}", ceremony=FILE.format(name))


def pin_of(born: Born, home: Home, page: SecretPage) -> None:
    unseal(born.stage, home, born.home.genesis / "shares", ("holder-2", "holder-5", "holder-1"), page)


def test_the_same_shares_open_the_new_pin_and_the_old_one_is_refused(born: Born, tmp_path: Path) -> None:
    home = copy_home(born.home, tmp_path / "home")
    with SecretPage() as old, SecretPage() as new:
        pin_of(born, home, old)
        done = hold_file(PIN_CHANGE, file_of(tmp_path, "pin-change"), home, quorum(born, recovery=()))
        pin_of(born, home, new)
        assert old.view != new.view
        with TokenSigner(hsm_of(home), new) as signer:
            assert len(signer.sign("log", b"x", "none")) == 64
        with pytest.raises(PinRefused), TokenSigner(hsm_of(home), old):
            pytest.fail("the old PIN was taken")
        secrets = [bytes(old.view), bytes(new.view)]
    assert not [name for name, data in tree(home.root).items() if any(secret in data for secret in secrets)]
    transcript = check_transcript(done.transcript, born.done.trust)
    assert transcript.facts("PIN changed") == {"token": "hsmpub", "found": "changed now"}
    assert "keeper/unseal.json" in transcript.facts("outputs")["sha256"]


def test_the_so_pin_takes_both_quorums_and_opens_for_the_recovery_quorum(born: Born, tmp_path: Path) -> None:
    home = copy_home(born.home, tmp_path / "home")
    file = file_of(tmp_path, "so-pin-change")
    before = home.recovery_record.read_bytes()
    with pytest.raises(TooFewHolders):
        hold_file(SO_PIN_CHANGE, file, home, quorum(born, recovery=("recovery-1",)))
    assert home.recovery_record.read_bytes() == before
    hold_file(SO_PIN_CHANGE, file, home, quorum(born))
    assert home.recovery_record.read_bytes() != before
    hold_file(SO_PIN_CHANGE, file, home, quorum(born))  # opened again, with the one just made


def test_a_pin_that_the_token_does_not_take_leaves_everything_as_it_was(
    born: Born, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = copy_home(born.home, tmp_path / "home")
    before = home.unseal_record.read_bytes()

    def three(length: int) -> bytearray:
        return bytearray(b"123")  # SoftHSM takes four or more

    monkeypatch.setattr("ceremony.standing.pin_change.new_pin", three)
    with pytest.raises(PinNotChanged):
        hold_file(PIN_CHANGE, file_of(tmp_path, "pin-change"), home, quorum(born, recovery=()))
    assert home.unseal_record.read_bytes() == before
    assert not home.ceremony_journal.exists()
    assert not list(home.ceremonies.iterdir())


@pytest.mark.parametrize("changed", [False, True])
def test_killed_around_the_change_the_same_holders_go_on(
    born: Born, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    """An exception that no ceremony expects stands for the kill: the journal says `acting` either way."""
    home = copy_home(born.home, tmp_path / "home")

    def dies(hsm, *, old, new, so):  # type: ignore[no-untyped-def]
        if changed:
            change_pin(hsm, old=old, new=new, so=so)
        raise ZeroDivisionError

    monkeypatch.setattr("ceremony.standing.pin_change.change_pin", dies)
    with pytest.raises(ZeroDivisionError):
        hold_file(PIN_CHANGE, file_of(tmp_path, "pin-change"), home, quorum(born, recovery=()))
    monkeypatch.undo()
    with pytest.raises(SharesNeeded) as refused:
        resume(KINDS, home, AtHand(), now=now)
    assert "hsmpub-ceremony resume" in refused.value.next_step
    assert resume(KINDS, home, quorum(born, recovery=()), now=now).how == "resumed"
    with SecretPage() as pin:
        pin_of(born, home, pin)
        with TokenSigner(hsm_of(home), pin):
            pass
    transcript = check_transcript((home.ceremonies / "1-pin-change/transcript.json").read_bytes(), born.done.trust)
    assert transcript.facts("PIN changed")["found"] == ("changed before" if changed else "changed now")
    assert "resumed" in [step.what for step in transcript.steps]


def test_a_file_of_the_other_one_is_refused(tmp_path: Path) -> None:
    assert read_papers(file_of(tmp_path, "pin-change"), PIN_CHANGE).file.pin_length == 40
    with pytest.raises(Exception, match="not for 'so-pin-change'"):
        read_papers(file_of(tmp_path, "pin-change"), SO_PIN_CHANGE)
