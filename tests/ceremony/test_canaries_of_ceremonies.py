"""I3 for what ceremonies and holders handle: the SO PIN of a token's maker, the words of a share, and the key that is
derived from them, are only where they are meant to be. The test knows them, so it can look."""

from __future__ import annotations

import io
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ceremony_stage import Born, run_command, tree

from ceremony import birth
from ceremony.file import HsmTable
from ceremony.own_share import check_share
from ceremony.place import Place
from ceremony.softhsm import find_softhsm
from hsmpub.errors import HsmpubError
from hsmpub.hsm.softhsm import softhsm_conf_text
from hsmpub.hsm.token import init_token, new_pin
from hsmpub.shares.confirmation import dump_confirmation
from hsmpub.shares.slip39 import canonical
from hsmpub.shares.verifier import _key, sign_with_share
from hsmpub.transcript.check import check_transcript
from hsmpub.transcript.record import Recorder
from tests.service.canaries import Canary, found_in

MAKERS = b"makers-so-pin-4711-4712"


@dataclass
class Seen:
    """Everything of this process that somebody else could see: programs with their arguments and environment, files
    that were written, what was logged."""

    programs: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    log: io.StringIO = field(default_factory=io.StringIO)

    def pieces(self) -> Iterator[tuple[str, bytes]]:
        yield "arguments and environment of programs", "\n".join(self.programs).encode()
        yield "own environment", repr(dict(os.environ)).encode()
        yield "own arguments", Path("/proc/self/cmdline").read_bytes()
        yield "the log", self.log.getvalue().encode()


_watching: Seen | None = None


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching is None:
        return
    if event in ("subprocess.Popen", "os.posix_spawn", "os.exec"):
        _watching.programs.append(repr(arguments))
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        _watching.written.append(str(arguments[0]))


sys.addaudithook(_note)


@pytest.fixture
def seen() -> Iterator[Seen]:
    global _watching
    _watching = seen = Seen()
    handler = logging.StreamHandler(seen.log)
    logging.getLogger().addHandler(handler)
    before = logging.getLogger().level
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        yield seen
    finally:
        _watching = None
        logging.getLogger().setLevel(before)
        logging.getLogger().removeHandler(handler)


def told(refused: Callable[[], object]) -> tuple[str, bytes]:
    """Everything that an error says, its causes and where it arose as well."""
    with pytest.raises(HsmpubError) as caught:
        refused()
    error = caught.value
    text = [str(error), repr(error), error.detail, error.next_step, *traceback.format_exception(error)]
    return f"the error {type(error).__name__}", "\n".join(text).encode()


def canaries_of(words: bytes, purpose: Any, holder: str) -> list[Canary]:
    seed = _key(purpose, 1, holder, words).private_bytes_raw()
    some = words.split()[5:9]
    return [
        Canary("the verifier's seed", seed),
        Canary("the words", words),
        Canary("some of the words", b" ".join(some)),
        Canary("words in lines", b"\n".join(some)),
    ]


def test_words_and_seed_of_a_share_stay_with_its_holder(born: Born, seen: Seen) -> None:
    """Confirming, signing, and every way to refuse; the positive control is the card, which has the words."""
    transcript = check_transcript(born.done.transcript, born.done.trust)
    file = (born.home.genesis / "shares" / "holder-1.age").read_bytes()
    key = born.stage.identities["holder-1"]
    words = bytes(canonical(born.stage.words(born.home.genesis / "shares" / "holder-1.age")))
    canaries = canaries_of(words, "unseal", "holder-1")
    seen.written.clear()
    own = check_share(transcript, "holder-1", file, bytearray(key))
    confirmed = dump_confirmation(own.confirm(file, bytearray(key)))
    signed = sign_with_share(bytearray(words), "alive", b"payload", purpose="unseal", epoch=1, holder="holder-1")
    card = bytes(own.card(file, bytearray(key)))
    misspelt = words.replace(words.split()[7], b"acedemic", 1)
    swapped = b" ".join([words.split()[1], words.split()[0], *words.split()[2:]])
    errors = [
        told(lambda: check_share(transcript, "holder-1", misspelt, bytearray())),
        told(lambda: check_share(transcript, "holder-1", swapped, bytearray())),
        told(lambda: check_share(transcript, "holder-2", words, bytearray())),
        told(lambda: check_share(transcript, "holder-1", file, bytearray(born.stage.identities["holder-2"]))),
        told(lambda: sign_with_share(bytearray(misspelt), "alive", b"", purpose="unseal", epoch=1, holder="holder-1")),
    ]
    pieces = [("the confirmation", confirmed), ("the signature", signed), ("what is shown", repr(own).encode())]
    assert found_in([*pieces, *errors, *seen.pieces()], canaries) == []
    assert seen.written == []
    assert all(word in card for word in words.split())
    assert found_in([("the card", card)], canaries[:1]) == []  # words for paper, no seed


def test_no_file_of_a_ceremony_has_a_seed_or_words(born: Born) -> None:
    """The home, and with it every backup: every holder of both quorums."""
    canaries = []
    for purpose, folder in (("unseal", "shares"), ("recovery", "recovery")):
        for share in sorted((born.home.genesis / folder).iterdir()):
            words = bytes(canonical(born.stage.words(share)))
            canaries += canaries_of(words, purpose, share.stem)
    assert len(canaries) == 4 * 8
    pieces = [(name, data) for name, data in tree(born.home.root).items()]
    assert found_in([*pieces, ("programs", "\n".join(born.seen).encode())], canaries) == []


def test_the_command_leaves_the_words_on_the_card_and_nowhere_else(
    born: Born, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch, card = tmp_path / "tmp", tmp_path / "card.pdf"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    share = born.home.genesis / "shares" / "holder-2.age"
    canaries = canaries_of(bytes(canonical(born.stage.words(share))), "unseal", "holder-2")
    home, key = born.home, born.stage.key_file("holder-2")
    common: list[str | Path] = ["--transcript", home.genesis / "transcript.json", "--trust", home.trust, "--holder"]
    common += ["holder-2", "--identity", key]
    made = run_command("share", "card", share, "--out", card, *common)
    checked = run_command("share", "check", share, "--confirmation", tmp_path / "confirmed", *common)
    wrong = run_command("share", "check", share, *common[:5], "holder-1", *common[6:])
    assert (made.returncode, checked.returncode, wrong.returncode) == (0, 0, 1), (made.stderr, checked.stderr)
    said = [(f"output {n}", one.stdout + one.stderr) for n, one in enumerate((made, checked, wrong))]
    assert found_in([*said, ("confirmation", (tmp_path / "confirmed").read_bytes())], canaries) == []
    assert list(scratch.iterdir()) == []
    assert card.stat().st_mode & 0o777 == 0o600


def test_the_makers_so_pin_is_in_its_own_file_alone(tmp_path: Path, seen: Seen) -> None:
    """It goes from the file to the process that commands the HSM, and the token has another one afterwards."""
    pin_file, tokens, conf = tmp_path / "makers", tmp_path / "tokens", tmp_path / "softhsm2.conf"
    pin_file.write_bytes(MAKERS + b"\n")
    tokens.mkdir()
    conf.write_text(softhsm_conf_text(tokens))
    table = HsmTable(module=find_softhsm(), token="bought", environment={"SOFTHSM2_CONF": str(conf)},
                     first_so_pin=str(pin_file))  # fmt: skip
    recorder = Recorder("genesis", "releases", lambda: int(time.time()), lambda step: None, rehearsal=False)
    with Place(tmp_path / "home") as place, birth.open_secrets() as secrets:
        hsm = birth.fill_token(table, place, recorder, secrets, ())
        refused = told(lambda: init_token(hsm, so_pin=new_pin(), pin=new_pin(), first_so_pin=bytearray(MAKERS)))
        files = list(tree(tmp_path).items())
    canaries = [Canary("the maker's SO PIN", MAKERS)]
    assert seen.programs
    met = found_in([*files, refused, ("transcript", recorder.text.encode()), *seen.pieces()], canaries)
    assert set(met) == {"the maker's SO PIN in makers"}
