"""What a keeper is started with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.home import Home
from hsmpub.hsm.config import HsmConfig
from hsmpub.keeper.clock import KernelClock, elapsed, kernel_clock
from hsmpub.shares.pending import PendingSets
from hsmpub.shares.record import RecoveryRecord, UnsealRecord
from hsmpub.tlog.log import Log


@dataclass(frozen=True)
class KeeperParts:
    """What a keeper is started with. clock: seconds since 1970; kernel: what is known of it; ticks: elapsed time.
    generation: see hsmpub.keeper.upgrading. pending: sets of shares that wait for their holders.
    """

    home: Home
    log: Log
    record: UnsealRecord
    recovery: RecoveryRecord
    hsm: HsmConfig
    identity: Ed25519PrivateKey
    workers: int
    protections: dict[str, str]
    clock: Callable[[], float] = time.time
    kernel: Callable[[], KernelClock] = kernel_clock
    ticks: Callable[[], float] = elapsed
    generation: int = 0
    pending: PendingSets | None = None
