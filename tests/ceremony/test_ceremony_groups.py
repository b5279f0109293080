"""Quorums of groups through the ceremonies: file, genesis, backup, restore."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import pyrage
import pytest
from ceremony_stage import Born, Stage, make_stage, run_command, tree, unseal
from standing_stage import copy_home, hold_file, shares, write_papers

from ceremony.backup import make_backup
from ceremony.backup_check import open_backup
from ceremony.cards import CardsInHome
from ceremony.file import load_ceremony_file
from ceremony.file_rules import (
    CeremonyFileRefused,
    GroupTwice,
    HolderKeyRefused,
    HolderTwice,
    MissingCeremonyKey,
    ThresholdUnsafe,
    UnknownCeremonyKey,
    WrongCeremonyValue,
)
from ceremony.gather import ShareAtHand
from ceremony.genesis import run_genesis
from ceremony.own_share import check_share
from ceremony.place import OutputExists
from ceremony.restore import run_restore
from ceremony.standing.pin_change import PIN_CHANGE
from ceremony.standing.quorum import AtHand
from ceremony.standing.reshare import RESHARE
from ceremony.standing.reshare_finish import RESHARE_FINISH
from hsmpub.home import Home
from hsmpub.secret.page import SecretPage
from hsmpub.shares.gathering import TooFewHolders
from hsmpub.shares.record_file import load_unseal_record
from hsmpub.shares.slip39 import ShareOfAnotherEpoch
from hsmpub.transcript.check import check_transcript
from hsmpub.transcript.record import Step

needs_poppler = pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler-utils is not installed")
BOARD_RULE = 'name = "board"\nthreshold = 2\n'


def into_groups(stage: Stage) -> None:
    """Two of: holders 1 and 2 of three, holder 5 and 4, recovery in two groups of one who alone are enough."""
    lines = stage.file.read_text().splitlines()
    row = {name: next(line for line in lines if f'"{name}"' in line) for name in stage.identities}

    row["on-paper"] = '  { name = "on-paper", paper = true },'

    def group(table: str, name: str, threshold: int, *holders: str, more: str = "") -> str:
        rows = "\n".join(row[holder] for holder in holders)
        return f'[[{table}.group]]\nname = "{name}"\nthreshold = {threshold}\n{more}holders = [\n{rows}\n]\n'

    text = stage.file.read_text()
    start, rest = text.index("[unseal]"), text.index("[log]")
    stage.file.write_text(
        text[:start]
        + "[unseal]\ngroups_needed = 2\n"
        + group("unseal", "operations", 2, "holder-1", "holder-2", "holder-3")
        + group("unseal", "board", 2, "holder-4", "holder-5", "on-paper")
        + "[recovery]\ngroups_needed = 2\n"
        + group("recovery", "vault-north", 1, "recovery-1", more="alone = true\n")
        + group("recovery", "vault-south", 2, "recovery-2", "recovery-3")
        + text[rest:]
    )


@pytest.fixture
def grouped(stage: Stage) -> Stage:
    into_groups(stage)
    return stage


def test_a_file_with_groups_says_who_is_needed(grouped: Stage) -> None:
    file = load_ceremony_file(grouped.file.read_text())
    plan = file.unseal.plan
    assert (plan.group_threshold, plan.threshold) == (2, 4)
    assert [(g.name, g.threshold, len(g.holders)) for g in plan.groups] == [("operations", 2, 3), ("board", 2, 3)]
    assert file.recovery.plan.threshold == 3


@pytest.mark.parametrize(
    ("old", "new", "rule", "at"),
    [
        ("groups_needed = 2", "groups_needed = 3", ThresholdUnsafe, "groups_needed = 3"),
        ("groups_needed = 2", "groups_needed = 1", ThresholdUnsafe, "groups_needed = 1"),
        ("groups_needed = 2", "groups_needed = 0", ThresholdUnsafe, "groups_needed = 0"),
        ("groups_needed = 2", "groups_neded = 2", UnknownCeremonyKey, "groups_neded"),
        ("groups_needed = 2\n", "", MissingCeremonyKey, "[unseal"),
        ("groups_needed = 2", "groups_needed = 2\nalone = true", WrongCeremonyValue, "alone"),
        ("groups_needed = 2", "groups_needed = 2\nthreshold = 2", WrongCeremonyValue, "threshold = 2"),
        ("groups_needed = 2", "threshold = 2", WrongCeremonyValue, "threshold = 2"),
        ('name = "board"', 'name = "operations"', GroupTwice, 'name = "operations"'),
        ('name = "board"', 'name = ""', WrongCeremonyValue, 'name = ""'),
        (BOARD_RULE, BOARD_RULE.replace("2", "4"), ThresholdUnsafe, "threshold = 4"),
        (BOARD_RULE, BOARD_RULE.replace("2", "1"), ThresholdUnsafe, "threshold = 1"),
        (BOARD_RULE, BOARD_RULE.replace("2", "1") + "alone = true\n", ThresholdUnsafe, "threshold = 1"),
        (BOARD_RULE, BOARD_RULE + "alone = true\n", WrongCeremonyValue, "alone"),
        ("alone = true\n", "", ThresholdUnsafe, "threshold = 1"),
        ('"holder-4"', '"holder-1"', HolderTwice, '"holder-1"'),
        ("paper = true", "paper = false", HolderKeyRefused, "on-paper"),
        ("paper = true", 'key = "paper"', HolderKeyRefused, "on-paper"),
        ("paper = true", 'paper = true, key = "age1"', HolderKeyRefused, "on-paper"),
    ],
)  # fmt: skip
def test_refuses_a_mistake_in_groups_with_its_line(
    grouped: Stage, old: str, new: str, rule: type[CeremonyFileRefused], at: str
) -> None:
    text = grouped.file.read_text()
    assert old in text
    broken = text.replace(old, new, 1)
    with pytest.raises(rule) as refusal:
        load_ceremony_file(broken)
    assert refusal.value.line in [n for n, line in enumerate(broken.splitlines(), 1) if at in line]


def test_one_key_in_two_groups_is_refused(grouped: Stage) -> None:
    rows = {
        name: row for row in grouped.file.read_text().splitlines() for name in grouped.identities if f'"{name}"' in row
    }
    doubled = rows["holder-1"].replace("holder-1", "holder-4")
    with pytest.raises(HolderTwice, match="holder-4 has the same key as holder-1"):
        load_ceremony_file(grouped.file.read_text().replace(rows["holder-4"], doubled))


def test_refuses_more_groups_than_slip39_has_numbers_for(grouped: Stage) -> None:
    text = grouped.file.read_text()
    one = text[text.index("[[recovery.group]]") : text.index('[[recovery.group]]\nname = "vault-south"')]
    many = "".join(one.replace("vault-north", f"vault-{n}") for n in range(17))
    with pytest.raises(WrongCeremonyValue, match="16 is the most"):
        load_ceremony_file(text.replace(one, many))


def test_one_group_or_one_holder_is_enough_only_where_the_file_says_so(grouped: Stage) -> None:
    text = grouped.file.read_text()
    either = load_ceremony_file(text.replace("groups_needed = 2", "groups_needed = 1\nalone = true", 1))
    assert either.unseal.plan.threshold == 2
    row = next(line for line in text.splitlines() if '"holder-1"' in line)
    start, end = text.index("[unseal]"), text.index("[recovery]")
    alone = f"[unseal]\nthreshold = 1\nalone = true\nholders = [\n{row}\n]\n"
    assert load_ceremony_file(text[:start] + alone + text[end:]).unseal.plan.threshold == 1
    with pytest.raises(ThresholdUnsafe, match=r"1 of 1.*alone = true"):
        load_ceremony_file(text[:start] + alone.replace("alone = true\n", "") + text[end:])


@pytest.fixture(scope="module")
def born_in_groups(tmp_path_factory: pytest.TempPathFactory) -> Born:
    stage = make_stage(tmp_path_factory.mktemp("groups"))
    into_groups(stage)
    (stage.folder / "cards").mkdir()
    done = run_genesis(stage.plan(), stage.folder / "home", now=lambda: int(time.time()), cards=stage.folder / "cards")
    return Born(stage, done, [])


def test_the_transcript_of_groups_says_which_and_every_holder_checks_a_share(born_in_groups: Born) -> None:
    transcript = check_transcript(born_in_groups.done.transcript, born_in_groups.done.trust)
    facts = transcript.facts("unseal quorum")
    assert (facts["threshold"], facts["group_threshold"]) == (4, 2)
    assert facts["groups"] == [{"name": "operations", "threshold": 2}, {"name": "board", "threshold": 2}]
    for folder, name in (("shares", "holder-5"), ("recovery", "recovery-1")):
        file = (born_in_groups.home.genesis / folder / f"{name}.age").read_bytes()
        assert check_share(transcript, name, file, bytearray(born_in_groups.stage.identities[name])).epoch == 1


def words_on(card: Path) -> bytes:
    told = subprocess.run(["pdftotext", "-layout", str(card), "-"], capture_output=True, check=True).stdout.decode()
    numbered = {int(number): word for number, word in re.findall(r"\b(\d\d?) ([a-z]+)", told)}
    return " ".join(numbered[number] for number in range(1, 34)).encode()


@needs_poppler
def test_a_holder_with_paper_gets_a_card_outside_the_home_and_checks_it_by_typing(born_in_groups: Born) -> None:
    card = born_in_groups.stage.folder / "cards" / "unseal-on-paper.pdf"
    assert (card.stat().st_mode & 0o777, list(card.parent.iterdir())) == (0o600, [card])
    words = words_on(card)
    home = born_in_groups.home
    arguments = ["--holder", "on-paper", "--transcript", home.genesis / "transcript.json", "--trust", home.trust]
    ran = run_command("share", "check", "-", *arguments, stdin=words)
    assert ran.returncode == 0, ran.stderr
    assert b"the unseal share of on-paper, epoch 1" in ran.stdout
    again = run_command("share", "card", "-", "--out", "-", *arguments, stdin=words)
    assert again.returncode == 0, again.stderr
    assert again.stdout == card.read_bytes()
    for path, content in tree(home.root).items():
        assert words[20:60] not in content, path
        assert not path.endswith(".pdf")


def test_paper_needs_a_folder_for_the_card_outside_the_home(grouped: Stage) -> None:
    folder = grouped.folder / "cards"
    home = grouped.folder / "home"
    ran = run_command("genesis", grouped.file, "--home", home)
    assert (ran.returncode, ran.stderr.count(b"\n")) == (1, 1)
    assert b"on-paper will hold a share on paper" in ran.stderr
    home.mkdir()
    with pytest.raises(CardsInHome):
        run_genesis(grouped.plan(), home, now=lambda: 1, cards=home)
    folder.mkdir()
    (folder / "unseal-on-paper.pdf").touch()
    with pytest.raises(OutputExists):
        run_genesis(grouped.plan(), home, now=lambda: 1, cards=folder)


def test_a_ceremony_that_fails_leaves_no_card(grouped: Stage) -> None:
    folder = grouped.folder / "cards"
    folder.mkdir()

    def told(step: Step) -> None:
        if step.what == "unseal quorum":
            assert (folder / "unseal-on-paper.pdf").read_bytes().startswith(b"%PDF")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_genesis(grouped.plan(), grouped.folder / "home", now=lambda: 1, told=told, cards=folder)
    assert list(folder.iterdir()) == []


@needs_poppler
def test_groups_restore_and_unseal_in_the_next_epoch(born_in_groups: Born, tmp_path: Path) -> None:
    home, stage, trust = born_in_groups.home, born_in_groups.stage, born_in_groups.done.trust
    make_backup(home, tmp_path / "backup.tar", now=int(time.time()))

    def at_hand(*names: str) -> list[ShareAtHand]:
        folder = home.genesis / "recovery"
        return [ShareAtHand(n, (folder / f"{n}.age").read_bytes(), bytearray(stage.identities[n])) for n in names]

    with open_backup(tmp_path / "backup.tar", trust) as backup:
        with pytest.raises(TooFewHolders, match="vault-north 0 of 1, vault-south 2 of 2"):
            run_restore(
                backup, trust, at_hand("recovery-2", "recovery-3"), tmp_path / "home", now=lambda: 1, cards=tmp_path
            )
        shares = at_hand("recovery-2", "recovery-1", "recovery-3")
        done = run_restore(backup, trust, shares, tmp_path / "home", now=lambda: int(time.time()), cards=tmp_path)
    assert words_on(tmp_path / "unseal-on-paper.pdf") != words_on(stage.folder / "cards" / "unseal-on-paper.pdf")
    told = [
        step.facts["accepted"] for step in check_transcript(done.transcript, trust).steps if "accepted" in step.facts
    ]
    assert told[-1] == "vault-north 1 of 1, vault-south 2 of 2"
    restored = Home(done.home)
    record = load_unseal_record(restored.unseal_record.read_bytes())
    assert [group.name for group in record.groups] == ["operations", "board"]
    with SecretPage() as pin:
        names = ("holder-4", "holder-3", "holder-5", "holder-1")
        unseal(stage, restored, done.home / "restore-2" / "shares", names, pin)
        assert len(pin.view) == 40


# --- reshare ---

OPERATIONS = ("holder-1", "holder-2", "new-holder")
BOARD = ("holder-4", "holder-5", "on-paper")


def reshare_file(keys: dict[str, str]) -> str:
    """The group operations gets a new holder in the place of one; the board stays."""
    text = 'ceremony = "reshare"\nservice = "releases"\n[unseal]\ngroups_needed = 2\n'
    for group, names in (("operations", OPERATIONS), ("board", BOARD)):
        rows = ",\n".join(f'  {{ name = "{name}", {keys[name]} }}' for name in names)
        text += f'[[unseal.group]]\nname = "{group}"\nthreshold = 2\nholders = [\n{rows}\n]\n'
    return text


@needs_poppler
def test_one_of_two_groups_is_changed_and_the_old_set_dies_for_both(born_in_groups: Born, tmp_path: Path) -> None:
    stage, trust = born_in_groups.stage, born_in_groups.done.trust
    home = copy_home(born_in_groups.home, tmp_path / "home")
    new = pyrage.x25519.Identity.generate()
    identities = {**stage.identities, "new-holder": str(new).encode(), "on-paper": b""}
    record = load_unseal_record(home.unseal_record.read_bytes())
    keys = {holder.name: f'key = "{holder.recipient}"' for holder in record.holders}
    keys |= {"on-paper": "paper = true", "new-holder": f'key = "{new.to_public()}"'}
    (tmp_path / "cards").mkdir()
    old = AtHand(shares(born_in_groups, home.genesis / "shares", ("holder-4", "holder-3", "holder-5", "holder-1")),
                 cards=tmp_path / "cards")  # fmt: skip
    file = write_papers(tmp_path / "papers", ceremony=reshare_file(keys))
    first = hold_file(RESHARE, file, home, old)
    words = words_on(tmp_path / "cards" / "unseal-on-paper.pdf")
    files = {path.stem: path.read_bytes() for path in (first.folder / "shares").iterdir()} | {"on-paper": words}
    transcript = check_transcript(first.transcript, trust)
    confirmed = []
    for name in (*OPERATIONS, *BOARD):
        own = check_share(transcript, name, files[name], bytearray(identities[name]))
        confirmed.append(own.confirm(files[name], bytearray(identities[name])))
    at_hand = AtHand(shares(born_in_groups, first.folder / "shares", ("new-holder", "holder-4", "holder-2", "holder-5"),
                            identities), confirmations=confirmed)  # fmt: skip
    one_group = AtHand(shares(born_in_groups, first.folder / "shares", ("new-holder", "holder-4", "holder-2"),
                              identities), confirmations=confirmed)  # fmt: skip
    with pytest.raises(TooFewHolders, match="operations 2 of 2, board 1 of 2"):
        hold_file(RESHARE_FINISH, first.folder / "finish.toml", home, one_group)
    hold_file(RESHARE_FINISH, first.folder / "finish.toml", home, at_hand)
    after = load_unseal_record(home.unseal_record.read_bytes())
    assert (after.epoch, after.group_threshold) == (2, 2)
    assert [(group.name, group.threshold) for group in after.groups] == [("operations", 2), ("board", 2)]
    assert [tuple(holder.name for holder in group.holders) for group in after.groups] == [OPERATIONS, BOARD]
    stays = AtHand(shares(born_in_groups, home.genesis / "shares", ("holder-4", "holder-5")))
    with pytest.raises(ShareOfAnotherEpoch, match="of epoch 1"):  # the group that was not changed has new shares, too
        hold_file(PIN_CHANGE, write_papers(tmp_path / "pin", ceremony=PIN), home, stays)


PIN = 'ceremony = "pin-change"\nservice = "releases"\n'
