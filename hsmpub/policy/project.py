"""The tables of a policy's projects: who may ask, what is signed, where it goes, and who approves it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StrictInt
from pydantic import model_validator as validates

from hsmpub.model.predicate import Quorum
from hsmpub.policy.lists import FilePatterns, ImagePattern, PredicateTypeName
from hsmpub.policy.period import DEFAULT_EXPIRY, Days, Period
from hsmpub.policy.profiles import CertificateTable, CrlTable, JwtTable, SshCertificates
from hsmpub.policy.table import Name, Table, Text
from hsmpub.policy.version import Versions


class Requester(Table):
    """A token of this issuer with all these claims. Values are text; `*` as in `hsmpub.model.glob`."""

    issuer: Name
    claims: dict[Text, Text]

    @validates(mode="before")
    @classmethod
    def _gather(cls, table: Any) -> Any:
        """In the file, claims stand beside `issuer`."""
        if not isinstance(table, dict):
            raise ValueError('a requester is a table, such as { issuer = "ci", repository = "acme/x" }')
        return {
            **{name: value for name, value in table.items() if name == "issuer"},
            "claims": {name: value for name, value in table.items() if name != "issuer"},
        }


class Signs(Table):
    """Which formats a key makes for a project, and of which files. files: patterns of names; None: of every file."""

    key: Name
    formats: Annotated[tuple[Name, ...], Field(min_length=1)]
    files: FilePatterns = None


class Approvals(Table):
    """So many different persons of the group."""

    group: Name
    count: Annotated[StrictInt, Field(ge=1, le=100)]

    def as_quorum(self) -> Quorum:
        return Quorum(self.group, self.count)


#: The formats whose expiry a project may bound.
TUF_FORMATS = frozenset({"tuf-root", "tuf-targets", "tuf-snapshot", "tuf-timestamp"})


class Project(Table):
    """approvals: `()` means none are needed, and the file has to say so. expires: seconds.

    images: repositories that image formats sign for; predicates: types that requesters may attest.
    tuf_longest: seconds until TUF metadata may expire at most; None: as its role has it.
    """

    requesters: Annotated[tuple[Requester, ...], Field(min_length=1)]
    sign: tuple[Signs, ...] = ()
    publish: tuple[Name, ...] = ()
    approvals: tuple[Approvals, ...]
    expires: Period = DEFAULT_EXPIRY
    versions: Versions = "any"
    ssh_certificate: SshCertificates | None = None
    images: tuple[ImagePattern, ...] = ()
    predicates: tuple[PredicateTypeName, ...] = ()
    jwt: JwtTable | None = None
    certificate: CertificateTable | None = None
    crl: CrlTable | None = None
    tuf_longest: Days | None = None
