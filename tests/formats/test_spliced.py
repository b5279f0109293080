"""What formats say stays of a file, what they note about it, and the sums and chains that are computed by leaps."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.client import signing
from hsmpub.client.embedding import write_signed
from hsmpub.client.seen import notes_of
from hsmpub.client.sha256 import hash_and_look
from hsmpub.client.signing import digest_work
from hsmpub.formats.cms import word_sum as sums
from hsmpub.formats.noted import NotedSource
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource
from hsmpub.formats.spliced import Kept, Spliced
from hsmpub.formats.windows import compound_chains
from hsmpub.formats.windows.compound_chains import END, neighbours, runs_of
from hsmpub.formats.windows.storage import CompoundMalformed
from tests.formats.samples import OTHERS, SAMPLES
from tests.formats.software_hsm import artifact_of, key_record, make

SPLICED = sorted(name for name, form in FORMATS.items() if isinstance(form, Spliced))
every_spliced = pytest.mark.parametrize("name", SPLICED)


class CountingSource:
    """How many bytes are read."""

    def __init__(self, data: bytes) -> None:
        self._inner, self.size, self.bytes_read = BytesSource(data), len(data), 0

    def read(self, offset: int, length: int) -> bytes:
        self.bytes_read += length
        return self._inner.read(offset, length)


def test_every_format_for_files_of_any_size_says_what_stays() -> None:
    assert SPLICED == ["apk", "authenticode", "cab", "deb", "jar", "kernel-module", "msi", "pdf", "rpm"]


@every_spliced
def test_notes_of_the_same_file_change_nothing_in_what_is_written(name: str) -> None:
    if name == "pdf":
        pytest.importorskip("pyhanko")
    form, data = FORMATS[name], SAMPLES[name]
    assert isinstance(form, Spliced)
    [kind, *_] = sorted(form.key_kinds)
    output = make(form, data, key_record(kind, name))
    looked_at = NotedSource(BytesSource(data))
    assert form.extract(looked_at) == form.extract(BytesSource(data))
    form.ahead(looked_at)
    later = NotedSource(BytesSource(data), looked_at.notes)
    assert b"".join(form.attach(later, output)) == b"".join(form.attach(BytesSource(data), output))


@pytest.mark.parametrize("name", ["jar", "authenticode"])
def test_what_was_noted_is_not_looked_for_again(name: str) -> None:
    form = FORMATS[name]
    assert isinstance(form, Spliced)
    data = SAMPLES[name] if name == "jar" else SAMPLES[name] + bytes(1 << 16)
    output = make(form, data, key_record("p256", name))
    first = CountingSource(data)
    noted = NotedSource(first)
    form.extract(noted)
    form.ahead(noted)
    second = CountingSource(data)
    assert any(isinstance(part, Kept) for part in form.splice(NotedSource(second, noted.notes), output))
    assert second.bytes_read < first.bytes_read / 2


@every_spliced
def test_notes_of_another_file_cannot_get_a_wrong_file_past_the_check(name: str, tmp_path: Path) -> None:
    """Written as the notes say, read back without them."""
    if name == "pdf":
        pytest.importorskip("pyhanko")
    form = FORMATS[name]
    assert isinstance(form, Spliced)
    [kind, *_] = sorted(form.key_kinds)
    key, path, other = key_record(kind, name), tmp_path / "x", tmp_path / "other"
    path.write_bytes(OTHERS[name])
    other.write_bytes(SAMPLES[name])
    output = make(form, SAMPLES[name], key)
    _, seen = hash_and_look(other, formats=[form])
    _, own = hash_and_look(path, formats=[form])
    with pytest.raises(Exception, match=r".") as refused:
        write_signed(path, tmp_path, artifact_of(SAMPLES[name]).state, output, form, key,
                     seen=own._replace(notes=seen.notes))  # fmt: skip
    assert hasattr(refused.value, "advice")
    assert sorted(tmp_path.iterdir()) == [other, path]
    assert path.read_bytes() == OTHERS[name]


def test_notes_of_a_file_that_was_written_to_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "x.jar"
    path.write_bytes(SAMPLES["jar"])
    _, seen = hash_and_look(path, formats=[FORMATS["jar"]])
    assert notes_of(seen, path.stat())
    path.write_bytes(OTHERS["jar"])
    assert notes_of(seen, path.stat()) == {}
    assert notes_of(None, path.stat()) == {}


def test_notes_of_many_small_files_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All files of a command are hashed before the first is written."""
    path = tmp_path / "x.jar"
    path.write_bytes(SAMPLES["jar"])
    assert digest_work(path, ("jar",)).seen is None
    monkeypatch.setattr(signing, "NOTED_FROM", len(SAMPLES["jar"]))
    assert notes_of(digest_work(path, ("jar",)).seen, path.stat())


@given(st.lists(st.binary(max_size=41)))
def test_words_add_up_wherever_the_pieces_are_cut(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    whole += b"\0" * (len(whole) % 2)
    wanted = sums.fold(sum(int.from_bytes(whole[at : at + 2], "little") for at in range(0, len(whole), 2)))
    assert sums.fold(sums.word_sum(parts)) == wanted
    assert sums.find_numbers() is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums, "find_numbers", lambda: None)
        assert sums.fold(sums.word_sum(parts)) == wanted


def test_a_sum_of_whole_turns_is_not_nothing() -> None:
    assert sums.fold(sums.word_sum([b"\xff\xff" * 3])) == 0xFFFF


def plain_runs(table: array[int], used: bytearray, start: int) -> list[tuple[int, int]] | None:
    """Sector by sector. None: malformed."""
    chain, at = [], start
    while at != END:
        if at >= min(len(table), len(used)) or used[at]:
            return None
        used[at] = 1
        chain.append(at)
        at = table[at]
    return list(neighbours(chain))


@given(st.data())
def test_chains_by_leaps_are_chains_sector_by_sector(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 60))
    table = array("I", [*range(1, count), END])
    for at in data.draw(st.lists(st.integers(0, count - 1), max_size=4)):
        table[at] = data.draw(st.sampled_from([END, 0, count, at]) | st.integers(0, count))
    used, start = bytearray(count), data.draw(st.integers(0, count))
    for at in data.draw(st.lists(st.integers(0, count - 1), max_size=2)):
        used[at] = 1
    other = bytearray(used)
    wanted = plain_runs(table, other, start)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compound_chains, "_LEAP", 4)
        patch.setattr(compound_chains, "_LONG", 2)
        if wanted is None:
            with pytest.raises(CompoundMalformed):
                runs_of(table, used, start)
        else:
            assert runs_of(table, used, start) == wanted
            assert used == other


def test_the_rest_of_a_run_is_not_compared_sector_by_sector(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose runs all end amid a leap would be read for minutes."""
    run, leaps, leap = 4351, [], compound_chains._leap

    def counted(table: array[int], used: bytearray, at: int, room: int) -> int:
        leaps.append(at)
        return leap(table, used, at, room)

    monkeypatch.setattr(compound_chains, "_leap", counted)
    table = array("I", range(1, 4 * run + 1))
    table[run - 1], table[3 * run - 1] = 2 * run, END
    assert runs_of(table, bytearray(len(table)), 0) == [(0, run), (2 * run, run)]
    assert len(leaps) <= 4


def test_new_parts_are_small_wherever_a_program_says_that_its_header_lies() -> None:
    form, near, far = FORMATS["authenticode"], SAMPLES["authenticode"], 1 << 20
    assert isinstance(form, Spliced)
    start = int.from_bytes(near[60:64], "little")
    data = near[:60] + far.to_bytes(4, "little") + bytes(far - 64) + near[start:]
    output = make(form, data, key_record("p256", "authenticode"))
    parts = [*form.splice(BytesSource(data), output)]
    assert sum(len(part) for part in parts if not isinstance(part, Kept)) < 8192
    assert form.detach(BytesSource(b"".join(form.attach(BytesSource(data), output)))) == output
