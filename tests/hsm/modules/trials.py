"""What hsmpub does with a module, tried for real, through the package's own functions.

python trials.py STAGE FOLDER prints a table as JSON: row → "yes", or why not in the words of the refusal.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from stage import MODULE_VARIABLES, STAGES, Stage
from verify_raw import check_raw

from hsmpub.errors import HsmpubError
from hsmpub.hsm.birth import bear_keys
from hsmpub.hsm.config import BornKey, HsmConfig, KeySpec
from hsmpub.hsm.custody import import_keys
from hsmpub.hsm.intake import PINNED
from hsmpub.hsm.module import look_at
from hsmpub.hsm.pool import Signers
from hsmpub.hsm.rules import ModuleUnfit, PinLocked, PinRefused, SignatureNotVerified, TokenExists
from hsmpub.hsm.signer import TokenSigner
from hsmpub.hsm.token import change_pin, init_token, new_pin, reset_pin
from hsmpub.model.key import KeyKind, KeyRecord
from hsmpub.secret.box import open_box, seal_box
from hsmpub.secret.page import SecretPage

KINDS: tuple[KeyKind, ...] = ("p256", "rsa3072", "rsa3072-decrypt", "ed25519", "aes256")
SOFTHSM = str(STAGES["SoftHSM"].module)
#: Wrong PINs that are tried until the token locks itself.
PATIENCE = 6
MESSAGE = b"artifact"
DIGEST = hashlib.sha256(MESSAGE).digest()

Row = str | None


class Trials:
    """One module, from its first look to its last PIN. rows: what came of it so far."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.hsm = HsmConfig(str(stage.module), "hsmpub", lock=str(folder / "lock"), environment=_variables())
        self.rows: dict[str, str] = {}
        self.so_pin, self.pin = new_pin(stage.pin_length), new_pin(stage.pin_length)
        self.wrapping_key = bytearray(os.urandom(32))
        self.keys: dict[KeyKind, KeyRecord] = {}
        self.closed = ""

    def run(self) -> dict[str, str]:
        self.look()
        self.make_token()
        self.row("a wrong PIN is refused", self.wrong_pin)
        born = bear_keys(SOFTHSM, [KeySpec(kind, kind) for kind in KINDS], self.wrapping_key)
        for one in born:
            self.take_in(one)
        if self.keys:
            self.row("signs what others verify, with its own", self.sign_each)
            self.row("several signers, one killed at work", lambda: self.with_pool(self.kill_one))
            self.row("another key under the name is found out", self.another_key)
        if "aes256" in self.keys:
            self.row("seals and leases a credential", lambda: self.with_pool(self.seal_and_lease))
        if self.keys:
            self.row("its PIN changed", self.change)
            self.row("its PIN reset by the SO PIN, keys kept", self.reset)
            self.rows["locks after wrong PINs"] = self.lock()
        return self.rows

    def row(self, name: str, trial: Callable[[], Row]) -> None:
        try:
            self.rows[name] = trial() or "yes"
        except HsmpubError as error:
            self.rows[name] = f"no: {error.detail}"

    def look(self) -> None:
        report = look_at(self.hsm, KINDS, self.stage.pin_length)
        self.rows["says of itself"] = report.name
        self.rows["package"] = self.stage.package_version()
        self.rows |= {name: answer for name, answer in report.rows.items() if name != "a free token"}

    def make_token(self) -> None:
        if self.stage.own_pin:
            self.rows["a token made by the ceremony"] = "no: made with its maker's tool"
            self.pin = bytearray(self.stage.own_pin)
            return

        def make() -> Row:
            first = self.stage.first_so_pin
            init_token(self.hsm, so_pin=self.so_pin, pin=self.pin, first_so_pin=first)
            try:
                init_token(self.hsm, so_pin=self.so_pin, pin=self.pin, first_so_pin=first)
            except TokenExists:
                return "yes, with the SO PIN of its maker" if first else None
            return "no: it is overwritten"

        self.row("a token made by the ceremony", make)

    def wrong_pin(self) -> Row:
        try:
            TokenSigner(self.hsm, new_pin(self.stage.pin_length))
        except PinRefused:
            with TokenSigner(self.hsm, self.pin):
                return None
        return "no: it opens with any PIN"

    def take_in(self, born: BornKey) -> None:
        kind = born.kind
        can = self.rows[f"key {kind}"]
        if can != "yes":
            self.rows[f"key {kind}"] = f"no: {can}"
            return
        if self.closed:
            self.rows[f"key {kind}"] = self.closed
            return

        def take() -> Row:
            try:
                note = import_keys(self.hsm, self.pin, [born], self.wrapping_key)[kind]
            except ModuleUnfit as error:  # it takes none: no need to try them all
                self.closed = f"no: {error.detail}"
                raise
            self.keys[kind] = _record(born)
            return None if note == PINNED else f"yes; {note}"

        self.row(f"key {kind}", take)

    def sign_each(self) -> Row:
        with TokenSigner(self.hsm, self.pin) as signer:
            for kind, key in self.keys.items():
                if kind == "ed25519":
                    check_raw(key, signer.sign(kind, MESSAGE, "none"), MESSAGE)
                elif kind in ("p256", "rsa3072"):
                    check_raw(key, signer.sign(kind, DIGEST), MESSAGE)
                    check_raw(key, signer.sign(kind, hashlib.sha512(MESSAGE).digest(), "sha512"), MESSAGE, "sha512")
        return None

    def with_pool(self, body: Callable[[Signers], object], keys: list[KeyRecord] | None = None) -> Row:
        async def main() -> None:
            page = SecretPage()
            page.take(bytearray(self.pin))
            pool = await Signers.start(
                self.hsm, keys or list(self.keys.values()), page, workers=2, on_alarm=lambda why: None
            )
            try:
                async with asyncio.timeout(60):
                    await body(pool)  # type: ignore[misc]
            finally:
                pool.close()

        uvloop.run(main())
        return None

    async def kill_one(self, pool: Signers) -> None:
        key = self._signing_key()
        work = asyncio.gather(*(pool.sign(key.name, [DIGEST]) for _ in range(12)))
        await asyncio.sleep(0)
        os.kill(pool.pids[0], signal.SIGKILL)
        for [signature] in await work:
            check_raw(key, signature, MESSAGE)
        await pool.whole()
        assert pool.alive == 2
        assert set((await pool.self_test()).values()) == {"ok"}

    async def seal_and_lease(self, pool: Signers) -> None:
        intake, child = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        box = seal_box(intake.public_key().public_bytes_raw(), b"in", b"credential")
        sealed = await pool.seal_secret(box, private=intake.private_bytes_raw(), info=b"in", aad=b"a")
        lease = await pool.lease_secret(sealed, aad=b"a", to=child.public_key().public_bytes_raw(), info=b"out")
        assert open_box(child.private_bytes_raw(), b"out", lease) == b"credential"

    def another_key(self) -> Row:
        key = self._signing_key()
        [other] = bear_keys(SOFTHSM, [KeySpec(key.name, key.kind)], self.wrapping_key)

        async def sign(pool: Signers) -> None:
            await pool.sign(key.name, [DIGEST])

        try:
            self.with_pool(sign, [_record(other)])
        except SignatureNotVerified:
            return None
        return "no: its signature left"

    def change(self) -> Row:
        new = new_pin(self.stage.pin_length)
        change_pin(self.hsm, old=self.pin, new=new)
        return self._opens_with(new)

    def reset(self) -> Row:
        new = new_pin(self.stage.pin_length)
        reset_pin(self.hsm, so_pin=self.so_pin, pin=new)
        return self._opens_with(new)

    def lock(self) -> str:
        for tried in range(1, PATIENCE + 1):
            try:
                TokenSigner(self.hsm, new_pin(self.stage.pin_length))
            except PinLocked:
                return f"yes, after {tried - 1}"
            except PinRefused:
                continue
        return f"not after {PATIENCE}"

    def _opens_with(self, new: bytearray) -> Row:
        old, self.pin = self.pin, new
        with TokenSigner(self.hsm, new) as signer:
            check_raw(self._signing_key(), signer.sign(self._signing_key().name, DIGEST), MESSAGE)
        try:
            TokenSigner(self.hsm, old)
        except PinRefused:
            return None
        return "no: the old one opens it still"

    def _signing_key(self) -> KeyRecord:
        return next(self.keys[kind] for kind in ("p256", "rsa3072") if kind in self.keys)


def _variables() -> tuple[tuple[str, str], ...]:
    """What the stage has set for its module."""
    return tuple((name, value) for name, value in os.environ.items() if name.startswith(MODULE_VARIABLES))


def _record(born: BornKey) -> KeyRecord:
    return KeyRecord(born.name, born.kind, born.public_pem, 0)


def main(name: str, folder: Path) -> None:
    stage = STAGES[name]
    with stage.around(folder):
        json.dump(Trials(stage, folder).run(), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
