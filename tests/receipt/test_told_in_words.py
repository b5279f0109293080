"""What the steps of a receipt say to those who read them."""

from __future__ import annotations

import pytest

from hsmpub.receipt.report import PublishedItem
from hsmpub.receipt.words import published_words, runs_of


@pytest.mark.parametrize(
    ("indexes", "told"),
    [([0], "entry 0"), ([0, 1, 2, 15, 17, 16, 30], "entries 0–2, 15–17, 30"), ([3, 5], "entries 3, 5")],
)
def test_neighbouring_entries_stand_together(indexes: list[int], told: str) -> None:
    assert runs_of(indexes) == told


def test_what_failed_is_not_called_published() -> None:
    there, same = PublishedItem("index", "x", "accepted", 1, 0), PublishedItem("index", "y", "already-same", 1, 0)
    failed, open_ = PublishedItem("index", "z", "failed", 1, 0), PublishedItem("git", "v1", "", 1, 0)
    assert published_words([there, same], 1) == "Published: 2."
    assert published_words([there, failed, open_], 2) == "Published so far: 1 of the 3 that were tried."
    assert published_words([failed], 1).startswith("Published so far: 0 of the 1")
    assert "yet" in published_words([], 1)
    assert "nowhere" in published_words([], 0)
