"""What the policy says of signatures whose content is not a file's: they stand in the statement, and so in the log."""

from __future__ import annotations

from typing import Literal

import msgspec

CertificateUsage = Literal["tls-server", "tls-client", "code-signing", "timestamping"]


class JwtProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What JSON Web Tokens of a project say.

    Attributes:
        kid, type: of the header.
        seconds: longest life, from `iat` on.
        claims: name → patterns (hsmpub.model.glob) of its text, or of each text of its list; `iss`, `sub` and `aud`
            among them. One pattern without `*` is the claim's value where the requester gives none.
        free: claims that the requester may give any value.
        early: `iat` is so many seconds before the signing, for clocks that are behind.
        nbf, jti: whether the token carries them.
    """

    kid: str
    type: str
    seconds: int
    claims: dict[str, tuple[str, ...]]
    free: tuple[str, ...] = ()
    early: int = 0
    nbf: bool = False
    jti: bool = False


class CertificateProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What X.509 certificates of a project say.

    Attributes:
        names: patterns (hsmpub.model.glob); every name of the request must match one.
        seconds: how long they are valid, and never longer than the CA's own certificate.
        keys: kinds of key that are certified.
        organization, country: of the subject; empty: left out.
        crl_url: where the list of revoked certificates is; empty: left out.
    """

    usage: CertificateUsage
    names: tuple[str, ...]
    seconds: int
    keys: tuple[str, ...]
    organization: str = ""
    country: str = ""
    crl_url: str = ""


class CrlProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """seconds: after so long the next list of revoked certificates is due."""

    seconds: int
