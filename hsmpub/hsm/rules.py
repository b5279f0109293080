"""The rules of the HSM, and how they cross from a child process to the one that asked.

Everything here means that nothing was signed. A child answers with a `Problem`; `as_rule` turns it back
into the same rule, so that a caller meets one class whichever process found the trouble.
"""

from __future__ import annotations

from hsmpub.envelope.rules import (
    HeaderForOthers,
    HeaderMalformed,
    HeaderNotOpened,
    HeaderTooLarge,
    RecipientRefused,
)
from hsmpub.errors import (
    Broken,
    Conflict,
    Forbidden,
    HsmpubError,
    Invalid,
    NotFound,
    Problem,
    TooLarge,
    Unavailable,
    rule_name,
)
from hsmpub.secret.box import BoxKeyMalformed, BoxNotOpened


class TokenGone(Unavailable):
    """The module does not show the token: moved away, unplugged, or another label."""

    advice = "Bring the token back; signing goes on by itself then."


class HsmFailed(Unavailable):
    """The module reported an error that says nothing about the request."""

    advice = "It is tried again with fresh sessions; look at the HSM if this goes on."


class SignerLost(Unavailable):
    """A signer process died or fell silent with this request in hand, twice."""

    advice = "Send it again; a new signer is on its way."


class SignersClosed(Unavailable):
    """The signers were sealed while the request waited."""

    advice = "Holders hand in their shares with 'hsmpub unseal'."


class KeyMissing(Unavailable):
    """A key that the ceremony registered is not in the token."""

    advice = "Check that the right token is there; restore it from its backup if the key is lost."


class PinRefused(Forbidden):
    """The token refused the PIN that the quorum opened: somebody has changed it. It is not tried again."""

    advice = "Seal, find out who holds the SO PIN, and restore from the recovery quorum."


class PinLocked(PinRefused):
    """The token counted wrong PINs and has locked the user PIN: it refuses the right one as well."""

    advice = "Find out who tried PINs. The SO PIN, under the recovery quorum, sets a new PIN; restore does both."


class PinLengthUnfit(Invalid):
    """A PIN of this length does not fit the token."""

    advice = "Set pin_length under [hsm] of the ceremony file; the lengths that fit are in the message."


class PinNotChanged(Conflict):
    """The token keeps its PIN: it may want another length."""

    advice = "The PIN is as it was. Try another length: pin_length in the ceremony file."


class SessionsExhausted(Unavailable):
    """The token takes no more sessions: other programs use it, or it has few."""

    advice = "Close what else uses the token, or set fewer workers under [hsm] of config.toml."


class ModuleUnfit(Invalid):
    """The module lacks something that the service cannot do without. Nothing was done."""

    advice = "Choose another module, token label or pin_length; 'hsmpub-ceremony hsm check' shows the whole table."


class SignatureNotVerified(Broken):
    """The token made a signature that does not verify against the pinned public key."""

    advice = "Stop signing: the token holds another key under this name, or it is faulty."


class TokenExists(Conflict):
    advice = "Choose another token label; an existing token is never overwritten."


class NoFreeSlot(Unavailable):
    advice = "Free or add a slot in the module's configuration."
    retry_is_safe = False


class KeyExists(Conflict):
    advice = "Choose another name or a fresh token; an existing key is never replaced."


class KeyNotProven(Broken):
    """A key in the token is not what its birth certificate says, or could leave the token."""

    advice = "Do not use this token; run the ceremony again and look at the module."


class KeyNotDestroyed(Broken):
    """The module said that it destroyed a key, and shows it still."""

    advice = "Look at the module; destroy the key with its maker's tool."


class KeyChanged(Broken):
    """A key in the token is no longer what it was when it came there."""

    advice = "Stop signing: somebody changed the token. Find out who, and restore it from its backup."


class KeyUnfit(Invalid):
    """The key's kind, the hash and the item do not fit together."""

    advice = "EC and RSA keys take digests, Ed25519 keys take messages with hash 'none'."


class ItemTooLarge(TooLarge):
    advice = "Sign its digest."


class KeyUnknown(NotFound):
    advice = "Use a key that the genesis ceremony made; 'hsmpub status' lists them."


class WrappingRefused(Invalid):
    """A wrapped key does not unwrap: another wrapping key, or altered bytes."""

    advice = "Use the backup and the recovery quorum of the same ceremony."


class SealedSecretRefused(Broken):
    """A sealed secret does not open: altered, for another purpose, or sealed with another key."""

    advice = "Seal the credential again; look into who touched the sealed file."


_RULES: tuple[type[HsmpubError], ...] = (
    TokenGone, HsmFailed, SignerLost, SignersClosed, KeyMissing, PinRefused, PinLocked, PinLengthUnfit,
    SessionsExhausted, SignatureNotVerified, TokenExists, NoFreeSlot, ModuleUnfit, KeyExists, KeyNotProven, KeyChanged,
    KeyUnfit, KeyNotDestroyed, KeyUnknown, WrappingRefused, SealedSecretRefused, ItemTooLarge, BoxNotOpened,
    BoxKeyMalformed, PinNotChanged, HeaderNotOpened, HeaderForOthers, HeaderMalformed, HeaderTooLarge, RecipientRefused,
)  # fmt: skip
_BY_NAME = {rule_name(rule): rule for rule in _RULES}


def as_rule(problem: Problem) -> HsmpubError:
    """The error that a child met, as its own class; a rule from elsewhere comes as `Refused`."""
    rule = _BY_NAME.get(problem.rule)
    if rule is None:
        return problem.as_error()
    return rule(problem.detail, next_step=problem.next_step, retry=problem.retry)
