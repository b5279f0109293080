"""What a signature format is: a pure translation on both sides of the HSM.

    artifact, key, context ── prepare ──► Prepared ── HSM ──► raw signature ── assemble ──► output
    output, artifact, key  ── read ─────► Claim    ── verify with the pinned key ─────────► check

`prepare` and `assemble` build; `read` is written apart from them and shares no code with them, so that a mistake in
one is seen by the other. `check` is `read` and the verification of its claim.

A *bare* format signs the file's own SHA-256, with nothing around it. Whoever may choose the file then chooses the
signed bytes, and those can be what another format would have signed: a key certification of OpenPGP, a DSSE
envelope's encoding, a certificate. So a key that makes a bare format makes no other format
but bare ones (hsmpub.formats.purposes), and whoever relies on the key must expect nothing but signatures over files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from hsmpub.errors import Broken, Invalid
from hsmpub.formats.sha256state import FileHash
from hsmpub.model.key import KeyKind, KeyRecord

HashName = Literal["sha256", "sha512", "none"]

#: Bytes of a raw signature as the HSM gives it.
SIGNATURE_BYTES: dict[KeyKind, int] = {"p256": 64, "rsa3072": 384, "ed25519": 64}


class Artifact(msgspec.Struct, frozen=True):
    """A file to sign: its base name, and its hash. See hsmpub.formats.sha256state."""

    name: str
    state: FileHash


class Context(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a signature may say beside the file. One context serves a whole batch.

    at: seconds since 1970, the time that the signature carries; service, request, project, version, commit,
    policy_sha256 (hex) and requester (claims) go into attestations.
    """

    at: int
    service: str = ""
    request: str = ""
    project: str = ""
    version: str = ""
    commit: str = ""
    policy_sha256: str = ""
    requester: Mapping[str, str] = {}


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """What the HSM is to sign, and what `assemble` needs to know afterwards.

    payload: a digest for `sha256` and `sha512`, the whole message for `none`. kind: of the key.
    parts: the format's own; nobody else looks inside.
    """

    payload: bytes
    hash: HashName
    kind: KeyKind
    parts: tuple[bytes, ...] = ()


class Claim(msgspec.Struct, frozen=True, gc=False):
    """What an output says was signed: payload and hash as in `Prepared`, signature as the HSM gave it.

    A keeper whose signer has verified the raw signature may compare a claim with what it asked for, instead of
    verifying twice.
    """

    payload: bytes
    hash: HashName
    signature: bytes


class Format(Protocol):
    """A signature format. name: in policy and log; suffix: appended to the artifact's name."""

    @property
    def name(self) -> str: ...

    @property
    def suffix(self) -> str: ...

    @property
    def key_kinds(self) -> frozenset[KeyKind]: ...

    @property
    def bare(self) -> bool:
        """It signs the file's own digest; see the module's docstring."""

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        """What the HSM signs. Raises FormatNotAllowed, KeyKindUnfit, PurposesMixed (hsmpub.formats.purposes)."""

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        """The output's exact bytes. Raises RawSignatureMalformed."""

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        """Parses without verifying. With a context, what the output says beside the file must be exactly that.

        Raises OutputMalformed or a rule under it, OutputForAnother."""

    def check(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> None:
        """Raises what `read` raises, and SignatureDoesNotVerify."""


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
    if len(signature) != SIGNATURE_BYTES[prepared.kind]:
        raise RawSignatureMalformed(f"A raw {prepared.kind} signature has {len(signature)} bytes.")
