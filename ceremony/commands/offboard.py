"""`hsmpub-ceremony offboard`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ceremony.commands.app import HomeOption, app, console
from ceremony.log_snapshot import iterate_log, measure_log
from ceremony.offboard.findings import Findings, find
from ceremony.offboard.papers import reshare_without, roster_without
from ceremony.offboard.words import next_steps, told
from ceremony.place import make_folder, write_new
from ceremony.standing.stand import Layout, layout_of
from hsmpub.approval import load_roster
from hsmpub.cli.options import CaFile
from hsmpub.cli.person import fresh, submit
from hsmpub.client.client import Client
from hsmpub.errors import HsmpubError, NotFound
from hsmpub.home import Home
from hsmpub.model import entry as e
from hsmpub.model.fold import ServiceState
from hsmpub.model.submission import AskRoster
from hsmpub.model.toml_lines import load_toml
from hsmpub.model.trust import Trust
from hsmpub.policy import Policy
from hsmpub.tlog.note import load_verifier_key
from hsmpub.wire.messages import RequestView


class NobodyOfThatName(NotFound):
    advice = "Check the name; --also names what the person is called elsewhere."


@app.command()
def offboard(
    person: Annotated[str, typer.Argument(help="Their name in the roster, or as a holder.")],
    to: Annotated[Path, typer.Option("--to", help="A new folder for the report and the papers.")],
    home: HomeOption = Path("home"),
    also: Annotated[list[str] | None, typer.Option("--also", help="Another name of theirs, as a holder.")] = None,
    ask_as: Annotated[str, typer.Option("--ask-as", help="Who asks for the revocation at once; needs --key.")] = "",
    key: Annotated[Path | None, typer.Option("--key", help="SSH key of whoever asks.")] = None,
    url: Annotated[str, typer.Option("--url", envvar="HSMPUB_URL", help="Address of the service.")] = "",
    ca_file: CaFile = None,
) -> None:
    """List everything that touches a person who leaves, ask for what may be asked at once, and write the papers.

    Changes nothing in the home; the service may run.
    """
    place, say = Home(home.resolve()), console()
    layout = layout_of(place)
    findings = _find(place, layout, [person, *(also or [])])
    if findings.is_nothing and not findings.keys:
        raise NobodyOfThatName(f"Nothing of the service touches {person[:80]!r}.")
    make_folder(to)
    papers, problem = _write(to, layout, findings)
    for line in told(findings):
        say.print(line, markup=False)
    asked = _ask(layout, papers["roster.toml"], ask_as, key, url, ca_file) if "roster.toml" in papers and key else ""
    steps = list(next_steps(findings, asked=asked, papers=tuple(papers), roster_problem=problem))
    report = {"findings": findings, "revocation_request": asked, "next": steps, "papers": sorted(papers)}
    write_new(to / "report.json", msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    say.print(f"\nWritten to {to}: {', '.join(sorted([*papers, 'report.json']))}. Next:", markup=False)
    for step in steps:
        say.print(f"- {step}", markup=False)


def _find(place: Home, layout: Layout, names: list[str]) -> Findings:
    measure_log(place.log, load_verifier_key(layout.trust.log_key))  # its newest checkpoint covers these entries
    state = ServiceState()
    entries = (data for chunk in iterate_log(place.log) for data in chunk)
    for index, data in enumerate(entries):
        state.apply(index, e.load_entry(data))
    policy = Policy.model_validate(load_toml(layout.policy, file="policy").data)
    roster = load_roster(layout.roster)
    return find(names, state, roster, policy, layout.unseal, layout.recovery, layout.pending)


def _write(to: Path, layout: Layout, findings: Findings) -> tuple[dict[str, str], str]:
    """Returns the papers by name, and why there is no roster among them."""
    papers, problem = {}, ""
    if findings.enrolled:
        try:
            papers["roster.toml"] = roster_without(layout.roster, findings, load_roster(layout.roster).persons)
        except HsmpubError as error:  # they are the last one in it, or it was written in another form
            problem = str(error)
    if any(not share.waiting for share in findings.shares):
        papers["reshare.toml"] = reshare_without(layout.trust.service, findings, layout.unseal, layout.recovery)
    for name, text in papers.items():
        write_new(to / name, text.encode())
    return papers, problem


def _ask(layout: Layout, roster: str, person: str, key: Path, url: str, ca_file: Path | None) -> str:
    """Opens the request for the roster without them. Returns its id."""
    trust: Trust = layout.trust
    nonce, at = fresh()
    with Client(url or "http://127.0.0.1:8700", trust, ca_file=ca_file) as client:
        answer = submit(client, AskRoster(person=person, nonce=nonce, at=at, text=roster), key, False)
    return answer.request if isinstance(answer, RequestView) else ""
