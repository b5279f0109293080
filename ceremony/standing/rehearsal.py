"""A standing ceremony that leaves nothing: held on a throw-away home with the same holders, quorums, policy and roster.

Nobody brings a share, and the home itself is only read. Keys, PIN and the holders' own keys are made for the rehearsal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ceremony.standing.held import Told
from ceremony.standing.hold import Done, hold
from ceremony.standing.key_history import key_history
from ceremony.standing.kind import AnyKind, Papers
from ceremony.standing.stand import Layout, Stand, make_stand
from hsmpub.model.trust import known_keys
from hsmpub.scratch import scratch_folder


def rehearse(
    kind: AnyKind, papers: Papers[Any], layout: Layout, *, now: Callable[[], int], told: Told = lambda step: None,
    protections: Mapping[str, str] | None = None,
) -> Done:  # fmt: skip
    """Runs a ceremony to its end on a throw-away home with keys of the same names and states. Its transcript says that
    it was a rehearsal.

    Raises as hold does.
    """
    with scratch_folder("hsmpub-rehearsal-") as folder:
        stand = make_stand(layout, folder, now)
        for kept, file in key_history(known_keys(layout.trust), layout.trust.service):
            hold(kept, Papers("", file, {}), stand.home, stand.at_hand(), now=now, rehearsal=True)
        return rehearse_on(stand, kind, papers, layout, now=now, told=told, protections=protections)


def rehearse_on(
    stand: Stand, kind: AnyKind, papers: Papers[Any], layout: Layout, *, now: Callable[[], int],
    told: Told = lambda step: None, protections: Mapping[str, str] | None = None,
) -> Done:  # fmt: skip
    """The same on a stand that is there already, and that it changes."""
    at_hand = stand.at_hand()
    if kind.prepare is not None:
        papers, at_hand = kind.prepare(stand, papers, layout, now)
    return hold(kind, papers, stand.home, at_hand, now=now, told=told, protections=protections, rehearsal=True)
