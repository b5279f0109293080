"""A genesis that leaves nothing: the same steps in a throw-away home, with a throw-away SoftHSM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ceremony.file import HsmTable
from ceremony.genesis import Genesis, run_genesis
from ceremony.plan import Plan
from hsmpub.scratch import scratch_folder
from hsmpub.transcript.record import Step


def rehearse_genesis(
    plan: Plan,
    *,
    now: Callable[[], int],
    told: Callable[[Step], None] = lambda step: None,
    protections: Mapping[str, str] | None = None,
) -> Genesis:
    """Runs genesis to its end and throws everything away but its transcript, which says that it was a rehearsal.

    The HSM of the file is not touched. Raises as run_genesis does.
    """
    embedded = plan.file.model_copy(update={"hsm": HsmTable()})
    with scratch_folder("hsmpub-rehearsal-") as folder:
        cards = folder / "cards"
        cards.mkdir(mode=0o700)
        return run_genesis(
            replace(plan, file=embedded),
            folder / "home",
            now=now,
            told=told,
            protections=protections,
            rehearsal=True,
            cards=cards,
        )
