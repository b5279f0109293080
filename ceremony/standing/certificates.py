"""X.509 for keys of the service: a signing request for a CA, made in the HSM, and the CA's answer recorded.

```toml
ceremony = "csr"
service = "releases"
[[request]]
key = "windows"
common_name = "Example Ltd"
organization = "Example Ltd"
country = "DE"              # state, locality, organizational_unit and email may stand here, too
```

```toml
ceremony = "certificate-import"
service = "releases"
[[certificate]]
key = "windows"
chain = "windows.pem"       # the key's own first, then each one's issuer
```
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pydantic import BaseModel, ConfigDict, Field

from ceremony.file_rules import WrongCeremonyValue
from ceremony.quorum_table import Name
from ceremony.standing.file import StandingFile
from ceremony.standing.held import Held
from ceremony.standing.key_announce import announce, existing
from ceremony.standing.key_files import check_once
from ceremony.standing.kind import Kind, Papers
from ceremony.standing.quorum import AtHand, open_pin
from hsmpub.formats.certificate_chain import check_chain
from hsmpub.formats.certificate_request import SubjectMalformed, check_subject, make_request
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model.clock import rfc3339
from hsmpub.model.digest import sha256_hex
from hsmpub.model.toml_lines import TomlText
from hsmpub.secret.page import SecretPage


class RequestTable(BaseModel):
    """key: its name; the rest is the subject."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Name
    common_name: str
    organization: str = ""
    organizational_unit: str = ""
    locality: str = ""
    state: str = ""
    country: str = ""
    email: str = ""

    @property
    def subject(self) -> dict[str, str]:
        return self.model_dump(exclude={"key"})


class CertificateTable(BaseModel):
    """chain: path, from the folder of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Name
    chain: str


class CertificateRequestFile(StandingFile):
    requests: tuple[RequestTable, ...] = Field(alias="request", max_length=16)

    def check(self, toml: TomlText) -> None:
        check_once([one.key for one in self.requests], toml, "request")
        for place, one in enumerate(self.requests):
            try:
                check_subject(one.subject)
            except SubjectMalformed as error:
                line = toml.line_of(("request", place))
                raise WrongCeremonyValue(error.detail, line=line, next_step=error.next_step) from None


class CertificateImportFile(StandingFile):
    certificates: tuple[CertificateTable, ...] = Field(alias="certificate", max_length=16)

    def check(self, toml: TomlText) -> None:
        check_once([one.key for one in self.certificates], toml, "certificate")


def run_request(held: Held, papers: Papers[CertificateRequestFile], shares: AtHand) -> None:
    """Makes a request for each key, signed in the HSM.

    Raises:
        NoSuchKey, KeyStateUnfit, KeyOfTheService, KeyKindUnfit, RequestNotProven.
        The rules of a refused share, of hsmpub.hsm and of Held.finish.
    """
    asked = [(existing(held, one.key, "active").record, one) for one in papers.file.requests]
    with SecretPage() as pin:
        open_pin(held, shares.unseal, pin)
        with TokenSigner(held.hsm, pin) as signer:
            for key, one in asked:
                request = make_request(key, one.subject, partial(signer.sign, key.name))
                held.output(f"{key.name}.csr", request)
                said = {part: value for part, value in one.subject.items() if value}
                held.recorder.record("certificate request", key=key.name, subject=said, sha256=sha256_hex(request))
            held.finish(signer)


def run_import(held: Held, papers: Papers[CertificateImportFile], shares: AtHand) -> None:
    """Checks each chain, and records it with its key.

    Raises:
        NoSuchKey, KeyStateUnfit, KeyOfTheService, and the rules of hsmpub.formats.certificate_chain.
        The rules of a refused share, of hsmpub.hsm and of Held.finish.
    """
    certified = {}
    for one in papers.file.certificates:
        key = existing(held, one.key, "active").record
        facts = check_chain(papers.named[_use(one.key)], None if held.rehearsal else key, now=held.at)
        held.recorder.record(
            "certificate", key=one.key, subject=facts.subject, issuer=facts.issuer, serial=facts.serial,
            sha256=facts.sha256, valid_until=rfc3339(facts.valid_until), certificates=facts.length,
        )  # fmt: skip
        held.output(f"{one.key}.chain.pem", facts.pem.encode())
        certified[one.key] = facts.pem
    with SecretPage() as pin:
        open_pin(held, shares.unseal, pin)
        with TokenSigner(held.hsm, pin) as signer:
            announce(held, signer, certified=certified)


def _use(key: str) -> str:
    return f"chain-{key}"


def _chains(file: CertificateImportFile) -> Mapping[str, str]:
    return {_use(one.key): one.chain for one in file.certificates}


CSR = Kind("csr", CertificateRequestFile, run_request)
CERTIFICATE_IMPORT = Kind("certificate-import", CertificateImportFile, run_import, _chains)
