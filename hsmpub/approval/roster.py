"""The roster: who the people are, their groups and their SSH keys. One TOML file, adopted in the log.

```toml
[person.release-manager]
groups = ["managers"]
keys = ["sk-ssh-ed25519@openssh.com AAAA…"]
ci_actors = ["github:their-login"]    # a run that they triggered counts as their own request
touch_only = false                    # true: a hardware key need not verify who touched it
revoked = false
```
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from hsmpub.errors import HsmpubError
from hsmpub.formats.ssh.key import load_ssh_key
from hsmpub.model.toml_lines import InFile, TomlText, load_toml
from hsmpub.model.toml_words import NAME, dotted, first_problem, formed, wrong_value

Name = Annotated[str, NAME]
Actor = Annotated[
    str,
    formed(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}:[^\x00-\x20\x7f]{1,200}", 'an issuer and a login, such as "github:ann"'),
]


class RosterRefused(InFile):
    advice = "Correct the line and try again; the roster in force is unchanged."

    def __init__(self, detail: str, *, line: int, next_step: str | None = None) -> None:
        super().__init__(detail, line=line, file="roster", next_step=next_step)


class UnknownRosterKey(RosterRefused):
    advice = "Check the spelling."


class WrongRosterValue(RosterRefused):
    pass


class PersonKeyRefused(RosterRefused):
    pass


class KeyOfTwoPersons(RosterRefused):
    advice = "Each key belongs to one person: two people with one key are one approval."


class ActorOfTwoPersons(RosterRefused):
    advice = "Each CI account belongs to one person."


class RosterEmpty(RosterRefused):
    advice = "Keep at least one person who is not revoked: nobody could change anything any more."


class Person(BaseModel):
    """One person. `keys`: OpenSSH public key lines, any of which signs for them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    groups: tuple[Name, ...]
    keys: Annotated[tuple[str, ...], Field(min_length=1, max_length=16)]
    ci_actors: tuple[Actor, ...] = ()
    touch_only: StrictBool = False
    revoked: StrictBool = False


class Roster(BaseModel):
    """Everybody who is or was enrolled, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    persons: dict[Name, Person] = Field(alias="person")

    @property
    def groups(self) -> Mapping[str, frozenset[str]]:
        """Group → names of its people who are not revoked. A group of revoked people only is empty, not unknown."""
        members: dict[str, set[str]] = {}
        for name, person in self.persons.items():
            for group in person.groups:
                members.setdefault(group, set())
                if not person.revoked:
                    members[group].add(name)
        return {group: frozenset(names) for group, names in members.items()}

    def is_active(self, person: str) -> bool:
        """Whether the person is enrolled and not revoked."""
        return person in self.persons and not self.persons[person].revoked

    def active_groups(self, person: str) -> frozenset[str]:
        """The groups that a person's approval counts for now; none for strangers and revoked people."""
        return frozenset(self.persons[person].groups) if self.is_active(person) else frozenset()


def load_roster(text: str) -> Roster:
    """The roster that a file states.

    Raises:
        RosterRefused: one of its subclasses, with the line.
        TomlSyntax, InvisibleCharacter, FileTooLong: with the line.
    """
    toml = load_toml(text, file="roster")
    try:
        roster = Roster.model_validate(toml.data)
    except ValidationError as e:
        raise _first_refusal(e, toml) from None
    if not any(not person.revoked for person in roster.persons.values()):
        raise RosterEmpty("nobody is enrolled who is not revoked.", line=toml.line_of(("person",)))
    _check_unique(roster, toml)
    return roster


def _check_unique(roster: Roster, toml: TomlText) -> None:
    keys: dict[bytes, str] = {}
    actors: dict[str, str] = {}
    for name, person in roster.persons.items():
        _check_list(person.groups, "group", toml, name, "groups")
        for i, key_line in enumerate(person.keys):
            line = toml.line_of(("person", name, "keys", i))
            try:
                blob = load_ssh_key(key_line).blob
            except HsmpubError as e:
                raise PersonKeyRefused(f"{name}: {e.detail}", line=line, next_step=e.next_step) from None
            if blob in keys:
                raise KeyOfTwoPersons(f"the key of {name} is listed for {keys[blob]} already.", line=line)
            keys[blob] = name
        for i, actor in enumerate(person.ci_actors):
            if actor.casefold() in actors:
                line = toml.line_of(("person", name, "ci_actors", i))
                raise ActorOfTwoPersons(f"{actor!r} is listed for {actors[actor.casefold()]} already.", line=line)
            actors[actor.casefold()] = name


def _check_list(values: Iterable[str], what: str, toml: TomlText, name: str, key: str) -> None:
    listed = list(values)
    for i, value in enumerate(listed):
        if value in listed[:i]:
            raise WrongRosterValue(f"{name}: the {what} {value!r} stands there twice.",
                                   line=toml.line_of(("person", name, key, i)))  # fmt: skip


def _first_refusal(error: ValidationError, toml: TomlText) -> RosterRefused:
    line, path, problem = first_problem(error.errors(include_url=False, include_input=False), toml.line_of)
    if problem["type"] == "extra_forbidden":
        return UnknownRosterKey(f"{dotted(path)!r} is not a key of a roster.", line=line)
    return WrongRosterValue(wrong_value(path, problem), line=line)
