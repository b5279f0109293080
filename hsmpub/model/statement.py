"""The statement: the exact bytes that say what is asked, that approvers sign, and that the keeper carries out.

It is an in-toto Statement v1 in UTF-8 JSON, encoded once by the keeper. Approvers sign the DSSE
pre-authentication encoding of those bytes; nobody ever encodes it again to check it.
Source: in-toto attestation framework v1.1, "Statement"; DSSE protocol v1.0.2, "PAE".
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hsmpub.errors import Invalid
from hsmpub.model.image import SCHEME
from hsmpub.model.predicate import Kind, Predicate, Signing, taken

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE: Literal["https://in-toto.io/Statement/v1"] = "https://in-toto.io/Statement/v1"
APPROVAL_NAMESPACE = "hsmpub-approval"
REFUSAL_NAMESPACE = "hsmpub-refusal"
REQUEST_NAMESPACE = "hsmpub-request"

PREDICATE_TYPES: dict[Kind, str] = {
    "release": "urn:hsmpub:release:v1",
    "sign": "urn:hsmpub:sign:v1",
    "policy": "urn:hsmpub:policy:v1",
    "roster": "urn:hsmpub:roster:v1",
    "credential": "urn:hsmpub:credential:v1",
    "decrypt": "urn:hsmpub:decrypt:v1",
}


class Annotations(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a statement says of one file.

    formats: the only ones that are made of it; None: all. publish: the only targets that it goes to, none of them git;
    None: all of those that take files.
    """

    formats: tuple[str, ...] | None = None
    publish: tuple[str, ...] | None = None


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A file: its base name and `{"sha256": hex}`. uri: of a manifest, `oci://` and the image's repository.

    annotations: where not all that the predicate asks for is made of this file, or not all targets get it.
    """

    name: str
    digest: dict[str, str]
    uri: str = ""
    annotations: Annotations | None = None

    @property
    def sha256(self) -> str:
        return self.digest["sha256"]

    @property
    def image(self) -> str:
        """The repository, for a manifest of an image; else empty."""
        return self.uri.removeprefix(SCHEME)

    @property
    def formats(self) -> tuple[str, ...]:
        """The only formats that are made of it; empty: all that the predicate asks for."""
        return (self.annotations.formats or ()) if self.annotations else ()

    @property
    def publish(self) -> tuple[str, ...] | None:
        """The only targets that it goes to; None: all of those that take files."""
        return self.annotations.publish if self.annotations else None


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type_: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[Subject, ...]
    predicateType: str  # noqa: N815 - the name is in-toto's
    predicate: Predicate

    def sign(self, subject: Subject) -> tuple[Signing, ...]:
        """What is made of one file, and by which keys."""
        return taken(self.predicate.sign, subject.formats)

    def goes(self, subject: Subject, target: str) -> bool:
        """Whether one file goes to a target; what goes to a git target is its tag, whatever this says."""
        return target in (self.predicate.publish if subject.publish is None else subject.publish)


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Statement)


class StatementMalformed(Invalid):
    advice = "Only statements that the service itself made are accepted."


def dump_statement(subject: tuple[Subject, ...], predicate: Predicate) -> bytes:
    """Exact bytes of the statement; called once in its life."""
    return _encoder.encode(Statement(STATEMENT_TYPE, subject, PREDICATE_TYPES[predicate.kind], predicate))


def load_statement(data: bytes) -> Statement:
    """The statement of exact bytes, for reading; what is verified is always the bytes.

    Raises:
        StatementMalformed: not a statement of this service.
    """
    try:
        statement = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise StatementMalformed("These bytes are not a statement of this service.") from None
    if PREDICATE_TYPES[statement.predicate.kind] != statement.predicateType:
        raise StatementMalformed("The statement's predicate type and kind differ.")
    if (statement.predicate.kind == "decrypt") != (statement.predicate.decrypt is not None):
        raise StatementMalformed("The statement does not say what its kind has to say.")
    if any(set(s.digest) != {"sha256"} for s in statement.subject):
        raise StatementMalformed("A subject of the statement has no plain SHA-256 digest.")
    if any(s.uri and s.uri != SCHEME + s.image for s in statement.subject):
        raise StatementMalformed("A subject of the statement is no image.")
    _check_annotations(statement)
    return statement


def _check_annotations(statement: Statement) -> None:
    """Only files that are signed have formats of their own, some of those that the predicate asks for; only those of a
    release have targets of their own, some of the release's."""
    predicate = statement.predicate
    asked = {name for signing in predicate.sign for name in signing.formats}
    for own in [subject.annotations for subject in statement.subject if subject.annotations]:
        if predicate.kind not in ("sign", "release") or own == Annotations():
            raise StatementMalformed("A subject of the statement has annotations that say nothing.")
        if own.formats is not None and (not own.formats or len(set(own.formats)) != len(own.formats)):
            raise StatementMalformed("A subject of the statement lists no format, or one twice.")
        if not asked.issuperset(own.formats or ()):
            raise StatementMalformed("A subject of the statement has a format that the statement does not ask for.")
        if own.publish is not None and (predicate.kind != "release" or len(set(own.publish)) != len(own.publish)):
            raise StatementMalformed("A subject of the statement lists a target twice, or is of no release.")
        if not set(predicate.publish).issuperset(own.publish or ()):
            raise StatementMalformed("A subject of the statement goes to a target that the statement does not name.")


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """DSSE pre-authentication encoding: what is really signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
