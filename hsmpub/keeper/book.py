"""The log together with the state that it says: every decision reads here, every fact is written here."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from hsmpub.approval.roster import Roster, load_roster
from hsmpub.errors import Broken, Forbidden, NotFound
from hsmpub.model import entry as e
from hsmpub.model.fold import ServiceState
from hsmpub.model.key import KeyRecord
from hsmpub.model.keys import Keys
from hsmpub.model.request_state import Request
from hsmpub.model.statement import load_statement
from hsmpub.policy import Policy, load_policy
from hsmpub.tlog.log import Log


class NoSuchRequest(NotFound):
    advice = "List the requests with 'hsmpub release list'."


class KeyRetired(Forbidden):
    advice = "Adopt a policy that names its successor or another active key; 'hsmpub status' lists them."


class LogWithoutGenesis(Broken):
    advice = "Run the genesis ceremony first: 'hsmpub-ceremony genesis ceremony.toml'."


class StatementAltered(Broken):
    advice = "The log was altered after it was written. Restore from a backup."


class Book:
    """Log, fold, adopted policy and adopted roster.

    Facts that others decide on are written inside `turn()`: check, then record, with nobody in between.
    """

    def __init__(self, log: Log, clock: Callable[[], float] = time.time) -> None:
        self.log = log
        self._clock = clock
        self._turn = asyncio.Lock()
        self.state = ServiceState()
        for index, data in log.iterate():
            self.state.apply(index, e.load_entry(data))
        if self.state.genesis is None or self.state.policy is None or self.state.roster is None:
            raise LogWithoutGenesis("The log does not begin with a genesis, a policy and a roster.")
        self.genesis = self.state.genesis
        self.roster: Roster = load_roster(self.state.roster.text)
        self.policy: Policy = self._load_in_force(self.state.policy.text)

    def now(self) -> int:
        """Seconds since 1970, never before the last entry of the log (a clock set back moves nothing back)."""
        return max(int(self._clock()), self.state.at)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Nobody else checks or records while this is held."""
        async with self._turn:
            yield

    async def record(self, *entries: e.Entry) -> int:
        """Makes facts durable, then applies them. Call inside `turn()`. Returns the first index.

        Who is cancelled meanwhile leaves log and state in step: the fact is logged and applied all the same.
        """
        return await asyncio.shield(asyncio.ensure_future(self._record(entries)))

    async def _record(self, entries: tuple[e.Entry, ...]) -> int:
        first = await self.log.append([e.dump_entry(entry) for entry in entries])
        for index, entry in enumerate(entries, first):
            self.state.apply(index, entry)
            if isinstance(entry, e.PolicyAdopted):
                self.policy = self.load_policy(entry.text)
            elif isinstance(entry, e.RosterAdopted):
                self.roster = load_roster(entry.text)
        return first

    async def record_routine(self, entry: e.RoutineSigned | e.Timestamped) -> int:
        """Makes the entry of a routine signature or a timestamp durable; needs no turn: nothing is decided on it."""
        index = await self.log.append([e.dump_entry(entry)])
        self.state.apply(index, entry)
        return index

    @property
    def keys(self) -> Keys:
        """Every key that the service ever had, as the log tells it."""
        return self.state.keys

    def signing_key(self, name: str) -> KeyRecord:
        """The key that a policy names. Raises KeyRetired: it signs nothing any more."""
        key = self.keys.active.get(name)
        if key is None:
            raise KeyRetired(f"The policy has {name!r} sign, and that key was retired.")
        return key

    def load_policy(self, text: str) -> Policy:
        """A policy text checked against the keys that may sign and the groups of the roster in force."""
        active = self.keys.active
        retired = self.keys.by_name.keys() - active.keys()
        return load_policy(text, keys=active, groups=self.roster.groups, retired=retired)

    def _load_in_force(self, text: str, roster: Roster | None = None) -> Policy:
        """A policy that was adopted: it stays in force where a key that it names was retired since. That key signs
        nothing, all the rest goes on, and another policy can be adopted."""
        records = {key.name: key.record for key in self.keys.known}
        return load_policy(text, keys=records, groups=(roster or self.roster).groups)

    def check_roster(self, text: str) -> None:
        """A roster text that loads, and that leaves every group of the policy in force."""
        assert self.state.policy is not None
        self._load_in_force(self.state.policy.text, load_roster(text))

    def issuer_keys(self) -> dict[str, str]:
        """Issuer → its key set, where it was fetched from the URL that the policy in force gives that name."""
        known, issuers = self.state.issuer_keys, self.policy.issuers
        return {name: known[name].jwks for name, issuer in issuers.items()
                if name in known and known[name].url in (issuer.url, "")}  # fmt: skip

    def policy_at(self, index: int) -> int:
        """Index of the policy that was in force at an entry."""
        newest = self.state.policies[-1]
        return newest if newest < index else last_before(index, self.state.policies)

    def roster_at(self, index: int) -> int:
        """Index of the roster that was in force at an entry."""
        return last_before(index, self.state.rosters)

    @property
    def policy_sha256(self) -> str:
        """SHA-256 (hex) of the text of the policy in force."""
        return self.state.policy.sha256 if self.state.policy else ""

    def request(self, request_id: str) -> Request:
        """Raises NoSuchRequest."""
        request = self.state.requests.get(request_id)
        if request is None:
            raise NoSuchRequest("There is no such request.")
        return request

    def statement_bytes(self, request: Request) -> bytes:
        """The exact bytes of a request's statement, read back and verified against the held root.

        Raises:
            LogAltered, StatementAltered: the database no longer holds what was logged.
        """
        entry = e.load_entry(self.log.read(request.index))
        if not isinstance(entry, e.Requested) or entry.request != request.id:
            raise StatementAltered(f"Entry {request.index} is no longer the request {request.id}.")
        data = entry.statement.encode()
        if load_statement(data) != request.statement:
            raise StatementAltered(f"The statement of the request {request.id} is no longer what was logged.")
        return data


def last_before(index: int, adopted: Sequence[int]) -> int:
    """The last of ascending indexes that is smaller. Raises ValueError: none is."""
    place = bisect_left(adopted, index)
    if not place:
        raise ValueError(f"nothing was adopted before entry {index}")
    return adopted[place - 1]
