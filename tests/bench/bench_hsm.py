"""Raw python-pkcs11 on one session beside the signer pool, in one run. Usage: python tests/bench/bench_hsm.py

The rounds of raw and pool take turns, so that both see the same noise; the best and the middle round count.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from hsmpub.hsm.birth import bear_keys
from hsmpub.hsm.config import HsmConfig, KeySpec
from hsmpub.hsm.custody import import_keys
from hsmpub.hsm.pool import Signers
from hsmpub.hsm.softhsm import softhsm_conf_text
from hsmpub.hsm.token import init_token, new_pin
from hsmpub.model.key import KeyRecord
from hsmpub.secret.page import SecretPage

MODULE = os.environ.get("SOFTHSM2_MODULE", "/usr/lib/softhsm/libsofthsm2.so")
ROUNDS = 15
KINDS = {"p256": ("release", 12), "rsa3072": ("rsa", 1)}  # name, batches of 64 in a round


def make_token(home: Path) -> tuple[HsmConfig, list[KeyRecord], bytearray]:
    (home / "tokens").mkdir()
    (home / "softhsm2.conf").write_text(softhsm_conf_text(home / "tokens"))
    hsm = HsmConfig(MODULE, "bench", str(home / "softhsm2.conf"), str(home / "lock"))
    pin, wrapping_key = new_pin(), bytearray(os.urandom(32))
    init_token(hsm, so_pin=new_pin(), pin=pin)
    specs = [KeySpec(name, kind) for kind, (name, _) in KINDS.items()]  # type: ignore[arg-type]
    born = bear_keys(MODULE, specs, wrapping_key)
    import_keys(hsm, pin, born, wrapping_key)
    return hsm, [KeyRecord(one.name, one.kind, one.public_pem, 0) for one in born], pin


def raw_signer(hsm: HsmConfig, pin: bytearray) -> Callable[[str, int], None]:
    """python-pkcs11 as anybody would use it: one session, one key object, one thread, nothing verified."""
    import pkcs11

    os.environ["SOFTHSM2_CONF"] = hsm.softhsm_conf
    session = pkcs11.lib(hsm.module).get_token(token_label=hsm.token).open(user_pin=pin.decode())
    uses = {"p256": (pkcs11.Mechanism.ECDSA, os.urandom(32)), "rsa3072": (pkcs11.Mechanism.RSA_PKCS, os.urandom(51))}
    keys = {
        kind: next(iter(list(session.get_objects({
            pkcs11.Attribute.LABEL: name, pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY,
        }))))
        for kind, (name, _) in KINDS.items()
    }  # fmt: skip

    def run(kind: str, count: int) -> None:
        key, (mechanism, data) = keys[kind], uses[kind]
        for _ in range(count):
            key.sign(data, mechanism=mechanism)

    return run


async def measure(pool: Signers, raw: Callable[[str, int], None]) -> None:
    items = [os.urandom(32) for _ in range(64)]
    for kind, (key, batches) in KINDS.items():

        async def batch(key: str = key, batches: int = batches) -> None:
            for _ in range(batches):
                await pool.sign(key, items)

        async def singles(key: str = key, batches: int = batches) -> None:
            async def client(item: bytes) -> None:
                for _ in range(batches):
                    await pool.sign(key, [item])

            await asyncio.gather(*map(client, items))

        async def alone(kind: str = kind, batches: int = batches) -> None:
            raw(kind, batches * 64)

        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "raw, one session": alone,
            "batches of 64": batch,
            "64 at once": singles,
        }
        await report(kind, ways, batches * 64)


async def report(kind: str, ways: dict[str, Callable[[], Awaitable[None]]], count: int) -> None:
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.perf_counter()
            await way()
            rates[name].append(count / (time.perf_counter() - start))
    raw = rates["raw, one session"]
    for name, rate in rates.items():
        best, middle = max(rate), statistics.median(rate)
        share = f"{best / max(raw):5.2f} {middle / statistics.median(raw):7.2f}"
        sys.stdout.write(f"{kind:8} {name:18} {best:8.0f} {middle:8.0f}   {share}\n")


async def main() -> None:
    with tempfile.TemporaryDirectory() as where:
        hsm, keys, pin = make_token(Path(where))
        raw = raw_signer(hsm, pin)
        page = SecretPage()
        page.take(pin)
        pool = await Signers.start(hsm, keys, page, workers=os.cpu_count() or 1, on_alarm=sys.stderr.write)
        sys.stdout.write(f"{'key':8} {'how':18} {'best/s':>8} {'middle/s':>8}   {'of raw':>5}  middle\n")
        try:
            await measure(pool, raw)
        finally:
            pool.close()


if __name__ == "__main__":
    uvloop.run(main())
