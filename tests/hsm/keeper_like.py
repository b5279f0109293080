"""A process like the keeper: takes the PIN from a pipe into a page, runs signers and vaults, and waits.

Reads one JSON line, then the PIN raw; prints one JSON line when the signers run; ends at the end of its input.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from hsmpub.hsm.child import start_outside_sandbox
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.pool import Signers
from hsmpub.model.key import KeyRecord
from hsmpub.sandbox import harden
from hsmpub.secret.page import SecretPage


def line() -> dict[str, str]:
    read = b""
    while not read.endswith(b"\n"):
        read += os.read(0, 1)
    return json.loads(read)


async def serve() -> None:
    order = line()
    hsm = HsmConfig(**order["hsm"])
    start_outside_sandbox(hsm)
    harden("keeper")
    if order.get("exec"):  # another order follows, for the program that this one turns into
        os.execv(sys.executable, sys.orig_argv)
    page = SecretPage()
    page.fill_from(0, order["pin_bytes"])
    keys = [KeyRecord(**key) for key in order["keys"]]
    pool = await Signers.start(hsm, keys, page, workers=2, on_alarm=print)
    report = {"pids": pool.pids, "page": page.protection, "test": await pool.self_test()}
    print(json.dumps(report), flush=True)
    while order := line():  # each line is a secret to seal and lease; an empty one ends it
        sealed = await pool.seal_secret(
            bytes.fromhex(order["box"]), private=bytes.fromhex(order["private"]), info=b"intake", aad=b"pypi"
        )
        lease = await pool.lease_secret(sealed, aad=b"pypi", to=bytes.fromhex(order["to"]), info=b"lease")
        print(json.dumps({"lease": lease.hex()}), flush=True)
    pool.close()


def main() -> int:
    asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
