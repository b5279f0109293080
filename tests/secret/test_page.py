"""Secret pages hold what they are given, leave nothing behind and show nothing."""

from __future__ import annotations

import os

import pytest

from hsmpub.secret import page as page_module
from hsmpub.secret.page import SecretPage, wipe

PIN = b"canary-6f1c-pin"


def filled(secret: bytes = PIN) -> SecretPage:
    page = SecretPage()
    page.take(bytearray(secret))
    return page


def test_taking_moves_the_secret_and_wipes_the_source() -> None:
    source = bytearray(PIN)
    with SecretPage() as page:
        page.take(source)
        assert page.view == PIN
        assert len(page) == len(PIN)
    assert source == bytes(len(PIN))


def test_travels_through_a_pipe_from_page_to_page() -> None:
    read, write = os.pipe()
    try:
        with filled() as first, SecretPage() as second:
            first.send_to(write)
            second.fill_from(read, len(PIN))
            assert second.view == PIN
    finally:
        os.close(read)
        os.close(write)


def test_refuses_a_secret_that_was_cut_short_and_keeps_nothing_of_it() -> None:
    read, write = os.pipe()
    os.write(write, PIN[:5])
    os.close(write)
    try:
        with SecretPage() as page:
            with pytest.raises(EOFError):
                page.fill_from(read, len(PIN))
            assert len(page) == 0
            assert not any(page._whole)
    finally:
        os.close(read)


def test_filling_again_leaves_nothing_of_the_longer_secret_before() -> None:
    with filled(b"x" * 100) as page:
        page.take(bytearray(b"short"))
        assert page.view == b"short"
        assert not any(page._whole[5:])


def test_refuses_more_than_its_capacity_and_leaves_the_source_alone() -> None:
    source = bytearray(b"y" * 5000)
    with SecretPage(4096) as page, pytest.raises(ValueError, match="do not fit"):
        page.take(source)
    assert source == b"y" * 5000


def test_shows_no_content_in_its_repr() -> None:
    with filled() as page:
        assert "canary" not in repr(page)
        assert page.protection in repr(page)


def test_a_view_that_outlives_the_page_shows_zeros() -> None:
    page = filled()
    view = page.view
    page.close()
    page.close()
    assert not any(view)


@pytest.mark.skipif(SecretPage().protection != "memfd_secret", reason="this kernel has no memfd_secret")
def test_not_even_a_debugger_reads_a_memfd_secret_page() -> None:
    with filled() as page, open("/proc/self/mem", "rb", buffering=0) as memory:
        memory.seek(page.address)
        with pytest.raises(OSError, match=r"Input/output error|Bad address"):
            memory.read(len(PIN))


def test_falls_back_to_a_locked_page_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "_SYS_MEMFD_SECRET", 100_000)
    with filled() as page:
        assert page.protection in ("mlock", "none")
        assert page.view == PIN


def test_a_refused_lock_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def syscall(self, *_: object) -> int:
            return -1

        def mlock(self, *_: object) -> int:
            return -1

    monkeypatch.setattr(page_module, "_LIBC", Refusing())
    with filled() as page:
        assert page.protection == "none"


@pytest.mark.parametrize("buffer", [bytearray(b"secret"), memoryview(bytearray(b"secret")), bytearray()])
def test_wiping_zeroes_in_place(buffer: bytearray | memoryview) -> None:
    length = len(buffer)
    wipe(buffer)
    assert bytes(buffer) == bytes(length)


def test_wiping_refuses_what_cannot_be_written() -> None:
    with pytest.raises(TypeError):
        wipe(memoryview(b"secret"))
