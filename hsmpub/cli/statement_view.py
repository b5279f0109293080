"""The statement on the terminal, in full: everything that a signature would stand for, nothing interpreted."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.text import Text

from hsmpub.cli.difference import differing
from hsmpub.cli.visible import visible
from hsmpub.client.adopted import Adopted
from hsmpub.model.attested import Attestation, Build
from hsmpub.model.clock import rfc3339
from hsmpub.model.digest import sha256_hex
from hsmpub.model.predicate import Decryption, Predicate, Profiles, TufFacts
from hsmpub.model.statement import Statement, Subject

_MORE = "↳ "


def show_statement(console: Console, statement: Statement, exact: bytes, replaced: Adopted | None = None) -> None:
    """Prints every member of the statement. exact: its bytes, whose digest is shown too.

    replaced: the text in whose place the statement's would come, found to be the one that the statement names; the
    difference is shown, too.
    """
    predicate = statement.predicate
    console.print(Text(_title(predicate), style="bold"))
    for label, value in _facts(predicate):
        _show(console, f"  {label:<12} ", value)
    _show_files(console, statement)
    _show_work(console, predicate)
    if predicate.build is not None:
        _show_build(console, predicate.build)
    if predicate.attest is not None:
        _show_predicate(console, predicate.attest)
    if predicate.decrypt is not None:
        _show_decryption(console, predicate.decrypt)
    for facts in predicate.tuf:
        _show_tuf(console, facts)
    if predicate.text:
        console.print(Text("  The whole new text:"))
        for line in visible(predicate.text, lines=True).split("\n"):
            _show(console, "  | ", line)
    elif predicate.kind in ("policy", "roster"):
        console.print(Text("  The whole new text is empty."))
    if replaced is not None:
        _show_difference(console, replaced, predicate.text)
    _show(console, "  statement    ", f"sha256 {sha256_hex(exact)}, {len(exact):,} bytes")


def _show_difference(console: Console, replaced: Adopted, text: str) -> None:
    console.print(Text(f"  What changes in the {replaced.kind} in force (entry {replaced.index} of the log):"))
    for mark, line, style in differing(replaced.text, text):
        _show(console, f"  {mark} ", line, style)


def _show(console: Console, label: str, value: str, style: str = "") -> None:
    """One fact. On a terminal it is cut into lines here, each but the first with a mark: left to the terminal, a value
    padded with spaces could go on in the next line as if it were another fact."""
    if len(label) > 24:  # a name of a claim, which somebody else chose as well
        label, value = "  ", label.strip() + " " + value
    room = console.width - cell_len(label) - 1 if console.is_terminal else 0
    first, *rest = (chop_cells(value, room) or [""]) if room > 8 else [value]
    console.print(Text(label + first, style=style))
    for piece in rest:
        console.print(Text(f"{_MORE:>{len(label)}}{piece}", style=style))


def _title(predicate: Predicate) -> str:
    what = " ".join(visible(part) for part in (predicate.project, predicate.version, predicate.credential) if part)
    return f"Request {visible(predicate.request)}: {visible(predicate.kind)} {what}".rstrip()


def _facts(predicate: Predicate) -> Iterator[tuple[str, str]]:
    for name, value in sorted(predicate.requester.items()):
        yield ("asked by" if name in ("subject", "person") else f"· {visible(name)}", visible(value))
    if predicate.commit:
        yield "commit", visible(predicate.commit)
    yield "asked at", rfc3339(predicate.requested_at)
    yield "expires at", rfc3339(predicate.expires_at)
    yield "policy", f"sha256 {visible(predicate.policy_sha256)}"
    if predicate.roster_sha256:
        yield "roster", f"sha256 {visible(predicate.roster_sha256)}, in whose place the new one comes"
    yield "nonce", visible(predicate.nonce)
    quorums = [f"{quorum.count} of {visible(quorum.group)}" for quorum in predicate.approvals]
    yield "approvals", ", ".join(quorums) or "none needed"


def _show_files(console: Console, statement: Statement) -> None:
    sizes, certify = statement.predicate.sizes, statement.predicate.certify
    by_file = any(subject.formats for subject in statement.subject)
    by_target = any(subject.publish is not None for subject in statement.subject)
    for index, subject in enumerate(statement.subject):
        size = f", {sizes[index]:,} bytes" if index < len(sizes) else ""
        _show(console, "  file         ", f"{visible(subject.name)}{size}")
        if subject.uri:
            _show(console, "  of the image ", f"{visible(subject.image)}@sha256:{visible(subject.sha256)}")
        _show(console, "               ", f"sha256 {visible(subject.sha256)}")
        if by_file:
            formats = [visible(name) for signing in statement.sign(subject) for name in signing.formats]
            _show(console, "  signed as    ", ", ".join(formats))
        if by_target:
            _show(console, "  goes to      ", _targets(subject))
        if index < len(certify) and certify[index]:
            _show(console, "  certifies    ", visible(certify[index]))


def _targets(subject: Subject) -> str:
    if subject.publish is None:
        return "every target that takes files"
    return ", ".join(visible(target) for target in subject.publish) or "no target"


def _show_decryption(console: Console, asked: Decryption) -> None:
    _show(console, "  header of    ", f"a file in the form {visible(asked.form)}, encrypted to {visible(asked.key)}")
    _show(console, "  open it for  ", visible(asked.fingerprint))
    _show(console, "               ", visible(asked.recipient))
    _show(console, "  because      ", visible(asked.reason))


def _show_build(console: Console, build: Build) -> None:
    """What provenance will say; all of it is from the identity token."""
    _show(console, "  built from   ", visible(build.source))
    _show(console, "               ", f"commit {visible(build.commit)}")
    _show(console, "  built by     ", visible(build.builder))
    _show(console, "  in the run   ", visible(build.invocation))
    for name, value in (*build.external.items(), *build.internal.items()):
        _show(console, f"  · {visible(name):<10} ", visible(value))


def _show_predicate(console: Console, attest: Attestation) -> None:
    """In full: whoever approves it has it attested in the service's name."""
    _show(console, "  attest       ", f"a predicate of the type {visible(attest.type)}")
    text = json.dumps(attest.predicate, indent=2, ensure_ascii=False)
    for line in visible(text, lines=True).split("\n"):
        _show(console, "  | ", line)


def _show_tuf(console: Console, facts: TufFacts) -> None:
    said = f"TUF {visible(facts.role)} metadata, version {facts.version}, expires {rfc3339(facts.expires)}"
    _show(console, "  content of   ", visible(facts.file))
    for line in visible(facts.text or said, lines=True).split("\n"):
        _show(console, "  | ", line)


def _show_work(console: Console, predicate: Predicate) -> None:
    for signing in predicate.sign:
        formats = ", ".join(visible(name) for name in signing.formats)
        _show(console, "  sign with    ", f"{visible(signing.key)}: {formats}")
    for name, profile in msgspec.structs.asdict(Profiles.of(predicate)).items():
        if profile is not None:
            _show(console, f"  {name:<13}", visible(msgspec.json.encode(profile, order="deterministic").decode()))
    if predicate.publish:
        _show(console, "  publish to   ", ", ".join(visible(target) for target in predicate.publish))
