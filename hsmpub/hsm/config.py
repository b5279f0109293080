"""Which module and token, and what goes in and out of a key's birth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from hsmpub.model.key import KeyKind

#: How an item is to be read: a SHA-256 or SHA-512 digest, or a whole message (Ed25519).
HashName = Literal["sha256", "sha512", "none"]


#: Variable with the one HsmConfig (JSON) that a process of a spawner may serve.
PINNED_HSM = "HSMPUB_HSM"


@dataclass(frozen=True)
class HsmConfig:
    """Where the HSM is.

    Attributes:
        module: path of the PKCS#11 module (shared library).
        token: label of the token.
        softhsm_conf: path of `softhsm2.conf`; empty for other modules.
        lock: path of a file that is locked while a process loads the module and logs in; it is created.
        network: the module reaches its HSM over the network, so its processes keep that right.
        environment: variables that the module is configured by, name and value; its processes get no others.
    """

    module: str
    token: str
    softhsm_conf: str = ""
    lock: str = ""
    network: bool = False
    environment: tuple[tuple[str, str], ...] = ()


class KeySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to be born. name: its CKA_LABEL, 1–64 characters, unique in the token."""

    name: str
    kind: KeyKind


class BornKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key that was born in a ceremony and is now only this wrapping of it.

    Attributes:
        public_pem: SubjectPublicKeyInfo in PEM; empty for `aes256`.
        wrapped: AES key wrap with padding (RFC 5649) under the ceremony's wrapping key: of the PKCS#8
            PrivateKeyInfo, or of the 32 raw bytes of an AES key.
    """

    name: str
    kind: KeyKind
    public_pem: str
    wrapped: bytes
