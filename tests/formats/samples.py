"""A small file of each kind that formats are made for, built here."""

from __future__ import annotations

import base64
import io
import lzma
import struct
import zipfile

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.formats.tuf_samples import tuf_metadata
from tests.formats.windows_samples import cab_file, cat_file, msi_file


def pe_file(size: int = 1536) -> bytes:
    """A PE32+ with headers and one section: enough for everybody who reads where things lie."""
    sizes = (512, 0, 0, 0x1000, 0x1000, 0x140000000, 0x1000, 512)
    stacks = (1 << 20, 4096, 1 << 20, 4096, 0, 16)
    numbers = (0x20B, 14, 0, *sizes, 6, 0, 0, 0, 6, 0, 0, 0x2000, 512, 0, 3, 0, *stacks)
    optional = struct.pack("<HBBIIIIIQIIHHHHHHIIIIHHQQQQII", *numbers)
    optional += bytes(16 * 8)
    coff = struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, len(optional), 0x22)
    section = struct.pack("<8sIIIIIIHHI", b".text", 512, 0x1000, size - 512, 512, 0, 0, 0, 0, 0x60000020)
    dos = b"MZ" + bytes(58) + (64).to_bytes(4, "little")
    head = dos + b"PE\0\0" + coff + optional + section
    return head.ljust(512, b"\0") + bytes(i * 7 % 256 for i in range(size - 512))


def module_file(size: int = 900) -> bytes:
    """What begins as an ELF object does; nobody who signs or verifies modules looks further."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + bytes(i * 11 % 256 for i in range(size))


def ar_member(name: bytes, content: bytes) -> bytes:
    header = name.ljust(16) + b"0".ljust(12) + b"0     " * 2 + b"100644  " + str(len(content)).encode().ljust(10)
    return header + b"`\n" + content + b"\n" * (len(content) % 2)


def deb_file(data: bytes = b"data of a package".ljust(338, b".")) -> bytes:
    """The archive alone: nobody who signs packages looks into their last part."""
    control = (b"control.tar.xz", lzma.compress(b"control"))
    parts = ((b"debian-binary", b"2.0\n"), control, (b"data.tar.xz", b"\xfd7zXZ\0" + data))
    return b"!<arch>\n" + b"".join(ar_member(*part) for part in parts)


def rpm_header(entries: list[tuple[int, int, int, bytes]], region: int) -> bytes:
    """Tag, type, count and bytes of each entry, in one region."""
    index, store = b"", b""
    for tag, kind, count, data in entries:
        index += struct.pack(">IIiI", tag, kind, len(store), count)
        store += data
    index = struct.pack(">IIiI", region, 7, len(store), 16) + index
    store += struct.pack(">IIiI", region, 7, -len(index), 16)
    return bytes.fromhex("8eade80100000000") + struct.pack(">II", len(index) // 16, len(store)) + index + store


def rpm_file(payload: bytes = b"payload of a package") -> bytes:
    lead = b"\xed\xab\xee\xdb\x03\0\0\0\0\1" + b"thing".ljust(66, b"\0") + b"\0\1\0\5" + bytes(16)
    signatures = rpm_header([(1004, 7, 16, bytes(16)), (1008, 7, 100, bytes(100))], 62)
    return lead + signatures + bytes(-len(signatures) % 8) + rpm_header([(1000, 6, 1, b"thing\0")], 63) + payload


#: A Release file of an apt repository.
RELEASE = (
    b"Origin: Acme\nSuite: stable\nDate: Sun, 22 Nov 2026 10:00:00 UTC\nSHA256:\n "
    + b"ab" * 32
    + b"     1234 main/binary-amd64/Packages\n"
)


def zip_file(**entries: bytes) -> bytes:
    """A zip archive; `__` in a name stands for a slash."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(
                zipfile.ZipInfo(name.replace("__", "/").replace("_xml", ".xml")), data, zipfile.ZIP_DEFLATED
            )
    return whole.getvalue()


def apk_file(size: int = 5000) -> bytes:
    """A package of an application without code: its manifest, and something more."""
    return zip_file(AndroidManifest_xml=android_manifest(), assets__x=bytes(i % 251 for i in range(size)))


def android_manifest() -> bytes:
    """`<manifest package="x.y"><uses-sdk minSdkVersion="24" targetSdkVersion="34"/></manifest>`, in binary."""
    words = ["minSdkVersion", "targetSdkVersion", "manifest", "package", "uses-sdk", "x.y",
             "http://schemas.android.com/apk/res/android"]  # fmt: skip
    minimum, target, root, package, sdk, name, space = range(len(words))
    none = 0xFFFFFFFF
    texts = [struct.pack("<H", len(word)) + word.encode("utf-16-le") + b"\0\0" for word in words]
    starts = [sum(map(len, texts[:i])) for i in range(len(texts))]
    data = b"".join(texts)
    data += bytes(-len(data) % 4)
    head = struct.pack("<IIIII", len(words), 0, 0, 28 + 4 * len(words), 0)
    strings = _chunk(0x0001, 28, head + struct.pack(f"<{len(words)}I", *starts) + data)
    ids = _chunk(0x0180, 8, struct.pack("<II", 0x0101020C, 0x01010270))

    def start(tag: int, *attributes: tuple[int, int, int, int, int]) -> bytes:
        body = struct.pack("<IIIIHHHHHH", 1, none, none, tag, 20, 20, len(attributes), 0, 0, 0)
        for where, what, text, kind, value in attributes:
            body += struct.pack("<IIIHBBI", where, what, text, 8, 0, kind, value)
        return _chunk(0x0102, 16, body)

    def end(tag: int) -> bytes:
        return _chunk(0x0103, 16, struct.pack("<IIII", 1, none, none, tag))

    numbers = ((space, minimum, none, 0x10, 24), (space, target, none, 0x10, 34))
    elements = start(root, (none, package, name, 3, name)) + start(sdk, *numbers) + end(sdk) + end(root)
    return _chunk(0x0003, 8, strings + ids + elements)


def _chunk(kind: int, head: int, body: bytes) -> bytes:
    return struct.pack("<HHI", kind, head, 8 + len(body)) + body


def pdf_file(text: str = "A release.") -> bytes:
    """A document of one page."""
    stream = f"BT /F 24 Tf 50 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    data, places = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    table = b"xref\n0 5\n0000000000 65535 f \n" + table
    return data + table + b"trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(data)


def asked_of_agent(namespace: str, hash_name: str = "sha512", fill: int = 7) -> bytes:
    """What ssh-keygen asks an agent to sign."""
    digest = bytes([fill]) * (64 if hash_name == "sha512" else 32)
    fields = (namespace.encode(), b"", hash_name.encode(), digest)
    return b"SSHSIG" + b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def ssh_public_key(fill: int) -> bytes:
    """A public key file."""
    blob = len(b"ssh-ed25519").to_bytes(4, "big") + b"ssh-ed25519" + (32).to_bytes(4, "big") + bytes([fill]) * 32
    return b"ssh-ed25519 " + base64.b64encode(blob) + b" ci-job\n"


def certificate_request(fill: int, *hosts: str, common: str = "") -> bytes:
    """A signing request of a key that follows from `fill`."""
    names = hosts or ("a.internal.acme.example",)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common or names[0])])
    builder = x509.CertificateSigningRequestBuilder(subject)
    builder = builder.add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False)
    key = Ed25519PrivateKey.from_private_bytes(bytes([fill]) * 32)
    return builder.sign(key, None).public_bytes(Encoding.PEM)


SAMPLES: dict[str, bytes] = {
    "authenticode": pe_file(),
    "msi": msi_file(),
    "cab": cab_file(),
    "cat": cat_file(),
    "kernel-module": module_file(),
    "openpgp-cleartext": RELEASE,
    "openpgp-v6-cleartext": RELEASE,
    "apt-inrelease": RELEASE,
    "apt-release-gpg": RELEASE,
    "deb": deb_file(),
    "rpm": rpm_file(),
    "jar": zip_file(a__B=b"class", c=bytes(5000)),
    "apk": apk_file(),
    "pdf": pdf_file(),
    "ssh-agent-file": asked_of_agent("file"),
    "ssh-agent-git": asked_of_agent("git"),
    "ssh-certificate": ssh_public_key(7),
    "jwt": b'{"sub":"repo:acme/sdk","aud":["https://api.acme.example"],"context":{"a":[1,null,true]}}',
    "x509-certificate": certificate_request(7),
    "x509-crl": b"def keyCompromise\n123 unspecified\n",
    **{f"tuf-{role}": tuf_metadata(role) for role in ("root", "targets", "snapshot", "timestamp")},
}
#: Another one of each kind.
OTHERS: dict[str, bytes] = {
    "authenticode": pe_file(2048),
    "msi": msi_file(b"another"),
    "cab": cab_file(b"another content"),
    "cat": cat_file(bytes(32)),
    "kernel-module": module_file(901),
    "openpgp-cleartext": RELEASE + b"x\n",
    "openpgp-v6-cleartext": RELEASE + b"x\n",
    "apt-inrelease": RELEASE.replace(b"1234", b"1235"),
    "apt-release-gpg": RELEASE + b" x\n",
    "deb": deb_file(b"other data".ljust(338, b".")),
    "rpm": rpm_file(b"other payload"),
    "jar": zip_file(a__B=b"class", c=bytes(5001)),
    "apk": apk_file(5001),
    "pdf": pdf_file("Another."),
    "ssh-agent-file": asked_of_agent("file", fill=8),
    "ssh-agent-git": asked_of_agent("git", fill=8),
    "ssh-certificate": ssh_public_key(9),
    "jwt": b'{"sub":"repo:acme/sdk","aud":["https://api.acme.example"],"context":{"a":[1,null,1]}}',
    "x509-certificate": certificate_request(8),
    "x509-crl": b"def keyCompromise\n456 unspecified\n",
    **{f"tuf-{role}": tuf_metadata(role, 2) for role in ("root", "targets", "snapshot", "timestamp")},
}
