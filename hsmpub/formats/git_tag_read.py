"""Checks a signed tag object apart from the code that builds it.

Source: git, Documentation/gitformat-signature ("tag signatures").
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from hsmpub.formats.format import OutputForAnother, OutputMalformed
from hsmpub.formats.openpgp.read import read_document_signature
from hsmpub.formats.public_key import check_claim
from hsmpub.formats.sha256state import HeldSha256
from hsmpub.formats.ssh.sshsig_read import read_sshsig
from hsmpub.model.key import KeyRecord

_STARTS = (b"-----BEGIN PGP SIGNATURE-----\n", b"-----BEGIN SSH SIGNATURE-----\n")


class TagUnsigned(OutputMalformed):
    pass


class TagDiffers(OutputForAnother):
    advice = "It is another tag than the one that was asked for."


class _Tag(Protocol):
    @property
    def commit(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def tagger(self) -> str: ...
    @property
    def email(self) -> str: ...
    @property
    def at(self) -> int: ...
    @property
    def message(self) -> str: ...


def check_tag(content: bytes, tag: _Tag, key: KeyRecord) -> None:
    """Verifies that `content` is the object of this tag, signed by the pinned key.

    Raises:
        TagUnsigned, TagDiffers, SignatureDoesNotVerify, and the rules of the signature's own format.
    """
    signed, signature = split_signature(content)
    _check_says(signed, tag)
    hasher = hashlib.sha256(signed)
    if signature.startswith(_STARTS[0]):
        claim = read_document_signature(signature, HeldSha256(hasher, len(signed)), key, tag.at)
    else:
        claim = read_sshsig(signature, hasher.digest(), key, "git")
    check_claim(claim, key)


def split_signature(content: bytes) -> tuple[bytes, bytes]:
    """What is signed, and the armoured signature, as git itself divides them: at the last line that starts one.

    Raises:
        TagUnsigned.
    """
    at = max(content.rfind(b"\n" + start) for start in _STARTS) + 1
    if not at:
        raise TagUnsigned("The tag holds no signature.")
    return content[:at], content[at:]


def _check_says(signed: bytes, tag: _Tag) -> None:
    head, _, message = signed.partition(b"\n\n")
    lines = [
        b"object " + tag.commit.encode(),
        b"type commit",
        b"tag " + tag.name.encode(),
        b"tagger %b <%b> %d +0000" % (tag.tagger.encode(), tag.email.encode(), tag.at),
    ]
    if head.split(b"\n") != lines or message != tag.message.rstrip().encode() + b"\n":
        raise TagDiffers(f"The tag object is not the tag {tag.name!r} that was asked for.")
