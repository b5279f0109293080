"""A named point at which something stops until the test has done what it wants to do there."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class Hold:
    """The first `here` blocks until `release`; `reached` tells that somebody stands there."""

    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def here(self) -> None:
        if not self.reached.is_set():
            self.reached.set()
            assert self.released.wait(60)

    def wait(self) -> None:
        assert self.reached.wait(60), "nothing came to this point"

    def release(self) -> None:
        self.released.set()
