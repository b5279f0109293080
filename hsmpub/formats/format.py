"""What a signature format is: a pure translation on both sides of the HSM.

    file ── extract ──► detail                    (where a digest alone does not suffice)
    artifact, key, context ── prepare ──► Prepared ── HSM ──► raw signature ── assemble ──► output
                                     (and once more, where a second signature covers the first: follow)
    output, artifact, key  ── read ─────► Claim    ── verify with the pinned key ─────────► check
    file, output ── attach ──► signed file;  signed file ── detach ──► output   (embedded formats)

The *output* is what the service makes, logs by digest and gives away. A detached format's output is a file of its own;
an embedded format's output is put into the file by whoever holds it. The *detail* is the little that `prepare` must
know of a file beside its SHA-256: made by `extract` on the client where the file stays there, in a child of the keeper
where it was uploaded; `prepare` trusts none of it and builds what is signed itself.

`prepare` and `assemble` build; `read` is written apart from them and shares no code with them, so that a mistake in
one is seen by the other. `check` is `read` and the verification of its claim: the same for all, in
hsmpub.formats.base with what else formats have in common.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Protocol

import msgspec

from hsmpub.errors import Broken, Invalid
from hsmpub.formats.context import Context
from hsmpub.formats.sha256state import FileHash
from hsmpub.formats.source import Details, Source
from hsmpub.model.key import KeyKind, KeyRecord
from hsmpub.model.said import Said

HashName = Literal["sha256", "sha512", "none"]

#: Bytes of a raw signature as the HSM gives it.
SIGNATURE_BYTES: dict[KeyKind, int] = {"p256": 64, "rsa3072": 384, "ed25519": 64}


class Artifact(msgspec.Struct, frozen=True):
    """A file to sign: its base name, its hash (hsmpub.formats.sha256state), and what formats know beside it. image: the
    repository, where the file is an image's manifest."""

    name: str
    state: FileHash
    details: Details = {}
    image: str = ""


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """What the HSM is to sign, and what `assemble` needs to know afterwards.

    payload: a digest for `sha256` and `sha512`, the whole message for `none`. kind: of the key.
    parts: the format's own; nobody else looks inside.
    count: how many signatures the format takes; then payload is that many digests, one after the other, and the raw
        signature that many raw ones.
    after: the signature that this one covers, where `Format.follow` made it.
    said: what the log says of the output beside its digest.
    """

    payload: bytes
    hash: HashName
    kind: KeyKind
    parts: tuple[bytes, ...] = ()
    count: int = 1
    after: Claim | None = None
    said: Said | None = None


class Claim(msgspec.Struct, frozen=True, gc=False):
    """What an output says was signed: payload and hash as in `Prepared`, signature as the HSM gave it.

    after: the claim of an earlier signature in the same output, which this one covers.

    A keeper whose signer has verified the raw signature may compare a claim with what it asked for, instead of
    verifying twice.
    """

    payload: bytes
    hash: HashName
    signature: bytes
    after: Claim | None = None


class Format(Protocol):
    """A signature format. name: in policy and log; suffix: of its outputs' names.

    detail_limit: most bytes of its detail; 0: it needs none. embedded: the output goes into the file.
    """

    @property
    def name(self) -> str: ...

    @property
    def suffix(self) -> str: ...

    @property
    def key_kinds(self) -> frozenset[KeyKind]: ...

    @property
    def detail_limit(self) -> int: ...

    @property
    def embedded(self) -> bool: ...

    def recognises(self, name: str, head: bytes) -> bool:
        """Whether files of this name, beginning with `head` (up to 4,096 bytes), are what the format is for."""

    def output_name(self, name: str) -> str:
        """What the output over an artifact of this name is called."""

    def signed_name(self, name: str) -> str:
        """What a file of this name is called once its signature is in it."""

    def extract(self, source: Source) -> bytes:
        """The detail of a file, signed already or not. Raises the format's own rules under Invalid."""

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        """What the HSM signs. Raises FormatNotAllowed, KeyKindUnfit, PurposesMixed (hsmpub.formats.purposes)."""

    def follow(self, prepared: Prepared, signature: bytes) -> Prepared | None:
        """What the HSM signs next, where a format's second signature covers its first (`Prepared.after`); then that
        is what is assembled. None: nothing more. Raises RawSignatureMalformed."""

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        """The output's exact bytes. Raises RawSignatureMalformed."""

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        """Parses without verifying. With a context, what the output says beside the file must be exactly that.

        Raises OutputMalformed or a rule under it, OutputForAnother."""

    def check(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> None:
        """Raises what `read` raises, and SignatureDoesNotVerify."""

    def attach(self, source: Source, output: bytes) -> Iterator[bytes]:
        """The file with the signature in it, piece by piece; one that is there already is replaced or refused, as
        the format says. Of a detached format: the output itself."""

    def detach(self, source: Source) -> bytes | None:
        """The output that a signed file holds; None: it holds none, or the format is detached."""


class RawSignatureMalformed(Broken):
    advice = "The HSM gave a signature of another shape than its key's: look at the module."


class OutputMalformed(Invalid):
    """Family of what is wrong with the form of a signature file."""

    advice = "The signature file was altered or comes from another program."


class OutputForAnother(Invalid):
    """It is well formed, and says that it is about another file, key, time or request."""

    advice = "Find the signature that belongs to this file and key."


def check_raw(prepared: Prepared, signature: bytes) -> None:
    """Raises RawSignatureMalformed."""
    if len(signature) != SIGNATURE_BYTES[prepared.kind] * prepared.count:
        raise RawSignatureMalformed(f"A raw {prepared.kind} signature has {len(signature)} bytes.")


def claim_of(prepared: Prepared, signature: bytes) -> Claim:
    """What an output must say that holds this raw signature of what was prepared."""
    return Claim(prepared.payload, prepared.hash, signature, prepared.after)


def digests_of(prepared: Prepared) -> list[bytes]:
    """What the HSM signs, item by item."""
    if prepared.count == 1:
        return [prepared.payload]
    size = len(prepared.payload) // prepared.count
    return [prepared.payload[at : at + size] for at in range(0, len(prepared.payload), size)]
