"""What `hsmpub status`, the readiness probe and the metrics are made of."""

from __future__ import annotations

from collections import Counter

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.keeper.book import Book
from hsmpub.keeper.credentials import Credentials
from hsmpub.keeper.issuers import Issuers
from hsmpub.keeper.quorum_watch import QuorumWatch
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.wire import messages as m


class Status:
    """Counts what happened since the keeper started, and says how things stand."""

    def __init__(
        self,
        book: Book,
        unsealing: Unsealing,
        issuers: Issuers,
        credentials: Credentials,
        identity: Ed25519PrivateKey,
        protections: dict[str, str],
        quorums: QuorumWatch,
    ) -> None:
        self._book = book
        self._unsealing = unsealing
        self._issuers = issuers
        self._credentials = credentials
        self._keeper_key = identity.public_key().public_bytes_raw().hex()
        self._own = protections
        self._quorums = quorums
        self.counters: Counter[str] = Counter()

    def count(self, name: str, by: int = 1) -> None:
        self.counters[name] += by

    @property
    def protections(self) -> dict[str, str]:
        """The keeper's own, and those that are off in its children and in the courier."""
        return {**self._own, **self._unsealing.protections, **self._issuers.protections}

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
            keys={key.name: key.kind for key in book.genesis.keys},
            signers=self._unsealing.signers().alive if self._unsealing.is_unsealed else 0,
            protections=self.protections,
            warnings=tuple(self._warnings()),
            counters=self._counters(),
            quorums=self._quorums.views(),
        )

    async def ready(self) -> m.ReadyReply:
        """Signs for real with every key."""
        if not self._unsealing.is_unsealed:
            return m.ReadyReply(False, dict.fromkeys(self._book.keys, "sealed"))
        keys = await self._unsealing.signers().self_test()
        return m.ReadyReply(all(v == "ok" for v in keys.values()), keys)

    def _warnings(self) -> list[str]:
        off = [f"protection {name} is off: {why}" for name, why in self.protections.items() if why != "on"]
        bearer = [
            f"issuer {name} accepts tokens that are not bound to the job's session key"
            for name, issuer in self._book.policy.issuers.items()
            if issuer.bearer
        ]
        missing = [
            f"issuer {name}: its signing keys were not fetched yet"
            for name in self._book.policy.issuers
            if name not in self._book.issuer_keys()
        ]
        glass = [
            f"policy or roster were adopted without approvals, by the holders in break-glass ceremony {number}"
            for number in [self._book.state.broken_glass]
            if number
        ]
        fewer = self._unsealing.signers().fewer if self._unsealing.is_unsealed else ""
        few = [f"fewer signers: {fewer}"] if fewer else []
        return off + bearer + missing + glass + list(self._quorums.warnings()) + few

    def _counters(self) -> dict[str, float]:
        state = self._book.state
        return {
            **{name: float(value) for name, value in self.counters.items()},
            **self._quorums.counters(),
            "hsmpub_requests_open": float(len(state.open_requests())),
            "hsmpub_protections_off": float(sum(v != "on" for v in self.protections.values())),
        }
