"""The pinned header of a set of SLIP-39 shares: what a share's own words are never trusted for."""

from __future__ import annotations

import msgspec


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the ceremony decided for a set of shares.

    Attributes:
        identifier: 15 bits, random, the same in every share of the set.
        extendable: SLIP-39's extendable backup flag.
        iteration_exponent: of the PBKDF2 in the secret's encryption, 0 to 15.
        group_threshold: so many groups are needed.
        groups: threshold and number of members of each group.

    Source: SLIP-0039, "Format of the share mnemonic".
    """

    identifier: int
    extendable: bool
    iteration_exponent: int
    group_threshold: int
    groups: tuple[tuple[int, int], ...]
