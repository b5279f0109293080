"""The closed set of facts that the log holds. The state of everything is a fold over them.

An entry is one JSON object, encoded once by `dump_entry`; its exact bytes are the leaf. `kind` names it.
`at` is the keeper's time, in seconds since 1970: that of the decision or the signature, so that entries whose
signatures were made side by side may stand a little out of its order.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hsmpub.errors import Broken, TooLarge
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyRecord
from hsmpub.model.said import Said
from hsmpub.model.terms import UNLIMITED, Terms

#: C2SP tlog-tiles: an entry in a bundle carries a 16-bit length.
MAX_ENTRY_BYTES = 65_535


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", omit_defaults=True):
    at: int


class Genesis(_Entry, frozen=True, tag="genesis"):
    """First entry of a log: what the genesis ceremony made.

    keeper_key: Ed25519 public key of the keeper's identity, hex; it signs what the keeper says while sealed.
    log_key: C2SP signed-note verifier key of the log (`name+hash+base64`).
    """

    service: str
    transcript_sha256: str
    epoch: int
    keeper_key: str
    log_key: str
    keys: tuple[KeyRecord, ...]


RetirementReason = Literal["retired", "superseded", "compromised"]


class Retirement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A key that signs nothing any more. successor: name of the key that took its place, or empty."""

    name: str
    reason: RetirementReason
    successor: str = ""


class KeysChanged(_Entry, frozen=True, tag="keys"):
    """The ceremony of the next entry changed the keys: some were born, certified, retired or destroyed, in this order.

    previous: digest of all keys before (hsmpub.model.keys): whoever misses an entry of these cannot go on.
    certified: name → X.509 chain in PEM.
    """

    previous: str
    born: tuple[KeyRecord, ...] = ()
    certified: dict[str, str] = {}
    retired: tuple[Retirement, ...] = ()
    destroyed: tuple[str, ...] = ()


class PolicyAdopted(_Entry, frozen=True, tag="policy"):
    """The whole policy text in force from here on. `request` is empty at genesis."""

    text: str
    sha256: str
    request: str = ""


class RosterAdopted(_Entry, frozen=True, tag="roster"):
    """The whole roster text in force from here on. `request` is empty at genesis."""

    text: str
    sha256: str
    request: str = ""


class IssuerKeys(_Entry, frozen=True, tag="issuer-keys"):
    """Signing keys of a CI issuer as the courier fetched them from the URL pinned in the policy, `url`."""

    issuer: str
    jwks: str
    url: str = ""


class SessionOpened(_Entry, frozen=True, tag="session"):
    """A CI identity token was used, once. `token_id` = SHA-256 over issuer and jti, hex. bearer: requests of the
    session are not authenticated one by one (hsmpub.keeper.bearers)."""

    session: str
    issuer: str
    subject: str
    token_id: str
    token_expires_at: int
    claims: dict[str, str]
    bearer: bool = False


class Requested(_Entry, frozen=True, tag="request"):
    """A request exists. `statement` is the exact text that approvers sign (UTF-8 JSON)."""

    request: str
    statement: str


class Approved(_Entry, frozen=True, tag="approval"):
    """`signature`: armoured SSHSIG over the DSSE PAE of the statement, namespace `hsmpub-approval`."""

    request: str
    person: str
    signature: str


class Declined(_Entry, frozen=True, tag="refusal"):
    """An approver refused: final. Namespace of the signature: `hsmpub-refusal`."""

    request: str
    person: str
    signature: str


class Expired(_Entry, frozen=True, tag="expiry"):
    """A pending request ended: its time was over, or, with a `reason`, what it was asked under changed."""

    request: str
    reason: str = ""


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One made signature. `sha256` is of the output's bytes; `text` or `data` the output itself where it is kept.

    name: file name of the output, e.g. `x.whl.asc`; artifact: file name that it signs; data: an output that is no
    ASCII text, in base64; said: where the format says more than that.
    """

    artifact: str
    format: str
    key: str
    name: str
    sha256: str
    text: str = ""
    data: bytes = b""
    said: Said | None = None

    @property
    def content(self) -> bytes:
        """The exact bytes of the output; none where it is not kept."""
        return self.data or self.text.encode()


def kept_output(artifact: str, format_: str, key: str, name: str, content: bytes, said: Said | None = None) -> Output:
    """An output that the log keeps whole."""
    digest = sha256_hex(content)
    if content.isascii():
        return Output(artifact, format_, key, name, digest, text=content.decode(), said=said)
    return Output(artifact, format_, key, name, digest, data=content, said=said)


class Signed(_Entry, frozen=True, tag="signed"):
    """Signatures over one artifact of a request. `artifact_sha256` is what was hashed while signing."""

    request: str
    artifact: str
    artifact_sha256: str
    outputs: tuple[Output, ...]


class RoutineSigned(_Entry, frozen=True, tag="routine"):
    """Signatures that needed no approval: statement and digests of the outputs in one entry.

    outputs: SHA-256 (hex) of each output, in the order of `statement`'s subjects × its formats.
    said: of those of them whose format says more, in the same order.
    """

    request: str
    session: str
    statement: str
    outputs: tuple[str, ...]
    said: tuple[Said, ...] = ()


class Timestamped(_Entry, frozen=True, tag="timestamp"):
    """A timestamp was given to whoever asked the authority (RFC 3161). What was stamped is not here.

    gen_time: that it says, in microseconds since 1970; serial: hex; sha256: of the token (ContentInfo, DER);
    session: bearer session that asked, or empty where anybody may.
    """

    key: str
    gen_time: int
    serial: str
    sha256: str
    session: str = ""


class PublishIntent(_Entry, frozen=True, tag="publish-intent"):
    """Durable before the credential is opened. `credential_sha256` names the sealed blob that is leased."""

    request: str
    target: str
    item: str
    sha256: str
    attempt: int
    credential_sha256: str


PublishResult = Literal["accepted", "already-same", "conflict", "failed", "unknown"]


class PublishOutcome(_Entry, frozen=True, tag="publish-outcome"):
    """What the courier read back. `observed`: digest that the target shows, or empty."""

    request: str
    target: str
    item: str
    attempt: int
    result: PublishResult
    observed: str = ""
    detail: str = ""


class CredentialSealed(_Entry, frozen=True, tag="credential"):
    """A credential is live for its target; it replaces the one before. Only the sealed blob's digest is here."""

    name: str
    sealed_sha256: str
    request: str


class Delivered(_Entry, frozen=True, tag="delivery"):
    """An approved request to decrypt was carried out: a header for its recipient exists. Only its digest is here; the
    header itself is encrypted to the recipient, and kept for its asker for some days."""

    request: str
    header_sha256: str


class NotDelivered(_Entry, frozen=True, tag="no-delivery"):
    """An approved request to decrypt came to nothing, for good: `reason` is a rule."""

    request: str
    reason: str


class ShareHandedIn(_Entry, frozen=True, tag="share"):
    """A share was accepted from its named holder, who agreed to these terms and no others."""

    holder: str
    epoch: int
    attempt: str
    terms: Terms = UNLIMITED


class UnsealedBy(_Entry, frozen=True, tag="unseal"):
    """The quorum is complete and the HSM open, as far as the terms go that every holder of it agreed to."""

    holders: tuple[str, ...]
    epoch: int
    attempt: str
    terms: Terms = UNLIMITED


class HolderPresent(_Entry, frozen=True, tag="alive"):
    """A holder said that they are there, with a signature of kind "alive" by their share: the dead-man's clock starts
    anew. `nonce` was the keeper's, hex; `signature` hex."""

    holder: str
    epoch: int
    nonce: str
    signature: str


class UpgradePermitted(_Entry, frozen=True, tag="upgrade-permission"):
    """A quorum of holders lets the keeper go on in new code without them, once (hsmpub.model.holder_act.Permission).

    permission: the exact text that they signed; signatures: holder → by their share, kind "upgrade", hex.
    """

    permission: str
    signatures: dict[str, str]


class Resumed(_Entry, frozen=True, tag="resume"):
    """The keeper went on in new code, and this used the permission up. code: digest of what runs now."""

    permission: str
    code: str


class SealedBy(_Entry, frozen=True, tag="seal"):
    """Sealed by a person of the roster, by a holder with their share, or by the keeper itself.

    nonce: of the signed request, so that it seals once. rule: why the keeper sealed by itself (`time-over`,
    `signatures-used-up`, `idle`, `dead-man`, or what was found to be wrong), else empty.
    """

    reason: str
    person: str = ""
    nonce: str = ""
    holder: str = ""
    rule: str = ""


class Restored(_Entry, frozen=True, tag="restore"):
    """A recovery quorum restored the keys into a fresh token: new epoch of shares, same public keys."""

    transcript_sha256: str
    epoch: int
    holders: tuple[str, ...]


class Lost(_Entry, frozen=True, tag="lost"):
    """Another entry was at this index. A restore did not have it, and whoever restored accepted that.

    size, root (hex): of the signed checkpoint that shows what was lost.
    """

    size: int
    root: str


class Drilled(_Entry, frozen=True, tag="drill"):
    """A quorum showed that it could unseal, or restore; nothing was released. quorum: `unseal` or `recovery`;
    epoch: that quorum's own; transcript_sha256: of the dated evidence."""

    quorum: Literal["unseal", "recovery"]
    epoch: int
    holders: tuple[str, ...]
    attempt: str
    transcript_sha256: str


class CeremonyHeld(_Entry, frozen=True, tag="ceremony"):
    """A ceremony on the home, the keeper stopped; `holders` opened it with their shares.

    number: counts them, from 1; ceremony: its name; transcript_sha256: of home/ceremonies/<number>-<ceremony>.
    epoch, recovery_epoch: of the sets of shares that are in force from here on, 0 where they stay.
    pending_epoch, pending_recovery_epoch: of sets that were made and wait for their holders' confirmation.
    """

    number: int
    ceremony: str
    transcript_sha256: str
    holders: tuple[str, ...]
    epoch: int = 0
    recovery_epoch: int = 0
    pending_epoch: int = 0
    pending_recovery_epoch: int = 0


Entry = (
    Genesis | PolicyAdopted | RosterAdopted | IssuerKeys | SessionOpened | Requested | Approved | Declined | Expired
    | Signed | RoutineSigned | PublishIntent | PublishOutcome | CredentialSealed | Delivered | NotDelivered
    | ShareHandedIn | UnsealedBy | HolderPresent | UpgradePermitted | Resumed | SealedBy | Restored | CeremonyHeld
    | Drilled | Lost | KeysChanged | Timestamped
)  # fmt: skip

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)


class EntryTooLarge(TooLarge):
    advice = "Split the request: a log entry holds at most 65,535 bytes."


class EntryMalformed(Broken):
    advice = "The log holds an entry that this version does not know: it was altered, or written by a newer one."


def dump_entry(entry: Entry) -> bytes:
    """The exact leaf bytes of an entry.

    Raises:
        EntryTooLarge: over 65,535 bytes.
    """
    data = _encoder.encode(entry)
    if len(data) > MAX_ENTRY_BYTES:
        raise EntryTooLarge(f"The entry takes {len(data):,} bytes.")
    return data


def load_entry(data: bytes) -> Entry:
    """The entry of exact leaf bytes.

    Raises:
        EntryMalformed: not one of the closed set.
    """
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as e:
        raise EntryMalformed(f"A log entry cannot be read: {e}.") from None
