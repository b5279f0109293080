"""The keeper's one door: each message of the closed sets goes to the part that answers it."""

from __future__ import annotations

from typing import assert_never

from hsmpub.keeper.assembled import Assembled
from hsmpub.keeper.sessions import Session
from hsmpub.keeper.watching import LOG_TOUCHED
from hsmpub.model import submission as s
from hsmpub.model.personal import AskHeader, AskSeal, load_personal_submission
from hsmpub.wire import messages as m


class Keeper(Assembled):
    """Answers both channels."""

    async def front(self, message: m.FrontMessage) -> m.FrontReply:
        """Answers the front. Whatever it says counts only as far as it is proven by its own bytes."""
        try:
            match message:
                case m.Submit():
                    return await self._submit(message)
                case m.GetStatus():
                    return self.status.reply()
                case m.GetKeys():
                    return self.status.keys(message.nonce)
                case m.GetReady():
                    return await self.status.ready()
                case m.OpenSession():
                    return await self.sessions.open(message)
                case m.OpenBearer():
                    return await self.bearers.open(message)
                case m.LookUpBearer():
                    return self.bearers.look_up(message.bearer)
                case m.RevokeBearer():
                    self.bearers.revoke(message.bearer)
                    return m.Done()
                case m.SignDigests():
                    self.status.count("hsmpub_routine_files_total", len(message.items))
                    return await self.bearers.sign(message)
                case m.AskTimestamp():
                    return await self.timestamps.answer(message)
                case m.GetKey():
                    return self.views.key(message.name)
                case m.SubmitPersonal():
                    return await self._personal(message)
                case m.Approve():
                    request = await self.approving.approve(message)
                    self.executing.start(request)
                    return self.views.one(request)
                case m.Decline():
                    return self.views.one(await self.approving.decline(message))
                case m.GetRequest():
                    return self.views.one(self.book.request(message.request))
                case m.ListRequests():
                    return self.views.many(message.open_only)
                case m.GetAttempt():
                    return await self.unsealing.attempt(message.terms)
                case m.HandIn():
                    return await self.unsealing.hand_in(message)
                case m.GetNonce():
                    return self.holding.nonce()
                case m.SealAsHolder():
                    return await self.holding.seal(message)
                case m.SayAlive():
                    return await self.holding.alive(message)
                case m.Confirm():
                    return self.confirming.confirm(message)
                case m.GetUpgrade():
                    return self.permitting.view()
                case m.PermitUpgrade():
                    return await self.permitting.permit(message)
                case m.GetDrill():
                    return await self.drilling.attempt(message)
                case m.HandInDrill():
                    return await self.drilling.hand_in(message)
                case _:
                    assert_never(message)
        except LOG_TOUCHED as error:
            await self.watching.notice(error)
            raise

    async def courier(self, message: m.CourierMessage) -> m.CourierReply:
        """Answers the courier and its children."""
        try:
            return await self._courier(message)
        except LOG_TOUCHED as error:
            await self.watching.notice(error)
            raise

    async def _courier(self, message: m.CourierMessage) -> m.CourierReply:
        match message:
            case m.GetJobs():
                return self.publishing.jobs()
            case m.BeginAttempt():
                return await self.publishing.begin(message)
            case m.RecordOutcome():
                await self.publishing.record(message)
                return m.Done()
            case m.GetIssuers():
                return self.issuers.list(message)
            case m.OfferIssuerKeys():
                await self.issuers.offer(message)
                return m.Done()
            case _:
                assert_never(message)

    async def _submit(self, message: m.Submit) -> m.FrontReply:
        session = self.sessions.authenticate(message)
        body = s.load_ci_submission(message.body)
        if not body.files:
            return await self._ask(session, body)
        with self._reading.taken((session.who.issuer, session.who.subject)):
            return await self._ask(session, body)

    async def _ask(self, session: Session, body: s.CiBody) -> m.FrontReply:
        if isinstance(body, s.AskSign):
            self.status.count("hsmpub_routine_files_total", len(body.states) + len(body.files))
            return await self.routine.sign(session, body)
        request = await self.submitting.release(session, body)
        self.executing.start(request)
        return self.views.one(request)

    async def _personal(self, message: m.SubmitPersonal) -> m.FrontReply:
        body = load_personal_submission(message.body)
        if isinstance(body, AskHeader):
            self.personal.use_up(body, message.body, message.signature)
            return m.HeaderReply(self.decrypting.header_for(body))
        if isinstance(body, AskSeal):
            self.personal.use_up(body, message.body, message.signature)
            await self.unsealing.seal(body.reason or "asked for", person=body.person, nonce=body.nonce)
            return m.Done("The service is sealed.")
        request = await self.personal.submit(body, message.body, message.signature)
        self.executing.start(request)
        return self.views.one(request)
