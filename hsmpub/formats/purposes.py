"""Which formats a key may make: those that its ceremony named, and never bare ones beside framed ones.

Why not beside: a bare format signs SHA-256 of bytes that the requester chose. Let those bytes be the hash input of an
OpenPGP key certification, and the bare signature *is* that certification: a CI job that may only sign files would own a
subkey of the release key. The framed formats (openpgp, openpgp-v6, each with -cleartext; sshsig, dsse, in-toto,
slsa-provenance, oci-bundle, oci-signature) cannot be turned into one another: each fixes the first or the last bytes of
what is hashed, and no input fits two. OpenPGP's versions differ in the sixth byte from the end, its kinds of document
in one further up; by an Ed25519 key version 6 signs a digest, 32 bytes, and all else that it signs here is longer. The
attestations differ by a type that no requester chooses; oci-signature is JSON to its last byte, which OpenPGP's trailer
is not.

Whoever relies on a key for bare formats must expect nothing but signatures over files.

Formats with an X.509 chain have keys of their own too: `cms` signs any file's digest in CMS attributes, which for a
chosen file is what other CMS formats sign of theirs, while Authenticode names its own content type and so keeps apart
from it, on keys of its own. One certificate signs all that Windows runs, so `authenticode`, `msi`, `cab` and `cat`
share: the first three name the kind of file before its digest, in bytes that the service alone writes, and a catalogue
has a content type of its own, so no input fits two. Packages and repositories signed with OpenPGP are documents to it
like any other: under `openpgp` somebody could have signed what they are, so each has keys of its own.
`minisign`, `signify` and `ed25519-signature` sign 64 bytes or a whole file as they come, each on an Ed25519 key of its
own. `ssh-agent-file` signs SSHSIG over a hash that the requester brings, with nothing behind it: one that ends as
OpenPGP's trailer makes a signature of OpenPGP, of any time, so it is alone. `ssh-agent-git` signs tags that look like
the service's: no key that makes those has it. The roles of TUF may share a key: what each signs begins with its own
role, so no input fits two. A key for `jwt` signs tokens alone: a file that reads as header and claims would be one. The
key of a CA signs certificates and their revocations (`x509-certificate`, `x509-crl`), which begin differently, and
nothing that anybody else wrote.
"""

from __future__ import annotations

import functools
from typing import Protocol

from hsmpub.errors import Forbidden, Invalid
from hsmpub.model.key import KeyKind, KeyRecord

#: Formats that sign the file's own digest with nothing around it.
BARE_FORMATS = frozenset({"sigstore-bundle", "der-signature", "kernel-module"})
#: Formats whose readers look for the key in an OpenPGP certificate.
OPENPGP_FORMATS = frozenset({"openpgp", "openpgp-cleartext", "apt-inrelease", "apt-release-gpg", "deb", "rpm"})
#: Likewise, in one of version 6.
OPENPGP_V6_FORMATS = frozenset({"openpgp-v6", "openpgp-v6-cleartext"})
OPENPGP_CERTIFIED = OPENPGP_FORMATS | OPENPGP_V6_FORMATS
#: Outputs that open doors for whoever holds them: the log has their digest only, and the answer goes to the asker
#: alone, sealed to the key of the session.
BEARER_FORMATS = frozenset({"jwt"})
#: Made at once or not at all, and no part of a release.
ROUTINE_FORMATS = BEARER_FORMATS | {"x509-crl"}
#: What the key of a CA makes.
CA_FORMATS = frozenset({"x509-certificate", "x509-crl"})
#: A key makes formats of one family. What is in none of these is in a family of its own.
FAMILIES: tuple[frozenset[str], ...] = (
    BARE_FORMATS,
    frozenset({"openpgp", "openpgp-v6", "openpgp-cleartext", "openpgp-v6-cleartext", "sshsig", "dsse",
               "in-toto", "slsa-provenance", "oci-bundle", "oci-signature"}),
    frozenset({"apt-inrelease", "apt-release-gpg"}),
    CA_FORMATS,
    frozenset({"authenticode", "msi", "cab", "cat"}),
    frozenset({"tuf-root", "tuf-targets", "tuf-snapshot", "tuf-timestamp"}),
)  # fmt: skip


class FormatNotAllowed(Forbidden):
    advice = "A key makes the formats that its genesis ceremony named: use another key."


class KeyKindUnfit(Invalid):
    advice = "Use a key of another kind."


class PurposesMixed(Forbidden):
    advice = "Give each family of formats a key of its own; docs/formats.md names them."


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def key_kinds(self) -> frozenset[KeyKind]: ...


def family_of(name: str) -> frozenset[str]:
    """The formats that may share a key with this one."""
    return next((family for family in FAMILIES if name in family), frozenset({name}))


def check_purposes(key: KeyRecord) -> None:
    """Refuses a key that would make formats of more than one family.

    Raises:
        PurposesMixed.
    """
    if key.formats and not family_of(key.formats[0]).issuperset(key.formats):
        other = next(name for name in key.formats if name not in family_of(key.formats[0]))
        raise PurposesMixed(
            f"The key {key.name!r} is to make {key.formats[0]} and {other}: a file can be chosen so that its signature"
            " in the one is a signature in the other."
        )


def check_may_make(format_: _Named, key: KeyRecord) -> None:
    """Raises FormatNotAllowed, KeyKindUnfit, PurposesMixed."""
    _check_may_make(format_.name, format_.key_kinds, key)


@functools.lru_cache(maxsize=256)
def _check_may_make(name: str, kinds: frozenset[KeyKind], key: KeyRecord) -> None:
    if name not in key.formats:
        raise FormatNotAllowed(f"The key {key.name!r} may not make the format {name!r}.")
    if key.kind not in kinds:
        raise KeyKindUnfit(f"The format {name!r} cannot be made with a {key.kind} key.")
    check_purposes(key)
