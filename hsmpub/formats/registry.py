"""Every format by its name, and what a key may make."""

from __future__ import annotations

from difflib import get_close_matches

from hsmpub.errors import Invalid
from hsmpub.formats.cms.authenticode import Authenticode
from hsmpub.formats.cms.detached import Cms
from hsmpub.formats.cms.kernel_module import KernelModule
from hsmpub.formats.cms.timestamp import OwnTimestamp
from hsmpub.formats.der_signature import DerSignature
from hsmpub.formats.dsse import Dsse
from hsmpub.formats.ed25519_signature import Ed25519Signature
from hsmpub.formats.format import Format
from hsmpub.formats.intoto.given import GivenAttestation
from hsmpub.formats.intoto.image_signature import OciBundle
from hsmpub.formats.intoto.provenance import SlsaProvenance
from hsmpub.formats.jwt import JsonWebToken
from hsmpub.formats.linux.apt import AptInRelease, AptReleaseGpg
from hsmpub.formats.linux.deb import Deb
from hsmpub.formats.linux.rpm import Rpm
from hsmpub.formats.minisign import Minisign
from hsmpub.formats.oci.simple_signing import OciSignature
from hsmpub.formats.openpgp.cleartext import OpenpgpCleartext
from hsmpub.formats.openpgp.detached import OpenPgp
from hsmpub.formats.openpgp.v6_cleartext import OpenpgpV6Cleartext
from hsmpub.formats.openpgp.v6_detached import OpenPgpV6
from hsmpub.formats.pdf.document import Pdf
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.signify import Signify
from hsmpub.formats.sigstore_bundle import SigstoreBundle
from hsmpub.formats.ssh.certificate import SshCertificate
from hsmpub.formats.ssh.sshsig import SshSig
from hsmpub.formats.ssh.sshsig_agent import SshAgentSig
from hsmpub.formats.tuf.metadata import ROLES
from hsmpub.formats.tuf.role import TufRole
from hsmpub.formats.windows.cab import Cab
from hsmpub.formats.windows.cat import Cat
from hsmpub.formats.windows.msi import Msi
from hsmpub.formats.x509.certificate import X509Certificate
from hsmpub.formats.x509.crl import X509Crl
from hsmpub.formats.zip.apk import Apk
from hsmpub.formats.zip.jar import Jar
from hsmpub.model.key import KeyRecord

_ALL: tuple[Format, ...] = (
    OpenPgp(),
    OpenPgpV6(),
    SshSig(),
    Dsse(),
    SigstoreBundle(),
    DerSignature(),
    Cms(),
    Authenticode(),
    Msi(),
    Cab(),
    Cat(),
    KernelModule(),
    OpenpgpCleartext(),
    OpenpgpV6Cleartext(),
    AptInRelease(),
    AptReleaseGpg(),
    Deb(),
    Rpm(),
    Jar(),
    Apk(),
    Pdf(),
    OwnTimestamp(),
    Minisign(),
    Signify(),
    Ed25519Signature(),
    SshAgentSig("file"),
    SshAgentSig("git"),
    SshCertificate(),
    GivenAttestation(),
    SlsaProvenance(),
    OciSignature(),
    OciBundle(),
    *(TufRole(role) for role in ROLES),
    JsonWebToken(),
    X509Certificate(),
    X509Crl(),
)
FORMATS: dict[str, Format] = {format_.name: format_ for format_ in _ALL}


class UnknownFormat(Invalid):
    advice = "Use one of the formats that docs/formats.md lists."


def get_format(name: str) -> Format:
    """Raises UnknownFormat."""
    found = FORMATS.get(name)
    if found is None:
        meant = "".join(f" Did you mean {one!r}?" for one in get_close_matches(name[:40], FORMATS, 1))
        raise UnknownFormat(f"There is no format {name[:40]!r}.{meant}", next_step=f"Use one of {', '.join(FORMATS)}.")
    return found


def check_key(key: KeyRecord) -> None:
    """What a ceremony must know before it pins a key's formats: they exist, fit its kind, and do not mix purposes.

    Raises:
        UnknownFormat, KeyKindUnfit, PurposesMixed.
    """
    for name in key.formats:
        check_may_make(get_format(name), key)
