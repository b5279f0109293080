"""Answers as Vault spells them. Source: Vault's HTTP API, "Transit", "JWT/OIDC auth method", "Token auth method"."""

from __future__ import annotations

from typing import Any

import msgspec

from hsmpub.errors import Problem

#: Below these addresses refusals have Vault's form, whichever layer refuses.
_PLACES = ("/v1/transit/", "/v1/auth/")


class VaultErrors(msgspec.Struct, frozen=True):
    """A refusal: `rule: what happened. What to do.`"""

    errors: tuple[str, ...]


class Auth(msgspec.Struct, frozen=True):
    """client_token: for `X-Vault-Token`. lease_duration: seconds for which it is good."""

    client_token: str
    policies: tuple[str, ...]
    token_policies: tuple[str, ...]
    metadata: dict[str, str]
    lease_duration: int
    accessor: str = ""
    renewable: bool = False
    entity_id: str = ""
    token_type: str = "batch"  # noqa: S105 - what Vault calls a token that is kept nowhere
    orphan: bool = True
    num_uses: int = 0


class DataReply(msgspec.Struct, frozen=True, kw_only=True):
    """Every answer but a refusal has this form."""

    data: dict[str, Any] | None
    request_id: str = ""
    lease_id: str = ""
    renewable: bool = False
    lease_duration: int = 0
    wrap_info: None = None
    warnings: tuple[str, ...] | None = None
    auth: None = None


class AuthReply(msgspec.Struct, frozen=True, kw_only=True):
    """As DataReply, where a token is given out or told of anew."""

    auth: Auth
    request_id: str = ""
    lease_id: str = ""
    renewable: bool = False
    lease_duration: int = 0
    data: None = None
    wrap_info: None = None
    warnings: tuple[str, ...] | None = None

    @classmethod
    def of(cls, token: str, project: str, seconds: int, warnings: tuple[str, ...] | None = None) -> AuthReply:
        """A token for this project, good for that many seconds."""
        return cls(auth=Auth(token, (project,), (project,), {"role": project}, seconds), warnings=warnings)


def speaks_vault(path: str) -> bool:
    """Whether whoever asks there reads `errors` and no problem document."""
    return path.startswith(_PLACES)


def vault_errors(problem: Problem) -> bytes:
    """A refusal in the form that these programs print."""
    told = f"{problem.rule}: {problem.detail} {problem.next_step}".strip()
    return msgspec.json.encode(VaultErrors((told,)))
