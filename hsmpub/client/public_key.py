"""A signing key's public half out of the pins, in the form that a foreign verifier takes."""

from __future__ import annotations

from typing import Literal

from hsmpub.errors import Invalid
from hsmpub.formats.minisign import key_id, public_key_line
from hsmpub.formats.openpgp.certificate_read import check_certificate
from hsmpub.formats.openpgp.v6_certificate_read import check_v6_certificate
from hsmpub.formats.purposes import OPENPGP_FORMATS, OPENPGP_V6_FORMATS
from hsmpub.formats.ssh.sshsig import ssh_public_line
from hsmpub.model.key import KeyRecord

PublicForm = Literal["minisign", "signify", "ssh", "openpgp", "openpgp-v6", "pem", "chain"]
#: What a key must make for its public half to be of use in a form: one of these.
_MAKES: dict[PublicForm, frozenset[str]] = {
    "minisign": frozenset({"minisign"}),
    "signify": frozenset({"signify"}),
    "ssh": frozenset({"sshsig", "ssh-agent-file", "ssh-agent-git", "ssh-certificate"}),
    "openpgp": OPENPGP_FORMATS,
    "openpgp-v6": OPENPGP_V6_FORMATS,
}


class FormUnfit(Invalid):
    advice = "Choose the form of what the key makes, or 'pem'; the trust file says what that is."


def public_form(key: KeyRecord, form: PublicForm) -> str:
    """The text of a public key file.

    Raises:
        FormUnfit: nothing that the key makes is verified with that form.
        PublicKeyUnfit, and for OpenPGP the rules of `check_certificate` and `check_v6_certificate`.
    """
    makes = _MAKES.get(form)
    if not key.public or (makes is not None and not makes.intersection(key.formats)):
        raise FormUnfit(f"The key {key.name!r} makes nothing that is verified with a public key in the form {form}.")
    match form:
        case "minisign":
            number = int.from_bytes(key_id(key), "little")  # as minisign prints it
            return f"untrusted comment: minisign public key {number:016X}\n{public_key_line(key)}\n"
        case "signify":
            return f"untrusted comment: {key.name} public key\n{public_key_line(key)}\n"
        case "ssh":
            return f"{ssh_public_line(key)} hsmpub-{key.name}\n"
        case "openpgp":
            check_certificate(key.openpgp, key)
            return key.openpgp
        case "openpgp-v6":
            check_v6_certificate(key.openpgp_v6, key)
            return key.openpgp_v6
        case "pem":
            return key.public
        case "chain":
            if not key.certificates:
                raise FormUnfit(f"The key {key.name!r} has no X.509 certificate.")
            return key.certificates
