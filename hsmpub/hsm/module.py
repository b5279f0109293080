"""Looking at a module before anything is done with it."""

from __future__ import annotations

from collections.abc import Iterable

from hsmpub.hsm.child import run_once
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.messages import LookAtModule, ModuleReport
from hsmpub.hsm.rules import HsmFailed, ModuleUnfit
from hsmpub.hsm.token import CHORE
from hsmpub.model.key import KeyKind


def look_at(hsm: HsmConfig, kinds: Iterable[KeyKind], pin_length: int) -> ModuleReport:
    """What the module can do of all that the service needs. Logs in nowhere and changes nothing.

    Args:
        hsm: `hsm.token` is the label of a token that is to be made.
        kinds: of the keys that it is to hold.

    Raises:
        HsmFailed: the module cannot be loaded or started.
    """
    report = run_once(CHORE, hsm, LookAtModule(tuple(dict.fromkeys(kinds)), pin_length), []).report
    if report is None:
        raise HsmFailed("A process of the HSM answered out of turn.")
    return report


def check_fit(hsm: HsmConfig, kinds: Iterable[KeyKind], pin_length: int) -> ModuleReport:
    """Raises ModuleUnfit, with everything that is missing, before anything is done."""
    report = look_at(hsm, kinds, pin_length)
    if report.lacks:
        missing = "; ".join(f"{row}: {report.rows[row]}" for row in report.lacks)
        raise ModuleUnfit(f"The service cannot run with {report.name}: {missing}.")
    return report
