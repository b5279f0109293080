"""The same file key for somebody else: opens a header with the key of the service and makes a new one.

Runs in a process that ends right after. Whatever is wrong inside the RSA block, there is one refusal, and it comes
after all of the work: see hsmpub.envelope.padding.
"""

from __future__ import annotations

from collections.abc import Callable

from hsmpub.envelope.age import OAEP_LABEL, is_age_mac_right, write_age_header
from hsmpub.envelope.cms import write_cms_header
from hsmpub.envelope.forms import load_header, load_recipient
from hsmpub.envelope.header import Form, Header, Sealed
from hsmpub.envelope.openpgp import is_checksum_right
from hsmpub.envelope.padding import is_oaep, is_pkcs1
from hsmpub.envelope.rules import HeaderNotOpened
from hsmpub.model.key import KeyRecord
from hsmpub.secret.page import wipe

#: RSA decryption without padding: 384 bytes in, 384 bytes out, which are wiped here.
Decrypt = Callable[[bytes], bytearray]


def reseal(raw: bytes, form: Form, key: KeyRecord, recipient: str, decrypt: Decrypt) -> bytes:
    """A header that stands in the place of `raw` and that the recipient opens.

    Args:
        raw: the header alone. key: whose private half `decrypt` uses. recipient: as requests name it.

    Raises:
        HeaderNotOpened: the one answer to anything wrong inside.
        HeaderForOthers, RecipientRefused and the rules of a malformed header: before anything is decrypted.
    """
    header, to = load_header(raw, form, key), load_recipient(recipient, form)
    block = decrypt(header.sealed[header.ours].block)
    try:
        right, file_key = open_block(header, block)
    finally:
        wipe(block)
    try:
        if not right:
            raise HeaderNotOpened("The header does not open.")
        part = to.seal(file_key)
        if form == "age":
            return write_age_header(part, file_key)
        return part if form == "openpgp" else write_cms_header(header, part)
    finally:
        wipe(file_key)


def open_block(header: Header, block: bytearray) -> tuple[bool, bytearray]:
    """Whether everything is right, and the file key: 16 bytes in age; algorithm, key and sum in OpenPGP; the key in
    CMS. The caller wipes it."""
    tries = [_unpadded(header.sealed[header.ours], block, length, header.form) for length in header.key_bytes]
    checked = [(right & _is_consistent(header, content), content) for right, content in tries]
    right, file_key = next((one for one in checked if one[0]), checked[0])
    for _, content in checked:
        if content is not file_key:
            wipe(content)
    return right, file_key


def _unpadded(sealed: Sealed, block: bytearray, length: int, form: Form) -> tuple[bool, bytearray]:
    if sealed.padding == "pkcs1":
        return is_pkcs1(block, length)
    label = OAEP_LABEL if form == "age" else b""
    return is_oaep(block, length, label, sealed.padding.removeprefix("oaep-"))


def _is_consistent(header: Header, content: bytearray) -> bool:
    if header.form == "age":
        return is_age_mac_right(header, content)
    return header.form == "cms" or is_checksum_right(content)
