"""Lines of TOML keys: right for everything that TOML can say."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.model.toml_lines import FileTooLong, InvisibleCharacter, TomlSyntax, load_toml
from hsmpub.model.toml_walk import Path

TRICKY = '''\
# comment = 1
title = "a \\" = ] # not a comment"
[a."b.c".'d']   # trailing [comment]
x = """first
y = "inside"
\\""" still ""inside""""
z = \'\'\'
[not.a.table]
\'\'\'\'\'
list = [ # one
  1, [2,
  3], { k = "v", m.n = [
    true] },
]
when = 2026-11-22 06:05:00Z
"quoted key".plain = -inf

[[many]]
n = 1
[[many]]
n = 2
[many.sub]
deep = {}
[[many.sub2]]
k = []
[ spaced . out ]
s = ''
'''


def paths(value: Any, path: Path = ()) -> set[Path]:
    items = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    return {(*path, key) for key, _ in items}.union(*(paths(item, (*path, key)) for key, item in items), set())


def test_finds_every_path_in_its_line() -> None:
    toml = load_toml(TRICKY, file="policy")
    assert set(toml.lines) == paths(tomllib.loads(TRICKY))
    wanted = {
        ("title",): 2,
        ("a", "b.c", "d"): 3,
        ("a", "b.c", "d", "x"): 4,
        ("a", "b.c", "d", "z"): 7,
        ("a", "b.c", "d", "list", 1, 1): 12,
        ("a", "b.c", "d", "list", 2, "m", "n", 0): 13,
        ("a", "b.c", "d", "quoted key", "plain"): 16,
        ("many", 0, "n"): 19,
        ("many", 1, "n"): 21,
        ("many", 1, "sub", "deep"): 23,
        ("many", 1, "sub2", 0, "k"): 25,
        ("spaced", "out", "s"): 27,
    }
    assert {path: toml.lines[path] for path in wanted} == wanted


def test_an_absent_path_is_where_it_would_belong() -> None:
    toml = load_toml("\n[a]\nb = 1\n", file="policy")
    assert toml.line_of(("a", "missing", 3)) == 2
    assert toml.line_of(("nothing",)) == 1


keys = st.text("ab.\"' =#[]é", max_size=4)
scalars = st.booleans() | st.integers(-5, 5) | st.text("ab\"'\\#[]{},=\n", max_size=6)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def dumped(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str() if "'" not in value and value.startswith("a"):
            return f"'''{value}'''"
        case str():
            return quoted(value)
        case list():
            return "[\n" + "".join(f"{dumped(item)}, # ]\n" for item in value) + "]"
    return "{" + ", ".join(f"{quoted(key)} = {dumped(item)}" for key, item in value.items()) + "}"


@given(st.dictionaries(keys, values, max_size=4), st.lists(st.dictionaries(keys, values, max_size=2), max_size=3))
def test_finds_every_path_of_any_file(table: dict[str, Any], many: list[dict[str, Any]]) -> None:
    text = f"[{quoted('t')}]\n" + "".join(f"{quoted(key)} = {dumped(value)}\n" for key, value in table.items())
    for item in many:
        text += "[[m . n]]\n" + "".join(f"{quoted(key)} = {dumped(value)}\n" for key, value in item.items())
    toml = load_toml(text, file="policy")
    assert set(toml.lines) == paths(tomllib.loads(text))
    for path, line in toml.lines.items():
        if isinstance(path[-1], str) and len(path) == 2:
            assert quoted(path[-1]) in text.split("\n")[line - 1] or path[-1] in "mn"


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\nb =\n", 2), ("a = 1\na = 2\n", 2), ("\n\n[a", 3), ("[a]\n[a]\n", 2), ('a = "', 1), ("a = 1\n\nb = [", 3)],
)
def test_refuses_what_is_no_toml_with_the_line(text: str, line: int) -> None:
    with pytest.raises(TomlSyntax) as refused:
        load_toml(text, file="policy")
    assert refused.value.line == line
    assert refused.value.detail.startswith(f"Line {line} of the policy: ")


@pytest.mark.parametrize(
    "char", ["\u202e", "\u2066", "\u200b", "\ufeff", "\u00ad", "\u2028", "\ue000", "\x7f", "\ud800"]
)
def test_refuses_characters_that_approvers_cannot_see(char: str) -> None:
    with pytest.raises(InvisibleCharacter) as refused:
        load_toml(f"a = 1\n# x{char}\n", file="roster")
    assert refused.value.line == 2


def test_refuses_a_file_that_no_log_entry_holds_and_nesting_without_end() -> None:
    with pytest.raises(FileTooLong):
        load_toml("#" * 60_000, file="policy")
    with pytest.raises(TomlSyntax):
        load_toml("a = " + "[" * 20_000 + "]" * 20_000, file="policy")


def test_windows_line_ends_are_fine() -> None:
    assert load_toml("a = 1\r\n[b]\r\nc = 2\r\n", file="policy").lines[("b", "c")] == 3
