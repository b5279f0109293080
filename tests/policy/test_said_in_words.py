"""A wrong value in a file that people write is refused in their words, with its line, whatever it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from good_policy import GOOD, load

from ceremony.file import load_ceremony_file
from hsmpub.approval import load_roster
from hsmpub.client.timestamp_file import TimestampFileWrong, read_timestamp_file
from hsmpub.errors import HsmpubError
from hsmpub.model.toml_lines import InFile

EXAMPLE = Path(__file__).parents[2] / "deploy" / "example"
VALUES = ("1", "-1", "1.5", "true", '""', '"x y"', '"' + "x" * 600 + '"', "[]", "[1]", '["a"]', "[[]]", "[{}]", "{}",
          "{ a = 1 }", "1979-05-27")  # fmt: skip
_PYTHON = re.compile(r"Input|Value error|should|tuple|dict|Python|pydantic|None|string|mapping|\{|does not fit")
MORE = """
[timestamping]
key = "k"
policy = "1.2.3"
anybody = true
accuracy = 2
[sealing]
idle = "1h"
[ceremonies]
drill = "180d"
[project.logins]
requesters = [{ issuer = "ci", repository = "acme/logins" }]
sign = [{ key = "mixed", formats = ["ssh-certificate"], files = ["*.pub"] }]
ssh_certificate = { kind = "user", principals = ["x"], valid = "1h" }
jwt = { issuer = "x", audience = "x", valid = "10m", claims = { scope = ["x"] }, early = "1m" }
certificate = { usage = "tls-server", names = ["*.x"], valid = "30d", keys = ["p256"], country = "NL" }
crl = { valid = "1d" }
approvals = []
"""


def _wrong(text: str) -> list[tuple[str, int]]:
    """The text with one value exchanged, and the line of it: of whole lines, and of what stands in braces."""
    made = []
    for match in re.finditer(r'(?<=[\n{,])[ ]?[a-z_]+ *= *("[^"\n]*"|\d+|true|\[[^\]\n{]*\](?=[\n ,}]))', text):
        line = text.count("\n", 0, match.start(1)) + 1
        made += [(text[: match.start(1)] + value + text[match.end(1) :], line) for value in VALUES]
    assert len(made) > 10 * len(VALUES)
    return made


def _refused(text: str, load: object) -> HsmpubError | None:
    try:
        load(text)  # type: ignore[operator]
    except HsmpubError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        (GOOD + MORE, load),
        ((EXAMPLE / "roster.toml").read_text(), load_roster),
        ((EXAMPLE / "ceremony.toml").read_text(), load_ceremony_file),
    ],
    ids=["policy", "roster", "ceremony"],
)
def test_every_wrong_value_is_told_in_plain_words(text: str, reads: object) -> None:
    refused = 0
    for wrong, _ in _wrong(text):
        error = _refused(wrong, reads)
        if error is not None:
            refused += 1
            assert not _PYTHON.search(error.detail.replace("{ issuer", "")), error.detail
            assert isinstance(error, InFile)
    assert refused > 100


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('publish = ["pypi", "repo"]', 'publish = "pypi"', "'project.sdk.publish' must be a list"),
        ('kind = "git"', 'kind = "svn"', "'target.repo.kind' must be 'pypi' or 'git'."),
        ('group = "managers", count = 2', 'group = "managers", count = "2"', "count' must be a whole number, without"),
        ("approvals = []", 'approvals = [{ group = "", count = 1 }]', "group' must be a name: letters, digits"),
        ('formats = ["sshsig"]', "formats = []", "formats' must not be empty."),
        ('requesters = [{ issuer = "ci", repository = "acme/site" }]', "requesters = [1]", ": a requester is a table"),
    ],
)
def test_the_line_and_what_must_stand_there_are_said(before: str, after: str, said: str) -> None:
    assert before in GOOD
    line = GOOD.count("\n", 0, GOOD.rindex(before)) + 1
    head, _, tail = GOOD.rpartition(before)
    with pytest.raises(InFile) as refusal:
        load(head + after + tail)
    assert f"Line {line} of the policy: " in refusal.value.detail
    assert said in refusal.value.detail


def test_a_timestamp_file_too(tmp_path: Path) -> None:
    file = tmp_path / "timestamps.toml"
    file.write_text('[[authority]]\nname = "own"\nurl = "ftp://x"\ncertificates = "ca.pem"\n')
    with pytest.raises(TimestampFileWrong, match=r"Line 3 .*'authority.0.url' must be an http or https address"):
        read_timestamp_file(file)
