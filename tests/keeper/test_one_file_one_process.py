"""Who breaks out of a parser with one upload reaches no other: each is looked into by a process of its own."""

from __future__ import annotations

import io
import os
import select
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from hsmpub.artifact import extraction
from hsmpub.artifact.extraction import Extraction, ExtractorLost
from hsmpub.formats.registry import get_format
from hsmpub.formats.source import BytesSource
from hsmpub.sandbox.landlock import landlock_abi

JAR = get_format("jar")
#: What needs a kernel with Landlock's scopes to be refused; all else is refused anywhere.
BY_LANDLOCK = {b"stop"} if landlock_abi() < 6 else set()


def archive(data: bytes = b"class") -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as made:
        made.writestr("a", data)
    return whole.getvalue()


@pytest.fixture
def spoiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Extraction]:
    monkeypatch.setattr(extraction, "PROGRAM", "tests.keeper.spoiled_extractor")
    monkeypatch.setattr(subprocess, "Popen", partial(subprocess.Popen, stderr=subprocess.PIPE))
    made = Extraction(tmp_path)
    yield made
    made.close()
    assert made._child.stderr is not None
    made._child.stderr.close()


def child_of(template: int) -> int:
    """Waits until it has forked."""
    while not (children := Path(f"/proc/{template}/task/{template}/children").read_text().split()):
        time.sleep(0.01)
    return int(children[0])


def look(into: Extraction, data: bytes) -> bytes:
    into.new_copy().write(data)
    return into.extract("x", [JAR], len(data))["jar"]


def test_a_parser_that_was_taken_over_says_nothing_of_the_next_file(spoiled: Extraction) -> None:
    reached = set(look(spoiled, b"spoil").split())
    assert reached <= BY_LANDLOCK
    good = archive()
    assert look(spoiled, good) == JAR.extract(BytesSource(good))


@pytest.mark.parametrize("words", [b"ends!", b"more!"])
def test_one_that_answers_nothing_or_too_much_is_lost_alone(spoiled: Extraction, words: bytes) -> None:
    with pytest.raises(ExtractorLost):
        look(spoiled, words)
    good = archive()
    assert look(spoiled, good) == JAR.extract(BytesSource(good))


def test_what_was_taken_over_writes_nothing_into_the_keepers_log(spoiled: Extraction) -> None:
    with pytest.raises(ExtractorLost):
        look(spoiled, b"says!")
    assert spoiled._child.stderr is not None
    assert spoiled._child.stderr.readline() == b"hsmpub extractor: no answer, wait status 0x0000\n"


def test_one_that_never_ends_ends_with_its_template(spoiled: Extraction) -> None:
    ended: list[type[Exception]] = []

    def asked() -> None:
        try:
            look(spoiled, b"stays")
        except Exception as error:
            ended.append(type(error))

    asking = threading.Thread(target=asked)
    asking.start()
    child = os.pidfd_open(child_of(spoiled._child.pid))
    try:
        spoiled._child.kill()
        asking.join()
        assert ended == [ExtractorLost]
        assert select.select([child], [], [], 30)[0] == [child]
    finally:
        os.close(child)
