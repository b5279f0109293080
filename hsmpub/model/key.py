"""The public face of a key in the HSM, as its ceremony recorded it."""

from __future__ import annotations

from typing import Literal

import msgspec

#: `rsa3072-decrypt` opens what is encrypted to it and never signs; the other kinds with a public half sign and never
#: decrypt. The kind is in the token's template, in backups and in the pins, so that no key changes sides.
KeyKind = Literal["p256", "rsa3072", "rsa3072-decrypt", "ed25519", "aes256"]
DECRYPTS: KeyKind = "rsa3072-decrypt"


class KeyRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, cache_hash=True):
    """One key of the service.

    Attributes:
        name: how policy, log and commands call it; also its CKA_LABEL.
        kind: what it is.
        public: SubjectPublicKeyInfo in PEM; empty for `aes256`.
        created_at: seconds since 1970; part of an OpenPGP fingerprint.
        formats: what the ceremony allows this key to make (purpose pinning), names of `hsmpub.formats`.
        openpgp: armoured OpenPGP certificate, where one was made for the key.
        certificates: X.509 chain in PEM, the key's own first, where one was imported or made at genesis.
        openpgp_v6: armoured OpenPGP certificate of version 6, likewise.
    """

    name: str
    kind: KeyKind
    public: str
    created_at: int
    formats: tuple[str, ...] = ()
    openpgp: str = ""
    certificates: str = ""
    openpgp_v6: str = ""
