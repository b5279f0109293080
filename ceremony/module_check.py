"""The HSM's module, looked at before a ceremony does anything with it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ceremony.file import HsmTable
from ceremony.keys import key_specs
from hsmpub.errors import NotFound
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.messages import ModuleReport
from hsmpub.hsm.module import check_fit, look_at
from hsmpub.secret.page import SecretPage

_LONGEST_PIN = 255


class FirstSoPinMissing(NotFound):
    advice = "Put the SO PIN that the maker gave the token into the file that the ceremony file names."


def look_at_module(table: HsmTable) -> ModuleReport:
    """What the module can do of all that a service needs; changes nothing."""
    return look_at(_config(table), (spec.kind for spec in key_specs()), table.pin_length)


def check_module(table: HsmTable) -> None:
    """Raises ModuleUnfit, with all that is missing. The embedded SoftHSM is tried by the birth of the keys itself."""
    if table.module:
        check_fit(_config(table), (spec.kind for spec in key_specs()), table.pin_length)


@contextlib.contextmanager
def first_so_pin(table: HsmTable) -> Iterator[SecretPage | None]:
    """The SO PIN of the token's maker in a page, without the end of its line; None where the file names none.

    Raises:
        FirstSoPinMissing: the file cannot be read, or is empty.
    """
    if not table.first_so_pin:
        yield None
        return
    path = Path(table.first_so_pin)
    with SecretPage() as page:
        try:
            _read(path, page)
        except OSError as error:
            raise FirstSoPinMissing(f"The file {path} cannot be read: {error.strerror}.") from None
        if not len(page):
            raise FirstSoPinMissing(f"The file {path} is empty.")
        yield page


def _read(path: Path, page: SecretPage) -> None:
    """Straight into the page, without the end of the line."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        length = min(os.fstat(fd).st_size, _LONGEST_PIN + 2)
        while length and os.pread(fd, 1, length - 1) in b"\r\n":
            length -= 1
        if length:
            page.fill_from(fd, length)
    finally:
        os.close(fd)


def _config(table: HsmTable) -> HsmConfig:
    return HsmConfig(table.module, table.token, network=table.network, environment=tuple(table.environment.items()))
