"""What holders did with their shares, and when the service was sealed."""

from __future__ import annotations

from typing import Literal

from hsmpub.model.entry.fact import Fact
from hsmpub.model.terms import UNLIMITED, Terms


class ShareHandedIn(Fact, frozen=True, tag="share"):
    """A share was accepted from its named holder, who agreed to these terms and no others."""

    holder: str
    epoch: int
    attempt: str
    terms: Terms = UNLIMITED


class UnsealedBy(Fact, frozen=True, tag="unseal"):
    """The quorum is complete and the HSM open, as far as the terms go that every holder of it agreed to."""

    holders: tuple[str, ...]
    epoch: int
    attempt: str
    terms: Terms = UNLIMITED


class HolderPresent(Fact, frozen=True, tag="alive"):
    """A holder said that they are there, with a signature of kind "alive" by their share: the dead-man's clock starts
    anew. `nonce` was the keeper's, hex; `signature` hex."""

    holder: str
    epoch: int
    nonce: str
    signature: str


class UpgradePermitted(Fact, frozen=True, tag="upgrade-permission"):
    """A quorum of holders lets the keeper go on in new code without them, once (hsmpub.model.holder_act.Permission).

    permission: the exact text that they signed; signatures: holder → by their share, kind "upgrade", hex.
    """

    permission: str
    signatures: dict[str, str]


class Resumed(Fact, frozen=True, tag="resume"):
    """The keeper went on in new code, and this used the permission up. code: digest of what runs now."""

    permission: str
    code: str


class SealedBy(Fact, frozen=True, tag="seal"):
    """Sealed by a person of the roster, by a holder with their share, or by the keeper itself.

    nonce: of the signed request, so that it seals once. rule: why the keeper sealed by itself (`time-over`,
    `signatures-used-up`, `idle`, `dead-man`, or what was found to be wrong), else empty.
    """

    reason: str
    person: str = ""
    nonce: str = ""
    holder: str = ""
    rule: str = ""


class Drilled(Fact, frozen=True, tag="drill"):
    """A quorum showed that it could unseal, or restore; nothing was released. quorum: `unseal` or `recovery`;
    epoch: that quorum's own; transcript_sha256: of the dated evidence."""

    quorum: Literal["unseal", "recovery"]
    epoch: int
    holders: tuple[str, ...]
    attempt: str
    transcript_sha256: str
