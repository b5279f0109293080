"""Why a header, or somebody to open it, is refused."""

from __future__ import annotations

from hsmpub.errors import Invalid, TooLarge


class HeaderMalformed(Invalid):
    advice = "Give the file itself, whole and unaltered, as age, gpg or openssl wrote it."


class ArmouredFile(HeaderMalformed):
    advice = "Take the text armour off first: 'gpg --dearmor', 'openssl cms -cmsout -inform PEM -outform DER'; of age\
 files the first and last line, and the rest through 'base64 -d'."


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
 may encrypt. For CMS: an X.509 certificate of an RSA key."
