"""What is there only while the service is unsealed: the signers, the PIN's page, and what the terms leave to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.pool import Signers
from hsmpub.keeper.book import Book
from hsmpub.keeper.opening import Opening
from hsmpub.secret.page import SecretPage


class Live:
    """Signers that are logged in. `opening` is set once the log says that the service is unsealed."""

    def __init__(self, signers: Signers, pin: SecretPage) -> None:
        self._signers = signers
        self._pin = pin
        self.opening: Opening | None = None

    @classmethod
    async def start(
        cls, book: Book, hsm: HsmConfig, pin: SecretPage, *, workers: int, on_alarm: Callable[[str], None]
    ) -> Self:
        """Takes the PIN over, and wipes it when this raises. Raises the rules of hsmpub.hsm."""
        try:
            signers = await Signers.start(hsm, book.keys.at_work, pin, workers=workers, on_alarm=on_alarm)
        except BaseException:
            pin.close()
            raise
        return cls(signers, pin)

    @property
    def protections(self) -> dict[str, str]:
        memory = "on" if self._pin.protection == "memfd_secret" else f"only {self._pin.protection}"
        return {**{f"signer: {name}": why for name, why in self._signers.protections.items()},
                "keeper: secret memory": memory}  # fmt: skip

    @property
    def pin(self) -> SecretPage:
        return self._pin

    @property
    def signers(self) -> Signers:
        """Without a look at the terms: for checkpoints and checks."""
        return self._signers

    def open(self, book: Book) -> Opening:
        """The log says that it is unsealed; from here on it is, as far as the terms go."""
        assert book.state.opened is not None
        self.opening = Opening(book.state.opened, book.now)
        return self.opening

    def close(self) -> None:
        """The signers die, the PIN is wiped. Twice is harmless."""
        if self.opening is not None:
            self.opening.end()
        self._signers.close()
        self._pin.close()
