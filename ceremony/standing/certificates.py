"""X.509 for keys of the service: a signing request for a CA, made in the HSM, and the CA's answer recorded.

```toml
ceremony = "csr"
service = "releases"
[[request]]
key = "windows"
common_name = "Example Ltd"
organization = "Example Ltd"
country = "DE"              # state, locality, organizational_unit and email may stand here, too
# root_days = 3650          # for the key of a CA: a certificate that it signs itself, instead of a request
# hosts = ["example.org"]   # with root_days: it may certify hosts under these names only
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
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from ceremony.file_rules import WrongCeremonyValue
from ceremony.quorum_table import Name
from ceremony.standing.file import StandingFile
from ceremony.standing.held import Held
from ceremony.standing.key_announce import announce, existing_signer
from ceremony.standing.key_files import check_once
from ceremony.standing.kind import Kind, Papers
from ceremony.standing.quorum import AtHand, open_pin
from hsmpub.errors import Invalid
from hsmpub.formats.certificate_chain import check_chain
from hsmpub.formats.certificate_request import SubjectMalformed, check_subject, make_request, subject_name
from hsmpub.formats.hsm_key import SignDigest
from hsmpub.formats.x509.root import HostMalformed, check_hosts, is_authority, make_root
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model.clock import rfc3339
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyRecord
from hsmpub.model.toml_lines import TomlText
from hsmpub.secret.page import SecretPage


class NotForAnAuthority(Invalid):
    advice = "A certificate that a key signs itself is for keys with the format x509-certificate or x509-crl."


class RequestTable(BaseModel):
    """key: its name; root_days, hosts: of a CA's own certificate; the rest is the subject."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Name
    common_name: str
    organization: str = ""
    organizational_unit: str = ""
    locality: str = ""
    state: str = ""
    country: str = ""
    email: str = ""
    root_days: Annotated[StrictInt, Field(ge=1, le=7300)] | None = None
    hosts: Annotated[tuple[str, ...], Field(max_length=32)] = ()

    @property
    def subject(self) -> dict[str, str]:
        return self.model_dump(exclude={"key", "root_days", "hosts"})


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
                check_hosts(one.hosts)
            except (SubjectMalformed, HostMalformed) as error:
                line = toml.line_of(("request", place))
                raise WrongCeremonyValue(error.detail, line=line, next_step=error.next_step) from None


class CertificateImportFile(StandingFile):
    certificates: tuple[CertificateTable, ...] = Field(alias="certificate", max_length=16)

    def check(self, toml: TomlText) -> None:
        check_once([one.key for one in self.certificates], toml, "certificate")


def run_request(held: Held, papers: Papers[CertificateRequestFile], shares: AtHand) -> None:
    """Makes a request for each key, signed in the HSM; or, for a CA of one's own, its certificate.

    Raises:
        NotForAnAuthority, RootNotProven,
        NoSuchKey, KeyStateUnfit, KeyOfTheService, KeyDecrypts, KeyKindUnfit, OwnRequestNotProven.
        The rules of a refused share, of hsmpub.hsm and of Held.finish.
    """
    asked = [(existing_signer(held, one.key).record, one) for one in papers.file.requests]
    for key, one in asked:
        if (one.root_days or one.hosts) and not (is_authority(key) and one.root_days):
            raise NotForAnAuthority(f"The key {key.name!r} is for no CA, or 'hosts' stands without 'root_days'.")
    with SecretPage() as pin:
        open_pin(held, shares.unseal, pin)
        with TokenSigner(held.hsm, pin) as signer:
            for key, one in asked:
                sign = partial(signer.sign, key.name)
                made = _root(key, one, sign, held.at) if one.root_days else make_request(key, one.subject, sign)
                what = "CA certificate" if one.root_days else "certificate request"
                held.output(f"{key.name}{'.root.pem' if one.root_days else '.csr'}", made)
                said = {part: value for part, value in one.subject.items() if value}
                held.recorder.record(what, key=key.name, subject=said, sha256=sha256_hex(made))
            held.finish(signer)


def _root(key: KeyRecord, one: RequestTable, sign: SignDigest, at: int) -> bytes:
    assert one.root_days
    return make_root(key, subject_name(one.subject), sign, at=at, seconds=one.root_days * 86_400, hosts=one.hosts)


def run_import(held: Held, papers: Papers[CertificateImportFile], shares: AtHand) -> None:
    """Checks each chain, and records it with its key.

    Raises:
        NoSuchKey, KeyStateUnfit, KeyOfTheService, KeyDecrypts, and the rules of hsmpub.formats.certificate_chain.
        The rules of a refused share, of hsmpub.hsm and of Held.finish.
    """
    certified = {}
    for one in papers.file.certificates:
        key = existing_signer(held, one.key).record
        text, own = papers.named[_use(one.key)], None if held.rehearsal else key
        facts = check_chain(text, own, now=held.at, authority=is_authority(key))
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
