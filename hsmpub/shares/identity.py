"""A holder's own private key, and a share file opened with it. On the holder's machine, or in a child process."""

from __future__ import annotations

import pyrage

from hsmpub.errors import Invalid

_AGE_MAGIC = b"age-encryption.org/v1"
_PGP_ARMOR = b"-----BEGIN PGP MESSAGE-----"
_AGE_ARMOR = b"-----BEGIN AGE ENCRYPTED FILE-----"


class IdentityUnusable(Invalid):
    advice = "Give the file of an age identity (AGE-SECRET-KEY-1…) or of an SSH private key (ed25519, RSA)."


class IdentityMissing(IdentityUnusable):
    advice = "Name your private key, age or SSH, with --identity."


class IdentityEncrypted(Invalid):
    advice = "Let age ask for the passphrase and pipe the words in: age -d -i KEY SHARE | … --share -"


class ShareFileOfAnother(Invalid):
    advice = "Take the share file that carries your name, and the private key whose public half the ceremony used."


class ShareFileForGpg(Invalid):
    advice = "Let gpg open it, and pipe the words in: gpg --decrypt SHARE | … --share -"


def is_encrypted(file: bytes | bytearray) -> bool:
    """True for an age file, False for the words themselves."""
    return bytes(file[:64]).lstrip().startswith((_AGE_MAGIC, _AGE_ARMOR))


def open_share_file(file: bytes | bytearray, identity: bytes | bytearray) -> bytearray:
    """The words in a share file.

    Args:
        file: an age file, or (from an age plugin's own tool) the words themselves.
        identity: content of the private key's file; not looked at for words.

    Raises:
        IdentityUnusable, IdentityEncrypted: the private key cannot be used.
        ShareFileForGpg: an OpenPGP message; gpg on the holder's own machine opens it.
        ShareFileOfAnother: the file is not encrypted to this key, or was damaged.
    """
    if file[:1] in (b"\xc1", b"\x84", b"\x85") or file.lstrip().startswith(_PGP_ARMOR):
        raise ShareFileForGpg("The share file is encrypted to an OpenPGP key.")
    if not is_encrypted(file):
        return bytearray(file)
    if not identity:
        raise IdentityMissing("The share file is encrypted, and no private key is named that opens it.")
    identities = load_identities(identity)
    # raised outside the except block, so that nothing of the file stays as an exception's context
    try:
        return bytearray(pyrage.decrypt(bytes(file), identities))
    except pyrage.DecryptError:
        pass
    raise ShareFileOfAnother("The share file does not open with this private key.")


def load_identities(identity: bytes | bytearray) -> list[pyrage.x25519.Identity | pyrage.ssh.Identity]:
    """Raises IdentityUnusable, IdentityEncrypted."""
    if identity.lstrip().startswith(b"-----BEGIN"):
        return [_ssh_identity(identity)]
    keys = [line for line in identity.split() if line.startswith(b"AGE-SECRET-KEY-1")]
    try:
        if keys:
            return [pyrage.x25519.Identity.from_str(key.decode("ascii")) for key in keys]
    except (pyrage.IdentityError, UnicodeDecodeError):
        pass
    raise IdentityUnusable("This is no private key that opens share files.")


def _ssh_identity(identity: bytes | bytearray) -> pyrage.ssh.Identity:
    message = ""
    try:
        return pyrage.ssh.Identity.from_buffer(bytes(identity))
    except pyrage.IdentityError as error:
        message = str(error)
    if "must be decrypted" in message:
        raise IdentityEncrypted("The SSH private key is protected by a passphrase.")
    raise IdentityUnusable("The SSH private key cannot be used to open share files.")
