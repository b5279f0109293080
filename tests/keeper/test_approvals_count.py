"""I5: an approval counts for the bytes it signed, once, for one person, while the person is enrolled, and never for
the requester's own request; looked up again before signing and before each upload."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from keeping import Kept, roster, ssh_signature

from hsmpub.approval.check import (
    ApprovedBefore,
    NotAnApprover,
    OwnRequest,
    PersonRevoked,
    RequestExpired,
)
from hsmpub.errors import HsmpubError
from hsmpub.formats.ssh.sshsig_verify import SignatureOfOtherBytes, SignerNotExpected, SshsigOfAnotherNamespace
from hsmpub.keeper.approving import RequestNotPending
from hsmpub.keeper.publishing import ApprovalWithdrawn, NothingToPublish
from hsmpub.model import submission as s
from hsmpub.model.statement import APPROVAL_NAMESPACE, REFUSAL_NAMESPACE, REQUEST_NAMESPACE, pae
from hsmpub.wire import messages as m


def test_an_approver_revoked_before_the_last_approval_counts_no_longer(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await kept.release()
        await kept.approve(view, "sdk-lead")
        await kept.adopt_roster(roster(revoked=["sdk-lead"]))
        await kept.approve(view, "release-manager")
        await kept.settle()
        seen = await kept.see(view)
        assert (seen.state, seen.missing) == ("pending", {"sdk-leads": 1})
        with pytest.raises(PersonRevoked):
            await kept.approve(view, "sdk-lead")
        await kept.approve(view, "second-lead")
        await kept.settle()
        assert (await kept.see(view)).state == "signed"

    asyncio.run(scenario())


def test_an_approver_revoked_while_the_hsm_signs_leaves_it_unsigned(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await kept.release()
        at_work, go_on = asyncio.Event(), asyncio.Event()

        async def slow(key: str) -> None:
            if key != "log":
                at_work.set()
                await go_on.wait()

        kept.signers.before = slow
        await kept.approve(view, "release-manager", "sdk-lead")
        await at_work.wait()
        body = s.AskRoster("second-lead", secrets.token_hex(16), kept.now(), roster(revoked=["sdk-lead"]))
        asked = await kept.ask(body)
        await kept.approve(asked, "security-officer")
        await kept.see_as(asked, "done")
        go_on.set()
        await kept.settle()
        assert (await kept.see(view)).missing == {"sdk-leads": 1}
        assert "Signed" not in kept.kinds()

    asyncio.run(scenario())


def test_an_approver_revoked_before_publishing_stops_it(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        await kept.seal_credential()
        view = await kept.release()
        await kept.approve(view, "release-manager", "sdk-lead")
        await kept.settle()
        assert len(kept.keeper.publishing.jobs().jobs) == 1
        await kept.adopt_roster(roster(revoked=["sdk-lead"]))
        assert not kept.keeper.publishing.jobs().jobs
        with pytest.raises(ApprovalWithdrawn):
            await kept.keeper.courier(m.BeginAttempt(view.request, "index", "x.whl", b"k" * 32))
        assert (kept.signers.leases, kept.kinds().count("PublishIntent")) == (0, 0)

    asyncio.run(scenario())


def test_refuses_the_approval_of_whoever_set_the_job_off(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        await kept.adopt_roster(roster(actors={"sdk-lead": "ci:the-lead", "second-lead": "ci:second"}))
        view = await kept.release(actor="the-lead")
        with pytest.raises(OwnRequest):
            await kept.approve(view, "sdk-lead")
        await kept.approve(view, "release-manager", "second-lead")
        await kept.settle()
        assert (await kept.see(view)).state == "signed"

    asyncio.run(scenario())


def test_an_approval_counts_no_longer_once_its_person_is_known_to_be_the_requester(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await kept.release(actor="the-lead")
        await kept.approve(view, "sdk-lead")
        await kept.adopt_roster(roster(actors={"sdk-lead": "ci:the-lead"}))
        await kept.approve(view, "release-manager")
        await kept.settle()
        seen = await kept.see(view)
        assert (seen.state, seen.missing) == ("pending", {"sdk-leads": 1})

    asyncio.run(scenario())


def test_refuses_a_persons_approval_of_their_own_request(kept: Kept) -> None:
    async def scenario() -> None:
        view = await kept.ask(s.AskRoster("security-officer", secrets.token_hex(16), kept.now(), roster()))
        with pytest.raises(OwnRequest):
            await kept.approve(view, "security-officer")
        assert (await kept.see(view)).state == "pending"

    asyncio.run(scenario())


def test_refuses_an_approval_after_the_time_and_the_request_ends_as_expired(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await kept.release()
        await kept.approve(view, "sdk-lead")
        kept.offset = 72 * 3600 + 1
        with pytest.raises(RequestExpired):
            await kept.approve(view, "release-manager")
        await kept.keeper.approving.expire()
        assert (await kept.see(view)).state == "expired"
        with pytest.raises(RequestNotPending):
            await kept.approve(view, "release-manager")
        assert kept.start_again().request(view.request).state == "expired"

    asyncio.run(scenario())


def test_a_request_approved_in_time_but_held_until_after_it_is_not_signed(kept: Kept) -> None:
    """Approved while sealed; the holders come after its time is over."""

    async def scenario() -> None:
        view = await kept.release()
        await kept.approve(view, "release-manager", "sdk-lead")
        await kept.settle()
        kept.offset = 72 * 3600 + 1
        await kept.unseal()
        await kept.settle()
        await kept.keeper.approving.expire()
        assert (await kept.see(view)).state == "expired"
        assert "Signed" not in kept.kinds()

    asyncio.run(scenario())


def test_a_new_policy_voids_what_was_asked_under_the_old_one(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await kept.release()
        await kept.approve(view, "sdk-lead")
        policy = await kept.ask_policy(kept.policy + "\n# stricter\n")
        await kept.approve(policy, "release-manager", "security-officer")
        await kept.settle()
        seen = await kept.see(view)
        assert (seen.state, seen.why) == ("expired", "another policy was adopted")
        with pytest.raises(RequestNotPending):
            await kept.approve(view, "release-manager")
        again = await kept.release()  # the same version may be asked for again, and starts without approvals
        assert again.request != view.request
        assert not again.approvals
        assert kept.start_again().request(view.request).state == "expired"

    asyncio.run(scenario())


def test_refuses_an_approval_moved_to_another_request_and_a_refusal_or_a_request_passed_off_as_one(
    kept: Kept,
) -> None:
    async def scenario() -> None:
        one, two = await kept.release("1.0"), await kept.release("2.0", b"other")
        good = ssh_signature("sdk-lead", pae(one.statement), APPROVAL_NAMESPACE)
        with pytest.raises(SignatureOfOtherBytes):
            await kept.call(m.Approve(two.request, "sdk-lead", good))
        with pytest.raises(SignerNotExpected):
            await kept.call(m.Approve(one.request, "second-lead", good))
        for namespace in (REFUSAL_NAMESPACE, REQUEST_NAMESPACE, "file"):
            bad = ssh_signature("sdk-lead", pae(one.statement), namespace)
            with pytest.raises(SshsigOfAnotherNamespace):
                await kept.call(m.Approve(one.request, "sdk-lead", bad))
        await kept.call(m.Approve(one.request, "sdk-lead", good))
        with pytest.raises(ApprovedBefore):
            await kept.call(m.Approve(one.request, "sdk-lead", good))
        assert [a.person for a in (await kept.see(one)).approvals] == ["sdk-lead"]
        assert not (await kept.see(two)).approvals

    asyncio.run(scenario())


def test_refuses_people_of_other_groups_and_two_of_one_group(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await kept.release()
        with pytest.raises(NotAnApprover):
            await kept.approve(view, "security-officer")
        await kept.approve(view, "sdk-lead", "second-lead")
        await kept.settle()
        assert (await kept.see(view)).missing == {"managers": 1}

    asyncio.run(scenario())


def test_one_refusal_ends_it(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await kept.release()
        await kept.approve(view, "sdk-lead")
        await kept.decline(view, "release-manager")
        with pytest.raises(RequestNotPending):
            await kept.approve(view, "release-manager")
        assert (await kept.see(view)).state == "declined"
        with pytest.raises(NothingToPublish):
            await kept.keeper.courier(m.BeginAttempt(view.request, "index", "x.whl", b"k" * 32))

    asyncio.run(scenario())


def test_a_persons_signed_request_is_used_once(kept: Kept) -> None:
    async def scenario() -> None:
        body = s.AskRoster("sdk-lead", secrets.token_hex(16), kept.now(), roster())
        await kept.ask(body)
        with pytest.raises(HsmpubError, match="already used"):
            await kept.ask(body)

    asyncio.run(scenario())
