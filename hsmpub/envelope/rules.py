"""Why a header, or somebody to open it, is refused."""

from __future__ import annotations

from hsmpub.errors import Invalid, TooLarge


class HeaderMalformed(Invalid):
    advice = "Give the file itself, whole and unaltered, as age, gpg or openssl wrote it."


class ArmouredFile(HeaderMalformed):
    advice = "A header is sent without text armour: 'hsmpub decrypt' takes it off. Of S/MIME, make DER first:\
 'openssl cms -cmsout -inform SMIME -outform DER'."


class ArmourMalformed(HeaderMalformed):
    """Text armour that is cut short, or that has something before, within or after it."""

    advice = "Give the file itself, from its line BEGIN to its line END, with nothing around it."


class CipherUnknown(HeaderMalformed):
    advice = "Encrypt with 'openssl cms -encrypt -aes-256-gcm': openssl's own choice is an old cipher."


class HeaderTooLarge(TooLarge):
    advice = "Encrypt to fewer recipients: the header is sent whole."


class HeaderForOthers(Invalid):
    """The header names others, and not the key of the service."""

    advice = "Ask whoever it is encrypted to; for the next time, encrypt to the key that 'hsmpub backup-key' prints."


class ContentUnprotected(Invalid):
    advice = "Whoever alters such a file is not noticed. Encrypt with integrity protection, as gpg does by itself."


class HeaderNotOpened(Invalid):
    """The one answer to all that can be wrong inside: padding, length, checksum, the header's own code."""

    advice = "The header was altered, or no usual tool made it. It takes a new request to try again."


class RecipientRefused(Invalid):
    advice = "For age: 'age1…', 'ssh-ed25519 …' or 'ssh-rsa …'. For OpenPGP: a certificate with an RSA or ECDH key that\
 may encrypt. For CMS: an X.509 certificate of an RSA key or one of the curves P-256, P-384, P-521."
