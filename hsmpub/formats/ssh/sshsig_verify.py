"""Check SSH signatures (SSHSIG) as `ssh-keygen -Y sign` makes them: the way in which people co-sign.

Stricter than `ssh-keygen -Y verify`, which accepts an authenticator's signature that nobody touched:
 1. one armoured block and nothing else, in canonical form, so that no byte of it goes unread;
 2. magic, version 1, the namespace that is asked for, nothing reserved, hash SHA-256 or SHA-512;
 3. the signing key is one of the given keys, byte for byte;
 4. the signature verifies (never SHA-1, never RSA under 2048 bits);
 5. a hardware key says that a person was present, and that it verified the person (PIN or finger).
Source: OpenSSH PROTOCOL.sshsig, PROTOCOL.u2f.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature

from hsmpub.errors import Invalid, Unauthenticated
from hsmpub.formats.ssh.key import check_raw_signature, load_ssh_key
from hsmpub.formats.ssh.wire import Reader, WireMalformed

MAX_ARMORED_BYTES = 8192
MAGIC = b"SSHSIG"
_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
_ARMOR = re.compile(rb"-----BEGIN SSH SIGNATURE-----\n((?:[A-Za-z0-9+/]{1,76}={0,2}\n)+)-----END SSH SIGNATURE-----\n?")


class SshsigMalformed(Invalid):
    advice = "Send the file that 'ssh-keygen -Y sign' wrote, unchanged and alone."


class SshsigOfAnotherNamespace(Invalid):
    advice = "Sign with the namespace that the command names: it keeps a signature for one purpose from another."


class SshsigHashRefused(Invalid):
    advice = "Sign with SHA-512 or SHA-256, which ssh-keygen does unless told otherwise."


class SignerNotExpected(Unauthenticated):
    advice = "Sign with a key that the roster lists for you, or have the roster changed."


class SignatureOfOtherBytes(Unauthenticated):
    advice = "Fetch the statement again and sign its exact bytes."


class PresenceMissing(Unauthenticated):
    advice = "Sign again and touch the key; a key made with 'no-touch-required' cannot be used here."


class VerificationMissing(Unauthenticated):
    advice = "Use a key made with 'ssh-keygen -O verify-required', which asks for its PIN or your finger."


@dataclass(frozen=True)
class SshSignature:
    """A signature that verified.

    key: the signer's line, `type base64`; hardware: made by an authenticator, which then says whether a person was
    present and verified; counter: the authenticator's, or None.
    """

    key: str
    fingerprint: str
    hash: str
    hardware: bool
    present: bool
    verified: bool
    counter: int | None


def verify_sshsig(
    armored: bytes, message: bytes, namespace: str, keys: Sequence[str], *, touch_only: bool = False
) -> SshSignature:
    """Check an armoured SSHSIG over exact bytes.

    Args:
        armored: the armoured block.
        message: what was signed.
        namespace: the one that is expected.
        keys: OpenSSH public key lines, one of which must have signed.
        touch_only: accept a hardware key that was touched without verifying who touched it.

    Raises:
        SshsigMalformed, SshsigOfAnotherNamespace, SshsigHashRefused, SignerNotExpected, SignatureOfOtherBytes,
        PresenceMissing, VerificationMissing: the first that holds.
        SshKeyMalformed, SshKeyRefused: of the given lines.
    """
    try:
        outer = Reader(_strip_armor(armored))
        if outer.take(6) != MAGIC or outer.uint32() != 1:
            raise WireMalformed("another magic or version")
        key_blob, signed_namespace, reserved = outer.string(), outer.string(), outer.string()
        hash_name, signature = outer.text(), outer.string()
        outer.end()
        if reserved:
            raise WireMalformed("reserved field in use")
    except WireMalformed as e:
        raise SshsigMalformed(f"This is not an SSH signature: {e}.") from None
    if not namespace or signed_namespace != namespace.encode():
        raise SshsigOfAnotherNamespace(f"The SSH signature was not made for the namespace {namespace!r}.")
    if hash_name not in _HASHES:
        raise SshsigHashRefused("The SSH signature uses a hash that is not accepted.")
    key = next((k for k in map(load_ssh_key, keys) if k.blob == key_blob), None)
    if key is None:
        raise SignerNotExpected("The SSH signature was made by a key that is not among those expected.")
    try:
        said = check_raw_signature(key, signature, _signed_data(message, namespace, hash_name))
    except WireMalformed as e:
        raise SshsigMalformed(f"This is not an SSH signature of its key: {e}.") from None
    except InvalidSignature:
        raise SignatureOfOtherBytes("The SSH signature does not fit these bytes and this key.") from None
    if key.needs_hardware and not said.present:
        raise PresenceMissing("The hardware key signed without a touch.")
    if key.needs_hardware and not said.verified and not touch_only:
        raise VerificationMissing("The hardware key signed without verifying who touched it.")
    return SshSignature(
        key.line, key.fingerprint, hash_name, key.needs_hardware, said.present, said.verified, said.counter
    )


def _signed_data(message: bytes, namespace: str, hash_name: str) -> bytes:
    fields = (namespace.encode(), b"", hash_name.encode(), _HASHES[hash_name](message).digest())
    return MAGIC + b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def _strip_armor(armored: bytes) -> bytes:
    """The bytes inside, if the armour is what its canonical writer would write at some line length up to 76."""
    match = _ARMOR.fullmatch(armored) if len(armored) <= MAX_ARMORED_BYTES else None
    if match is None:
        raise WireMalformed("no armoured block, or not only that")
    lines = match[1].split(b"\n")[:-1]
    joined = b"".join(lines)
    width = len(lines[0])
    if lines != [joined[i : i + width] for i in range(0, len(joined), width)]:
        raise WireMalformed("ragged lines")
    try:
        data = binascii.a2b_base64(joined, strict_mode=True)
    except binascii.Error:
        raise WireMalformed("broken base64") from None
    if binascii.b2a_base64(data, newline=False) != joined:
        raise WireMalformed("base64 not in its one form")
    return data
