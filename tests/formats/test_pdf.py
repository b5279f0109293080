"""poppler and pyHanko take signed PDF documents, and none that was tampered with."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import re
import sys

import pytest
from foreign_tool import accepts, needs, run
from hypothesis import given
from hypothesis import strategies as st
from samples import pdf_file
from software_hsm import artifact_of, chain_of, key_record, make

from hsmpub.errors import Invalid
from hsmpub.formats.pdf.hole import find_hole
from hsmpub.formats.pdf.room import PdfEncrypted, PdfMalformed, PdfSupportMissing, with_room
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource

PDF = FORMATS["pdf"]


def signed(data: bytes, kind: str = "p256", number: int = 0) -> bytes:
    pytest.importorskip("pyhanko")
    return b"".join(PDF.attach(BytesSource(data), make(PDF, data, key_record(kind, "pdf", number=number), number)))


@functools.cache
def once_signed() -> bytes:
    return signed(pdf_file())


def poppler_says(folder, data: bytes, kind: str) -> bytes:
    """As `pdfsig` has it, trusting the test's root."""
    needs("pdfsig")
    needs("certutil")
    database = folder / f"nss-{kind}"
    if not database.exists():
        database.mkdir()
        assert accepts("certutil", "-N", "-d", f"sql:{database}", "--empty-password")
        (folder / "root").write_text(chain_of(kind, 0)[1])
        assert accepts("certutil", "-A", "-d", f"sql:{database}", "-n", "r", "-t", "C,C,C", "-i", folder / "root")
    (folder / "x.pdf").write_bytes(data)
    return run("pdfsig", "-nssdir", database, "x.pdf", cwd=folder).stdout


def pyhanko_says(data: bytes, kind: str, place: int = -1) -> tuple[bool, bool, bool]:
    """intact, by the key of the certificate, and over the whole document."""
    pytest.importorskip("pyhanko")
    from asn1crypto import pem, x509
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import validate_pdf_signature
    from pyhanko_certvalidator import ValidationContext

    root = x509.Certificate.load(pem.unarmor(chain_of(kind, 0)[1].encode())[2])
    trust = ValidationContext(trust_roots=[root], allow_fetching=False)
    found = PdfFileReader(io.BytesIO(data)).embedded_signatures[place]
    status = validate_pdf_signature(found, trust)
    return status.intact, status.valid, "ENTIRE_FILE" in str(status.coverage)


@pytest.mark.parametrize("kind", ["p256", "rsa3072"])
def test_poppler_and_pyhanko_verify_a_signed_document_and_no_altered_one(tmp_path, kind, proof):
    good = signed(pdf_file(), kind)
    said = poppler_says(tmp_path, good, kind)
    assert b"Total document signed" in said
    assert b"adbe.pkcs7.detached" in said
    altered = good.replace(b"A release.", b"B release.")
    valid, others = b"Signature Validation: Signature is Valid.", poppler_says(tmp_path, altered, kind)
    proof("pdf", kind, "pdfsig", good=valid in said, tampered=valid in others)
    proof("pdf", kind, "pyHanko", good=all(pyhanko_says(good, kind)), tampered=pyhanko_says(altered, kind)[0])


def test_a_second_signature_by_another_key_leaves_the_first_one_whole(tmp_path):
    """An update by somebody else came between: ours is not the last, and so is not replaced."""
    first = once_signed()
    other = first.replace(b"/Name /hsmpub", b"/Name /others")
    second = signed(other)
    assert second.startswith(other)
    assert len(re.findall(rb"/adbe.pkcs7.detached", second)) == 2
    assert pyhanko_says(second, "p256") == (True, True, True)


def test_our_signature_is_replaced_where_it_is_the_last():
    again = signed(once_signed(), "rsa3072")
    assert len(again) == len(once_signed())
    assert pyhanko_says(again, "rsa3072") == (True, True, True)


def test_the_same_document_gets_the_same_room_in_every_process():
    pytest.importorskip("pyhanko")
    there = with_room(BytesSource(pdf_file()))
    code = "import sys, hashlib, samples; from hsmpub.formats.pdf.room import with_room; from hsmpub.formats.source"
    code += " import BytesSource; print(hashlib.sha256(with_room(BytesSource(samples.pdf_file()))).hexdigest())"
    env = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    done = run(sys.executable, "-c", code, env=env)
    assert done.stdout.decode().strip() == hashlib.sha256(there).hexdigest(), done.stderr


@pytest.mark.parametrize(
    "data", [b"", b"%PDF-1.7", b"%PDF-1.7\n%%EOF\n", pdf_file()[:200], pdf_file().replace(b"Root", b"Roof")]
)
def test_what_is_no_document_is_refused_by_name(data):
    pytest.importorskip("pyhanko")
    with pytest.raises(PdfMalformed):
        PDF.extract(BytesSource(data))


def test_an_encrypted_document_is_refused_by_name():
    pytest.importorskip("pyhanko")
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.pdf_utils.writer import copy_into_new_writer

    writer = copy_into_new_writer(PdfFileReader(io.BytesIO(pdf_file())))
    writer.encrypt("secret", "secret")
    written = io.BytesIO()
    writer.write(written)
    with pytest.raises(PdfEncrypted):
        PDF.extract(BytesSource(written.getvalue()))


def test_without_pyhanko_the_refusal_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyhanko.pdf_utils.incremental_writer", None)
    with pytest.raises(PdfSupportMissing, match=r"hsmpub\[pdf\]"):
        PDF.extract(BytesSource(pdf_file()))


def test_a_signature_of_part_of_the_document_is_not_ours():
    good = once_signed()
    assert find_hole(BytesSource(good)) is not None
    for other in (good + b"\n", good[:-1], good.replace(b"/ByteRange [0 ", b"/ByteRange [1 ")):
        assert find_hole(BytesSource(other)) is None


@given(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8))
def test_an_altered_document_is_refused_or_is_none_of_ours(where, change):
    good = once_signed()
    at = int(where * len(good))
    altered = good[:at] + change + good[at + len(change) :]
    source = BytesSource(altered)
    if altered == good or find_hole(source) is None or altered.lower() == good.lower():
        return
    output = PDF.detach(source)
    if output is not None:
        with pytest.raises(Invalid):
            PDF.check(output, artifact_of(altered, format_=PDF), key_record("p256", "pdf"))
