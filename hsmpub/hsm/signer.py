"""Signing one thing at a time, for ceremonies."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import msgspec

from hsmpub.errors import Problem
from hsmpub.hsm.child import Child, Secret
from hsmpub.hsm.config import HashName, HsmConfig
from hsmpub.hsm.messages import Group, Ready, Serve, Work, WorkDone
from hsmpub.hsm.rules import HsmFailed, SignerLost, as_rule

SIGNING_PROCESS = "hsmpub.hsm.worker"

_READY: msgspec.msgpack.Decoder[Ready | Problem] = msgspec.msgpack.Decoder(Ready | Problem)
_DONE: msgspec.msgpack.Decoder[WorkDone] = msgspec.msgpack.Decoder(WorkDone)


class TokenSigner:
    """A logged-in signer in a child process, as a context manager; leaving it ends the child.

    Args:
        pin: left as it is; wipe it when done.

    Raises:
        TokenGone, PinRefused, HsmFailed
    """

    def __init__(self, hsm: HsmConfig, pin: Secret) -> None:
        self._child = Child(SIGNING_PROCESS, hsm, Serve(keys=(), trust_token=True), [pin])
        try:
            answer = self._child.receive(_READY)
            if isinstance(answer, Problem):
                raise as_rule(answer)
        except BaseException:
            self._child.kill()
            raise

    def sign(self, key_name: str, payload: bytes, hash: HashName = "sha256") -> bytes:  # noqa: A002
        """Signs in the token and verifies against the public key that the token holds for that name.

        Args:
            payload: a digest for "sha256" and "sha512", the whole message for "none" (Ed25519).

        Returns:
            EC: raw r||s; RSA: PKCS#1 v1.5; Ed25519: 64 bytes.

        Raises:
            KeyMissing, KeyUnfit, SignatureNotVerified, TokenGone, HsmFailed, SignerLost
        """
        self._child.send(Work([Group(key_name, hash, [payload])]))
        made = self._child.receive(_DONE).made
        if not made:
            raise SignerLost("The signer answered nothing.")
        if made[0].problem is not None:
            raise as_rule(made[0].problem)
        if len(made[0].signatures) != 1:
            raise HsmFailed("The signer answered out of turn.")
        return made[0].signatures[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.kill()
