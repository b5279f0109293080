"""What a certificate for a key in the HSM says that the key is for: files, timestamps, or a CA of one's own.

Source: RFC 5280, 4.2.1.3, 4.2.1.9 and 4.2.1.12; RFC 3161, 2.3.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from hsmpub.errors import Invalid
from hsmpub.model.key import KeyRecord


class CertificateUsageUnfit(Invalid):
    advice = "Ask the CA for a code-signing certificate: extended key usage codeSigning, no CA."


def check_authority(own: x509.Certificate) -> None:
    """A CA's own, which may issue leaves and revoke them. Raises CertificateUsageUnfit."""
    try:
        basic = own.extensions.get_extension_for_class(x509.BasicConstraints).value
        own.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        basic = x509.BasicConstraints(ca=False, path_length=None)
    usage = key_usage(own)
    if not basic.ca or usage is None or not (usage.key_cert_sign and usage.crl_sign):
        raise CertificateUsageUnfit(
            "The certificate is not one of a CA.",
            next_step="Ask for one that may sign certificates and lists of revoked ones, and names its key.",
        )


def check_usage(own: x509.Certificate, key: KeyRecord | None) -> None:
    """For code signing, or for timestamps alone where the key makes those. Raises CertificateUsageUnfit."""
    try:
        extension = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        raise CertificateUsageUnfit("The certificate does not say what it is for.") from None
    usage = key_usage(own)
    try:
        is_ca = own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_ca = False
    if is_ca or (usage is not None and not usage.digital_signature):
        raise CertificateUsageUnfit("The certificate is not one for signing files.")
    if key is not None and key.formats == ("timestamp",):
        # RFC 3161, section 2.3: that alone, and critical
        if not extension.critical or list(extension.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
            raise CertificateUsageUnfit(
                "The certificate is not one for timestamps alone.",
                next_step="Ask the CA for the extended key usage timeStamping, alone and critical.",
            )
    elif ExtendedKeyUsageOID.CODE_SIGNING not in extension.value:
        raise CertificateUsageUnfit("The certificate is not one for code signing.")


def key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
