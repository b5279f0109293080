"""OpenPGP with a signing subkey: a key that only certifies vouches for one that signs, and takes that back one day.

Those who verify pin the primary's fingerprint; subkeys come and go under it, in certificates made anew. A key that
makes signatures of OpenPGP 4 and 6 gets a certificate, and a revocation, of each version.

```toml
ceremony = "openpgp-subkey"
service = "releases"
[[certificate]]
primary = "release-primary"    # made with no formats: it certifies and signs nothing else
key = "release-2027"           # makes OpenPGP signatures
user_id = "Example Releases <releases@example.org>"
days = 3650                    # of the primary, from its birth; it does not end if this is left out
key_days = 730                 # of the subkey, from its birth
[[revocation]]
primary = "release-primary"
key = "release"
reason = "superseded"          # or "retired", "compromised"
```
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from ceremony.file_rules import MissingCeremonyKey, WrongCeremonyValue
from ceremony.quorum_table import Name
from ceremony.standing.file import StandingFile
from ceremony.standing.held import Held
from ceremony.standing.key_announce import NoSuchKey, existing_signer
from ceremony.standing.kind import Kind, Papers
from ceremony.standing.quorum import AtHand, open_pin
from ceremony.standing.subkey_papers import makes_v4, write_certificates, write_revocations
from hsmpub.errors import Conflict
from hsmpub.formats.openpgp.certificate import UserIdMalformed, check_user_id
from hsmpub.formats.purposes import OPENPGP_CERTIFIED
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model.entry import RetirementReason
from hsmpub.model.key import KeyRecord
from hsmpub.model.toml_lines import TomlText
from hsmpub.secret.page import SecretPage

Days = Annotated[StrictInt, Field(ge=0, le=36_500)]
_DAY = 86_400


class PrimaryUnfit(Conflict):
    advice = "Make a key without formats for it ('key-generate'): it certifies, and signs nothing else."


class SubkeyUnfit(Conflict):
    advice = "Name a key that makes OpenPGP signatures; 'hsmpub key show NAME' says what a key makes."


class CertificateTable(BaseModel):
    """days, key_days: from the birth of primary and subkey; 0: they do not end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    primary: Name
    key: Name
    user_id: str
    days: Days = 0
    key_days: Days = 0


class RevocationTable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    primary: Name
    key: Name
    reason: RetirementReason = "superseded"


class OpenpgpSubkeyFile(StandingFile):
    certificates: tuple[CertificateTable, ...] = Field(default=(), alias="certificate", max_length=16)
    revocations: tuple[RevocationTable, ...] = Field(default=(), alias="revocation", max_length=16)

    def check(self, toml: TomlText) -> None:
        if not self.certificates and not self.revocations:
            raise MissingCeremonyKey("neither [[certificate]] nor [[revocation]] says what is to be made.", line=1)
        for place, one in enumerate(self.certificates):
            try:
                check_user_id(one.user_id)
            except UserIdMalformed as error:
                line = toml.line_of(("certificate", place))
                raise WrongCeremonyValue(error.detail, line=line, next_step=error.next_step) from None


def run_subkey(held: Held, papers: Papers[OpenpgpSubkeyFile], shares: AtHand) -> None:
    """Makes each certificate and revocation, and reads it back by independent code.

    Raises:
        NoSuchKey, KeyStateUnfit, KeyOfTheService, PrimaryUnfit, SubkeyUnfit, PrimaryIsSubkey, KeyKindUnfit.
        The rules of a refused share, of hsmpub.hsm, of hsmpub.formats and of Held.finish.
    """
    bound = [(_primary(held, one.primary), _subkey(held, one.key), one) for one in papers.file.certificates]
    for primary, key, _ in bound:
        _check_versions(primary, key)
    ended = [(_primary(held, one.primary), _ended(held, one.key), one) for one in papers.file.revocations]
    with SecretPage() as pin:
        open_pin(held, shares.unseal, pin)
        with TokenSigner(held.hsm, pin) as signer:
            for primary, key, table in bound:
                ends = {"lifetime": table.days * _DAY, "key_lifetime": table.key_days * _DAY}
                write_certificates(held, signer, primary, key, table.user_id, **ends)
            for primary, key, revocation in ended:
                write_revocations(held, signer, primary, key, revocation.reason)
            held.finish(signer)


def _primary(held: Held, name: str) -> KeyRecord:
    record = existing_signer(held, name).record
    if record.formats:
        raise PrimaryUnfit(f"The key {name!r} signs {', '.join(record.formats)}.")
    return record


def _subkey(held: Held, name: str) -> KeyRecord:
    record = existing_signer(held, name).record
    if not OPENPGP_CERTIFIED.intersection(record.formats):
        raise SubkeyUnfit(f"The key {name!r} makes no OpenPGP signatures.")
    return record


def _check_versions(primary: KeyRecord, key: KeyRecord) -> None:
    """Raises PrimaryUnfit."""
    if primary.kind == "ed25519" and makes_v4(key):
        raise PrimaryUnfit(
            f"The key {primary.name!r} is ed25519, which is of version 6 alone, and {key.name!r} makes version 4.",
            next_step="Name a primary of kind p256 or rsa3072, or a key that makes nothing of version 4.",
        )


def _ended(held: Held, name: str) -> KeyRecord:
    """A key in any state: it need not be there any more to be revoked."""
    key = held.state.keys.by_name.get(name)
    if key is None:
        raise NoSuchKey(f"The service has no key {name!r}.")
    return key.record


OPENPGP_SUBKEY = Kind("openpgp-subkey", OpenpgpSubkeyFile, run_subkey)
