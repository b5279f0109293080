"""Every rule of this package by name: a child process refuses, and its parent raises the same rule."""

from __future__ import annotations

from hsmpub.errors import HsmpubError, rule_name
from hsmpub.shares.card import CardNotProven
from hsmpub.shares.derive import PinBoxAltered, SecretFailsKeyCheck
from hsmpub.shares.gathering import (
    EnoughShares,
    GroupComplete,
    ShareAlreadyHandedIn,
    ShareAltered,
    ShareBoxUnreadable,
    ShareOfAnotherGroup,
    ShareOfAnotherHolder,
    TooFewHolders,
)
from hsmpub.shares.identity import (
    IdentityEncrypted,
    IdentityMissing,
    IdentityUnusable,
    ShareFileForGpg,
    ShareFileOfAnother,
)
from hsmpub.shares.pgp_certificate import CertificateUnusable
from hsmpub.shares.plan import PlanUnfit
from hsmpub.shares.proving import BackupNotProven
from hsmpub.shares.recipient import RecipientUnusable, ShareFileNotProven
from hsmpub.shares.record import UnknownHolder
from hsmpub.shares.record_file import RecordMalformed
from hsmpub.shares.recovery import RecoveryBoxAltered
from hsmpub.shares.slip39 import ShareHeaderLies, ShareMalformed, ShareOfAnotherEpoch, SharesDoNotCombine

RULES: dict[str, type[HsmpubError]] = {
    rule_name(rule): rule
    for rule in (
        BackupNotProven, CardNotProven, CertificateUnusable, EnoughShares, GroupComplete, IdentityEncrypted,
        IdentityMissing,
        IdentityUnusable, PinBoxAltered, PlanUnfit, RecipientUnusable, RecordMalformed, RecoveryBoxAltered,
        SecretFailsKeyCheck, ShareAlreadyHandedIn, ShareAltered, ShareBoxUnreadable, ShareFileForGpg,
        ShareFileNotProven, ShareFileOfAnother, ShareHeaderLies, ShareMalformed, ShareOfAnotherEpoch,
        ShareOfAnotherGroup, ShareOfAnotherHolder, SharesDoNotCombine, TooFewHolders, UnknownHolder,
    )
}  # fmt: skip
