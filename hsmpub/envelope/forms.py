"""The three forms side by side: which one a file has, its header, and whom it can be sealed to."""

from __future__ import annotations

from hsmpub.envelope.age import ARMOUR, MAGIC, read_age_header
from hsmpub.envelope.age_recipient import load_age_recipient
from hsmpub.envelope.cms import read_cms_header
from hsmpub.envelope.cms_recipient import load_cms_recipient
from hsmpub.envelope.header import MAX_HEADER_BYTES, Form, Header, HeaderCut
from hsmpub.envelope.openpgp import read_openpgp_header
from hsmpub.envelope.openpgp_recipient import load_openpgp_recipient
from hsmpub.envelope.recipient import MAX_RECIPIENT_CHARS, Recipient
from hsmpub.envelope.rules import HeaderForOthers, HeaderMalformed, HeaderTooLarge, RecipientRefused
from hsmpub.formats.public_key import load_encryption_key
from hsmpub.model.key import KeyRecord

_READ = {"age": read_age_header, "openpgp": read_openpgp_header, "cms": read_cms_header}
_LOAD = {"age": load_age_recipient, "openpgp": load_openpgp_recipient, "cms": load_cms_recipient}
#: What stands for the content where a header is read alone: OpenPGP's ends where an encrypted packet begins.
_CONTENT = {"age": b"", "openpgp": b"\xd2\xff\0\0\0\1\1", "cms": b""}


def form_of(data: bytes) -> Form:
    """Which form a file's beginning has; what it really is, the reading says."""
    if data.startswith((MAGIC[:19], ARMOUR)):
        return "age"
    if data[:1] == b"\x30" or data.startswith((b"-----BEGIN CMS", b"-----BEGIN PKCS7", b"MIME-Version")):
        return "cms"
    return "openpgp"


def find_header(data: bytes, form: Form, key: KeyRecord) -> Header:
    """The header at the beginning of a file.

    Args:
        data: the first `MAX_HEADER_BYTES` of the file and some more, or all of it.

    Raises:
        HeaderTooLarge, HeaderMalformed and the rules under it, ContentUnprotected.
    """
    try:
        header = _READ[form](data, key)
    except HeaderCut as error:
        if len(data) >= MAX_HEADER_BYTES:
            raise HeaderTooLarge(f"The header does not end within {MAX_HEADER_BYTES:,} bytes.") from None
        raise HeaderMalformed(error.detail) from None
    if len(header.raw) > MAX_HEADER_BYTES:
        raise HeaderTooLarge(f"The header has {len(header.raw):,} bytes; {MAX_HEADER_BYTES:,} is the most.")
    return header


def load_header(raw: bytes, form: Form, key: KeyRecord) -> Header:
    """A header that stands alone, with nothing after it.

    Raises:
        HeaderForOthers: it is not encrypted to `key`. As `find_header`.
    """
    if len(raw) > MAX_HEADER_BYTES:
        raise HeaderTooLarge(f"The header has {len(raw):,} bytes; {MAX_HEADER_BYTES:,} is the most.")
    header = find_header(raw + _CONTENT[form], form, key)
    if header.raw != raw:
        raise HeaderMalformed("There is more than a header.")
    check_ours(header, key)
    return header


def check_ours(header: Header, key: KeyRecord) -> None:
    """Raises HeaderForOthers: the header does not name the key, or in no way that it could open. HeaderMalformed."""
    if header.ours < 0 or not header.sealed[header.ours].padding:
        raise HeaderForOthers(f"The file is not encrypted to the key {key.name!r}.")
    if int.from_bytes(header.sealed[header.ours].block, "big") >= load_encryption_key(key).public_numbers().n:
        raise HeaderMalformed("The header's part for the key of the service is no number of that key.")


def load_recipient(text: str, form: Form) -> Recipient:
    """The recipient that a request names. Raises RecipientRefused."""
    if len(text) > MAX_RECIPIENT_CHARS or not text.isprintable() or not text.isascii():
        raise RecipientRefused("The recipient is not named in a usual way.")
    recipient = _LOAD[form](text)
    if recipient.text != text:
        raise RecipientRefused("The recipient is not named in the one way in which requests name it.")
    return recipient
