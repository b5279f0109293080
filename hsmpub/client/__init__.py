"""The client: everything that is asked of the service over HTTP, checked against pins. See docs/client.md."""

from typing import TYPE_CHECKING

from hsmpub.errors import HsmpubError, Refused
from hsmpub.imports import on_demand

if TYPE_CHECKING:
    from hsmpub.client.async_client import AsyncClient
    from hsmpub.client.client import Client
    from hsmpub.client.session_auth import SessionAuth
    from hsmpub.client.signing import Signed
    from hsmpub.client.token import GitHubActions, TokenCommand, TokenFile, TokenSource, TokenVariable, token_source
    from hsmpub.client.trust import read_trust

__all__ = [
    "AsyncClient", "Client", "GitHubActions", "HsmpubError", "Refused", "SessionAuth", "Signed", "TokenCommand",
    "TokenFile", "TokenSource", "TokenVariable", "read_trust", "token_source",
]  # fmt: skip

__getattr__ = on_demand(
    __name__,
    async_client=("AsyncClient",),
    client=("Client",),
    session_auth=("SessionAuth",),
    signing=("Signed",),
    token=("GitHubActions", "TokenCommand", "TokenFile", "TokenSource", "TokenVariable", "token_source"),
    trust=("read_trust",),
)
