"""Break-glass: a policy or a roster put in force by a quorum of unseal shares, where approvals can no longer do it.

For a policy without [administration.policy], or approvers who are gone. The log says so for ever, and `hsmpub status`
until approvals adopt the next one.

```toml
ceremony = "break-glass"
service = "releases"
reason = "all managers have left"
policy = "policy.toml"     # either, or both; from the folder of this file
roster = "roster.toml"
```
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from ceremony.file_rules import MissingCeremonyKey
from ceremony.standing.file import StandingFile
from ceremony.standing.held import Held
from ceremony.standing.kind import Kind, Papers
from ceremony.standing.quorum import AtHand, open_pin
from hsmpub.approval.roster import load_roster
from hsmpub.errors import Conflict
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.model.toml_lines import TomlText
from hsmpub.model.toml_words import formed
from hsmpub.policy import load_policy
from hsmpub.secret.page import SecretPage


class NothingToAdopt(Conflict):
    advice = "Nothing is to be done: these texts are in force already."


class BreakGlassFile(StandingFile):
    """reason: for the log, in a sentence; policy, roster: paths."""

    reason: Annotated[str, formed(r"[^\x00-\x1f\x7f]{3,400}", "3 to 400 characters on one line")]
    policy: str = ""
    roster: str = ""

    def check(self, toml: TomlText) -> None:
        if not self.policy and not self.roster:
            raise MissingCeremonyKey("neither 'policy' nor 'roster' says what is to be adopted.", line=1)


def _papers(file: BreakGlassFile) -> Mapping[str, str]:
    return {use: path for use, path in (("policy", file.policy), ("roster", file.roster)) if path}


def run_break_glass(held: Held, papers: Papers[BreakGlassFile], shares: AtHand) -> None:
    """Checks the texts against each other and the service's keys, then adopts them, and voids what was pending.

    Raises:
        PolicyRefused, RosterRefused, InFile: of the texts. NothingToAdopt.
        The rules of a refused share, of hsmpub.hsm and of Held.finish.
    """
    facts = _facts(held, papers.named)
    held.recorder.record("break-glass", reason=papers.file.reason,
                         adopted={use: sha256_hex(text.encode()) for use, text in papers.named.items()})  # fmt: skip
    with SecretPage() as pin:
        open_pin(held, shares.unseal, pin)
        with TokenSigner(held.hsm, pin) as signer:
            held.finish(signer, *facts)


def _facts(held: Held, named: Mapping[str, str]) -> list[e.Entry]:
    state = held.state
    assert state.genesis is not None
    assert state.policy is not None
    assert state.roster is not None
    policy = named.get("policy", state.policy.text)
    roster = named.get("roster", state.roster.text)
    if (policy, roster) == (state.policy.text, state.roster.text):
        raise NothingToAdopt("The policy and the roster in force are these.")
    _check(held, policy, roster)
    facts: list[e.Entry] = []
    if roster != state.roster.text:
        facts.append(e.RosterAdopted(held.at, roster, sha256_hex(roster.encode())))
    if policy != state.policy.text:
        facts.append(e.PolicyAdopted(held.at, policy, sha256_hex(policy.encode())))
    pending = [request.id for request in state.open_requests() if request.state == "pending"]
    return [*facts, *(e.Expired(held.at, name, "adopted by a break-glass ceremony") for name in pending)]


def _check(held: Held, policy: str, roster: str) -> None:
    """As the keeper does: a new policy names active keys only; one in force may name a key that was retired since."""
    keys, groups = held.state.keys, load_roster(roster).groups
    if held.state.policy is not None and policy == held.state.policy.text:
        load_policy(policy, keys={key.name: key.record for key in keys.known}, groups=groups)
        return
    load_policy(policy, keys=keys.active, groups=groups, retired=keys.by_name.keys() - keys.active.keys())


BREAK_GLASS = Kind("break-glass", BreakGlassFile, run_break_glass, _papers)
