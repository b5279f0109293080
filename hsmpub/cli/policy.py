"""`hsmpub policy …`: the policy file, checked here and adopted by co-signature."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsmpub.approval import load_roster
from hsmpub.cli.in_force import At, show_in_force
from hsmpub.cli.options import DEFAULT_URL, Agent, CaFile, Key, Person, Pins, Url, connect, pins
from hsmpub.cli.person import fresh, say_outcome, submit
from hsmpub.cli.say import say
from hsmpub.cli.text_file import read_text
from hsmpub.cli.visible import visible
from hsmpub.client.trust import PinsMissing
from hsmpub.model.personal import AskPolicy
from hsmpub.model.trust import known_keys
from hsmpub.policy import load_policy

app = typer.Typer(help="Show and check the policy, and have it adopted.", no_args_is_help=True)
File = Annotated[Path, typer.Argument(help="The policy, TOML.")]


@app.command()
def check(
    file: File,
    roster: Annotated[Path, typer.Option("--roster", help="The roster, for its groups.")],
    trust: Pins = None,
) -> None:
    """Check a policy on this machine, as the keeper would."""
    if trust is None or not trust.exists():
        raise PinsMissing(
            "The pins name the keys that a policy may use, and there are none here.",
            next_step="Name trust.json with --trust or HSMPUB_TRUST. Before the genesis, which makes it, "
            "'hsmpub-ceremony genesis ceremony.toml --dry-run' checks the first policy and roster.",
        )
    known = pins(trust)
    groups = load_roster(read_text(roster)).groups
    keys = known_keys(known)
    retired = keys.by_name.keys() - keys.active.keys()
    policy = load_policy(read_text(file), keys=keys.active, groups=groups, retired=retired)
    for name, project in sorted(policy.projects.items()):
        approvals = ", ".join(f"{one.count} of {visible(one.group)}" for one in project.approvals)
        say(f"{visible(name)}: {f'takes {approvals}' if approvals else 'takes no approval'}")
    if policy.administration.policy is None:
        say("Warning: without [administration.policy] only a break-glass ceremony can change the policy.", "yellow")
    say(f"{file} is a valid policy.")


@app.command()
def show(at: At = None, url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None) -> None:
    """Print the policy in force, read from the log with proof from your pins on."""
    show_in_force("policy", at, url, trust, ca_file)


@app.command()
def adopt(
    file: File, person: Person, key: Key, agent: Agent = False, url: Url = DEFAULT_URL, trust: Pins = None,
    ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Ask for a policy's adoption. It is in force once enough people have approved it."""
    nonce, at = fresh()
    ask = AskPolicy(person=person, nonce=nonce, at=at, text=read_text(file))
    with connect(url, trust, ca_file) as client:
        say_outcome(submit(client, ask, key, agent))
