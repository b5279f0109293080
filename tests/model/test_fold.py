"""The fold: what each fact makes of a request, and which facts cannot follow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.model import entry as e
from hsmpub.model.contradiction import LogContradictsItself
from hsmpub.model.fold import ServiceState
from hsmpub.model.predicate import Predicate, Quorum, Signing
from hsmpub.model.statement import Annotations, Subject, dump_statement

A, B = "a" * 64, "b" * 64
OUTPUT = e.Output("x.whl", "openpgp", "release", "x.whl.asc", B, "sig")


def requested(
    request: str = "r1", publish: tuple[str, ...] = ("pypi",), version: str = "1.0",
    wheel: Annotations | None = None, sdist: Annotations | None = None,
) -> e.Requested:  # fmt: skip
    predicate = Predicate(
        request=request, kind="release", requester={"issuer": "ci", "subject": "job"}, policy_sha256=A, nonce="n",
        requested_at=1, expires_at=100, approvals=(Quorum("managers", 1),), project="p", version=version,
        commit="c" * 40, sizes=(3, 4), sign=(Signing("release", ("openpgp",)),), publish=publish,
    )  # fmt: skip
    subjects = (
        Subject("x.whl", {"sha256": A}, annotations=wheel), Subject("x.tar.gz", {"sha256": B}, annotations=sdist),
    )  # fmt: skip
    return e.Requested(1, request, dump_statement(subjects, predicate).decode())


def signed(name: str) -> e.Signed:
    return e.Signed(3, "r1", name, A, (OUTPUT,))


def fold(*entries: e.Entry) -> ServiceState:
    state = ServiceState()
    for index, entry in enumerate(entries):
        state.apply(index, entry)
    return state


def published(item: str, attempt: int = 1, result: e.PublishResult = "accepted") -> tuple[e.Entry, e.Entry]:
    return (
        e.PublishIntent(4, "r1", "pypi", item, A, attempt, B),
        e.PublishOutcome(5, "r1", "pypi", item, attempt, result, A),
    )


def test_a_release_goes_from_pending_to_published() -> None:
    entries: list[e.Entry] = [requested()]
    assert fold(*entries).requests["r1"].state == "pending"
    entries += [e.Approved(2, "r1", "release-manager", "sig"), signed("x.whl")]
    assert fold(*entries).requests["r1"].state == "pending"
    entries += [signed("x.tar.gz")]
    assert fold(*entries).requests["r1"].state == "signed"
    entries += published("x.whl")
    assert fold(*entries).requests["r1"].state == "signed"
    entries += published("x.tar.gz")
    assert fold(*entries).requests["r1"].state == "published"
    assert fold(*entries).requests["r1"].entries == list(range(len(entries)))


def test_a_file_that_goes_to_no_target_is_not_waited_for_and_a_target_of_no_file_is_never_published() -> None:
    nowhere = Annotations(publish=())
    facts = signed("x.whl"), signed("x.tar.gz"), *published("x.whl")
    assert fold(requested(sdist=nowhere), *facts).requests["r1"].state == "published"
    assert fold(requested(sdist=nowhere), *facts[:2]).requests["r1"].state == "signed"
    assert fold(requested(wheel=nowhere, sdist=nowhere), *facts[:2]).requests["r1"].state == "signed"


def test_nothing_to_publish_is_done_when_signed() -> None:
    assert fold(requested(publish=()), signed("x.whl"), signed("x.tar.gz")).requests["r1"].state == "done"


def test_a_conflict_at_a_target_fails_the_release() -> None:
    request = fold(requested(), signed("x.whl"), signed("x.tar.gz"), *published("x.whl", result="conflict")).requests[
        "r1"
    ]
    assert (request.state, request.why) == ("failed", "pypi already holds a different x.whl")


def test_a_failed_attempt_may_be_followed_by_the_next() -> None:
    head = (requested(), signed("x.whl"), signed("x.tar.gz"))
    state = fold(*head, *published("x.whl", 1, "failed"), *published("x.whl", 2))
    assert state.requests["r1"].items["pypi", "x.whl"].state == "accepted"


def test_refuses_an_attempt_out_of_turn() -> None:
    with pytest.raises(LogContradictsItself, match="out of turn"):
        fold(requested(), signed("x.whl"), signed("x.tar.gz"), *published("x.whl", 2))


def test_refuses_an_approval_given_twice() -> None:
    approval = e.Approved(2, "r1", "release-manager", "sig")
    with pytest.raises(LogContradictsItself, match="twice"):
        fold(requested(), approval, approval)


def test_refuses_a_fact_about_a_declined_request() -> None:
    with pytest.raises(LogContradictsItself, match="no open request"):
        fold(requested(), e.Declined(2, "r1", "release-manager", "sig"), signed("x.whl"))


def test_refuses_a_token_used_twice() -> None:
    session = e.SessionOpened(1, "s", "ci", "job", A, 99, {})
    with pytest.raises(LogContradictsItself, match="token"):
        fold(session, session)


def test_an_adoption_ends_its_request_and_other_pending_ones_expire_with_a_reason() -> None:
    state = fold(requested(), e.Expired(2, "r1", "another policy was adopted"))
    assert (state.requests["r1"].state, state.requests["r1"].why) == ("expired", "another policy was adopted")


@given(st.lists(st.integers(0, 4), max_size=12))
def test_every_walk_is_folded_or_refused_by_name(steps: list[int]) -> None:
    moves: list[e.Entry] = [
        e.Approved(2, "r1", "release-manager", "s"), signed("x.whl"), signed("x.tar.gz"), *published("x.whl"),
    ]  # fmt: skip
    state = ServiceState()
    state.apply(0, requested())
    for index, step in enumerate(steps, 1):
        try:
            state.apply(index, moves[step])
        except LogContradictsItself:
            return
    assert state.requests["r1"].state in {"pending", "signed"}


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_entry_parser(data: bytes) -> None:
    try:
        entry = e.load_entry(data)
    except e.EntryMalformed:
        return
    assert e.load_entry(e.dump_entry(entry)) == entry


def test_ceremonies_are_counted_and_move_the_epochs_that_they_name() -> None:
    state = ServiceState()
    first: list[e.Entry] = [
        e.Genesis(1, "releases", "", 1, "", "", ()),
        e.CeremonyHeld(2, 1, "reshare", "", (), pending_epoch=2),
        e.CeremonyHeld(3, 2, "reshare-finish", "", (), epoch=2),
        e.CeremonyHeld(4, 3, "break-glass", "", ()),
    ]
    for index, entry in enumerate(first):
        state.apply(index, entry)
    assert (state.epoch, state.last_epoch, state.recovery_epoch, state.ceremonies) == (2, 2, 1, 3)
    assert state.broken_glass == 3
    with pytest.raises(LogContradictsItself):
        state.apply(4, e.CeremonyHeld(5, 3, "reshare", "", ()))
