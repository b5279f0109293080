"""What a signature file holds beside its signature is under none: a lenient parser passes over it, readers must not."""

from __future__ import annotations

import base64
import io
import textwrap
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from samples import SAMPLES
from software_hsm import CONTEXT, artifact_of, key_record, make, sign_raw

from hsmpub.client.finding import find_signatures
from hsmpub.client.given import given_file
from hsmpub.client.judging import judge
from hsmpub.client.stamped_time import Authorities
from hsmpub.errors import Invalid
from hsmpub.formats.cms.certificates import with_its_certificates
from hsmpub.formats.cms.der import tlv
from hsmpub.formats.cms.der_check import contents, members
from hsmpub.formats.format import Artifact, Format
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource
from hsmpub.model.key import KeyRecord
from hsmpub.model.keys import Key, Keys

IN_CMS = ("cms", "authenticode", "msi", "cab", "cat", "jar", "kernel-module", "timestamp")
#: What a parser that stops at the last field it knows does not see: a NULL, two zeros as padding has them, text.
HIDDEN = (b"\5\0", b"\0\0", b"\x04\x03abc")


def _with_more(der: bytes, more: bytes) -> Iterator[bytes]:
    """The value with one more member at the end of each structure in it."""
    if not der[0] & 0x20:
        return
    inner = members(contents(der))
    yield tlv(der[0], *inner, more)
    for at, one in enumerate(inner):
        for other in _with_more(one, more):
            yield tlv(der[0], *inner[:at], other, *inner[at + 1 :])


def _made(name: str, kind: str) -> tuple[Format, bytes, Artifact, KeyRecord]:
    form, key = FORMATS[name], key_record(kind, name)
    artifact = artifact_of(SAMPLES.get(name, b"data"), "x", form)
    prepared = form.prepare(artifact, key, CONTEXT)
    output = form.assemble(prepared, sign_raw(prepared))
    form.check(output, artifact, key)
    return form, output, artifact, key


@pytest.mark.parametrize("kind", ["p256", "rsa3072"])
@pytest.mark.parametrize("name", IN_CMS)
def test_no_structure_of_a_cms_signature_holds_anything_more(name: str, kind: str) -> None:
    form, output, artifact, key = _made(name, kind)
    for hidden in HIDDEN:
        for altered in _with_more(output, hidden):
            for record in filter(None, (key, with_its_certificates(altered, key))):
                with pytest.raises(Invalid):
                    form.check(altered, artifact, record)


def test_the_padding_of_a_pdf_s_room_does_not_become_part_of_the_signature() -> None:
    """One digit of the outer length, and the zeros behind the signature were within it."""
    form, output, artifact, key = _made("cms", "p256")
    padded = output[:2] + (int.from_bytes(output[2:4], "big") + 4096).to_bytes(2, "big") + output[4:] + bytes(4096)
    with pytest.raises(Invalid):
        form.check(padded, artifact, key)


def test_a_certificate_is_signed_with_the_algorithm_that_it_names_outside() -> None:
    """openssl refuses one whose two names for it differ."""
    form, output, artifact, key = _made("x509-certificate", "rsa3072")
    der = x509.load_pem_x509_certificate(output).public_bytes(Encoding.DER)
    tbs, algorithm, signature = members(contents(der))
    altered = tlv(0x30, tbs, tlv(0x30, members(contents(algorithm))[0]), signature)
    lines = "\n".join(textwrap.wrap(base64.b64encode(altered).decode(), 64))
    with pytest.raises(Invalid):
        form.check(f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n".encode(), artifact, key)


def _signed(name: str) -> bytes:
    form, data = FORMATS[name], SAMPLES[name]
    return b"".join(form.attach(BytesSource(data), make(form, data, key_record("p256", name), name=f"x.{name}")))


def _verify(folder: Path, name: str, data: bytes) -> None:
    path = folder / f"x.{name}"
    path.write_bytes(data)
    keys = Keys((Key(key_record("p256", name)),))
    for found in find_signatures(path):
        judge(found, given_file(path), keys, Authorities((), (), CONTEXT.at))


def test_a_folder_of_a_java_archive_has_no_content(tmp_path: Path) -> None:
    """No verifier looks at a folder, so nothing would say what is in it."""
    whole = io.BytesIO(_signed("jar"))
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("empty/", b"", zipfile.ZIP_DEFLATED)
    _verify(tmp_path, "jar", whole.getvalue())
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xxxx/", b"Another class", zipfile.ZIP_DEFLATED)
    full = whole.getvalue()
    for size in (13, 0):  # what it says of its size or not
        with pytest.raises(Invalid):
            _verify(tmp_path, "jar", full.replace((13).to_bytes(4, "little"), size.to_bytes(4, "little")))


def test_a_cabinet_s_number_and_a_stream_s_class_are_none(tmp_path: Path) -> None:
    """Bytes in headers that no signature covers."""
    cabinet, package = _signed("cab"), _signed("msi")
    _verify(tmp_path, "cab", cabinet)
    with pytest.raises(Invalid):
        _verify(tmp_path, "cab", cabinet[:34] + b"\1" + cabinet[35:])
    _verify(tmp_path, "msi", package)
    stream = package.index("\5DigitalSignature".encode("utf-16-le"))
    with pytest.raises(Invalid):
        _verify(tmp_path, "msi", package[: stream + 80] + b"\1" + package[stream + 81 :])
