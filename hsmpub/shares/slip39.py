"""SLIP-39 by its authors' library, hardened: pinned headers, exact numbers, errors without words.

The library believes the header of the first share that it sees, so that one forged share with a member
threshold of 1 completes a set with an attacker's secret; and its error texts echo words. Here the `Layout`
of the ceremony decides, and every failure is a rule of this tree. Runs in short-lived child processes only.
Source: SLIP-0039; shamir-mnemonic 0.3.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shamir_mnemonic.shamir import EncryptedMasterSecret, ShareGroup, recover_ems, split_ems
from shamir_mnemonic.share import Share
from shamir_mnemonic.utils import MnemonicError

from hsmpub.errors import Conflict, Invalid
from hsmpub.shares.layout import Layout

MAX_MNEMONIC_BYTES = 1024


class ShareMalformed(Invalid):
    advice = "Look for a misspelt, missing or doubled word, and hand it in again."


class ShareOfAnotherEpoch(Conflict):
    advice = "Take the share file of the latest ceremony of this service."


class ShareHeaderLies(Invalid):
    advice = "Such a share is forged: tell the other holders, and keep the file as evidence."


class SharesDoNotCombine(Invalid):
    advice = "Hand in exactly as many different shares of one set as its threshold says."


def canonical(mnemonic: bytes | bytearray) -> bytearray:
    """The words in lower case with single spaces: what is committed to and read.

    Raises:
        ShareMalformed: longer than any share.
    """
    if len(mnemonic) > MAX_MNEMONIC_BYTES:
        raise ShareMalformed("What was handed in is longer than any share.")
    return bytearray(b" ").join(mnemonic.lower().split())


def read_share(mnemonic: bytes | bytearray) -> Share:
    """The share that canonical words spell.

    Raises:
        ShareMalformed: words outside the list, a wrong number of words, a wrong checksum.
    """
    # raised outside the except block: the library's error holds words, and would stay as its context
    try:
        return Share.from_mnemonic(mnemonic.decode("ascii"))
    except (MnemonicError, ValueError):
        pass
    raise ShareMalformed("The words do not form a SLIP-39 share: the spelling or the checksum is wrong.")


def check_header(share: Share, layout: Layout) -> None:
    """The share's header says what the ceremony decided.

    Raises:
        ShareOfAnotherEpoch: another identifier: an older epoch, another quorum or another service.
        ShareHeaderLies: the right identifier with other thresholds, groups or parameters.
    """
    if share.identifier != layout.identifier:
        raise ShareOfAnotherEpoch("The share belongs to another set: an older epoch, another quorum, another service.")
    group_fits = (
        share.group_threshold == layout.group_threshold
        and share.group_count == len(layout.groups)
        and share.group_index < len(layout.groups)
    )
    if not group_fits:
        raise ShareHeaderLies("The share's header states groups that the ceremony did not make.")
    threshold, count = layout.groups[share.group_index]
    if share.member_threshold != threshold:
        raise ShareHeaderLies(
            f"The share's header states a threshold of {share.member_threshold}; the ceremony made it {threshold}."
        )
    if share.index >= count:
        raise ShareHeaderLies("The share's header states a member that the ceremony did not make.")
    if (share.extendable, share.iteration_exponent) != (layout.extendable, layout.iteration_exponent):
        raise ShareHeaderLies("The share's header states parameters that the ceremony did not use.")


def split_secret(secret: bytes | bytearray, layout: Layout, passphrase: bytes = b"") -> list[list[bytearray]]:
    """Mnemonics (canonical ASCII words) of fresh shares, by group and member.

    secret: an even number of bytes, 16 or more.
    """
    encrypted = EncryptedMasterSecret.from_master_secret(
        bytes(secret), passphrase, layout.identifier, layout.extendable, layout.iteration_exponent
    )
    groups = split_ems(layout.group_threshold, layout.groups, encrypted)
    return [[bytearray(share.mnemonic(), "ascii") for share in group] for group in groups]


def combine_shares(shares: Iterable[Share], layout: Layout, passphrase: bytes = b"") -> bytearray:
    """The secret of exactly as many different shares as the layout asks for.

    A wrong passphrase gives another secret without a word: test the key-check value before any use.

    Raises:
        ShareOfAnotherEpoch, ShareHeaderLies: see check_header.
        SharesDoNotCombine: too few, too many, the same one twice, or values that do not fit together.
    """
    groups: dict[int, list[Share]] = {}
    for share in shares:
        check_header(share, layout)
        groups.setdefault(share.group_index, []).append(share)
    if len(groups) != layout.group_threshold:
        raise SharesDoNotCombine(f"Shares of {len(groups)} groups are here; {layout.group_threshold} are needed.")
    for index, members in groups.items():
        _check_members(members, layout.groups[index][0])
    try:
        encrypted = recover_ems({index: _group(members) for index, members in groups.items()})
        return bytearray(encrypted.decrypt(passphrase))
    except (MnemonicError, ValueError):
        pass
    raise SharesDoNotCombine("The shares do not fit together.")


def _check_members(members: Sequence[Share], threshold: int) -> None:
    if len({share.index for share in members}) != len(members):
        raise SharesDoNotCombine("One share is there twice.")
    if len(members) != threshold:
        raise SharesDoNotCombine(f"{len(members)} shares are here; {threshold} are needed.")
    if len({len(share.value) for share in members}) != 1:
        raise SharesDoNotCombine("The shares have different lengths.")


def _group(members: Sequence[Share]) -> ShareGroup:
    group = ShareGroup()
    for share in members:
        group.add(share)
    return group
