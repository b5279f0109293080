"""The policy file as values: what each table may say. What the tables say about each other: see `check`.

An empty list never means "everyone" or "everything", and nothing that matters has a silent default: a project
says `approvals = []` when it wants none.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt
from pydantic import model_validator as validates

from hsmpub.model.toml_words import formed
from hsmpub.policy.lists import FilePatterns
from hsmpub.policy.period import DEFAULT_EXPIRY, Days, Period
from hsmpub.policy.project import Approvals, Project
from hsmpub.policy.table import Name, Table, Text

DEFAULT_RECHECK = 10 * 60


class Issuer(Table):
    """Whose identity tokens count. `bearer`: also tokens that name no session key, which a thief could use."""

    url: Text
    audience: Annotated[str, formed(r"[^\x00-\x20\x7f#]{1,500}", "1 to 500 characters without spaces and '#'")]
    loopback: StrictBool = False
    bearer: StrictBool = False


class Target(Table):
    """Where releases go.

    `index` and `username` are for pypi: the simple index that is read back, and the user of the upload (without it:
    `__token__`). `files`: patterns of names of the only files that go there; None: every file of a release. `tag` and
    `key` are for git: name and key of the tag; `username` there too.
    """

    kind: Literal["pypi", "git"]
    url: Text
    credential: Name
    loopback: StrictBool = False
    index: str = ""
    files: FilePatterns = None
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
        """The table as the courier's job carries it, which names its files one by one; `tag` and `key` only where they
        mean something."""
        return {name: value for name, value in self.model_dump(exclude={"files"}).items() if value != ""}


class Rule(Table):
    """Who approves an administrative request. Never nobody: one person alone changes nothing here."""

    approvals: Annotated[tuple[Approvals, ...], Field(min_length=1)]
    expires: Period = DEFAULT_EXPIRY


class Administration(Table):
    """A kind of request without a table of its own cannot be made."""

    policy: Rule | None = None
    roster: Rule | None = None
    credential: Rule | None = None
    decrypt: Rule | None = None


class Sealing(Table):
    """When the running service seals by itself. None: not for this reason.

    longest: an unsealing lasts so long at most, whatever its holders ask. idle: nothing was signed for so long.
    dead_man: no holder was heard of for so long. recheck: how often keys, PIN and log are looked at again.
    """

    longest: Period | None = None
    idle: Period | None = None
    dead_man: Period | None = None
    recheck: Period = DEFAULT_RECHECK


class Ceremonies(Table):
    """drill: seconds after which `hsmpub status` warns that a quorum has not shown that it works."""

    drill: Days = 180 * 86_400


class Timestamping(Table):
    """The service as a timestamp authority (RFC 3161).

    key: makes nothing else. policy: object identifier that its timestamps name. accuracy: seconds.
    ordering: times in microseconds, no two the same. anybody, or projects whose jobs may ask: one of the two.
    clock: `kernel` asks the kernel whether it is synchronised; `trusted` takes it as it is.
    """

    key: Name
    policy: Annotated[
        str,
        formed(r"([01]\.[1-3]?[0-9]|2\.[1-9]?[0-9])(\.(0|[1-9][0-9]{0,38})){1,20}",
               'an object identifier in dots, such as "1.3.6.1.4.1.99999.1"'),
    ]  # fmt: skip
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


class PolicyFile(Table):
    """The whole file; `hsmpub.policy.decide.Policy` answers questions about it."""

    issuers: dict[Name, Issuer] = Field(default={}, alias="issuer")
    targets: dict[Name, Target] = Field(default={}, alias="target")
    projects: dict[Name, Project] = Field(default={}, alias="project")
    administration: Administration = Administration()
    timestamping: Timestamping | None = None
    sealing: Sealing = Sealing()
    ceremonies: Ceremonies = Ceremonies()
