"""Makes room for a signature in a PDF document: an incremental update with a signature field, by pyHanko.

pyHanko is optional (`hsmpub[pdf]`), and only where documents are signed: not in the keeper. The same document always
gets the same update: what pyHanko would draw at random, the document's second identifier, comes from its hash.
"""

from __future__ import annotations

import hashlib
import io
from typing import Any

from hsmpub.errors import Invalid, Unavailable
from hsmpub.formats.source import Source

#: Of the CMS signature, with room for a timestamp: what is left is zeros.
ROOM_BYTES = 24 << 10
MAX_DOCUMENT_BYTES = 256 << 20
PRODUCER = "hsmpub"
_FIELD = "hsmpub-{}"


class PdfSupportMissing(Unavailable):
    advice = "Install 'hsmpub[pdf]' where you sign, and sign by digest (without --upload)."
    retry_is_safe = False


class PdfMalformed(Invalid):
    advice = "Only whole, unencrypted PDF documents are signed so: write the document again."


class PdfTooLarge(PdfMalformed):
    advice = "Split the document."


class PdfEncrypted(PdfMalformed):
    advice = "Sign the document before it is encrypted."


def with_room(source: Source) -> bytes:
    """The document with an empty signature in a new field.

    Raises:
        PdfSupportMissing, PdfMalformed, PdfTooLarge, PdfEncrypted.
    """
    if source.size > MAX_DOCUMENT_BYTES:
        raise PdfTooLarge(f"The document has more than {MAX_DOCUMENT_BYTES:,} bytes.")
    try:
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    except ImportError:
        raise PdfSupportMissing("PDF documents are signed with pyHanko, which is not installed.") from None
    data = source.read(0, source.size)
    try:
        writer = IncrementalPdfFileWriter(io.BytesIO(data))
        if writer.prev.encrypted:
            raise PdfEncrypted("The document is encrypted.")
        return _update(writer, hashlib.sha256(data).digest())
    except PdfEncrypted:
        raise
    except Exception as e:  # a parser of others meets what anybody wrote: there is no list of what it raises
        raise PdfMalformed(f"The document cannot be read: {str(e)[:120] or type(e).__name__}.") from None


def _update(writer: Any, digest: bytes) -> bytes:
    from pyhanko.pdf_utils.generic import ByteStringObject
    from pyhanko.sign.fields import SigSeedSubFilter, enumerate_sig_fields
    from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
    from pyhanko.sign.signers.pdf_byterange import BuildProps, SignatureObject

    writer._update_meta = lambda: None  # no date of change, no producer: what the document says of itself stays
    if "/ID" not in writer.prev.trailer:
        writer._document_id[0] = ByteStringObject(digest[:16])
    writer._document_id[1] = ByteStringObject(digest[16:])
    taken = {name for name, _, _ in enumerate_sig_fields(writer.prev)}
    name = next(name for number in range(1, len(taken) + 2) if (name := _FIELD.format(number)) not in taken)
    signature = SignatureObject(
        bytes_reserved=2 * ROOM_BYTES,
        subfilter=SigSeedSubFilter.ADOBE_PKCS7_DETACHED,
        app_build_props=BuildProps(name=PRODUCER),
    )
    steps = PdfCMSEmbedder().write_cms(field_name=name, writer=writer)
    next(steps)
    steps.send(SigObjSetup(sig_placeholder=signature))
    _, written = steps.send(SigIOSetup(md_algorithm="sha256"))
    return bytes(written.getvalue())
