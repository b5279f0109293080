"""The measure of everything: python-pkcs11 on one session of the same module, in a process apart.

python -m tests.bench.raw MODULE SECONDS KIND…   (SOFTHSM2_CONF names a throw-away folder)
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import pkcs11
from pkcs11.util.ec import encode_named_curve_parameters

from hsmpub.hsm.by_value import EDWARDS25519

PIN = "raw-bench-pin"
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def rate(sign: Callable[[bytes], object], seconds: float) -> float:
    """Signatures a second of different digests."""
    digests = [hashlib.sha256(bytes([n])).digest() for n in range(64)]
    for digest in digests[:16]:
        sign(digest)
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for digest in digests:
            sign(digest)
        count += len(digests)
    return count / (time.perf_counter() - began)


def main() -> None:
    module, seconds, kinds = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    library = pkcs11.lib(module)
    with library.get_token(token_label="raw-bench").open(rw=True, user_pin=PIN) as session:
        curve = session.create_domain_parameters(
            pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}, local=True
        )
        edwards = session.create_domain_parameters(
            pkcs11.KeyType.EC_EDWARDS,
            {pkcs11.Attribute.EC_PARAMS: EDWARDS25519},
            local=True,
        )
        make: dict[str, Callable[[], Any]] = {
            "ed25519": lambda: edwards.generate_keypair(mechanism=pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN),
            "p256": curve.generate_keypair,
            "p256-kept": lambda: curve.generate_keypair(store=True),
            "rsa3072": lambda: session.generate_keypair(pkcs11.KeyType.RSA, 3072),
            "rsa3072-kept": lambda: session.generate_keypair(pkcs11.KeyType.RSA, 3072, store=True),
        }
        keys = {kind: make[kind]() for kind in kinds}
        try:
            json.dump({kind: rate(signing(kind, keys[kind][1]), seconds) for kind in kinds}, sys.stdout)
        finally:
            for half in (half for kind, pair in keys.items() if kind.endswith("-kept") for half in pair):
                half.destroy()


def signing(kind: str, private: Any) -> Callable[[bytes], object]:
    """One signature of a digest. A kind that is `kept` lies in the token, as the service's keys do; others are made for
    the session, which spares SoftHSM a look at the token's files for each signature."""
    if kind.startswith("rsa3072"):
        return lambda digest: private.sign(_DIGEST_INFO + digest, mechanism=pkcs11.Mechanism.RSA_PKCS)
    mechanism = pkcs11.Mechanism.EDDSA if kind == "ed25519" else pkcs11.Mechanism.ECDSA
    return lambda digest: private.sign(digest, mechanism=mechanism)


if __name__ == "__main__":
    main()
