"""When to fetch which issuer's keys: at once when new in the policy, every few minutes, later after a failure."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from hsmpub.courier.delivery import Ask
from hsmpub.courier.patience import Patience
from hsmpub.courier.task import FetchIssuer, Report, Task
from hsmpub.errors import HsmpubError
from hsmpub.wire import messages as m

log = logging.getLogger("hsmpub.courier")


@dataclass
class _Due:
    at: float
    failures: int = 0


@dataclass
class Issuers:
    """Keeps the keeper's issuer keys fresh. `clock`: monotonic seconds; `protections`: of this process, for status."""

    ask: Ask
    run: Callable[[Task, float, bool], Report]
    patience: Patience
    clock: Callable[[], float]
    protections: dict[str, str] = field(default_factory=dict)
    _due: dict[m.IssuerToFetch, _Due] = field(default_factory=dict)

    def refresh(self) -> None:
        """Fetches what is due and offers it to the keeper. Raises Refused, KeeperUnreachable: the list itself."""
        reply = self.ask(m.GetIssuers(self.protections))
        issuers = reply.issuers if isinstance(reply, m.IssuersReply) else ()
        self._due = {issuer: self._due.get(issuer, _Due(self.clock())) for issuer in issuers}
        for issuer, due in self._due.items():
            if due.at <= self.clock():
                problem = self._fetch(issuer)
                due.failures = due.failures + 1 if problem else 0
                wait = self.patience.pause_after(due.failures - 1) if problem else self.patience.refresh
                due.at = self.clock() + wait
                if problem:
                    log.warning("keys of issuer %s were not taken: %s", issuer.name, problem)

    def _fetch(self, issuer: m.IssuerToFetch) -> str:
        """Empty when the keeper took the keys, otherwise why not."""
        task = FetchIssuer(issuer.url, issuer.loopback, self.patience.timeout, self.patience.lifetime)
        try:
            report = self.run(task, self.patience.child_time(0), False)
            if report.problem is not None:
                return report.problem.detail
            self.ask(m.OfferIssuerKeys(issuer.name, issuer.url, report.jwks))
        except HsmpubError as error:
            return error.detail
        return ""
