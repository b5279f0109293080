"""What a person asks of the service, before the keeper turns it into a statement or answers at once.

Authenticated by an SSH signature over the exact bytes (namespace `hsmpub-request`).
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from hsmpub.model.submission import Body, MalformedSubmission, check_file_name

MAX_REASON = 500
_NONCE = re.compile(r"[0-9A-Za-z_-]{1,64}")


class _Personal(Body, frozen=True):
    """A person's request is used once and only near its time (seconds since 1970)."""

    person: str
    nonce: str
    at: int


class AskPolicy(_Personal, frozen=True, tag="policy"):
    text: str


class AskRoster(_Personal, frozen=True, tag="roster"):
    text: str


class AskCredential(_Personal, frozen=True, tag="credential"):
    """`box`: the credential, HPKE-sealed to the keeper's intake key, base64, with `credential_info`."""

    name: str
    box: str


def credential_info(name: str) -> bytes:
    """What the box of a credential is bound to."""
    return b"hsmpub credential " + name.encode()


class AskDecrypt(_Personal, frozen=True, tag="decrypt"):
    """`header`: base64 of what stands before the content of an encrypted file; `name`: of the file, for people; `key`:
    the decryption key; `form`, `recipient`: see hsmpub.envelope."""

    name: str
    key: str
    form: Literal["age", "openpgp", "cms"]
    header: str
    recipient: str
    reason: str


class AskHeader(_Personal, frozen=True, tag="header"):
    """The header that an approved request to decrypt has made; for who asked for it."""

    request: str


class AskSeal(_Personal, frozen=True, tag="seal"):
    reason: str = ""


#: What becomes a request that others approve; the rest of `PersonalBody` is answered at once.
AskChange = AskPolicy | AskRoster | AskCredential | AskDecrypt
PersonalBody = AskChange | AskSeal | AskHeader

_decoder: msgspec.json.Decoder[PersonalBody] = msgspec.json.Decoder(PersonalBody)


def kind_of(body: AskChange) -> Literal["policy", "roster", "credential", "decrypt"]:
    """The kind of request that a person's submission becomes."""
    match body:
        case AskPolicy():
            return "policy"
        case AskRoster():
            return "roster"
        case AskCredential():
            return "credential"
        case AskDecrypt():
            return "decrypt"


def load_personal_submission(data: bytes) -> PersonalBody:
    """Raises MalformedSubmission."""
    try:
        body = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        raise MalformedSubmission(f"The request cannot be read: {e}.") from None
    if not _NONCE.fullmatch(body.nonce):
        raise MalformedSubmission("The nonce is not 1 to 64 letters, digits, - or _.")
    if isinstance(body, AskSeal | AskDecrypt) and len(body.reason) > MAX_REASON:  # it would not fit into the log
        raise MalformedSubmission(f"The reason has over {MAX_REASON} characters.")
    if isinstance(body, AskDecrypt):
        check_file_name(body.name)
        if not body.reason.strip():
            raise MalformedSubmission("The request does not say why.")
    return body
