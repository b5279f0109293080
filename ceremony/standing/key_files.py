"""The files of ceremonies on keys.

```toml
ceremony = "key-generate"
service = "releases"
[[key]]
name = "release-2027"
kind = "p256"                                   # p256, rsa3072, ed25519, or rsa3072-decrypt, which signs nothing
formats = ["openpgp", "sshsig", "dsse"]
openpgp_user_id = "Example Releases <releases@example.org>"
```

`key-rotate` has `replaces = "release"` in each table besides; what is left out is as the old key has it. In
`key-retire` and `key-destroy` a table has the key's name alone; a retirement may have `reason = "compromised"`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ceremony.file_rules import WrongCeremonyValue
from ceremony.quorum_table import Name
from ceremony.standing.file import StandingFile
from hsmpub.errors import HsmpubError, Invalid
from hsmpub.formats.openpgp.certificate import check_user_id
from hsmpub.formats.purposes import OPENPGP_CERTIFIED
from hsmpub.formats.registry import check_key
from hsmpub.model.key import KeyRecord
from hsmpub.model.toml_lines import TomlText

NewKind = Literal["p256", "rsa3072", "ed25519", "rsa3072-decrypt"]


class UserIdMissing(Invalid):
    advice = 'Say whose it is: openpgp_user_id = "Name <address@domain>".'


class NewKey(BaseModel):
    """A key to be made. formats: none for a key that only gets X.509 certificates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    kind: NewKind
    formats: tuple[str, ...] = ()
    openpgp_user_id: str = ""


class Successor(BaseModel):
    """A key to be made in another one's place; None: as that one has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    replaces: Name
    name: Name
    kind: NewKind | None = None
    formats: tuple[str, ...] | None = None
    openpgp_user_id: str | None = None


class KeyToRetire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    reason: Literal["retired", "compromised"] = "retired"


class KeyToDestroy(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name


class KeyGenerateFile(StandingFile):
    keys: tuple[NewKey, ...] = Field(alias="key", max_length=16)

    def check(self, toml: TomlText) -> None:
        check_once([key.name for key in self.keys], toml)
        for place, key in enumerate(self.keys):
            try:
                check_new_key(key)
            except HsmpubError as error:
                line = toml.line_of(("key", place))
                raise WrongCeremonyValue(f"{key.name}: {error.detail}", line=line, next_step=error.next_step) from None


class KeyRotateFile(StandingFile):
    """reason: why the old keys go."""

    reason: Literal["superseded", "compromised"] = "superseded"
    keys: tuple[Successor, ...] = Field(alias="key", max_length=16)

    def check(self, toml: TomlText) -> None:
        check_once([key.name for key in self.keys] + [key.replaces for key in self.keys], toml)


class KeyRetireFile(StandingFile):
    keys: tuple[KeyToRetire, ...] = Field(alias="key", max_length=16)

    def check(self, toml: TomlText) -> None:
        check_once([key.name for key in self.keys], toml)


class KeyDestroyFile(StandingFile):
    keys: tuple[KeyToDestroy, ...] = Field(alias="key", max_length=16)

    def check(self, toml: TomlText) -> None:
        check_once([key.name for key in self.keys], toml)


def check_once(names: list[str], toml: TomlText, table: str = "key") -> None:
    """Raises WrongCeremonyValue: no key is named, or one is twice."""
    if not names:
        raise WrongCeremonyValue(f"{table!r}: no key is named.", line=toml.line_of((table,)))
    for name in names:
        if names.count(name) > 1:
            raise WrongCeremonyValue(f"{table!r}: {name} is named twice.", line=toml.line_of((table,)))


def check_new_key(key: NewKey) -> None:
    """What a key is to be.

    Raises:
        UserIdMalformed, UserIdMissing, UnknownFormat, KeyKindUnfit, PurposesMixed.
    """
    check_key(KeyRecord(key.name, key.kind, "", 0, key.formats))
    made = [name for name in key.formats if name in OPENPGP_CERTIFIED]
    if made and not key.openpgp_user_id:
        raise UserIdMissing(f"The key {key.name!r} is to make {made[0]}, and so has a certificate.")
    if key.openpgp_user_id:
        check_user_id(key.openpgp_user_id)
