"""A receipt shows which files were to go to which target, and a log that sent another one is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import story as s

from hsmpub.errors import HsmpubError
from hsmpub.model import entry as e
from hsmpub.model.statement import Annotations, StatementMalformed
from hsmpub.policy.by_file import TargetWithoutFiles
from hsmpub.receipt import Report, verify_receipt
from hsmpub.receipt.policy import PolicyGrantsOtherwise
from hsmpub.receipt.publishing import PublishedOtherwise

WHEEL, SDIST = s.FILES
Told = dict[str, e.Entry]


@pytest.fixture(autouse=True)
def policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The index takes wheels alone."""
    at = 'credential = "pypi-token"\n'
    monkeypatch.setattr(s, "POLICY", s.POLICY.replace(at, f'{at}files = ["*.whl"]\n'))


def told(monkeypatch: pytest.MonkeyPatch, **own: Annotations) -> Told:
    """The release, with these annotations: of the wheel, of the sdist."""
    plain = s.subjects()
    of = zip(plain, ("wheel", "sdist"), strict=True)
    made = tuple(msgspec.structs.replace(one, annotations=own.get(name)) for one, name in of)
    monkeypatch.setattr(s, "subjects", lambda: made)
    return s.release()


def without_sdist(story: Told) -> Told:
    """It does not go to the index."""
    return {name: entry for name, entry in story.items() if name not in (f"intent {SDIST}", f"outcome {SDIST}")}


def verify(folder: Path, story: Told) -> Report:
    return verify_receipt(s.told(folder, story), str(s.LOG_KEY))


def test_a_release_of_which_some_files_go_to_the_index_and_the_tag_to_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = verify(tmp_path, without_sdist(told(monkeypatch, sdist=Annotations(publish=()))))
    assert [(one.target, one.item) for one in report.published] == [("pypi", WHEEL), ("git", "v1.4.0")]


def test_a_file_that_went_where_it_was_not_to_go_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PublishedOtherwise, match=SDIST):
        verify(tmp_path, told(monkeypatch, sdist=Annotations(publish=())))


#: Annotations of wheel and sdist that the policy does not have.
LIES: dict[str, tuple[dict[str, Annotations], type[HsmpubError]]] = {
    "none": ({}, PolicyGrantsOtherwise),
    "of the other file": ({"wheel": Annotations(publish=())}, PolicyGrantsOtherwise),
    "all, said one by one": ({"sdist": Annotations(publish=("pypi",))}, PolicyGrantsOtherwise),
    "the git target": ({"sdist": Annotations(publish=("git",))}, PolicyGrantsOtherwise),
    "formats, too": ({"sdist": Annotations(("dsse",), ())}, PolicyGrantsOtherwise),
    "a target twice": ({"sdist": Annotations(publish=("pypi", "pypi"))}, StatementMalformed),
    "a target of no request": ({"sdist": Annotations(publish=("evil",))}, StatementMalformed),
    "nothing": ({"sdist": Annotations()}, StatementMalformed),
}


@pytest.mark.parametrize("lie", LIES)
def test_refuses_a_statement_that_sends_files_elsewhere_than_the_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    own, rule = LIES[lie]
    with pytest.raises(rule):
        verify(tmp_path, without_sdist(told(monkeypatch, **own)))


def test_refuses_a_release_with_a_target_that_no_file_is_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s, "POLICY", s.POLICY.replace('["*.whl"]', '["*.deb"]'))
    nowhere = Annotations(publish=())
    story = without_sdist(told(monkeypatch, wheel=nowhere, sdist=nowhere))
    with pytest.raises(TargetWithoutFiles):
        verify(tmp_path, story)


def test_a_routine_request_publishes_nothing_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = s.subjects()
    made = (msgspec.structs.replace(plain[0], annotations=Annotations(publish=())), *plain[1:])
    monkeypatch.setattr(s, "subjects", lambda: made)
    with pytest.raises(StatementMalformed):
        verify(tmp_path, s.routine()[0])
