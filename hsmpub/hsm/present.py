"""Are the pinned keys in a token, and do they work? For a token that was filled by other means than a ceremony's."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hsmpub.errors import Problem
from hsmpub.hsm.child import Child, Secret
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.messages import SELF_TEST, Group, Ready, Serve, Work, WorkDone
from hsmpub.hsm.rules import HsmFailed, KeyMissing, as_rule
from hsmpub.hsm.signer import SIGNING_PROCESS
from hsmpub.model.key import KeyRecord

_READY: msgspec.msgpack.Decoder[Ready | Problem] = msgspec.msgpack.Decoder(Ready | Problem)
_DONE: msgspec.msgpack.Decoder[WorkDone] = msgspec.msgpack.Decoder(WorkDone)


def check_pinned_keys(hsm: HsmConfig, pin: Secret, keys: Sequence[KeyRecord]) -> None:
    """Each key signs something random that verifies against its pinned public half; an AES key seals and opens.

    Raises:
        KeyMissing: the token lacks one. SignatureNotVerified: it holds another one under that name.
        TokenGone, PinRefused, HsmFailed, SignerLost.
    """
    with Child(SIGNING_PROCESS, hsm, Serve(keys=tuple(keys)), [pin]) as child:
        ready = child.receive(_READY)
        if isinstance(ready, Problem):
            raise as_rule(ready)
        if ready.missing:
            raise KeyMissing(f"The token lacks {', '.join(sorted(ready.missing))}.")
        for key in keys:
            child.send(Work([Group(key.name, SELF_TEST, [b""])]))
            [made] = child.receive(_DONE).made
            if made.problem is not None:
                raise as_rule(made.problem)
            if made.signatures != [b"ok"]:
                raise HsmFailed("The signer tested nothing.")
