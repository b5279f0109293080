"""The ceremony file: the one thing that people write, review and sign off before a ceremony.

```toml
[service]
name = "releases"
openpgp_user_id = "Example Releases <releases@example.org>"
[unseal]
threshold = 3
holders = [{ name = "holder-1", key = "age1…" }, …]
```

Or, with groups that mirror the organisation:

```toml
[unseal]
groups_needed = 2
[[unseal.group]]
name = "operations"
threshold = 2
holders = [{ name = "holder-1", key = "age1…" }, …]
```

deploy/example/ceremony.toml explains every key.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool, StrictInt, ValidationError

from ceremony.file_rules import CeremonyFileRefused, MissingCeremonyKey, UnknownCeremonyKey, WrongCeremonyValue
from ceremony.quorum_table import Name, QuorumTable, Table, check_quorum_table
from ceremony.witness_table import Witnesses
from hsmpub.config import ModuleVariables
from hsmpub.errors import HsmpubError
from hsmpub.formats.openpgp.certificate import check_user_id
from hsmpub.model.toml_lines import TomlText, load_toml
from hsmpub.model.toml_words import dotted, first_problem, formed, wrong_value

Label = Annotated[str, formed(r"[\x21-\x7e]{1,32}", "1 to 32 ASCII characters without spaces")]
VendorBackup = Annotated[str, formed(r"[^\x00-\x1f\x7f]{0,300}", "300 characters at most, on one line")]
Origin = Annotated[
    str,
    formed(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}", "letters, digits, '.', '_', '/' and '-', as log.example.org/releases"),
]


class ServiceTable(Table):
    """name: of the service; openpgp_user_id: of the OpenPGP certificates of its release keys."""

    name: Name
    openpgp_user_id: str


class HsmTable(Table):
    """module: empty for the embedded SoftHSM, whose token lives in the home; network: the module opens connections.

    vendor_backup: in words, where the maker's own backup of the token is. environment: variables for
    the module. first_so_pin: file with the SO PIN that the token has from its maker; empty: it has none.
    """

    module: str = ""
    token: Label = "hsmpub"  # noqa: S105 - the label of the token
    pin_length: Annotated[StrictInt, Field(ge=8, le=255)] = 40
    network: StrictBool = False
    vendor_backup: VendorBackup = ""
    environment: ModuleVariables = Field(default={})
    first_so_pin: Annotated[str, formed(r"(/.*)?", "an absolute path")] = ""


class LogTable(Table):
    """origin: name of the log in its checkpoints, for ever."""

    origin: Origin


class FilesTable(Table):
    """policy, roster: paths, from the folder of the ceremony file."""

    policy: str
    roster: str


class FrontTable(Table):
    """listen: `host:port` of the HTTP front; goes into config.toml."""

    listen: Annotated[str, formed(r"[^\s\"\\]{1,255}:[0-9]{1,5}", "a host and a port, such as 127.0.0.1:8700")] = (
        "127.0.0.1:8700"
    )


class CeremonyFile(Table):
    """The whole file."""

    service: ServiceTable
    hsm: HsmTable = HsmTable()
    unseal: QuorumTable
    recovery: QuorumTable
    log: LogTable
    files: FilesTable
    front: FrontTable = FrontTable()
    witness: Witnesses = ()


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


def first_refusal(error: ValidationError, toml: TomlText) -> CeremonyFileRefused:
    """The refusal to show of all that a schema found."""
    problems = error.errors(include_url=False, include_input=False)
    # a misspelt key is also a missing one: say the first
    misspelt = [problem for problem in problems if problem["type"] == "extra_forbidden"]
    line, path, problem = first_problem(misspelt or problems, toml.line_of)
    if misspelt:
        return UnknownCeremonyKey(f"{dotted(path)!r} is not a key of a ceremony file.", line=line)
    refused = MissingCeremonyKey if problem["type"] == "missing" else WrongCeremonyValue
    return refused(wrong_value(path, problem), line=line)
