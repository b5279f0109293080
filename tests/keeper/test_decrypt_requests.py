"""Requests to decrypt, at the keeper: who may ask, what counts once, what is kept and for how long."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
from pathlib import Path
from typing import Any

import pyrage
import pytest
from keeping import Kept

from hsmpub.envelope.age import OAEP_LABEL, write_age_header, write_stanza
from hsmpub.envelope.header import MAX_HEADER_BYTES
from hsmpub.envelope.rules import HeaderForOthers, HeaderMalformed, HeaderTooLarge, RecipientRefused
from hsmpub.errors import HsmpubError
from hsmpub.hsm.rules import TokenGone
from hsmpub.keeper.approving import RequestNotPending
from hsmpub.keeper.decrypting import KEPT_SECONDS, NoDecryptionKey, NothingDelivered, NotTheAsker
from hsmpub.keeper.personal import PersonalRequestReplayed
from hsmpub.model import entry as e
from hsmpub.model import submission as s
from hsmpub.model.digest import sha256_hex
from hsmpub.model.personal import AskDecrypt, AskHeader, PersonalBody
from hsmpub.model.statement import REQUEST_NAMESPACE
from hsmpub.model.submission import HostileName, MalformedSubmission
from hsmpub.policy.grants import AdministrationClosed
from hsmpub.wire import messages as m
from tests.envelope.team import sealed_to, team
from tests.keeper.keeping import roster, ssh_signature

PERSON = str(pyrage.x25519.Identity.generate().to_public())
ASKER = "sdk-lead"


def age_header(file_key: bytes = b"k" * 16, *, more: bytes = b"") -> bytes:
    return write_age_header(more + sealed_to(team().key, file_key, OAEP_LABEL), bytearray(file_key))


def ask(kept: Kept, header: bytes | None = None, **more: str) -> AskDecrypt:
    said = {"name": "db.age", "key": "backup", "form": "age", "recipient": PERSON, "reason": "disk lost", **more}
    text = base64.b64encode(age_header() if header is None else header).decode()
    return AskDecrypt(ASKER, secrets.token_hex(8), kept.now(), header=text, **said)  # type: ignore[arg-type]


async def fetch(kept: Kept, request: str, person: str = ASKER) -> bytes:
    reply = await kept.call(signed(AskHeader(person, secrets.token_hex(8), kept.now(), request)))
    assert isinstance(reply, m.HeaderReply)
    return reply.header


def signed(body: PersonalBody) -> m.SubmitPersonal:
    data = s.dump_submission(body)
    return m.SubmitPersonal(data, ssh_signature(body.person, data, REQUEST_NAMESPACE))


async def carried_out(kept: Kept, header: bytes | None = None) -> m.RequestView:
    view = await kept.ask(ask(kept, header))
    await kept.approve(view, "security-officer")
    await kept.settle()
    return await kept.see(view)


def test_one_approved_request_opens_one_header_once(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await carried_out(kept)
        assert view.state == "done"
        made = await fetch(kept, view.request)
        assert made.startswith(b"age-encryption.org/v1\n-> X25519 ")
        assert await fetch(kept, view.request) == made
        await kept.keeper.sweep_once()
        await kept.settle()
        assert kept.signers.opened == 1
        with pytest.raises(RequestNotPending):
            await kept.approve(view, "security-officer")
        entries = kept.entries()
        assert [type(entry) for entry in entries[-3:]] == [e.Requested, e.Approved, e.Delivered]
        assert not any(made[40:80].decode() in repr(entry) for entry in entries)  # the log has its digest only

    asyncio.run(scenario())


def test_refuses_what_nobody_should_be_asked_to_approve(kept: Kept) -> None:
    header = age_header()
    foreign = write_age_header(write_stanza(["X25519", "abc"], bytes(32)), bytearray(16))
    large = age_header(more=write_stanza(["X25519", "abc"], bytes(MAX_HEADER_BYTES)))
    wrong: list[tuple[type[HsmpubError], AskDecrypt]] = [
        (HeaderForOthers, ask(kept, foreign)),
        (HeaderTooLarge, ask(kept, large)),
        (HeaderMalformed, ask(kept, header + b"content")),
        (HeaderMalformed, ask(kept, header[:-40])),
        (HeaderMalformed, ask(kept, b"")),
        (HeaderMalformed, ask(kept, header, form="cms")),
        (RecipientRefused, ask(kept, recipient=PERSON[:-1])),
        (RecipientRefused, ask(kept, recipient=f"{PERSON} ")),
        (NoDecryptionKey, ask(kept, key="release")),
        (MalformedSubmission, ask(kept, reason=" ")),
        (HostileName, ask(kept, name="../db")),
    ]

    async def scenario() -> None:
        for rule, body in wrong:
            with pytest.raises(rule):
                await kept.ask(body)
        assert "Requested" not in kept.kinds()

    asyncio.run(scenario())


def test_a_policy_without_the_table_lets_nobody_ask(kept: Kept) -> None:
    text = kept.policy.partition("[administration.decrypt]")[0]
    kept.keeper.book.policy = kept.keeper.book.load_policy(text)
    with pytest.raises(AdministrationClosed):
        asyncio.run(kept.ask(ask(kept)))


def test_only_its_asker_fetches_it_once_for_each_signature_and_for_seven_days(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await carried_out(kept)
        with pytest.raises(NotTheAsker):
            await fetch(kept, view.request, "security-officer")
        message = signed(AskHeader(ASKER, "n", kept.now(), view.request))
        await kept.call(message)
        with pytest.raises(PersonalRequestReplayed):
            await kept.call(message)
        made = sorted(kept.home.headers.iterdir())
        age_by(made, 3600)
        kept.keeper.decrypting.forget()
        assert len(list(kept.home.headers.iterdir())) == 1  # that of the request is needed no more
        kept.offset = KEPT_SECONDS
        kept.keeper.decrypting.forget()
        assert list(kept.home.headers.iterdir()) == []
        with pytest.raises(NothingDelivered):
            await fetch(kept, view.request)

    asyncio.run(scenario())


def age_by(files: list[Path], seconds: int) -> None:
    for file in files:
        at = file.stat().st_mtime - seconds
        os.utime(file, (at, at))


def test_an_expired_request_opens_nothing(kept: Kept) -> None:
    async def scenario() -> None:
        view = await kept.ask(ask(kept))
        kept.offset = 2 * 3600
        with pytest.raises(HsmpubError) as caught:
            await kept.approve(view, "security-officer")
        assert caught.value.rule == "request-expired"
        await kept.unseal()
        await kept.keeper.sweep_once()
        await kept.settle()
        assert (await kept.see(view)).state == "expired"
        assert kept.signers.opened == 0

    asyncio.run(scenario())


def test_what_does_not_open_ends_the_request_and_is_not_tried_again(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await carried_out(kept, write_age_header(sealed_to(team().key, b"k" * 16, b"?"), bytearray(16)))
        assert (view.state, view.why) == ("failed", "nothing could be delivered: header-not-opened")
        await kept.keeper.sweep_once()
        await kept.settle()
        assert kept.signers.opened == 1
        with pytest.raises(NothingDelivered):
            await fetch(kept, view.request)
        kept.start_again()  # the log folds to the same

    asyncio.run(scenario())


def test_waits_for_an_hsm_that_is_sealed_or_away_and_goes_on(kept: Kept) -> None:
    async def away(_: str) -> None:
        raise TokenGone("The token is not there.")

    async def scenario() -> None:
        view = await carried_out(kept)
        assert view.state == "approved"
        kept.signers.before = away
        await kept.unseal()
        await kept.settle()
        assert (await kept.see(view)).why.startswith("The token is not there.")
        kept.signers.before = None
        await kept.keeper.sweep_once()
        await kept.settle()
        assert (await kept.see(view)).state == "done"

    asyncio.run(scenario())


def test_nothing_is_given_out_that_the_log_did_not_take(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        kept.store.refuse = "delivery"
        view = await carried_out(kept)
        assert view.state == "approved"
        with pytest.raises(NothingDelivered):
            await fetch(kept, view.request)
        kept.store.refuse = ""

    asyncio.run(scenario())


def test_an_approver_revoked_while_the_hsm_works_keeps_it_back(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await kept.ask(ask(kept))

        async def revoked(_: str) -> None:
            text, book = roster(revoked=["security-officer"]), kept.keeper.book
            async with book.turn():
                await book.record(e.RosterAdopted(kept.now(), text, sha256_hex(text.encode())))

        kept.signers.before = revoked
        await kept.approve(view, "security-officer")
        await kept.settle()
        assert kept.signers.opened == 1
        assert "Delivered" not in kept.kinds()
        assert (await kept.see(view)).missing == {"security": 1}
        with pytest.raises(NothingDelivered):
            await fetch(kept, view.request)

    asyncio.run(scenario())


def test_a_header_lost_or_altered_on_the_disk_is_not_opened(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await kept.ask(ask(kept))
        [file] = kept.home.headers.iterdir()
        file.write_bytes(age_header(b"other file's key"))
        await kept.approve(view, "security-officer")
        await kept.settle()
        assert "missing or altered" in (await kept.see(view)).why
        assert kept.signers.opened == 0

    asyncio.run(scenario())


def test_what_was_encrypted_to_a_retired_key_opens_until_it_is_destroyed(kept: Kept) -> None:
    def change(index: int, **what: Any) -> None:
        state = kept.keeper.book.state
        state.keys = state.keys.after(index, e.KeysChanged(kept.now(), state.keys.digest, **what))

    async def scenario() -> None:
        await kept.unseal()
        change(1000, retired=(e.Retirement("backup", "superseded"),))
        assert (await carried_out(kept)).state == "done"
        change(1001, destroyed=("backup",))
        with pytest.raises(NoDecryptionKey, match="or no longer"):
            await kept.ask(ask(kept))

    asyncio.run(scenario())
