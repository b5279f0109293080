"""A holder's own public key, and share files encrypted to it: age files, so that `age -d` opens them, and for OpenPGP
certificates OpenPGP messages, so that `gpg --decrypt` does.

Source: age-encryption.org/v1; `ssh-ed25519` and `ssh-rsa` stanzas as age and rage write them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec
import pyrage

from hsmpub.errors import Broken, Invalid
from hsmpub.formats.openpgp.packet import armor
from hsmpub.shares.pgp_certificate import BEGIN, PgpKey, read_certificate
from hsmpub.shares.pgp_message import encrypt_message, message_size

_MAGIC = b"age-encryption.org/v1"


class RecipientUnusable(Invalid):
    advice = (
        "Give an age public key (age1…), an SSH public key of type ssh-ed25519 or ssh-rsa, or an armoured OpenPGP "
        "certificate."
    )


class ShareFileNotProven(Broken):
    advice = "Nothing was kept: run the ceremony again, and report this if it happens twice."


class Recipient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A parsed public key.

    Attributes:
        stanza: the kind of age stanza that it makes: `X25519`, `ssh-ed25519` or `ssh-rsa`; for none `OpenPGP`, `paper`.
        text: the key itself, without a comment; of an OpenPGP certificate what is needed of it, armoured.
        fingerprint: `SHA256:…`, for SSH keys the same as `ssh-keygen -l` prints; for age keys over its text; for
            OpenPGP the certificate's, as gpg prints it.
        tag: first argument of an SSH stanza, by which a holder's key is recognised; empty for others.
        pgp: the key of an OpenPGP certificate.
    """

    stanza: str
    text: str
    fingerprint: str
    tag: str
    pgp: PgpKey | None = None


#: Instead of a key: the holder gets the share on paper.
PAPER = "paper"


def parse_recipient(text: str) -> Recipient:
    """The key that a holder gave.

    Raises:
        RecipientUnusable: no such key, a private key, or a kind that age cannot encrypt to (ECDSA, FIDO `sk-`).
        CertificateUnusable: an OpenPGP certificate that cannot be used.
    """
    if text == PAPER:
        return Recipient(PAPER, PAPER, PAPER, "")
    if BEGIN in text:
        pgp = read_certificate(text)
        armored = armor("PUBLIC KEY BLOCK", pgp.packets).decode()
        return Recipient("OpenPGP", armored, pgp.certificate, "", pgp)
    words = text.split()
    if len(words) == 1 and words[0].lower().startswith("age1") and words[0].count("1") > 1:
        raise RecipientUnusable(f"Shares cannot be encrypted to keys of age plugins ({words[0].rpartition('1')[0]}1…).")
    if len(words) == 1 and words[0].lower().startswith("age1"):
        _library_recipient("X25519", words[0])
        return Recipient("X25519", words[0], _fingerprint(words[0].encode()), "")
    if len(words) >= 2 and words[0] in ("ssh-ed25519", "ssh-rsa"):
        kept = f"{words[0]} {words[1]}"
        _library_recipient(words[0], kept)
        blob = _ssh_blob(words[1])
        tag = base64.b64encode(hashlib.sha256(blob).digest()[:4]).rstrip(b"=").decode()
        return Recipient(words[0], kept, _fingerprint(blob), tag)
    kind = words[0] if words and words[0].startswith(("ssh-", "ecdsa-", "sk-")) else "this text"
    raise RecipientUnusable(f"Shares cannot be encrypted to {kind}.")


def encrypt_to(recipient: Recipient, data: bytes) -> bytes:
    """A binary age file, or OpenPGP message, that only the holder's private key opens.

    Raises:
        RecipientUnusable: of a holder with paper instead of a key.
    """
    if recipient.stanza == PAPER:
        raise RecipientUnusable("A share on paper is not encrypted.")
    if recipient.pgp is not None:
        return encrypt_message(recipient.pgp, data)
    file: bytes = pyrage.encrypt(data, [_library_recipient(recipient.stanza, recipient.text)])
    return file


def share_file_name(holder: str, file: bytes) -> str:
    """`NAME.age`, or `NAME.gpg` for an OpenPGP message: by the tool that opens it."""
    return f"{holder}.age" if file.startswith(_MAGIC) else f"{holder}.gpg"


def check_share_file(file: bytes, recipient: Recipient, size: int) -> None:
    """As far as one can tell without the private key: the file is for this holder alone and holds `size` bytes.

    One stanza of the holder's kind, with the tag of the holder's SSH key; else only grease (stanzas that age adds
    at random and everybody ignores); a payload of one chunk of the right length.

    Raises:
        ShareFileNotProven: anything else.
    """
    if recipient.pgp is not None:
        if message_size(recipient.pgp, file) != size:
            raise ShareFileNotProven("An OpenPGP share file is not a whole share for its holder alone.")
        return
    header, mark, rest = file.partition(b"\n--- ")
    lines = header.split(b"\n")
    stanzas = [line.decode("ascii", "replace").split()[1:] for line in lines if line.startswith(b"-> ")]
    real = [stanza for stanza in stanzas if not stanza[0].endswith("-grease")]
    payload = rest.partition(b"\n")[2]
    if not mark or lines[0] != _MAGIC or len(real) != 1 or real[0][0] != recipient.stanza:
        raise ShareFileNotProven("A share file is not encrypted to its holder alone.")
    if recipient.tag and real[0][1] != recipient.tag:
        raise ShareFileNotProven("A share file is encrypted to another key than its holder's.")
    if len(payload) != 16 + size + 16:
        raise ShareFileNotProven("A share file does not hold a whole share.")


def _library_recipient(stanza: str, text: str) -> pyrage.x25519.Recipient | pyrage.ssh.Recipient:
    library = pyrage.x25519.Recipient if stanza == "X25519" else pyrage.ssh.Recipient
    try:
        return library.from_str(text)
    except pyrage.RecipientError:
        raise RecipientUnusable(f"The {stanza} key {text[:40]!r}… is damaged.") from None


def _ssh_blob(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise RecipientUnusable("The SSH key is not base64.") from None


def _fingerprint(data: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
