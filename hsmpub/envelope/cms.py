"""Headers of CMS files (EnvelopedData, AuthEnvelopedData) in DER or, streamed, in BER. Read and written.

    ContentInfo { type, [0] { Data { version, originatorInfo?, recipientInfos, content { type, algorithm ‖ …

The header goes up to the ‖; of it only the recipient infos are replaced, and the lengths around them.
Source: RFC 5652, 6.1 and 6.2.1; RFC 5083, 2.1; RFC 3560 (RSAES-OAEP); RFC 3565 and RFC 5084 (AES).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cryptography import x509

from hsmpub.envelope import der
from hsmpub.envelope.header import Bytes, Header, Sealed, only_one
from hsmpub.envelope.rules import ArmouredFile, CipherUnknown, HeaderMalformed
from hsmpub.model.key import KeyRecord

Padding = Literal["", "pkcs1", "oaep-sha1", "oaep-sha256"]

#: envelopedData, id-ct-authEnvelopedData.
_TYPES = (bytes.fromhex("2a864886f70d010703"), bytes.fromhex("2a864886f70d0109100117"))
#: Tag of a KeyAgreeRecipientInfo.
AGREEMENT = 0xA1
_RSA_PKCS1 = bytes.fromhex("2a864886f70d010101")
_RSA_OAEP = bytes.fromhex("2a864886f70d010107")
_AES = bytes.fromhex("6086480165030401")
#: Last byte of AES's identifiers in CBC, GCM and CCM → bytes of the key.
_AES_KEY_BYTES = {base + mode: size for base, size in ((1, 16), (21, 24), (41, 32)) for mode in (1, 5, 6)}
#: RSAES-OAEP-params of SHA-256 in both places, with and without NULL as the hash's parameter; SHA-1 is the default.
OAEP_SHA256_PARAMETERS = bytes.fromhex(
    "302f a00f 300d 0609608648016503040201 0500 a11c 301a 06092a864886f70d010108 300d 0609608648016503040201 0500"
)
_OAEP: dict[bytes, Padding] = {
    OAEP_SHA256_PARAMETERS: "oaep-sha256",
    bytes.fromhex("302b a00d 300b 0609608648016503040201 a11a 3018 06092a864886f70d010108 300b 0609608648016503040201"):
        "oaep-sha256",
    b"\x30\x00": "oaep-sha1",
}  # fmt: skip


@dataclass(frozen=True)
class _Outline:
    """Where things are. around: the nodes that hold all the rest, from the outside in; set_at, set_end: of the
    recipient infos, their tag included; end: of the header."""

    around: tuple[der.Node, der.Node, der.Node]
    set_at: int
    set_end: int
    infos: tuple[bytes, ...]
    end: int
    key_bytes: int


def read_cms_header(data: bytes, key: KeyRecord) -> Header:
    """The header at the beginning of a CMS file.

    Args:
        data: the file, or as much of it as holds the header.
        key: the decryption key whose part is looked for, by its X.509 certificate.

    Raises:
        ArmouredFile, HeaderCut, HeaderMalformed.
    """
    if data.startswith((b"-----BEGIN", b"MIME-Version", b"To:", b"From:", b"Subject:", b"Content-")):
        raise ArmouredFile("The CMS file is text.")
    outline = _outline(data)
    own = _identifiers(key)
    sealed, mine = list[Sealed](), list[int]()
    for info in outline.infos:
        identifier, found = _read_info(info)
        if identifier in own:
            mine.append(len(sealed))
        sealed.append(found)
    if not sealed:
        raise HeaderMalformed("The CMS file names nobody whom it is encrypted to.")
    return Header("cms", data[: outline.end], tuple(sealed), only_one(tuple(sealed), mine), (outline.key_bytes,))


def write_cms_header(header: Header, info: bytes) -> bytes:
    """The header with this recipient info and no other, and every length around it set right."""
    raw, outline = header.raw, _outline(header.raw)
    infos = der.write_node(der.SET, info)
    growth = len(infos) - (outline.set_end - outline.set_at)
    head = bytearray(raw[outline.around[2].at : outline.set_at])
    if info[0] == AGREEMENT and _TYPES[1] not in raw[: outline.around[1].start]:
        head[2] = max(head[2], 2)  # the version of EnvelopedData: RFC 5652, 6.1
    made = bytes(head) + infos + raw[outline.set_end :]
    for depth in (2, 1, 0):
        node = outline.around[depth]
        length = b"\x80" if node.length is None else der.write_length(node.length + growth)
        growth += len(length) - (node.at - node.start - 1)
        before = raw[outline.around[depth - 1].at : node.start] if depth else b""
        made = before + bytes((node.tag,)) + length + made
    return made


def _outline(data: bytes) -> _Outline:
    source = Bytes(data)
    info = der.enter(source, der.SEQUENCE)
    if der.read_whole(source, der.OID) not in _TYPES:
        raise HeaderMalformed("This is no encrypted CMS file.")
    explicit = der.enter(source, 0xA0)
    body = der.enter(source, der.SEQUENCE)
    if len(der.read_whole(source, der.INTEGER)) != 1:
        raise HeaderMalformed("The CMS header has a version that no such file has.")
    set_at = source.at
    node = der.read_node(source)
    if node.tag == 0xA0 and node.length is not None:  # originatorInfo
        source.take(node.length)
        set_at = source.at
        node = der.read_node(source)
    if node.tag != der.SET:
        raise HeaderMalformed("The CMS header has no recipients where they should be.")
    infos = _infos(source, node)
    set_end = source.at
    der.enter(source, der.SEQUENCE)
    der.read_whole(source, der.OID)
    algorithm = Bytes(der.read_whole(source, der.SEQUENCE))
    try:
        identifier = der.read_whole(algorithm, der.OID)
    except HeaderMalformed:  # what ends early here was not cut off
        raise HeaderMalformed("The CMS header names no cipher.") from None
    size = _AES_KEY_BYTES.get(identifier[-1], 0) if identifier[:-1] == _AES else 0
    if not size:
        raise CipherUnknown("The CMS file is encrypted with something else than AES.")
    return _Outline((info, explicit, body), set_at, set_end, infos, source.at, size)


def _infos(source: Bytes, node: der.Node) -> tuple[bytes, ...]:
    """Each recipient info whole."""
    found = []
    end = None if node.length is None else source.at + node.length
    while end is None or source.at < end:
        at = source.at
        inner = der.read_node(source)
        if end is None and (inner.tag, inner.length) == (0, 0):
            break
        if inner.length is None:
            raise HeaderMalformed("A CMS recipient does not say how long it is.")
        source.take(inner.length)
        found.append(source.data[at : source.at])
    if end is not None and source.at != end:
        raise HeaderMalformed("The CMS recipients do not end where they should.")
    return tuple(found)


def _read_info(info: bytes) -> tuple[bytes, Sealed]:
    """Whom a recipient info names (DER of issuer and serial, or of the key identifier), and the part itself."""
    if info[0] != der.SEQUENCE:
        return b"", Sealed("a recipient by key agreement, password or other means")
    try:
        source = Bytes(info)
        der.enter(source, der.SEQUENCE)
        der.read_whole(source, der.INTEGER)
        at = source.at
        content = der.read_whole(source, der.SEQUENCE, 0x80)
        identifier = info[at : source.at]
        algorithm = Bytes(der.read_whole(source, der.SEQUENCE))
        name, parameters = der.read_whole(algorithm, der.OID), algorithm.data[algorithm.at :]
        block = der.read_whole(source, der.OCTETS)
    except HeaderMalformed:
        raise HeaderMalformed("A CMS recipient is not built as it should be.") from None
    padding: Padding = ""
    if name == _RSA_PKCS1:
        padding = "pkcs1"
    elif name == _RSA_OAEP:
        padding = _OAEP.get(parameters or b"\x30\x00", "")
    who = f"cms {'certificate' if identifier[0] == der.SEQUENCE else 'key identifier'} {content[-20:].hex()}"
    return identifier, Sealed(who, padding, block)


def _identifiers(key: KeyRecord) -> tuple[bytes, ...]:
    """The ways in which a recipient info may name the key's certificate."""
    if not key.certificates:
        return ()
    certificate = x509.load_pem_x509_certificate(key.certificates.encode())
    own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return issuer_and_serial(certificate), der.write_node(0x80, own.digest)


def issuer_and_serial(certificate: x509.Certificate) -> bytes:
    """DER of IssuerAndSerialNumber."""
    serial = certificate.serial_number
    number = serial.to_bytes(serial.bit_length() // 8 + 1, "big", signed=True)
    return der.write_node(der.SEQUENCE, certificate.issuer.public_bytes() + der.write_node(der.INTEGER, number))
