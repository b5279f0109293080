"""I5: an approval counts for the bytes it signed, once, for one person, while enrolled, never for one's own request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from ssh_signers import Authenticator, keygen, sign

from hsmpub.approval import (
    Roster,
    check_approval,
    check_personal_request,
    check_refusal,
    load_roster,
    standing_approvals,
)
from hsmpub.approval import check as rule
from hsmpub.formats.ssh import sshsig_verify as ssh
from hsmpub.model.statement import (
    APPROVAL_NAMESPACE,
    REFUSAL_NAMESPACE,
    REQUEST_NAMESPACE,
    Predicate,
    Quorum,
    Statement,
    Subject,
    dump_statement,
    load_statement,
    pae,
)

NOW = 1_800_000_000
PEOPLE = {"manager-1": "managers", "manager-2": "managers", "lead-1": "leads", "guest-1": "guests"}
HARDWARE = {name: Authenticator("p256" if name == "lead-1" else "ed25519") for name in PEOPLE}


def roster(*, revoked: str = "", extra: Mapping[str, str] | None = None, without: str = "") -> Roster:
    text = ""
    for name, group in PEOPLE.items():
        if name != without:
            text += f'[person.{name}]\ngroups = ["{group}"]\nkeys = ["{HARDWARE[name].line}"]\n'
            text += f"revoked = {str(name == revoked).lower()}\n" + (extra or {}).get(name, "")
    return load_roster(text)


CI = {"issuer": "github", "subject": "repo:acme/sdk", "repository": "acme/sdk", "actor": "Pusher"}


def statement(requester: Mapping[str, str] = CI, *, nonce: str = "0" * 32) -> tuple[bytes, Statement]:
    predicate = Predicate(
        request="r1", kind="release", requester=dict(requester), policy_sha256="0" * 64, nonce=nonce, requested_at=NOW,
        expires_at=NOW + 3600, approvals=(Quorum("managers", 1), Quorum("leads", 1)), project="sdk", version="1.0",
    )  # fmt: skip
    data = dump_statement((Subject("a.whl", {"sha256": "1" * 64}),), predicate)
    return data, load_statement(data)


def approve(data: bytes, person: str, *, namespace: str = APPROVAL_NAMESPACE) -> bytes:
    return HARDWARE[person].sign(message=pae(data), namespace=namespace)


def check(
    data: bytes,
    person: str,
    signature: bytes,
    *,
    people: Roster | None = None,
    now: int = NOW,
    earlier: tuple[str, ...] = (),
) -> ssh.SshSignature:
    return check_approval(data, load_statement(data), person, signature, people or roster(), now, earlier)


def test_accepts_an_approver_of_a_group_that_is_asked() -> None:
    data, _ = statement()
    assert check(data, "manager-1", approve(data, "manager-1")).verified
    assert check(data, "lead-1", approve(data, "lead-1"), earlier=("manager-1",)).verified


def test_accepts_ssh_keygen_over_the_pre_authentication_encoding(tmp_path: Path) -> None:
    key = keygen(tmp_path, "-t", "ed25519")
    line = key.with_suffix(".pub").read_text().strip()
    people = load_roster(f'[person.manager-1]\ngroups = ["managers"]\nkeys = ["{line}"]\n')
    data, _ = statement()
    check(data, "manager-1", sign(key, message=pae(data)), people=people)
    with pytest.raises(ssh.SignatureOfOtherBytes):
        check(data, "manager-1", sign(key, message=data), people=people)


def test_refuses_an_approval_for_other_bytes() -> None:
    data, _ = statement()
    other, _ = statement(nonce="1" * 32)
    with pytest.raises(ssh.SignatureOfOtherBytes):
        check(data, "manager-1", approve(other, "manager-1"))


def test_refuses_an_approval_made_for_another_purpose() -> None:
    data, _ = statement()
    for namespace in (REFUSAL_NAMESPACE, REQUEST_NAMESPACE, "git"):
        with pytest.raises(ssh.SshsigOfAnotherNamespace):
            check(data, "manager-1", approve(data, "manager-1", namespace=namespace))


def test_refuses_one_person_s_signature_in_another_s_name() -> None:
    data, _ = statement()
    with pytest.raises(ssh.SignerNotExpected):
        check(data, "manager-2", approve(data, "manager-1"))


def test_refuses_strangers_revoked_people_and_other_groups() -> None:
    data, _ = statement()
    signature = approve(data, "manager-1")
    with pytest.raises(rule.PersonNotEnrolled):
        check(data, "manager-1", signature, people=roster(without="manager-1"))
    with pytest.raises(rule.PersonRevoked):
        check(data, "manager-1", signature, people=roster(revoked="manager-1"))
    with pytest.raises(rule.NotAnApprover):
        check(data, "guest-1", approve(data, "guest-1"))


def test_refuses_a_second_approval_of_one_person() -> None:
    data, _ = statement()
    with pytest.raises(rule.ApprovedBefore):
        check(data, "manager-1", approve(data, "manager-1"), earlier=("lead-1", "manager-1"))


def test_refuses_an_approval_after_the_request_expired() -> None:
    data, _ = statement()
    check(data, "manager-1", approve(data, "manager-1"), now=NOW + 3599)
    with pytest.raises(rule.RequestExpired):
        check(data, "manager-1", approve(data, "manager-1"), now=NOW + 3600)


def test_refuses_the_requester_s_own_approval() -> None:
    data, _ = statement({"person": "manager-1"})
    with pytest.raises(rule.OwnRequest):
        check(data, "manager-1", approve(data, "manager-1"))
    check(data, "manager-2", approve(data, "manager-2"))


@pytest.mark.parametrize("claim", rule.ACTOR_CLAIMS)
def test_refuses_whoever_set_off_the_ci_run(claim: str) -> None:
    data, _ = statement({"issuer": "github", "subject": "s", claim: "Pusher"})
    people = roster(
        extra={"manager-1": 'ci_actors = ["github:pusher"]\n', "manager-2": 'ci_actors = ["gitlab:pusher"]\n'}
    )
    with pytest.raises(rule.OwnRequest):
        check(data, "manager-1", approve(data, "manager-1"), people=people)
    check(data, "manager-2", approve(data, "manager-2"), people=people)


def test_refuses_a_touch_without_verification_unless_the_roster_says_it_is_enough() -> None:
    data, _ = statement()
    touched = HARDWARE["manager-1"].sign(message=pae(data), flags=1)
    with pytest.raises(ssh.VerificationMissing):
        check(data, "manager-1", touched)
    lenient = roster(extra={"manager-1": "touch_only = true\n"})
    assert not check(data, "manager-1", touched, people=lenient).verified
    untouched = HARDWARE["manager-1"].sign(message=pae(data), flags=0)
    with pytest.raises(ssh.PresenceMissing):
        check(data, "manager-1", untouched, people=lenient)


def test_stops_when_statement_and_bytes_differ() -> None:
    data, _ = statement()
    _, other = statement(nonce="1" * 32)
    with pytest.raises(rule.StatementDiffers):
        check_approval(data, other, "manager-1", approve(data, "manager-1"), roster(), NOW, ())


def test_a_refusal_needs_its_own_namespace_and_the_same_standing() -> None:
    data, said = statement({"person": "guest-1"})
    check_refusal(data, said, "manager-1", approve(data, "manager-1", namespace=REFUSAL_NAMESPACE), roster(), NOW)
    check_refusal(data, said, "guest-1", approve(data, "guest-1", namespace=REFUSAL_NAMESPACE), roster(), NOW)
    with pytest.raises(ssh.SshsigOfAnotherNamespace):
        check_refusal(data, said, "manager-1", approve(data, "manager-1"), roster(), NOW)
    data, said = statement()
    with pytest.raises(rule.NotAnApprover):
        check_refusal(data, said, "guest-1", approve(data, "guest-1", namespace=REFUSAL_NAMESPACE), roster(), NOW)


def test_a_personal_request_is_signed_over_its_body_and_fresh() -> None:
    body = b'{"ask":"seal"}'
    signature = HARDWARE["guest-1"].sign(message=body, namespace=REQUEST_NAMESPACE)
    for at in (NOW - 300, NOW + 300):
        check_personal_request(body, "guest-1", at, signature, roster(), NOW)
    for at in (NOW - 301, NOW + 301):
        with pytest.raises(rule.RequestNotFresh):
            check_personal_request(body, "guest-1", at, signature, roster(), NOW)
    with pytest.raises(rule.PersonRevoked):
        check_personal_request(body, "guest-1", NOW, signature, roster(revoked="guest-1"), NOW)
    with pytest.raises(ssh.SignatureOfOtherBytes):
        check_personal_request(body + b" ", "guest-1", NOW, signature, roster(), NOW)


def test_what_stands_is_looked_up_again_when_it_is_used() -> None:
    data, said = statement()
    given = {person: approve(data, person) for person in ("manager-1", "lead-1")}

    def standing(people: Roster) -> tuple[str, ...]:
        return standing_approvals(data, said, given, people)

    assert standing(roster()) == ("manager-1", "lead-1")
    assert standing(roster(revoked="manager-1")) == ("lead-1",)
    assert standing(roster(without="lead-1")) == ("manager-1",)
    assert standing(roster(extra={"lead-1": 'ci_actors = ["github:pusher"]\n'})) == ("manager-1",)
    new_key = msgspec.json.decode(roster().model_dump_json(by_alias=True))
    new_key["person"]["lead-1"]["keys"] = [Authenticator().line]
    assert standing(Roster.model_validate(new_key)) == ("manager-1",)
