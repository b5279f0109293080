"""The measure of everything: python-pkcs11 on one session of the same module, in a process apart.

python -m tests.bench.raw MODULE SECONDS   (SOFTHSM2_CONF names a throw-away folder)
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable

import pkcs11
from pkcs11.util.ec import encode_named_curve_parameters

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
    module, seconds = sys.argv[1], float(sys.argv[2])
    library = pkcs11.lib(module)
    with library.get_token(token_label="raw-bench").open(rw=True, user_pin=PIN) as session:
        curve = session.create_domain_parameters(
            pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}, local=True
        )
        _, p256 = curve.generate_keypair()
        _, rsa = session.generate_keypair(pkcs11.KeyType.RSA, 3072)
        rates = {
            "p256": rate(lambda d: p256.sign(d, mechanism=pkcs11.Mechanism.ECDSA), seconds),
            "rsa3072": rate(lambda d: rsa.sign(_DIGEST_INFO + d, mechanism=pkcs11.Mechanism.RSA_PKCS), seconds),
        }
    json.dump(rates, sys.stdout)


if __name__ == "__main__":
    main()
