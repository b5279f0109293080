"""What the machine gives to signing and verifying with nothing around them.

As many processes as cores, each doing what a signer does (a key kept in the token, runs of 16, every signature
verified), without channel, keeper, log or HTTP.

python -m tests.bench.ceiling MODULE SECONDS KIND…   (SOFTHSM2_CONF names a throw-away folder)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pkcs11
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pkcs11 import Attribute, KeyType, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from hsmpub.hsm.cryptoki import Cryptoki
from hsmpub.hsm.held_key import HeldKey
from hsmpub.hsm.public import public_pem
from hsmpub.hsm.verified import WORTH_TABLES, SignAll, sign_all_with
from tests.bench.raw import PIN, rate

RUN = 16


def kept(session: Any, kind: str) -> tuple[Any, Any]:
    """Public and private half of a key that is kept in the token; made where there is none."""
    if not list(session.get_objects({Attribute.LABEL: kind})):
        if kind == "rsa3072":
            session.generate_keypair(KeyType.RSA, 3072, label=kind, store=True)
        else:
            parameters = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
            session.create_domain_parameters(KeyType.EC, parameters, local=True).generate_keypair(
                label=kind, store=True
            )
    public, private = (
        next(iter(list(session.get_objects({Attribute.LABEL: kind, Attribute.CLASS: one}))))
        for one in (ObjectClass.PUBLIC_KEY, ObjectClass.PRIVATE_KEY)
    )
    return public, private


def as_a_signer(sign_all: SignAll, seconds: float) -> float:
    """Verified signatures a second, in runs of 16."""
    batch: list[bytes] = []

    def sign(digest: bytes) -> None:
        batch.append(digest)
        if len(batch) == RUN:
            sign_all(batch)
            batch.clear()

    return rate(sign, seconds)


def one() -> None:
    """One process of them: is told a kind, says that it is ready, and measures when it is told to."""
    module, seconds = sys.argv[1], float(sys.argv[2])
    library = pkcs11.lib(module)
    cryptoki = Cryptoki(module, library)
    with library.get_token(token_label="raw-bench").open(rw=True, user_pin=PIN) as session:
        for kind in sys.stdin:
            public, private = kept(session, kind.strip())
            held = HeldKey(cryptoki, session, private)
            sign_all = sign_all_with(held, load_pem_public_key(public_pem(public).encode()), "sha256")
            if kind.strip() == "p256":
                sign_all([bytes([n]) * 32 for n in range(32)] * (WORTH_TABLES // 32 + 1))  # the tables are made
            print("ready", flush=True)
            sys.stdin.readline()
            print(as_a_signer(sign_all, seconds), flush=True)


def main() -> None:
    """One after the other logs in, for SoftHSM fails when several do at once; then all measure together."""
    command = [sys.executable, "-m", "tests.bench.ceiling", *sys.argv[1:3]]
    rates = {}
    for kind in sys.argv[3:]:
        processes = []
        for _ in range(os.cpu_count() or 1):
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert process.stdin
            assert process.stdout
            print(kind, file=process.stdin, flush=True)
            process.stdout.readline()
            processes.append(process)
        for process in processes:
            print("go", file=process.stdin, flush=True)
        rates[kind] = sum(float(process.communicate()[0]) for process in processes)
    json.dump(rates, sys.stdout)


if __name__ == "__main__":
    main() if sys.argv[3:] else one()
