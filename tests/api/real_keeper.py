"""A front on loopback with a real keeper behind it, over keys in software, in one thread of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from running import Running, running

from hsmpub.model import entry as e
from hsmpub.model.trust import Trust
from hsmpub.receipt import ReceiptBuilder
from hsmpub.tlog.reader import LogReader
from tests.keeper import keeping
from tests.keeper.keeping import Kept, kept

_POLICY = keeping.POLICY
Place = tuple[Running, Kept]


@contextmanager
def real(
    folder: Path,
    keys: dict[str, Any],
    projects: str,
    *,
    bearer: bool = False,
    certificates: dict[str, str] | None = None,
    **caps: Any,
) -> Iterator[Place]:
    """Unsealed. keys, certificates: as keeping.MORE_KEYS and CERTIFICATES; projects: added to the policy; bearer: of
    the issuer; caps: of the front."""
    with pytest.MonkeyPatch.context() as patch:
        for name, key in keys.items():
            patch.setitem(keeping.MORE_KEYS, name, key)
        for name, chain in (certificates or {}).items():
            patch.setitem(keeping.CERTIFICATES, name, chain)
        policy = _POLICY.replace("loopback", "bearer = true\nloopback", 1) if bearer else _POLICY
        patch.setattr(keeping, "POLICY", policy)
        with kept(folder, patch, policy=projects) as made, running(**caps) as front:

            class Real(dict[type, Any]):
                def __missing__(self, kind: type) -> Callable[[Any], Any]:
                    return made.keeper.front

            front.keeper.script = Real()
            front.serve(made.keeper.book.log.reader())
            front.do(made.unseal())
            yield front, made

            async def stop() -> None:
                made.keeper.book.log.stop_checkpoints()

            front.do(stop())


class _KeptLog(LogReader):
    """The keeper's own store, which the front must not close."""

    def __init__(self, reader: LogReader) -> None:
        self.__dict__ = reader.__dict__

    def close(self) -> None:
        pass


@contextmanager
def served_log(place: Place) -> Iterator[None]:
    """The front serves the keeper's log, so that there are receipts."""
    front, made = place
    reader = LogReader(made.store)
    front._app().state.front.log_reader._open = (_KeptLog(reader), ReceiptBuilder(reader))
    yield
    front._app().state.front.log_reader._open = None


def pins(made: Kept) -> Trust:
    """What its genesis would have written."""
    genesis = made.entries()[0]
    assert isinstance(genesis, e.Genesis)
    return Trust(genesis.service, str(keeping.LOG_KEY), genesis.keeper_key, genesis.keys)
