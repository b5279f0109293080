"""What the documents name exists: tests, rules, pages, headings."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from documents import PAGES, PROJECT, name_of, prose, table_rows
from rules_table import PAGE, every_rule

from api.operations import OPERATIONS, refusals_of
from hsmpub.errors import FAMILIES, rule_name

_TEST = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+))?")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CLAIMS = PROJECT / "docs" / "claims.md"


@cache
def _tests_in(file: str) -> frozenset[str]:
    tree = ast.parse((PROJECT / file).read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_test_that_is_named_exists(page: Path) -> None:
    named = _TEST.findall(page.read_text())
    missing = [f"{file}::{test}" for file, test in named
               if not (PROJECT / file).is_file() or (test and test not in _tests_in(file))]  # fmt: skip
    assert not missing


@pytest.mark.parametrize("invariant", [f"I{n}" for n in range(1, 9)])
def test_every_invariant_has_a_table_of_claims_with_evidence(invariant: str) -> None:
    part = re.search(rf"^## {invariant}\b.*?(?=^## |\Z)", _CLAIMS.read_text(), re.MULTILINE | re.DOTALL)
    assert part is not None
    rows = [line for line in part[0].splitlines() if line.startswith("|")][2:]
    assert rows
    assert all(_TEST.search(row) for row in rows)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_rule_that_is_named_exists(page: Path) -> None:
    known = {rule_name(rule) for rule in every_rule()}
    named = {word for row in table_rows(page, "rule") for word in re.findall(r"`([a-z0-9-]+)`", row[0])}
    named |= set(re.findall(r"rule `([a-z0-9-]+)`", prose(page)))
    assert named <= known


def test_every_refusal_in_the_openapi_document_exists_with_its_status() -> None:
    known = {(rule_name(rule), rule.status) for rule in every_rule()}
    for operation in OPERATIONS.values():
        for family, names in refusals_of(operation).items():
            assert {(name, FAMILIES[family].status) for name in names} <= known, operation.id


def test_one_rule_has_one_status() -> None:
    statuses: dict[str, set[int]] = {}
    for rule in every_rule():
        statuses.setdefault(rule_name(rule), set()).add(rule.status)
    assert not {name: found for name, found in statuses.items() if len(found) > 1}


def test_the_table_of_refusals_is_complete() -> None:
    """After a rule was added or reworded: python -m tests.docs.rules_table."""
    told = {row[0].strip("`") for row in table_rows(PAGE, "rule")}
    assert told == {rule_name(rule) for rule in every_rule()}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if heading:
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            assert heading in [_anchor(one) for one in headings], link


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
