"""The table of formats in docs/formats.md: `python -m tests.docs.formats_table`, after a run of every test.

Keys and what the client sends come from the registry, and are measured on a sample. Who proved a format, and in which
version, comes from the record of the last test run (tests.proofs). Where a signature lies and what is signed is for
people to write, in the table itself: those two cells stay as they are.

A verifier of the table that the last run did not see stays as it is. † is behind those that CI does not install
(tests.docs.ci_installs). With `--check`, nothing is written: it says what the run did not show of what the table
claims, and ends with 1.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

from hsmpub.formats.format import Format
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.model.submission import AskSign, dump_submission
from tests.docs.ci_installs import ci_installs, is_here
from tests.proofs import Proof, load

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
HEAD = "| format | file | keys | signs | client sends | proved by |\n|---|---|---|---|---|---|\n"
#: Behind a verifier that CI does not install.
NOT_IN_CI = "†"
_TABLE = re.compile(r"^\| format \| file \|.*?\n\|[-|]+\|\n(?P<rows>(?:\|.*\n)+)", re.MULTILINE)
_KINDS = {"p256": "P-256", "rsa3072": "RSA-3072", "ed25519": "Ed25519"}
VERIFIER = re.compile(r"`([^`]+)`([^`;]*)")


def rows(text: str) -> dict[str, list[str]]:
    """The table's cells by the name in the first one, as they stand in the page."""
    found = _TABLE.search(text)
    assert found, f"{PAGE.name} has no table of formats"
    cells = ([cell.strip() for cell in line[1:-1].split("|")] for line in found["rows"].splitlines())
    return {row[0].strip("`"): row for row in cells}


def keys_of(form: Format) -> str:
    return ", ".join(name for kind, name in _KINDS.items() if kind in form.key_kinds)


def sends(form: Format) -> str:
    """What one file of the format takes of a request, in bytes, as measured on its sample."""
    data = sample_of(form)
    detail = form.extract(BytesSource(data)) if form.detail_limit else b""
    state = Sha256State.of(data).to_state("x.whl")
    with_it = type(state)(state.name, state.h, state.tail, state.size, {form.name: detail} if detail else {})
    ask = AskSign("x", (form.name,), "", ())
    size = len(dump_submission(AskSign("x", (form.name,), "", (with_it,)))) - len(dump_submission(ask))
    what = "hash state"
    if detail == data:
        what += " and the file"
    elif detail:
        what += f" and {len(detail)} bytes"
    return f"{what}: {size} bytes"


def sample_of(form: Format) -> bytes:
    """A small file that the format is made for, as the contract tests have it."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "formats"))
    try:
        samples = importlib.import_module("samples")
    finally:
        del sys.path[0]
    data: bytes = samples.SAMPLES.get(form.name, bytes(range(256)) * 3)
    return data


def proved_by(name: str, kinds: frozenset[str], seen: list[Proof], before: str) -> str:
    """The last cell: verifiers that were seen, with version, what they were given and, where not all, which keys; then
    those that stood there and were not seen."""
    told: dict[str, list[Proof]] = {}
    for proof in seen:
        if proof.format == name:
            told.setdefault(proof.verifier, []).append(proof)
    cells = [_cell(verifier, proofs, kinds) for verifier, proofs in told.items()]
    for verifier, rest in VERIFIER.findall(before):
        if verifier not in told:
            cells.append(_marked(verifier, f"`{verifier}` {rest.strip().removesuffix(NOT_IN_CI).strip()}"))
    return "; ".join(sorted(cells, key=lambda cell: (NOT_IN_CI in cell, cell)))


def _cell(verifier: str, proofs: list[Proof], kinds: frozenset[str]) -> str:
    words = f"`{verifier}` {max(proof.version for proof in proofs)}".strip()
    for on in sorted({proof.on for proof in proofs if proof.on}):
        words += f" on {on}"
    some = {proof.kind for proof in proofs}
    if some < kinds:
        words += f" ({', '.join(label for kind, label in _KINDS.items() if kind in some)})"
    return _marked(verifier, words)


def _marked(verifier: str, words: str) -> str:
    return words if ci_installs(verifier) else f"{words} {NOT_IN_CI}"


def page(text: str, seen: list[Proof]) -> str:
    """The page with its table made anew; formats that are not in it yet come after the others of the registry."""
    old = rows(text)
    made = []
    beside = [name for name in old if name not in FORMATS]
    for name in [*sorted(FORMATS, key=lambda name: list(old).index(name) if name in old else len(old)), *beside]:
        row = old.get(name, [f"`{name}`", "?", "", "?", "", ""])
        if name in FORMATS:
            form = FORMATS[name]
            chained = ", with a chain" if "chain" in row[2] else ""
            row = [f"`{name}`", row[1], keys_of(form) + chained, row[3], sends(form), row[5]]
        kinds = frozenset(kind for kind, label in _KINDS.items() if label in row[2])
        row = [*row[:5], proved_by(name, kinds, seen, row[5])]
        made.append("| " + " | ".join(row) + " |\n")
    return _TABLE.sub(lambda _: HEAD + "".join(made), text, count=1)


def missing(text: str, seen: list[Proof]) -> list[str]:
    """What the table claims and the run could show and did not, and what it showed and the table does not say."""
    shown = {(proof.format, proof.verifier) for proof in seen}
    kinds = {(proof.format, proof.kind) for proof in seen}
    told = {(name, verifier): rest for name, row in rows(text).items() for verifier, rest in VERIFIER.findall(row[5])}
    said = [f"{name}: {verifier} was not seen" for (name, verifier), rest in told.items()
            if NOT_IN_CI not in rest and (name, verifier) not in shown and is_here(verifier)]  # fmt: skip
    said += [f"{name}: {verifier} was seen and is not in the table" for name, verifier in sorted(shown - set(told))]
    said += [f"{name}: no foreign verifier was shown a signature by a {kind} key" for name, form in FORMATS.items()
             for kind in sorted(form.key_kinds) if (name, kind) not in kinds]  # fmt: skip
    return said


def main() -> None:
    text, seen = PAGE.read_text(), load()
    if sys.argv[1:] == ["--check"]:
        found = missing(text, seen)
        if absent := sorted(
            {one for row in rows(text).values() for one, _ in VERIFIER.findall(row[5]) if not is_here(one)}
        ):
            print(f"Not on this machine, and so not shown: {', '.join(absent)}.")
        sys.exit("\n".join([*found, "After a run of every test: python -m tests.docs.formats_table"]) if found else 0)
    PAGE.write_text(page(text, seen))


if __name__ == "__main__":
    main()
