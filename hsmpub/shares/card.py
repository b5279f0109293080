"""A share on paper: words in numbered columns and as a QR code, whose it is, and what to do with it.

Made in the splitting child for holders without a key, or by a holder from a decrypted share. The words are never in a
temporary file; what is made is a PDF in memory, to be written where its owner says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from hsmpub.errors import Broken
from hsmpub.secret.page import wipe
from hsmpub.shares.card_pdf import Page
from hsmpub.shares.record import Purpose

_COLUMNS, _LINE, _LEFT = 3, 17, 56
_QR_POINTS = 150
_NUMBERED = re.compile(rb"\( ?(\d+) ([a-z]+)\) Tj")
_WARNING = "SECRET: no photograph, no copier, no e-mail, no network printer. Keep it sealed and locked."
_TO_DO = {
    "unseal": "It is one of the shares that open the service after a restart.",
    "recovery": "It is one of the shares that restore the keys from a backup.",
}


class CardNotProven(Broken):
    advice = "Nothing was kept: run the ceremony again, and report this if it happens twice."


class CardFacts(msgspec.Struct, frozen=True):
    """What a card says beside the words. group: may be empty; fingerprint: of the set, in words."""

    service: str
    purpose: Purpose
    epoch: int
    holder: str
    group: str
    fingerprint: str


def make_card(facts: CardFacts, words: bytes | bytearray) -> bytearray:
    """One page of PDF; its owner wipes it.

    words: canonical.

    Raises:
        CardNotProven: the words do not stand on the page as they should.
    """
    page = Page()
    try:
        _head(page, facts)
        _words(page, words)
        _qr(page, words)
        _foot(page, facts)
        check_card(page.content, words)
        return page.pdf()
    finally:
        wipe(page.content)


def check_card(content: bytes | bytearray, words: bytes | bytearray) -> None:
    """The page's text holds every word once, with its number. Raises CardNotProven."""
    found = {int(number): word for number, word in _NUMBERED.findall(content)}
    if [found.get(number) for number in range(1, len(found) + 1)] != words.split() or not found:
        raise CardNotProven("The words on the share card are not the share.")


def _head(page: Page, facts: CardFacts) -> None:
    page.text(_LEFT, 780, 20, f"Share card: {facts.purpose}", "bold")
    rows = [
        ("Service", facts.service),
        ("Holder", facts.holder),
        *([("Group", facts.group)] if facts.group else []),
        ("Epoch", f"{facts.epoch}   (a later epoch makes this card worthless)"),
    ]
    for at, (name, value) in enumerate(rows):
        page.text(_LEFT, 756 - 15 * at, 11, name, "bold")
        page.text(_LEFT + 60, 756 - 15 * at, 11, value)
    page.text(_LEFT, 692, 10, _TO_DO[facts.purpose])
    page.text(_LEFT, 678, 10, _WARNING, "bold")


def _words(page: Page, words: bytes | bytearray) -> None:
    each = list(words.split())
    rows = -(-len(each) // _COLUMNS)
    page.frame(_LEFT - 8, 656 - rows * _LINE, 500, rows * _LINE + 10)
    for at, word in enumerate(each):
        column, row = divmod(at, rows)
        page.text(_LEFT + column * 165, 650 - row * _LINE, 13, b"%2d %b" % (at + 1, bytes(word)), "mono")


def _qr(page: Page, words: bytes | bytearray) -> None:
    # in capitals QR codes have a shorter form for letters; reading a share turns them small again
    import segno  # most children of this package draw no card, and it takes half as long as all of the rest

    code = segno.make_qr(words.upper().decode("ascii"), error="m")
    size = _QR_POINTS / len(code.matrix)
    page.boxes(_dark(code.matrix, size))
    for row in code.matrix:
        wipe(row)


def _dark(matrix: tuple[bytearray, ...], size: float) -> Iterator[tuple[float, float, float, float]]:
    """Runs of dark modules as rectangles."""
    for at, row in enumerate(matrix):
        bottom = 440 - (at + 1) * size
        start = None
        for column, dark in enumerate([*row, 0]):
            if dark and start is None:
                start = column
            elif not dark and start is not None:
                yield (_LEFT + start * size, bottom, (column - start) * size, size)
                start = None


def _foot(page: Page, facts: CardFacts) -> None:
    beside = _LEFT + _QR_POINTS + 24
    lines = [
        "After printing, check the paper, not the screen:",
        "type the words, or scan the code, into",
        "",
        "  hsmpub-ceremony share check - \\",
        f"    --holder {_short(facts.holder)} \\",
        "    --transcript transcript.json --trust trust.json",
        "",
        "and compare these words with the other holders':",
    ]
    for at, line in enumerate(lines):
        page.text(beside, 428 - 13 * at, 9.5, line, "mono" if line.startswith("  ") else "regular")
    marks = facts.fingerprint.split()
    for at in range(0, len(marks), 4):
        page.text(beside, 314 - 13 * (at // 4), 10, " ".join(marks[at : at + 4]), "mono")
    page.text(
        _LEFT, 262, 10, "Fingerprint of this set of shares: the twelve words beside the code. They are no secret,"
    )
    page.text(_LEFT, 248, 10, "and no part of the share.")
    page.text(
        _LEFT, 218, 10, "To hand the share in:  type it into  hsmpub unseal --holder " + facts.holder + " --share -"
    )
    page.text(_LEFT, 186, 10, "Checked against the transcript (date, signature of the holder):")
    page.frame(_LEFT - 8, 140, 500, 38)


def _short(holder: str) -> str:
    """The name where it fits into a command on the page; it stands at the top in full."""
    return holder if len(holder) <= 40 else "NAME"
