"""A permission to upgrade is a quorum's, of one unsealing and one code, for a time, and is used once. The new program
looks for itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

import pytest
from keeping import HOLDERS, LOG_KEY, Kept, share_signature
from test_unseal_limits import sealed_by

from hsmpub.errors import HsmpubError, Sealed
from hsmpub.keeper.permitting import (
    PermissionGivenAlready,
    PermissionNotOfThisUnsealing,
    PermissionOver,
    UpgradeNotPermitted,
)
from hsmpub.model import entry as e
from hsmpub.model.holder_act import Permission, PermissionMalformed, dump_permission
from hsmpub.model.terms import Terms
from hsmpub.model.trust import Trust
from hsmpub.sandbox import code_digest
from hsmpub.secret.page import SecretPage
from hsmpub.shares.verifier import HolderSignatureWrong
from hsmpub.transcript.check import check_transcript
from hsmpub.wire import messages as m


async def view(kept: Kept) -> m.UpgradeReply:
    reply = await kept.call(m.GetUpgrade())
    assert isinstance(reply, m.UpgradeReply)
    return reply


async def body_of(kept: Kept, nonce: str = "1", **changes: object) -> bytes:
    found, now = await view(kept), kept.now()
    told: dict[str, object] = {
        "service": found.service, "epoch": found.epoch, "unsealed_at": found.unsealed_at, "code": found.next,
        "begins": now - 1, "ends": now + 600, "nonce": nonce,
    }  # fmt: skip
    return dump_permission(Permission(**{**told, **changes}))  # type: ignore[arg-type]


async def sign(kept: Kept, body: bytes, holders: Sequence[str] = HOLDERS) -> m.UpgradeReply:
    for holder in holders:
        reply = await kept.call(m.PermitUpgrade(holder, body, share_signature(holder, "upgrade", body)))
    assert isinstance(reply, m.UpgradeReply)
    return reply


def test_a_quorum_gives_it_and_the_log_has_who_signed_what(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        body = await body_of(kept)
        found = await sign(kept, body, HOLDERS[:2])
        [asked] = found.permissions
        assert (asked.given, asked.holders) == (False, HOLDERS[:2])
        assert "No quorum" in found.why
        found = await sign(kept, body, HOLDERS[2:])
        assert [one.given for one in found.permissions] == [True]
        assert found.why == ""
        [entry] = [entry for entry in kept.entries() if isinstance(entry, e.UpgradePermitted)]
        assert entry.permission.encode() == body
        assert set(entry.signatures) == set(HOLDERS)
        # its signatures stand in the log, for everybody to send again
        with pytest.raises(PermissionGivenAlready):
            await sign(kept, body)

    asyncio.run(scenario())


def test_refuses_what_is_of_another_time_place_or_holder(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        good = await body_of(kept)
        now = kept.now()
        wrong: list[tuple[type[HsmpubError], bytes]] = [
            (PermissionMalformed, b"{}"),
            (PermissionMalformed, good + b" "),
            (PermissionMalformed, await body_of(kept, code="new")),
            (PermissionMalformed, await body_of(kept, ends=now - 5)),
            (PermissionMalformed, await body_of(kept, ends=now + 8 * 86_400)),
            (PermissionOver, await body_of(kept, begins=now - 100, ends=now - 1)),
            (PermissionNotOfThisUnsealing, await body_of(kept, service="another.example")),
            (PermissionNotOfThisUnsealing, await body_of(kept, epoch=2)),
            (PermissionNotOfThisUnsealing, await body_of(kept, unsealed_at=1)),
        ]
        for rule, body in wrong:
            with pytest.raises(rule):
                await sign(kept, body)
        signature = share_signature(HOLDERS[0], "upgrade", good)
        for holder, signed in ((HOLDERS[1], signature), (HOLDERS[0], share_signature(HOLDERS[0], "seal", good))):
            with pytest.raises(HolderSignatureWrong):
                await kept.call(m.PermitUpgrade(holder, good, signed))
        assert (await view(kept)).permissions == ()
        await kept.keeper.unsealing.seal("enough", person="security-officer")
        with pytest.raises(Sealed):
            await sign(kept, good)

    asyncio.run(scenario())


def test_a_holder_has_one_open_permission_and_holds_up_nobody(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        for nonce in range(20):
            await sign(kept, await body_of(kept, nonce=f"n{nonce}"), HOLDERS[:1])
        assert len((await view(kept)).permissions) == 1
        found = await sign(kept, await body_of(kept, nonce="agreed"))
        assert [one.given for one in found.permissions] == [True]

    asyncio.run(scenario())


def page_of(pin: bytes = b"0123") -> int:
    with SecretPage() as page:
        page.take(bytearray(pin))
        try:
            return page.hand_over()
        except OSError:
            pytest.skip("this kernel has no secret memory")


async def begun_anew(kept: Kept) -> None:
    """As a new program of this process finds it: the log says unsealed, and no signer is there."""
    kept.keeper.unsealing._shut()


def _check_transcript(kept: Kept, resumed: e.Resumed) -> None:
    """Of the upgrade: who permitted what, and what went on."""
    [path] = kept.home.ceremonies.glob("*-upgrade.json")
    trust = Trust("keeper.example", str(LOG_KEY), kept.keeper.book.genesis.keeper_key, ())
    transcript = check_transcript(path.read_bytes(), trust)
    permission, went_on = transcript.facts("permission"), transcript.facts("resumed")
    assert sorted(permission["holders"]) == list(HOLDERS)
    assert permission["code"] == went_on["code"] == resumed.code
    assert went_on["terms"]["signatures"] == 5
    assert kept.entries()[went_on["log_entry"]] == resumed
    assert path.name == f"{went_on['log_entry']}-upgrade.json"
    assert sorted(seal.signer for seal in transcript.seals) == ["keeper", "log"]


def test_the_new_program_goes_on_once_and_no_second_time(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal(Terms(signatures=5))
        await sign(kept, await body_of(kept))
        await begun_anew(kept)
        await kept.keeper.upgrading.resume(page_of())
        assert kept.keeper.unsealing.is_unsealed
        assert kept.keeper.unsealing.opening.left == 5
        [resumed] = [entry for entry in kept.entries() if isinstance(entry, e.Resumed)]
        assert resumed.code == code_digest()
        _check_transcript(kept, resumed)
        await begun_anew(kept)
        await kept.keeper.upgrading.resume(page_of())
        assert not kept.keeper.unsealing.is_unsealed
        assert sealed_by(kept) == ["upgrade-not-permitted"]
        assert kept.kinds().count("Resumed") == 1

    asyncio.run(scenario())
    assert kept.start_again().state.opened is None


@pytest.mark.parametrize("case", ["none", "expired", "not yet", "other code", "of a sealed time"])
def test_the_new_program_starts_sealed_without_a_permission_that_fits(case: str, kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        now = kept.now()
        if case == "expired":
            await sign(kept, await body_of(kept))
            kept.offset = 601
        elif case == "not yet":
            await sign(kept, await body_of(kept, begins=now + 100))
        elif case == "other code":
            await sign(kept, await body_of(kept, code="00" * 32))
        elif case == "of a sealed time":
            await sign(kept, await body_of(kept))
            await kept.keeper.unsealing.seal("enough", person="security-officer")
        await begun_anew(kept)
        fd = page_of()
        await kept.keeper.upgrading.resume(fd)
        assert not kept.keeper.unsealing.is_unsealed
        assert "Resumed" not in kept.kinds()
        assert kept.kinds()[-1] == "SealedBy"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
        with pytest.raises(UpgradeNotPermitted):
            kept.keeper.permitting.find(code_digest())

    asyncio.run(scenario())


def test_what_is_handed_over_and_is_no_page_is_refused(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        await sign(kept, await body_of(kept))
        await begun_anew(kept)
        reading, writing = os.pipe()
        os.write(writing, b"0123")
        os.close(writing)
        await kept.keeper.upgrading.resume(reading)
        assert not kept.keeper.unsealing.is_unsealed
        assert sealed_by(kept) == ["nothing-to-resume"]

    asyncio.run(scenario())


def test_no_resumption_without_its_entry_in_the_log(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        await sign(kept, await body_of(kept))
        await begun_anew(kept)
        kept.store.refuse = "resume"
        await kept.keeper.upgrading.resume(page_of())
        assert not kept.keeper.unsealing.is_unsealed
        assert "Resumed" not in kept.kinds()

    asyncio.run(scenario())
