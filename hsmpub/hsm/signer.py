"""Signing one thing at a time, for ceremonies."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from hsmpub.hsm.config import HashName, HsmConfig
from hsmpub.secret.page import SecretPage


class TokenSigner:
    """A logged-in signer in a child process, as a context manager; leaving it ends the child.

    Args:
        pin: left as it is; wipe it when done.
    """

    def __init__(self, hsm: HsmConfig, pin: bytearray | SecretPage) -> None:
        raise NotImplementedError

    def sign(self, key_name: str, payload: bytes, hash: HashName = "sha256") -> bytes:  # noqa: A002
        """Signs in the token and verifies against the public key that the token holds for that name.

        Args:
            payload: a digest for "sha256" and "sha512", the whole message for "none" (Ed25519).

        Returns:
            EC: raw r||s; RSA: PKCS#1 v1.5; Ed25519: 64 bytes.
        """
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError
