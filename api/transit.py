"""Vault's transit API in the terms of this service: bodies read strictly, signatures in its spelling.

Source: Vault's HTTP API, "Transit secrets engine", sign and verify; JWT auth method, login.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from hsmpub.errors import HsmpubError, Invalid
from hsmpub.formats.der_read import read_bare
from hsmpub.formats.der_signature import DerMalformed, ecdsa_der
from hsmpub.formats.format import Claim
from hsmpub.formats.public_key import check_claim, load_public
from hsmpub.model.key import KeyRecord

_PREFIX = "vault:v1:"
_TYPES = {"p256": ("ecdsa-p256", "P-256"), "rsa3072": ("rsa-3072", "rsa-3072"), "ed25519": ("ed25519", "ed25519")}


class TransitRefused(Invalid):
    advice = "docs/api.md says which part of the transit API there is."


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input. reference: given back as it came."""

    input: str = ""
    reference: str = ""
    signature: str = ""
    context: str | None = None


class TransitBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of sign and of verify; members as Vault names them."""

    input: str | None = None
    signature: str = ""
    batch_input: tuple[Item, ...] | None = None
    prehashed: bool | Literal["true", "false", "1", "0"] = False
    signature_algorithm: str | None = None
    marshaling_algorithm: str | None = None
    hash_algorithm: str | None = None
    algorithm: str | None = None
    key_version: str | int | None = None
    salt_length: str | int | None = None
    context: str | None = None
    hmac: str | None = None
    name: str | None = None

    @property
    def is_prehashed(self) -> bool:
        """`vault write` sends every value as text."""
        return self.prehashed in (True, "true", "1")

    @property
    def items(self) -> tuple[Item, ...]:
        return (Item(self.input or "", "", self.signature),) if self.batch_input is None else self.batch_input


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """role: the project; jwt: the CI identity token, made out to the plain audience."""

    role: str
    jwt: str


def check_options(body: TransitBody, kind: str, hash_name: str) -> None:
    """Raises TransitRefused: whatever would make another signature than the key's one."""
    if (hash_name or body.hash_algorithm or body.algorithm or "sha2-256") != "sha2-256" and kind != "ed25519":
        raise TransitRefused("Signatures here are over SHA-256.")
    if kind == "rsa3072" and body.signature_algorithm != "pkcs1v15":
        raise TransitRefused("RSA signatures here are PKCS#1 v1.5: say signature_algorithm=pkcs1v15.")
    if kind == "ed25519" and body.is_prehashed:
        raise TransitRefused("Ed25519 signs the message, not a digest of it.")
    if body.marshaling_algorithm not in (None, "", "asn1", "jws"):
        raise TransitRefused("Signatures are marshalled as asn1 or jws.")
    if str(body.key_version or 0) not in ("0", "1"):
        raise TransitRefused("A key has one version, 1; another key has another name.")
    if body.context or body.hmac or any(item.context for item in body.items):
        raise TransitRefused("Keys here are not derived, and make no MACs.")


def to_sign(item: Item, body: TransitBody, kind: str) -> bytes:
    """The digest of an input, or for Ed25519 the message. Raises TransitRefused."""
    data = _decode(item.input)
    if kind == "ed25519":
        return data
    if not body.is_prehashed:
        return hashlib.sha256(data).digest()
    if len(data) != 32:
        raise TransitRefused("A SHA-256 digest has 32 bytes.")
    return data


def name_in_log(item: bytes, kind: str) -> str:
    """What the keeper calls an item that it was asked to sign: its SHA-256."""
    return (hashlib.sha256(item).digest() if kind == "ed25519" else item).hex()


def spell(output: bytes, body: TransitBody, kind: str) -> str:
    """A signature as Vault spells it: `vault:v1:…`; jws: r‖s in base64url, for ECDSA."""
    if body.marshaling_algorithm == "jws":
        raw = read_bare(output, "p256", DerMalformed) if kind == "p256" else output
        return _PREFIX + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return _PREFIX + base64.b64encode(output).decode()


def is_valid(item: Item, body: TransitBody, key: KeyRecord) -> bool:
    """Whether the item's signature is the key's over its input. Raises TransitRefused."""
    if not item.signature.startswith(_PREFIX):
        raise TransitRefused(f"Signatures begin with {_PREFIX!r}.")
    text = item.signature.removeprefix(_PREFIX)
    payload = to_sign(item, body, key.kind)
    jws = body.marshaling_algorithm == "jws"
    output = _decode(text.translate(str.maketrans("-_", "+/")) + "=" * (-len(text) % 4) if jws else text)
    try:
        if key.kind == "ed25519":
            check_claim(Claim(payload, "none", output), key)
        else:
            if jws and key.kind == "p256":
                output = ecdsa_der(output)
            check_claim(Claim(payload, "sha256", read_bare(output, key.kind, DerMalformed)), key)
    except HsmpubError:
        return False
    return True


def describe_key(key: KeyRecord, created: str) -> dict[str, Any]:
    """What `GET keys/NAME` says. created: RFC 3339."""
    kind, name = _TYPES[key.kind]
    raw = key.kind == "ed25519"
    public = base64.b64encode(load_public(key).public_bytes_raw()).decode() if raw else key.public  # type: ignore[union-attr]
    return {
        "name": key.name, "type": kind, "latest_version": 1, "min_available_version": 0, "min_decryption_version": 1,
        "min_encryption_version": 0, "deletion_allowed": False, "derived": False, "exportable": False,
        "allow_plaintext_backup": False, "imported_key": False, "supports_signing": True,
        "supports_encryption": False, "supports_decryption": False, "supports_derivation": False,
        "keys": {"1": {"name": name, "public_key": public, "creation_time": created, "certificate_chain": ""}},
    }  # fmt: skip


def results(items: Sequence[Item], told: Sequence[dict[str, Any]], batch: bool) -> dict[str, Any]:
    """`data` of an answer: one result, or one for each item of a batch."""
    if not batch:
        return told[0]
    named = [
        {**one, **({"reference": item.reference} if item.reference else {})}
        for item, one in zip(items, told, strict=True)
    ]
    return {"batch_results": named}


def _decode(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        raise TransitRefused("An input or signature is not base64.") from None
