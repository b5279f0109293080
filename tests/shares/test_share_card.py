"""Share cards: what is printed is the share, read back by pdftotext and by a scanner of QR codes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from shares_of import PIN, Holders

from hsmpub.shares.card import CardFacts, CardNotProven, check_card, make_card
from hsmpub.shares.holder import check_own_share
from hsmpub.shares.plan import HolderKey, one_group
from hsmpub.shares.recipient import PAPER, RecipientUnusable, encrypt_to, parse_recipient
from hsmpub.shares.slip39 import canonical
from hsmpub.shares.split import Cards, CardsMissing, split_recovery, split_unseal

FACTS = CardFacts("releases", "unseal", 3, "holder-1", "operations", "academic acid " * 6)
needs_poppler = pytest.mark.skipif(not shutil.which("pdftoppm"), reason="poppler-utils is not installed")
needs_zbar = pytest.mark.skipif(not shutil.which("zbarimg"), reason="zbar-tools is not installed")


def text_of(pdf: bytes | bytearray) -> str:
    return subprocess.run(
        ["pdftotext", "-layout", "-", "-"], input=pdf, capture_output=True, check=True
    ).stdout.decode()


def words_in(text: str) -> bytes:
    numbered = {int(number): word for number, word in re.findall(r"\b(\d\d?) ([a-z]+)", text)}
    return " ".join(numbered[number] for number in range(1, 34)).encode()


def scanned(pdf: bytes | bytearray, folder: Path) -> bytes:
    """What a scanner reads from the printed page."""
    (folder / "card.pdf").write_bytes(pdf)
    subprocess.run(
        ["pdftoppm", "-r", "200", "-gray", "-png", str(folder / "card.pdf"), str(folder / "page")], check=True
    )
    command = ["zbarimg", "--raw", "--quiet", "--oneshot", "-Sdisable", "-Sqrcode.enable", str(folder / "page-1.png")]
    return subprocess.run(command, check=True, capture_output=True).stdout


@needs_poppler
def test_the_numbered_words_on_the_page_are_the_share(holders: Holders) -> None:
    text = text_of(make_card(FACTS, holders.words("holder-1")))
    assert words_in(text) == holders.words("holder-1")
    assert re.search(r"Holder +holder-1\nGroup +operations\n", text)
    assert re.search(r"Service +releases", text)
    assert "Epoch" in text
    assert "hsmpub-ceremony share check -" in text
    assert text.count("\f") == 1


@needs_poppler
@needs_zbar
def test_the_code_on_the_page_is_the_share(holders: Holders, tmp_path: Path) -> None:
    code = scanned(make_card(FACTS, holders.words("holder-2")), tmp_path)
    assert canonical(code) == holders.words("holder-2")
    check_own_share(code, b"", purpose="unseal", epoch=1, holder=holders.record.holder("holder-2"))


def test_a_page_with_another_word_is_refused(holders: Holders) -> None:
    words = bytes(holders.words("holder-1"))
    content = b"".join(b"(%2d %b) Tj\n" % pair for pair in enumerate(words.split(), 1))
    check_card(content, words)
    for wrong in (content.replace(b"( 7 ", b"( 8 "), content.replace(words.split()[4], b"zero", 1), content[:-30], b""):
        with pytest.raises(CardNotProven):
            check_card(wrong, words)


@needs_poppler
def test_the_splitting_child_writes_the_card_and_the_parent_never_sees_the_words(
    holders: Holders, tmp_path: Path
) -> None:
    key = holders.record.holder("holder-1").recipient
    plan = one_group(2, [HolderKey("holder-1", key), HolderKey("on-paper", PAPER), HolderKey("too", PAPER)])
    paths = {name: tmp_path / name for name in ("on-paper", "too")}
    with paths["on-paper"].open("wb") as one, paths["too"].open("wb") as two:
        cards = Cards("releases", {"too": two.fileno(), "on-paper": one.fileno()})
        split = split_unseal(plan, epoch=1, pin=PIN, cards=cards)
    assert set(split.files) == {"holder-1"}
    for name, path in paths.items():
        record = split.record.holder(name)
        assert (record.recipient, record.fingerprint) == (PAPER, PAPER)
        check_own_share(words_in(text_of(path.read_bytes())), b"", purpose="unseal", epoch=1, holder=record)
    assert words_in(text_of(paths["too"].read_bytes())).decode() not in repr(split)


def test_paper_without_a_place_for_the_card_splits_nothing() -> None:
    plan = one_group(2, [HolderKey("a", PAPER), HolderKey("b", PAPER)])
    for cards in (None, Cards("releases", {"a": 1})):
        with pytest.raises(CardsMissing, match="b will hold a share on paper"):
            split_recovery(plan, epoch=1, cards=cards)
    with pytest.raises(RecipientUnusable):
        encrypt_to(parse_recipient(PAPER), b"words")
