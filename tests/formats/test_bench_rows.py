"""`make bench` has a row for every format: what it costs is measured."""

from __future__ import annotations

from hsmpub.formats.registry import FORMATS
from tests import every_key
from tests.bench import apart


def test_every_format_has_a_row_in_the_bench() -> None:
    measured = [form for _, formats in (*every_key.KEYS.values(), *apart.KEYS.values()) for form in formats]
    measured += [form for formats in every_key.BORN.values() for form in formats]
    assert sorted(measured) == sorted(FORMATS)
    assert sorted(form for one in apart.PROJECTS.values() for form in one.formats) == sorted(
        form for _, formats in apart.KEYS.values() for form in formats
    )
