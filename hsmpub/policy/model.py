"""The policy file as values: what each table may say. What the tables say about each other: see `check`.

An empty list never means "everyone" or "everything", and nothing that matters has a silent default: a project
says `approvals = []` when it wants none.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
)
from pydantic import model_validator as validates

from hsmpub.model.attested import Attestation, PredicateRefused, PredicateTypeReserved, check_attestation
from hsmpub.model.image import ImageNameMalformed, check_image_name
from hsmpub.model.statement import Quorum
from hsmpub.policy.version import Versions

DEFAULT_EXPIRY = 72 * 3600
MIN_EXPIRY, MAX_EXPIRY = 60, 90 * 86_400
DEFAULT_RECHECK = 10 * 60
MAX_DAYS = 730
_UNITS = {"m": 60, "h": 3600, "d": 86_400}

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+\z")]


def parse_period(value: Any) -> Any:
    """`"72h"`, `"30m"`, `"7d"` as seconds."""
    match = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a time is written as text, such as "72h", "30m" or "7d"')
    seconds = int(match[1]) * _UNITS[match[2]]
    if not MIN_EXPIRY <= seconds <= MAX_EXPIRY:
        raise ValueError("a time lies between a minute and 90 days")
    return seconds


Period = Annotated[int, BeforeValidator(parse_period)]


def parse_days(value: Any) -> Any:
    """`"180d"` as seconds."""
    match = re.fullmatch(r"([1-9][0-9]{0,3})d", value) if isinstance(value, str) else None
    if match is None or int(match[1]) > MAX_DAYS:
        raise ValueError(f'a long time is written in days, such as "180d", up to {MAX_DAYS}')
    return int(match[1]) * 86_400


Days = Annotated[int, BeforeValidator(parse_days)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Issuer(_Table):
    """Whose identity tokens count. `bearer`: also tokens that name no session key, which a thief could use."""

    url: Text
    audience: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x20\x7f#]+\z")]
    loopback: StrictBool = False
    bearer: StrictBool = False


class Target(_Table):
    """Where releases go.

    `index` and `username` are for pypi: the simple index that is read back, and the user of the upload (without it:
    `__token__`). `tag` and `key` are for git: name and key of the tag; `username` there too.
    """

    kind: Literal["pypi", "git"]
    url: Text
    credential: Name
    loopback: StrictBool = False
    index: str = ""
    username: str = ""
    tag: str = ""
    key: str = ""

    @validates(mode="before")
    @classmethod
    def _name_tags(cls, table: Any) -> Any:
        if isinstance(table, dict) and table.get("kind") == "git":
            return {"tag": "v{version}", **table}
        return table

    def settings(self) -> dict[str, str | bool | int]:
        """The table as the courier's job carries it; `tag` and `key` only where they mean something."""
        return {name: value for name, value in self.model_dump().items() if value != ""}


class Requester(_Table):
    """A token of this issuer with all these claims. Values are text; `*` as in `hsmpub.policy.glob`."""

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


class Signs(_Table):
    """Which formats a key makes for a project."""

    key: Name
    formats: Annotated[tuple[Name, ...], Field(min_length=1)]


class Approvals(_Table):
    """So many different persons of the group."""

    group: Name
    count: Annotated[StrictInt, Field(ge=1, le=100)]

    def as_quorum(self) -> Quorum:
        return Quorum(self.group, self.count)


#: The formats whose expiry a project may bound.
TUF_FORMATS = frozenset({"tuf-root", "tuf-targets", "tuf-snapshot", "tuf-timestamp"})
#: The format that needs a profile.
SSH_CERTIFICATE = "ssh-certificate"
#: Formats that sign the manifest of an image, and so need to be told of which repository; the one with a requester's
#: predicate; the one with provenance.
IMAGE_FORMATS = frozenset({"oci-signature", "oci-bundle"})
GIVEN_PREDICATE = "in-toto"
PROVENANCE = "slsa-provenance"
_Principal = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,252}\z")]
_Extension = Literal["permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty",
                     "permit-user-rc", "no-touch-required"]  # fmt: skip


class SshCertificates(_Table):
    """What SSH certificates of a project say. An empty list of principals would mean anybody, so there is none.

    valid: seconds, a day at most. extensions: none for hosts.
    """

    kind: Literal["user", "host"]
    principals: Annotated[tuple[_Principal, ...], Field(min_length=1, max_length=64)]
    valid: Annotated[int, BeforeValidator(parse_period), Field(le=86_400)]
    extensions: tuple[_Extension, ...] = ()

    @validates(mode="after")
    def _fit(self) -> SshCertificates:
        if len(set(self.principals)) < len(self.principals) or len(set(self.extensions)) < len(self.extensions):
            raise ValueError("a principal or extension stands twice")
        if self.kind == "host" and self.extensions:
            raise ValueError("certificates of hosts have no extensions")
        return self


def check_image_pattern(pattern: str) -> str:
    """A repository, with `*` for a part of its path; never of the registry's name."""
    check = pattern.replace("*", "x")
    try:
        check_image_name(check)
    except ImageNameMalformed as e:
        raise ValueError(f"{e.detail} {e.next_step}") from None
    if "*" in pattern.partition("/")[0]:
        raise ValueError("the registry is named without stars")
    return pattern


def check_predicate_type(kind: str) -> str:
    """A URI that requesters may attest under."""
    try:
        check_attestation(Attestation(kind, {}))
    except (PredicateRefused, PredicateTypeReserved) as e:
        raise ValueError(f"{e.detail} {e.next_step}") from None
    return kind


class Project(_Table):
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
    images: tuple[Annotated[Text, AfterValidator(check_image_pattern)], ...] = ()
    predicates: tuple[Annotated[Text, AfterValidator(check_predicate_type)], ...] = ()
    tuf_longest: Days | None = None


class Rule(_Table):
    """Who approves an administrative request. Never nobody: one person alone changes nothing here."""

    approvals: Annotated[tuple[Approvals, ...], Field(min_length=1)]
    expires: Period = DEFAULT_EXPIRY


class Administration(_Table):
    """A kind of request without a table of its own cannot be made."""

    policy: Rule | None = None
    roster: Rule | None = None
    credential: Rule | None = None
    decrypt: Rule | None = None


class Sealing(_Table):
    """When the running service seals by itself. None: not for this reason.

    longest: an unsealing lasts so long at most, whatever its holders ask. idle: nothing was signed for so long.
    dead_man: no holder was heard of for so long. recheck: how often keys, PIN and log are looked at again.
    """

    longest: Period | None = None
    idle: Period | None = None
    dead_man: Period | None = None
    recheck: Period = DEFAULT_RECHECK


class Ceremonies(_Table):
    """drill: seconds after which `hsmpub status` warns that a quorum has not shown that it works."""

    drill: Days = 180 * 86_400


class Timestamping(_Table):
    """The service as a timestamp authority (RFC 3161).

    key: makes nothing else. policy: object identifier that its timestamps name. accuracy: seconds.
    ordering: times in microseconds, no two the same. anybody, or projects whose jobs may ask: one of the two.
    clock: `kernel` asks the kernel whether it is synchronised; `trusted` takes it as it is.
    """

    key: Name
    policy: Annotated[
        str, StringConstraints(pattern=r"^([01]\.[1-3]?[0-9]|2\.[1-9]?[0-9])(\.(0|[1-9][0-9]{0,38})){1,20}\z")
    ]
    accuracy: Annotated[StrictInt, Field(ge=1, le=60)] = 2
    ordering: StrictBool = False
    anybody: StrictBool = False
    projects: tuple[Name, ...] = ()
    clock: Literal["kernel", "trusted"] = "kernel"

    @validates(mode="after")
    def _fit(self) -> Timestamping:
        if self.anybody == bool(self.projects):
            raise ValueError("say either 'anybody = true' or whose jobs may ask: 'projects'")
        if not self.ordering and self.accuracy < 2:
            raise ValueError("times in whole seconds are accurate to 2 seconds at best, or say 'ordering = true'")
        return self


class PolicyFile(_Table):
    """The whole file; `hsmpub.policy.decide.Policy` answers questions about it."""

    issuers: dict[Name, Issuer] = Field(default={}, alias="issuer")
    targets: dict[Name, Target] = Field(default={}, alias="target")
    projects: dict[Name, Project] = Field(default={}, alias="project")
    administration: Administration = Administration()
    timestamping: Timestamping | None = None
    sealing: Sealing = Sealing()
    ceremonies: Ceremonies = Ceremonies()
