"""`hsmpub-ceremony share …`, as a holder uses it."""

from __future__ import annotations

from pathlib import Path

from ceremony_stage import Born, run_command

from hsmpub.shares.confirmation import check_confirmation, load_confirmation
from hsmpub.shares.facts import facts_of
from hsmpub.shares.record_file import load_recovery_record, load_unseal_record


def test_a_holder_checks_the_share_file_and_confirms(born: Born, tmp_path: Path) -> None:
    out = tmp_path / "holder-4.confirmation"
    arguments = [
        "share", "check", born.home.genesis / "shares" / "holder-4.age", "--holder", "holder-4",
        "--identity", born.stage.key_file("holder-4"), "--transcript", born.home.genesis / "transcript.json",
        "--trust", born.home.trust, "--confirmation", out,
    ]  # fmt: skip
    ran = run_command(*arguments)
    assert ran.returncode == 0, ran.stderr
    facts = facts_of(load_unseal_record(born.home.unseal_record.read_bytes()))
    assert b"This is the unseal share of holder-4, epoch 1, as the ceremony made it." in ran.stdout
    assert facts.words("unseal").encode() in ran.stdout
    assert check_confirmation(load_confirmation(out.read_bytes()), "unseal", facts) == "holder-4"
    words = born.stage.words(born.home.genesis / "shares" / "holder-4.age").decode()
    assert words[20:60] not in ran.stdout.decode() + out.read_text()
    again = run_command(*arguments)
    assert (again.returncode, again.stderr.count(b"\n")) == (1, 1)
    assert b"exists already" in again.stderr


def test_typed_words_are_checked_and_one_wrong_word_is_not_repeated(born: Born, tmp_path: Path) -> None:
    typed = born.stage.words(born.home.genesis / "recovery" / "recovery-2.age").upper()
    arguments = [
        "share", "check", "-", "--holder", "recovery-2", "--transcript", born.home.genesis / "transcript.json",
        "--trust", born.home.trust, "--confirmation", tmp_path / "confirmation",
    ]  # fmt: skip
    ran = run_command(*arguments, stdin=b"\n".join(typed.split()) + b"\n")
    assert ran.returncode == 0, ran.stderr
    facts = facts_of(load_recovery_record(born.home.recovery_record.read_bytes()))
    confirmation = load_confirmation((tmp_path / "confirmation").read_bytes())
    assert check_confirmation(confirmation, "recovery", facts) == "recovery-2"
    wrong = run_command(*arguments, stdin=bytes(typed).replace(typed.split()[7], b"ZZWRONGZZ"))
    assert (wrong.returncode, wrong.stderr.count(b"\n")) == (1, 1)
    assert b"ZZWRONG" not in wrong.stderr.upper()
    assert b"spelling or the checksum is wrong" in wrong.stderr
