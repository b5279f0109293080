"""`tuf.toml`: which keys of the service sign which role, how long what they sign is valid, and when it is renewed.

[root]
signers = [{ key = "root-1", project = "tuf-root-1" }, { key = "root-2", project = "tuf-root-2" }]
threshold = 2
valid = "365d"
renew = "60d"       # before it expires: online roles are signed anew, offline roles are warned about
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, ValidationError
from pydantic import model_validator as validates

from hsmpub.errors import Invalid
from hsmpub.formats.tuf.metadata import LONGEST, ROLES, Role
from hsmpub.model.toml_lines import InFile, load_toml
from hsmpub.model.toml_words import NAME, first_problem, wrong_value

FILE_NAME = "tuf.toml"


class TufSettingsUnreadable(Invalid):
    advice = "Name the repository's folder, and write its tuf.toml first; docs/tuf.md shows a whole file."


class TufSettingsWrong(InFile):
    advice = "Correct the line; docs/tuf.md shows a whole file."


def _period(value: Any) -> Any:
    match = re.fullmatch(r"([1-9][0-9]{0,3})([hd])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a time is written as text, such as "12h" or "30d"')
    return int(match[1]) * {"h": 3600, "d": 86_400}[match[2]]


Seconds = Annotated[int, BeforeValidator(_period)]
Name = Annotated[str, NAME]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SignedBy(_Table):
    """A key of the service, and the project of its policy under which it is asked to sign."""

    key: Name
    project: Name


class RoleSettings(_Table):
    """valid, renew: seconds. leaving: keys of the last root that sign the next one and are not in it."""

    signers: Annotated[tuple[SignedBy, ...], Field(min_length=1, max_length=16)]
    threshold: Annotated[StrictInt, Field(ge=1)] = 1
    valid: Seconds
    renew: Seconds
    leaving: tuple[SignedBy, ...] = ()

    @validates(mode="after")
    def _fit(self) -> RoleSettings:
        keys = [one.key for one in (*self.signers, *self.leaving)]
        if len(set(keys)) < len(keys):
            raise ValueError("a key stands twice")
        if self.threshold > len(self.signers):
            raise ValueError("the threshold is over the number of signers")
        if self.renew >= self.valid:
            raise ValueError("'renew' is not shorter than 'valid'")
        return self


class TufSettings(_Table):
    root: RoleSettings
    targets: RoleSettings
    snapshot: RoleSettings
    timestamp: RoleSettings

    def role(self, role: Role) -> RoleSettings:
        found: RoleSettings = getattr(self, role)
        return found

    @validates(mode="after")
    def _bounded(self) -> TufSettings:
        for role in ROLES:
            if self.role(role).valid > LONGEST[role]:
                raise ValueError(f"{role} metadata is valid for {LONGEST[role] // 86_400} days at most")
            if role != "root" and self.role(role).leaving:
                raise ValueError("'leaving' is for the root alone: it is what signs a change of keys")
        return self


def read_settings(folder: Path) -> TufSettings:
    """The folder's `tuf.toml`.

    Raises TufSettingsUnreadable, TufSettingsWrong, and the rules of hsmpub.model.toml_lines.
    """
    try:
        text = (folder / FILE_NAME).read_text("utf-8")
    except OSError as e:
        raise TufSettingsUnreadable(f"{folder / FILE_NAME} cannot be read: {e.strerror}.") from None
    except UnicodeDecodeError:
        raise TufSettingsUnreadable(f"{folder / FILE_NAME} is not UTF-8.") from None
    found = load_toml(text, file=FILE_NAME)
    try:
        return TufSettings.model_validate(found.data)
    except ValidationError as e:
        line, where, problem = first_problem(e.errors(include_url=False), found.line_of)
        raise TufSettingsWrong(wrong_value(where, problem), line=line, file=FILE_NAME) from None
