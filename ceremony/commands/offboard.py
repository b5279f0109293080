"""`hsmpub-ceremony offboard`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ceremony.commands.app import HomeOption, app, console, now
from ceremony.log_snapshot import iterate_log, measure_log
from ceremony.offboard.evidence import Asked, Evidence, record_offboarding
from ceremony.offboard.findings import Findings, find
from ceremony.offboard.papers import reshare_without, roster_without
from ceremony.offboard.words import next_steps, told
from ceremony.place import make_folder, write_new
from ceremony.standing.stand import Layout, layout_of
from hsmpub.approval import load_roster
from hsmpub.cli.options import DEFAULT_URL, CaFile
from hsmpub.cli.person import fresh, submit
from hsmpub.client.client import Client
from hsmpub.errors import HsmpubError, NotFound
from hsmpub.home import Home
from hsmpub.model import entry as e
from hsmpub.model.fold import ServiceState
from hsmpub.model.personal import AskRoster
from hsmpub.model.toml_lines import load_toml
from hsmpub.policy import Policy
from hsmpub.tlog.merkle import leaf_hash
from hsmpub.tlog.note import load_verifier_key
from hsmpub.tlog.tile import Frontier
from hsmpub.wire.messages import RequestView


class NobodyOfThatName(NotFound):
    advice = "Check the name; --also names what the person is called elsewhere."


@app.command()
def offboard(
    person: Annotated[str, typer.Argument(help="Their name in the roster, or as a holder.")],
    to: Annotated[Path | None, typer.Option("--to", help="A new folder for transcript, report and papers.")] = None,
    home: HomeOption = Path("home"),
    also: Annotated[list[str] | None, typer.Option("--also", help="Another name of theirs, as a holder.")] = None,
    ask_as: Annotated[str, typer.Option("--ask-as", help="Who asks for the revocation at once; needs --key.")] = "",
    key: Annotated[Path | None, typer.Option("--key", help="SSH key of whoever asks.")] = None,
    url: Annotated[str, typer.Option("--url", envvar="HSMPUB_URL", help="Address of the service.")] = "",
    ca_file: CaFile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be found and done; write nothing, ask for nothing.")
    ] = False,
) -> None:  # fmt: skip
    """List everything that touches a person who leaves, ask for what may be asked at once, and write the papers.

    Changes nothing in the home; the service may run. The transcript is signed by the keeper's identity.
    """
    if to is None and not dry_run:
        raise typer.BadParameter("say where the papers go, or --dry-run", param_hint="--to")
    if bool(ask_as) != (key is not None):
        raise typer.BadParameter("--ask-as NAME and --key SSH-KEY belong together")
    place, say = Home(home.resolve()), console(stderr=dry_run)
    layout = layout_of(place)
    findings, log_root = _find(place, layout, [person, *(also or [])])
    if findings.is_nothing and not findings.keys:
        raise NobodyOfThatName(f"Nothing of the service touches {person[:80]!r}.")
    with Evidence(place, layout.trust, now, lambda step: None, rehearsal=dry_run) as evidence:
        if to is not None and not dry_run:
            make_folder(to)
        papers, problem = _papers(layout, findings)
        for line in told(findings):
            say.print(line, markup=False)
        asked = Asked()
        if key is not None and "roster.toml" in papers and not dry_run:
            asked = _ask(layout, papers["roster.toml"], ask_as, key, url, ca_file)
        steps = tuple(next_steps(findings, asked=asked.request, papers=tuple(papers), roster_problem=problem))
        report = {"findings": findings, "revocation_request": asked.request, "next": steps, "papers": sorted(papers)}
        files = {name: text.encode() for name, text in papers.items()}
        files["report.json"] = msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
        record_offboarding(evidence.recorder, findings, log_root, asked, files, steps)
        files["transcript.json"] = evidence.sign()
    if dry_run or to is None:
        sys.stdout.write(files["transcript.json"].decode())
        say.print("Nothing was written, and nothing asked for.")
        return
    for name, data in files.items():
        write_new(to / name, data)
    if asked.refused:
        say.print(f"\nThe revocation was not taken: {asked.refused}", markup=False)
    say.print(f"\nWritten to {to}: {', '.join(sorted(files))}. Next:", markup=False)
    for step in steps:
        say.print(f"- {step}", markup=False)


def _find(place: Home, layout: Layout, names: list[str]) -> tuple[Findings, str]:
    """Returns the findings and the root of the log that they are from, which continues its newest checkpoint."""
    measure_log(place.log, load_verifier_key(layout.trust.log_key))
    state, frontier = ServiceState(), Frontier()
    entries = (data for chunk in iterate_log(place.log) for data in chunk)
    for index, data in enumerate(entries):
        state.apply(index, e.load_entry(data))
        frontier.extend([leaf_hash(data)])
    policy = Policy.model_validate(load_toml(layout.policy, file="policy").data)
    roster = load_roster(layout.roster)
    found = find(names, state, roster, policy, layout.unseal, layout.recovery, layout.pending)
    return found, frontier.root().hex()


def _papers(layout: Layout, findings: Findings) -> tuple[dict[str, str], str]:
    """Returns the papers by name, and why there is no roster among them."""
    papers, problem = {}, ""
    if findings.enrolled:
        try:
            papers["roster.toml"] = roster_without(layout.roster, findings, load_roster(layout.roster).persons)
        except HsmpubError as error:  # they are the last one in it, or it was written in another form
            problem = str(error)
    if any(not share.waiting for share in findings.shares):
        papers["reshare.toml"] = reshare_without(layout.trust.service, findings, layout.unseal, layout.recovery)
    return papers, problem


def _ask(layout: Layout, roster: str, person: str, key: Path, url: str, ca_file: Path | None) -> Asked:
    """Opens the request for the roster without them. A refusal is a finding, too: the papers are written all the
    same."""
    nonce, at = fresh()
    try:
        with Client(url or DEFAULT_URL, layout.trust, ca_file=ca_file) as client:
            answer = submit(client, AskRoster(person=person, nonce=nonce, at=at, text=roster), key, False)
    except HsmpubError as error:
        return Asked(person, refused=str(error))
    return Asked(person, request=answer.request if isinstance(answer, RequestView) else "")
