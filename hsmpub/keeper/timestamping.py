"""The service as a timestamp authority: RFC 3161 queries of any program, answered under the policy.

1 may they ask?  2 the query, taken apart  3 the clock  4 TSTInfo, built here  5 the HSM signs
6 read back beside the query by other code  7 logged, durably: one entry for each, committed in groups  8 the answer
"""

from __future__ import annotations

import secrets
from collections import Counter

from hsmpub.errors import Broken, Forbidden, HsmpubError, Invalid, NotFound, Sealed, Unauthenticated
from hsmpub.formats.cms.der import oid
from hsmpub.formats.cms.timestamp_answer import (
    Stamp,
    TimestampCertificateOver,
    assemble_answer,
    prepare_answer,
    rejection,
)
from hsmpub.formats.cms.timestamp_answer_read import read_answer
from hsmpub.formats.cms.timestamp_query import (
    SYSTEM_FAILURE,
    Query,
    check_policy,
    load_query,
)
from hsmpub.formats.format import claim_of
from hsmpub.keeper.bearers import Bearers
from hsmpub.keeper.book import Book
from hsmpub.keeper.clock import TimeGuard, TimeNotAvailable
from hsmpub.keeper.submitting import check_policy_still
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.policy.model import Timestamping
from hsmpub.wire import messages as m

_RANDOM_BITS = 80


class NoTimestampAuthority(NotFound):
    advice = "The policy in force has no [timestamping]; ask another authority."


class TimestampAskerUnknown(Unauthenticated):
    advice = "Log in at /v1/auth/jwt/login, and send the client_token as 'Authorization: Bearer'."


class TimestampsNotForProject(Forbidden):
    advice = "Have the project added to [timestamping] of the policy."


class TimestampsNotUnsealed(Forbidden):
    advice = "The holders of this unsealing allowed a number of signatures, and not those that anybody asks for."


class TimestampDiffers(Broken):
    advice = "Nothing was released. Report the version of the service."


class TimestampAuthority:
    """Answers queries. counters: for the metrics."""

    def __init__(self, book: Book, bearers: Bearers, unsealing: Unsealing, time: TimeGuard) -> None:
        self._book = book
        self._bearers = bearers
        self._unsealing = unsealing
        self._time = time
        #: key → the last time given out, logged already or not yet; see `_at`
        self._last: dict[str, int] = {}
        self.counters: Counter[str] = Counter()

    def look(self) -> None:
        """Sees whether somebody sets the clock; often enough to tell that from steering it."""
        self._time.see()

    @property
    def state(self) -> str:
        """As in StatusReply."""
        rules = self._book.policy.timestamping
        if rules is None:
            return ""
        try:
            self._time.look(rules)
            self._book.signing_key(rules.key)
            return "given" if self._unsealing.is_unsealed else "not while the service is sealed"
        except HsmpubError as error:
            return f"refused: {error.detail}"

    async def answer(self, message: m.AskTimestamp) -> m.TimestampReply:
        """A timestamp, or the protocol's own refusal where query, clock or certificate is the reason.

        Raises:
            NoTimestampAuthority, TimestampAskerUnknown, TimestampsNotForProject, TimestampsNotUnsealed; BearerUnknown,
            Sealed, KeyRetired, PolicyChanged; the rules of the unsealing's terms, of hsmpub.hsm and of the log.
        """
        rules = self._book.policy.timestamping
        if rules is None:
            raise NoTimestampAuthority("This service gives no timestamps.")
        session, project = self._asker(rules, message.bearer)
        try:
            query = load_query(message.query)
            check_policy(query, oid(rules.policy))
            reply = await self._stamp(rules, query, message.query, session, project)
        except (Invalid, TimeNotAvailable, TimestampCertificateOver) as error:
            self.counters["hsmpub_timestamps_refused_total"] += 1
            # what is no fault of the query, nor of the clock: such as a key without its certificate
            failure: int = getattr(error, "failure", SYSTEM_FAILURE)
            return m.TimestampReply(rejection(failure, str(error)), error.rule)
        self.counters["hsmpub_timestamps_total"] += 1
        return m.TimestampReply(reply)

    def _asker(self, rules: Timestamping, bearer: bytes) -> tuple[str, str]:
        """Session and project; both empty where anybody may ask."""
        if rules.anybody:
            self._check_terms()
            return "", ""
        if not bearer:
            raise TimestampAskerUnknown("Timestamps are given to programs that have logged in.")
        session, project = self._bearers.find(bearer)
        if project not in rules.projects:
            raise TimestampsNotForProject(f"Timestamps are not given to project {project!r}.")
        self._book.policy.check_routine(session.who, project)
        return session.id, project

    def _check_terms(self) -> None:
        opening = self._unsealing.opening
        if opening is not None and opening.opened.terms.signatures is not None:
            raise TimestampsNotUnsealed("The service is unsealed for a number of signatures.")

    async def _stamp(self, rules: Timestamping, query: Query, asked: bytes, session: str, project: str) -> bytes:
        key, policy = self._book.signing_key(rules.key), self._book.state.policies[-1]
        with self._unsealing.signing(project, 1 if session else 0) as signers:
            stamp = self._next(rules)
            prepared = prepare_answer(query, key, stamp)
            [raw] = await signers.sign(key.name, [prepared.payload], hash=prepared.hash)
            answer = assemble_answer(prepared, raw)
            found = read_answer(answer, asked, key)
            said = Stamp(found.at, found.serial, found.policy, found.accuracy, found.ordering)
            if (found.claim, said) != (claim_of(prepared, raw), stamp):
                raise TimestampDiffers("The timestamp says something else than was decided.")
            if not self._unsealing.is_unsealed:
                raise Sealed("The service was sealed meanwhile.")
            check_policy_still(self._book, policy)
            index = await self._book.record_routine(
                e.Timestamped(
                    self._book.now(), key.name, stamp.at, f"{stamp.serial:x}", sha256_hex(found.token), session
                )
            )
            check_policy_still(self._book, policy, index)
        return answer

    def _next(self, rules: Timestamping) -> Stamp:
        """Time and number. The number begins with the time and goes on at random: no memory of earlier ones is
        needed for it to be new, after a restart or a restore either."""
        last = max(self._last.get(rules.key, 0), self._book.state.stamped_at.get(rules.key, 0))
        at = self._time.next(rules, last, self._book.state.at)
        self._last[rules.key] = at
        serial = (at // 1000 << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
        return Stamp(at, serial, rules.policy, rules.accuracy, rules.ordering)
