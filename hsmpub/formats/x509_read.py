"""X.509 certificates of strangers: the library reads most of one only when asked, and then fails in many ways."""

from __future__ import annotations

import warnings

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning

#: What reading a part of a certificate raises, where that part is malformed or unknown.
UNREADABLE: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    CryptographyDeprecationWarning,
)


def load_whole(certificate: bytes) -> x509.Certificate:
    """A certificate (PEM or DER) of which every part can be read, and which the library does not merely put up with.

    Raises:
        ValueError: with what is wrong.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", CryptographyDeprecationWarning)
            pem = certificate.startswith(b"-----")
            found = (x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate)(certificate)
            _ = (found.extensions, found.public_key(), found.signature_hash_algorithm, found.serial_number)
            _ = (found.subject.rfc4514_string(), found.issuer.rfc4514_string())
            _ = (found.not_valid_before_utc, found.not_valid_after_utc)
    except UNREADABLE as error:
        raise ValueError(str(error).partition("\n")[0][:120] or type(error).__name__) from None
    return found
