"""What a process of the HSM package is told, and what it answers: a closed set.

The first frame is an `Opening`; the secrets it announces follow it raw, each exactly as long as it says, so that
they go from page to page without passing through a decoder. Then frames go both ways.
"""

from __future__ import annotations

import msgspec

from hsmpub.envelope.header import Form
from hsmpub.errors import Problem
from hsmpub.hsm.config import BornKey, HashName, HsmConfig, KeySpec
from hsmpub.model.key import KeyKind, KeyRecord


class _Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    pass


class Serve(_Order, frozen=True, tag="serve"):
    """Log in and sign until the channel closes. Secret: the PIN.

    keys: the pinned keys; nothing that does not verify against them is answered.
    trust_token: also sign with other keys of the token, verified against the public key beside them.
    """

    keys: tuple[KeyRecord, ...]
    trust_token: bool = False


class SealSecret(_Order, frozen=True, tag="seal-secret"):
    """Open the box, seal its content in the HSM. Secrets: the PIN, the box's X25519 private key."""

    key: str
    box: bytes
    info: bytes
    aad: bytes


class LeaseSecret(_Order, frozen=True, tag="lease-secret"):
    """Open in the HSM, seal to the X25519 key `to`. Secret: the PIN."""

    key: str
    sealed: bytes
    aad: bytes
    to: bytes
    info: bytes


class InspectKeys(_Order, frozen=True, tag="inspect-keys"):
    """Log in anew and look at every pinned key. Secret: the PIN. Answered with a digest of all attributes seen."""

    keys: tuple[KeyRecord, ...]


class ResealHeader(_Order, frozen=True, tag="reseal-header"):
    """Open the part of a header that is encrypted to `key`, and make a header for `recipient`. Secret: the PIN.

    header: the exact bytes, without any content; form, recipient: as hsmpub.envelope names them.
    """

    key: KeyRecord
    form: Form
    header: bytes
    recipient: str


class InitToken(_Order, frozen=True, tag="init-token"):
    """Secrets: SO PIN, user PIN; and the SO PIN of its maker, where the token has one."""


class SetPin(_Order, frozen=True, tag="set-pin"):
    """Secrets: the PIN in force, the new one. so: the security officer's. Answered `b"changed"` or `b"was"`."""

    so: bool


class ResetPin(_Order, frozen=True, tag="reset-pin"):
    """As security officer: a new user PIN; the keys stay. Secrets: SO PIN, user PIN."""


class LookAtModule(_Order, frozen=True, tag="look-at-module"):
    """What can the module do, without logging in? No secret. Answered with a ModuleReport.

    kinds: of the keys that it is to hold; pin_length: of its PINs, in characters.
    """

    kinds: tuple[KeyKind, ...]
    pin_length: int


class LocateToken(_Order, frozen=True, tag="locate-token"):
    """No secret. Answered with the token's serial number."""


class BearKeys(_Order, frozen=True, tag="bear-keys"):
    """Secret: the wrapping key. The HSM of the opening is the throw-away one."""

    specs: tuple[KeySpec, ...]


class ImportKeys(_Order, frozen=True, tag="import-keys"):
    """Secrets: the PIN, the wrapping key."""

    born: tuple[BornKey, ...]


class FindKeys(_Order, frozen=True, tag="find-keys"):
    """Secret: the PIN. Answered with a note for each name that the token has an object of."""

    names: tuple[str, ...]


class DestroyKeys(_Order, frozen=True, tag="destroy-keys"):
    """Secret: the PIN. Removes every object of these names, for good."""

    names: tuple[str, ...]


_Chore = InitToken | SetPin | ResetPin | LocateToken | LookAtModule | BearKeys | ImportKeys | FindKeys | DestroyKeys
Order = Serve | SealSecret | LeaseSecret | ResealHeader | InspectKeys | _Chore


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """secrets: length of each raw secret that follows, in bytes; follows: another process has logged in with this PIN,
    and if the token has refused it since, it is not tried again."""

    hsm: HsmConfig
    order: Order
    secrets: tuple[int, ...]
    follows: bool = False


class Ready(msgspec.Struct, frozen=True, tag="ready", tag_field="type"):
    """A signer is logged in. protections: what its sandbox could do; missing: pinned keys not in the token."""

    protections: dict[str, str]
    missing: tuple[str, ...]


class ModuleReport(msgspec.Struct, frozen=True):
    """What a module says of itself.

    Attributes:
        name: maker, product and version.
        rows: what it was asked for → "yes", "by value" or why not, in words.
        lacks: rows without which the service cannot run.
    """

    name: str
    rows: dict[str, str]
    lacks: tuple[str, ...]


class Finished(msgspec.Struct, frozen=True, tag="finished", tag_field="type"):
    """A one-shot process did what it was told; notes: key name → how it was taken in and pinned, or how many objects
    the token has of it."""

    data: bytes = b""
    born: tuple[BornKey, ...] = ()
    notes: dict[str, str] = {}
    report: ModuleReport | None = None


Answer = Ready | Finished | Problem

#: Instead of a hash: sign (or seal and open) something random and answer `b"ok"`; nothing signed leaves.
SELF_TEST = "self-test"


class Group(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Items for one key. hash: a HashName, or `SELF_TEST` with empty items."""

    key: str
    hash: HashName | str
    items: list[bytes]


class Made(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Signatures of a group's items in order, all of them or none."""

    signatures: list[bytes]
    problem: Problem | None = None


class Work(msgspec.Struct, frozen=True, array_like=True, gc=False):
    groups: list[Group]


class WorkDone(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One `Made` for each group. leaving: the signer ends itself now, because its handles are void."""

    made: list[Made]
    leaving: bool = False
