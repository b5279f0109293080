"""The typed client of the service: what the commands use, and what CI code may use directly.

What each method does, needs and raises is said in hsmpub.client.asks, of which this is the blocking form;
hsmpub.client.async_client is the other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from hsmpub.client.asks import Asks
from hsmpub.client.http import Http
from hsmpub.client.session import CiSession
from hsmpub.client.steps import Steps
from hsmpub.model.trust import Trust

P = ParamSpec("P")
T = TypeVar("T")


def _does(ask: Callable[Concatenate[Asks, P], Steps[T]]) -> Callable[Concatenate[Client, P], T]:
    """The method that carries an ask out."""

    @functools.wraps(ask)
    def done(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.http.run(ask(self.asks, *args, **kwargs))

    return done


class Client:
    """One service, one asker; a context manager that closes it.

    Every method raises Refused with the service's own sentences, or ServiceUnreachable.

    Args:
        url: the service. trust: its pins; needed wherever something secret or signed goes out or comes in.
        ca_file: certificates to trust instead of the usual ones.
        timeout: seconds for one step of a call.
    """

    def __init__(
        self, url: str, trust: Trust | None = None, *, ca_file: Path | None = None, timeout: float = 90.0
    ) -> None:
        self.http = Http(url, ca_file=ca_file, timeout=timeout)
        self.asks = Asks(trust)

    @property
    def trust(self) -> Trust:
        """The pins. Raises PinsMissing where none were given."""
        return self.asks.trust

    @property
    def session(self) -> CiSession:
        """The open session. Raises NoSession."""
        return self.asks.session

    # --- a CI job ---

    open_session = _does(Asks.open_session)
    upload = _does(Asks.upload)
    submit_release = _does(Asks.submit_release)
    sign = _does(Asks.sign)

    # --- files that need no approval ---

    sign_files = _does(Asks.sign_files)
    upload_work = _does(Asks.upload_work)
    sign_batch = _does(Asks.sign_batch)
    receipt_of = _does(Asks.receipt_of)

    # --- releases ---

    ask_release = _does(Asks.ask_release)
    wait = _does(Asks.wait)
    fetch_release = _does(Asks.fetch_release)

    # --- people ---

    submit_personal = _does(Asks.submit_personal)
    header = _does(Asks.header)
    seal = _does(Asks.seal)
    approve = _does(Asks.approve)
    decline = _does(Asks.decline)

    # --- anybody ---

    request = _does(Asks.request)
    requests = _does(Asks.requests)
    statement = _does(Asks.statement)
    output = _does(Asks.output)
    receipt = _does(Asks.receipt)
    routine_receipt = _does(Asks.routine_receipt)
    status = _does(Asks.status)
    keys = _does(Asks.keys)
    ready = _does(Asks.ready)
    intake_key = _does(Asks.intake_key)
    adopted = _does(Asks.adopted)
    replaced = _does(Asks.replaced)

    # --- holders ---

    attempt = _does(Asks.attempt)
    hand_in = _does(Asks.hand_in)
    drill = _does(Asks.drill)
    hand_in_drill = _does(Asks.hand_in_drill)
    nonce = _does(Asks.nonce)
    seal_as_holder = _does(Asks.seal_as_holder)
    say_alive = _does(Asks.say_alive)
    confirm_share = _does(Asks.confirm_share)
    upgrade = _does(Asks.upgrade)
    permit_upgrade = _does(Asks.permit_upgrade)

    def close(self) -> None:
        self.http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
