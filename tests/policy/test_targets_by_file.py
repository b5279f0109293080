"""Which files of a release go to a target: the policy says it by name; a target that none is for stops the release."""

from __future__ import annotations

import pytest
from good_policy import GOOD, load

from hsmpub.identity import CiIdentity
from hsmpub.policy import refusals as rule
from hsmpub.policy.by_file import TargetWithoutFiles

SDK = CiIdentity("ci", "job", {"repository": "acme/sdk", "ref": "refs/heads/release/1"})
TO = 'credential = "pypi-token"\n'
TAG = 'credential = "repo-token"\n'
MORE = """
[target.debs]
kind = "pypi"
url = "https://debs.example.test/legacy/"
index = "https://debs.example.test/simple/"
credential = "debs-token"
files = ["*.deb", "app-*.tar.gz"]
"""


def with_files(files: str, after: str = TO) -> str:
    return GOOD.replace(after, f"{after}files = {files}\n")


#: Two indexes for some files each, and the git repository.
TWO = with_files('["*.whl", "*.tar.gz"]').replace('["pypi", "repo"]', '["pypi", "repo", "debs"]') + MORE


def test_each_file_goes_to_the_targets_that_are_for_it_and_a_tag_is_about_none() -> None:
    grant = load(TWO).decide_release(SDK, "sdk", "1.0", ["a.whl", "a.deb", "app-1.tar.gz", "a.txt"])
    assert grant.publish == ("pypi", "repo", "debs")
    assert grant.targets == {"a.whl": ("pypi",), "a.deb": ("debs",), "a.txt": ()}


def test_where_all_files_go_everywhere_nothing_is_said_of_any() -> None:
    assert load(with_files('["*.whl"]')).decide_release(SDK, "sdk", "1.0", ["a.whl", "b.whl"]).targets == {}
    assert load().decide_release(SDK, "sdk", "1.0", ["a.whl", "a.deb"]).targets == {}


def test_a_target_that_no_file_is_for_stops_the_release_and_is_named() -> None:
    with pytest.raises(TargetWithoutFiles) as refused:
        load(TWO).decide_release(SDK, "sdk", "1.0", ["a.whl", "a.txt"])
    assert refused.value.detail == "No file is for the target 'debs', which takes *.deb, app-*.tar.gz."
    assert "Add a file that goes there" in refused.value.next_step


def test_the_job_of_a_target_does_not_carry_its_patterns() -> None:
    assert load(TWO).targets["pypi"].settings() == load().targets["pypi"].settings()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("[]", rule.WrongValue),
        ('"*.whl"', rule.WrongValue),
        ('["*"]', rule.WrongValue),
        ('["dist/*.whl"]', rule.WrongValue),
        (str([f"{n}.*" for n in range(65)]).replace("'", '"'), rule.WrongValue),
        ('["*.whl", "*.whl"]', rule.SaidTwice),
    ],
)
def test_refuses_patterns_that_mean_nothing_and_what_is_said_twice(
    files: str, expected: type[rule.PolicyRefused]
) -> None:
    text = with_files(files)
    with pytest.raises(expected) as refused:
        load(text)
    assert refused.value.line == text[: text.index("files =")].count("\n") + 1


def test_refuses_files_of_a_git_target() -> None:
    text = with_files('["*.whl"]', TAG)
    with pytest.raises(rule.FilesUnfit, match="tag") as refused:
        load(text)
    assert refused.value.line == text[: text.index("files =")].count("\n") + 1
    assert "Leave 'files' out" in refused.value.next_step
