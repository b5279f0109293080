"""`hsmpub status`: how the service stands, in plain words."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import msgspec

from hsmpub.cli.options import DEFAULT_URL, AsJson, CaFile, Pins, Url, connect
from hsmpub.cli.quorum_lines import say_quorum
from hsmpub.cli.quorum_progress import progress_lines, waiting_line
from hsmpub.cli.say import say, say_json
from hsmpub.cli.visible import visible
from hsmpub.client.client import Client
from hsmpub.client.session import KeeperNotThePinnedOne
from hsmpub.errors import Refused
from hsmpub.model.clock import rfc3339
from hsmpub.model.terms import UNLIMITED, say_terms
from hsmpub.wire.messages import AttemptReply, OpeningView, StatusReply


def status(
    ready: bool = False, as_json: AsJson = False, url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None
) -> None:
    """Show how the service stands. With --ready every key makes a test signature first."""
    with connect(url, trust, ca_file) as client:
        found = client.status()
        if trust is not None and found.keeper_key != client.trust.keeper_key:
            raise KeeperNotThePinnedOne("The keeper that answers is not the one in the pins.")
        attempt = _attempt(client) if found.state == "sealed" else None
        tested = client.ready().keys if ready else {}
    if as_json:
        say_json({**msgspec.to_builtins(found), "attempt": attempt, "tested": tested})
        return
    _say_state(found, attempt)
    _say_keys(found, tested)
    _say_protections(found)
    for quorum in found.quorums:
        say_quorum(quorum)
    if found.timestamps:
        say(f"Timestamps: {visible(found.timestamps)}.", "" if found.timestamps == "given" else "yellow")
    for warning in found.warnings:
        say(f"Warning: {visible(warning)}", "yellow")


def _attempt(client: Client) -> AttemptReply | None:
    """For show only: nothing is encrypted to it here, so it need not be the pinned keeper's."""
    with suppress(Refused):
        return client.attempt()
    return None


def _say_state(found: StatusReply, attempt: AttemptReply | None) -> None:
    good = found.state == "unsealed"
    say(f"{visible(found.service)} is {visible(found.state)}.", "green" if good else "red")
    if found.why:
        say(visible(found.why))
    if found.opening is not None:
        _say_opening(found, found.opening)
    if attempt is not None:
        _say_attempt(attempt)
    say(f"Shares of epoch {found.epoch}; the log has {found.log_size:,} entries, root {visible(found.log_root)[:16]}….")
    say(f"Policy {visible(found.policy_sha256)[:16]}…, roster {visible(found.roster_sha256)[:16]}….")


def _say_opening(found: StatusReply, opening: OpeningView) -> None:
    """What is left of the unsealing, and what ends it."""
    names = ", ".join(visible(name) for name in opening.holders)
    say(f"Unsealed by {names} since {rfc3339(opening.at)}, {visible(say_terms(opening.terms))}.")
    if opening.until is not None:
        say(f"Open until {rfc3339(opening.until)}.")
    left = "" if opening.signatures_left is None else f", {opening.signatures_left:,} left"
    say(f"Signatures since: {opening.signatures:,}{left}.")
    if opening.idle_at is not None:
        say(f"Seals when idle: at {rfc3339(opening.idle_at)}, unless something is signed.")
    if found.dead_man_at is not None:
        say(f"Seals at {rfc3339(found.dead_man_at)}, unless a holder says 'hsmpub alive'.")


def _say_attempt(attempt: AttemptReply) -> None:
    """Who has handed in, by the terms they agreed to, and who can still."""
    if not attempt.gathering:
        _say_lines(progress_lines(attempt.group_threshold, attempt.groups))
    for gathered in attempt.gathering:
        if gathered.terms != UNLIMITED:
            say(f"To unseal {visible(say_terms(gathered.terms))}:")
        _say_lines(progress_lines(attempt.group_threshold, gathered.groups))
    one = attempt.gathering[0].groups if len(attempt.gathering) == 1 else attempt.groups
    _say_lines([waiting_line(one)])


def _say_lines(lines: Iterable[str]) -> None:
    for line in lines:
        if line:
            say(line)


def _say_keys(found: StatusReply, tested: dict[str, str]) -> None:
    say(f"Signers at work: {found.signers}.")
    for name, kind in sorted(found.keys.items()):
        state = tested.get(name, "")
        told = f": {visible(state)}" if state else ""
        say(f"  key {visible(name)} ({visible(kind)}){told}", "" if state in ("", "ok") else "yellow")


def _say_protections(found: StatusReply) -> None:
    on = sorted(visible(name) for name, state in found.protections.items() if state == "on")
    say(f"Protections on: {', '.join(on) or 'none'}.")
    for name, why in sorted(found.protections.items()):
        if why != "on":
            say(f"  off: {visible(name)} ({visible(why)})", "yellow")
