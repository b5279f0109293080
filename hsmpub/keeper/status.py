"""What `hsmpub status`, the readiness probe and the metrics are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.errors import Invalid
from hsmpub.keeper.book import Book
from hsmpub.keeper.credentials import Credentials
from hsmpub.keeper.issuers import Issuers
from hsmpub.keeper.quorum_watch import QuorumWatch
from hsmpub.keeper.timestamping import TimestampAuthority
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.keeper.warnings import of_retired_keys, of_rules_in_force
from hsmpub.model.terms import say_period
from hsmpub.wire import messages as m

NONCE_BYTES = 32


class NonceMalformed(Invalid):
    advice = "Send 32 random bytes, in hex."


class Status:
    """Counts what happened since the keeper started, and says how things stand."""

    def __init__(
        self,
        book: Book,
        unsealing: Unsealing,
        issuers: Issuers,
        credentials: Credentials,
        trouble: Callable[[], list[str]],
        identity: Ed25519PrivateKey,
        protections: dict[str, str],
        quorums: QuorumWatch,
        timestamps: TimestampAuthority,
    ) -> None:
        self._book = book
        self._unsealing = unsealing
        self._issuers = issuers
        self._credentials = credentials
        self._identity = identity
        self._trouble = trouble
        self._keeper_key = identity.public_key().public_bytes_raw().hex()
        self._own = protections
        self._quorums = quorums
        self._timestamps = timestamps
        self.counters: Counter[str] = Counter()

    def count(self, name: str, by: int = 1) -> None:
        self.counters[name] += by

    @property
    def protections(self) -> dict[str, str]:
        """The keeper's own, its children's, and those that are off in the courier."""
        writer = {f"log-writer: {name}": why for name, why in self._book.log.protections.items()}
        return {**self._own, **writer, **self._unsealing.protections, **self._issuers.protections}

    def reply(self) -> m.StatusReply:
        book, state = self._book, self._book.state
        return m.StatusReply(
            service=book.genesis.service,
            state="unsealed" if self._unsealing.is_unsealed else "sealed",
            why=self._unsealing.why,
            epoch=state.epoch,
            log_size=book.log.size,
            log_root=book.log.root.hex(),
            log_key=book.genesis.log_key,
            keeper_key=self._keeper_key,
            intake_key=self._credentials.intake_key.hex(),
            intake_signature=self._credentials.intake_signature.hex(),
            policy_sha256=book.policy_sha256,
            roster_sha256=state.roster.sha256 if state.roster else "",
            keys={key.name: key.record.kind if key.state == "active" else key.state for key in book.keys.known},
            signers=self._unsealing.alive,
            protections=self.protections,
            warnings=tuple(self._warnings()),
            counters=self._counters(),
            opening=self._opening(),
            gathering=self._unsealing.attempts.gathered,
            dead_man_at=self._dead_man_at(),
            present_at=state.present_at,
            quorums=self._quorums.views(),
            timestamps=self._timestamps.state,
        )

    def keys(self, nonce: bytes) -> m.KeysReply:
        """Where the log speaks of keys, and the keeper's word that this is all. Raises NonceMalformed."""
        if len(nonce) not in (0, NONCE_BYTES):
            raise NonceMalformed(f"A nonce has {NONCE_BYTES} bytes.")
        digest = self._book.keys.digest
        signature = self._identity.sign(m.keys_to_sign(nonce, digest)) if nonce else b""
        return m.KeysReply(tuple(self._book.state.key_entries), digest, signature)

    def _opening(self) -> m.OpeningView | None:
        opening, rules = self._unsealing.opening, self._book.policy.sealing
        if opening is None:
            return None
        opened, ends = opening.opened, [opening.until]
        if rules.longest is not None:
            ends.append(opened.at + rules.longest)
        last = max(opened.last_signature_at, opened.at)
        return m.OpeningView(
            at=opened.at,
            holders=opened.holders,
            terms=opened.terms,
            signatures=opened.signatures,
            until=min((end for end in ends if end is not None), default=None),
            signatures_left=opening.left,
            idle_at=None if rules.idle is None else last + rules.idle,
        )

    def _dead_man_at(self) -> int | None:
        interval = self._book.policy.sealing.dead_man
        if interval is None or self._unsealing.opening is None:
            return None
        return self._book.state.present_at + interval

    async def ready(self) -> m.ReadyReply:
        """Signs for real with every key."""
        if not self._unsealing.is_unsealed:
            return m.ReadyReply(False, {key.name: "sealed" for key in self._book.keys.at_work})
        keys = await self._unsealing.signers().self_test()
        return m.ReadyReply(all(v == "ok" for v in keys.values()), keys)

    def _warnings(self) -> list[str]:
        off = [f"protection {name} is off: {why}" for name, why in self.protections.items() if why != "on"]
        fewer = self._unsealing.fewer
        few = [f"fewer signers: {fewer}"] if fewer else []
        state = self._timestamps.state
        refused = [f"timestamps are {state}"] if state.startswith("refused") else []
        return [
            *off,
            *of_rules_in_force(self._book),
            *self._quorums.warnings(),
            *refused,
            *few,
            *of_retired_keys(self._book),
            *self._sealing_warnings(),
        ]

    def _sealing_warnings(self) -> list[str]:
        warnings = self._trouble()
        at = self._dead_man_at()
        interval = self._book.policy.sealing.dead_man or 0
        if at is not None and at - self._book.now() < interval // 4:
            warnings.append(f"no holder was heard of for long: it seals in {say_period(max(at - self._book.now(), 0))}")
        return warnings

    def _counters(self) -> dict[str, float]:
        state = self._book.state
        return {
            **{name: float(value) for name, value in self.counters.items()},
            **self._quorums.counters(),
            **{name: float(value) for name, value in self._timestamps.counters.items()},
            "hsmpub_log_writers_lost_total": float(self._book.log.writers_lost),
            "hsmpub_requests_open": float(len(state.open_requests())),
            "hsmpub_protections_off": float(sum(v != "on" for v in self.protections.values())),
            "hsmpub_sealed_by_itself_total": float(sum(self._unsealing.automatic.values())),
            **{f"hsmpub_sealed_{rule}_total": float(count) for rule, count in self._unsealing.automatic.items()},
            **self._left(),
        }

    def _left(self) -> dict[str, float]:
        """What is left of the unsealing; nothing for what is not limited."""
        opening, now = self._opening(), self._book.now()
        if opening is None:
            return {}
        ends = {"unsealed": opening.until, "idle": opening.idle_at, "dead_man": self._dead_man_at()}
        left = {f"hsmpub_{name}_seconds_left": float(max(at - now, 0)) for name, at in ends.items() if at is not None}
        if opening.signatures_left is not None:
            left["hsmpub_signatures_left"] = float(opening.signatures_left)
        return left
