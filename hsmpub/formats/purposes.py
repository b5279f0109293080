"""Which formats a key may make: those that its ceremony named, and never bare ones beside framed ones.

Why not beside: a bare format signs SHA-256 of bytes that the requester chose. Let those bytes be the hash input of an
OpenPGP key certification, and the bare signature *is* that certification: a CI job that may only sign files would own a
subkey of the release key. The framed formats (openpgp, sshsig, dsse) cannot be turned into one another: each fixes
the first or the last bytes of what is hashed, and no input fits two of them.
"""

from __future__ import annotations

import functools
from typing import Protocol

from hsmpub.errors import Forbidden, Invalid
from hsmpub.model.key import KeyKind, KeyRecord

#: Formats that sign the file's own digest with nothing around it.
BARE_FORMATS = frozenset({"sigstore-bundle", "der-signature"})


class FormatNotAllowed(Forbidden):
    advice = "A key makes the formats that its genesis ceremony named: use another key."


class KeyKindUnfit(Invalid):
    advice = "Use a key of another kind."


class PurposesMixed(Forbidden):
    advice = "Give formats that sign a file's bare digest (sigstore-bundle, der-signature) a key of their own."


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def key_kinds(self) -> frozenset[KeyKind]: ...


def check_purposes(key: KeyRecord) -> None:
    """Refuses a key that would make both bare and framed formats.

    Raises:
        PurposesMixed.
    """
    bare = BARE_FORMATS.intersection(key.formats)
    if bare and not BARE_FORMATS.issuperset(key.formats):
        raise PurposesMixed(
            f"The key {key.name!r} is to make {', '.join(sorted(bare))}, with which a file can be chosen so that its"
            f" signature is one of {', '.join(sorted(set(key.formats) - bare))}."
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
