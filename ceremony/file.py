"""The ceremony file: the one thing that people write, review and sign off before a ceremony.

```toml
[service]
name = "releases"
openpgp_user_id = "Example Releases <releases@example.org>"
[unseal]
threshold = 3
holders = [{ name = "holder-1", key = "age1…" }, …]
```

deploy/example/ceremony.toml explains every key.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StringConstraints, ValidationError

from hsmpub.errors import HsmpubError
from hsmpub.formats.openpgp_certificate import check_user_id
from hsmpub.model.toml_lines import InFile, TomlText, load_toml
from hsmpub.shares.channel import HolderKey
from hsmpub.shares.recipient import parse_recipient

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z")]
Label = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,32}\z")]
Origin = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}\z")]


class CeremonyFileRefused(InFile):
    advice = "Correct the line and start again; nothing was done."

    def __init__(self, detail: str, *, line: int, next_step: str | None = None) -> None:
        super().__init__(detail, line=line, file="ceremony file", next_step=next_step)


class UnknownCeremonyKey(CeremonyFileRefused):
    advice = "Check the spelling; nothing was done."


class MissingCeremonyKey(CeremonyFileRefused):
    advice = "Add it; nothing was done."


class WrongCeremonyValue(CeremonyFileRefused):
    pass


class ThresholdUnsafe(CeremonyFileRefused):
    advice = "Ask for two holders or more, and for no more than there are."


class HolderTwice(CeremonyFileRefused):
    advice = "Each holder has a name and a key of their own: who held two shares would be two holders."


class HolderKeyRefused(CeremonyFileRefused):
    pass


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServiceTable(_Table):
    """name: of the service; openpgp_user_id: of the OpenPGP certificates of its release keys."""

    name: Name
    openpgp_user_id: str


class HsmTable(_Table):
    """module: empty for the embedded SoftHSM, whose token lives in the home; network: the module opens connections."""

    module: str = ""
    token: Label = "hsmpub"  # noqa: S105 - the label of the token
    pin_length: Annotated[StrictInt, Field(ge=8, le=255)] = 40
    network: StrictBool = False


class HolderTable(_Table):
    name: Name
    key: str


class QuorumTable(_Table):
    threshold: StrictInt
    holders: tuple[HolderTable, ...]

    @property
    def holder_keys(self) -> tuple[HolderKey, ...]:
        return tuple(HolderKey(holder.name, holder.key) for holder in self.holders)


class LogTable(_Table):
    """origin: name of the log in its checkpoints, for ever."""

    origin: Origin


class FilesTable(_Table):
    """policy, roster: paths, from the folder of the ceremony file."""

    policy: str
    roster: str


class FrontTable(_Table):
    """listen: `host:port` of the HTTP front; goes into config.toml."""

    listen: Annotated[str, StringConstraints(pattern=r"^[^\s\"\\]{1,255}:[0-9]{1,5}\z")] = "127.0.0.1:8700"


class CeremonyFile(_Table):
    """The whole file."""

    service: ServiceTable
    hsm: HsmTable = HsmTable()
    unseal: QuorumTable
    recovery: QuorumTable
    log: LogTable
    files: FilesTable
    front: FrontTable = FrontTable()


def load_ceremony_file(text: str) -> CeremonyFile:
    """What a ceremony file says.

    Raises:
        CeremonyFileRefused: one of its subclasses, with the line.
        TomlSyntax, InvisibleCharacter, FileTooLong: with the line.
    """
    toml = load_toml(text, file="ceremony file")
    try:
        file = CeremonyFile.model_validate(toml.data)
    except ValidationError as error:
        raise first_refusal(error, toml) from None
    try:
        check_user_id(file.service.openpgp_user_id)
    except HsmpubError as error:
        line = toml.line_of(("service", "openpgp_user_id"))
        raise WrongCeremonyValue(error.detail, line=line, next_step=error.next_step) from None
    if int(file.front.listen.rpartition(":")[2]) > 65_535:
        raise WrongCeremonyValue(
            f"'front.listen': {file.front.listen} has a port over 65535.", line=toml.line_of(("front", "listen"))
        )
    for name, quorum in (("unseal", file.unseal), ("recovery", file.recovery)):
        check_quorum_table(name, quorum, toml)
    return file


def check_quorum_table(table: str, quorum: QuorumTable, toml: TomlText) -> None:
    """Raises CeremonyFileRefused: a quorum that is none, or holders that cannot hold."""
    count = len(quorum.holders)
    if count > 16:
        raise WrongCeremonyValue(f"{table}: {count} holders; 16 is the most.", line=toml.line_of((table, "holders")))
    if not 2 <= quorum.threshold <= count:
        line = toml.line_of((table, "threshold"))
        raise ThresholdUnsafe(f"{table}: a threshold of {quorum.threshold} of {count} holders.", line=line)
    seen: dict[str, str] = {}
    for index, holder in enumerate(quorum.holders):
        line = toml.line_of((table, "holders", index))
        try:
            fingerprint = parse_recipient(holder.key).fingerprint
        except HsmpubError as error:
            raise HolderKeyRefused(f"{holder.name}: {error.detail}", line=line, next_step=error.next_step) from None
        if holder.name in seen.values():
            raise HolderTwice(f"{table}: {holder.name} is named twice.", line=line)
        if fingerprint in seen:
            raise HolderTwice(f"{table}: {holder.name} has the same key as {seen[fingerprint]}.", line=line)
        seen[fingerprint] = holder.name


def first_refusal(error: ValidationError, toml: TomlText) -> CeremonyFileRefused:
    """The refusal to show of all that a schema found."""
    found: list[tuple[int, tuple[str | int, ...], str, str]] = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        found.append((toml.line_of(problem["loc"]), problem["loc"], problem["type"], problem["msg"]))
    # a misspelt key is also a missing one: say the first
    line, path, kind, message = min(found, key=lambda one: (one[2] != "extra_forbidden", one[0]))
    where = ".".join(map(str, path))
    if kind == "extra_forbidden":
        return UnknownCeremonyKey(f"{where!r} is not a key of a ceremony file.", line=line)
    if kind == "missing":
        return MissingCeremonyKey(f"{where!r} is missing.", line=line)
    return WrongCeremonyValue(f"{where!r}: {message}.", line=line)
