"""OpenPGP version 6, judged by Sequoia's library where it is installed (pysequoia)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpgp_keys import USER_ID
from soak import AT_LEAST
from software_hsm import CONTEXT, CREATED_AT, key_record, sign_raw

from hsmpub.errors import Invalid
from hsmpub.formats.openpgp_read import OpenpgpDigestDiffers, OpenpgpKeyDiffers
from hsmpub.formats.openpgp_v6 import (
    SaltMalformed,
    assemble_v6_certificate,
    assemble_v6_signature,
    prepare_v6_certificate,
    prepare_v6_signature,
    v6_fingerprint,
)
from hsmpub.formats.openpgp_v6_read import check_v6_certificate, check_v6_signature
from hsmpub.formats.public_key import SignatureDoesNotVerify
from hsmpub.formats.sha256state import Sha256State

DATA = b"A release.\r\n" * 9
SALT, OTHER_SALT = bytes(range(16)), bytes(range(16, 32))
both_kinds = pytest.mark.parametrize("kind", ["p256", "rsa3072"])


def certificate_of(kind, number=0, **how) -> str:
    key = key_record(kind, number=number)
    made = prepare_v6_certificate(key, USER_ID, (SALT, OTHER_SALT), at=CREATED_AT, **how)
    direct, named = ((prepared, sign_raw(prepared, number)) for prepared in made)
    return assemble_v6_certificate(direct, named)


def signature_of(kind, number=0, salt=SALT, data=DATA, at=CONTEXT.at) -> bytes:
    salted = Sha256State.of(salt + data)
    prepared = prepare_v6_signature(salted, salt, key_record(kind), at=at)
    return assemble_v6_signature(prepared, sign_raw(prepared, number))


@both_kinds
def test_sequoia_takes_certificate_and_signature_and_nothing_altered(kind, proof):
    sequoia = pytest.importorskip("pysequoia")
    certificate = sequoia.Cert.from_bytes(certificate_of(kind, lifetime=1 << 31).encode())
    assert certificate.fingerprint == v6_fingerprint(key_record(kind)).hex()
    assert [str(user_id) for user_id in certificate.user_ids] == [USER_ID]

    def verifies(armored: bytes, data: bytes) -> bool:
        try:
            found = sequoia.verify(bytes=data, store=lambda _: [certificate], signature=sequoia.Sig.from_bytes(armored))
        except Exception:
            return False
        return len(found.valid_sigs) == 1

    good, tampered = (verifies(signature_of(kind), data) for data in (DATA, DATA + b"\n"))
    proof("OpenPGP version 6", kind, "pysequoia", good=good, tampered=tampered)
    assert not verifies(signature_of(kind, number=1), DATA)


@both_kinds
def test_own_check_takes_what_is_right_and_refuses_the_rest(kind):
    key, other = key_record(kind), key_record(kind, number=1)
    assert check_v6_certificate(certificate_of(kind), key) == USER_ID
    assert check_v6_certificate(certificate_of(kind, lifetime=9), key) == USER_ID
    check_v6_signature(signature_of(kind), DATA, key)
    with pytest.raises(OpenpgpDigestDiffers):
        check_v6_signature(signature_of(kind), DATA + b"\n", key)
    with pytest.raises(SignatureDoesNotVerify):
        check_v6_signature(signature_of(kind, number=1), DATA, key)
    with pytest.raises(OpenpgpKeyDiffers):
        check_v6_signature(signature_of(kind), DATA, other)
    with pytest.raises(OpenpgpKeyDiffers):
        check_v6_certificate(certificate_of(kind, number=1), key)


def test_a_salt_of_another_length_is_refused():
    with pytest.raises(SaltMalformed):
        signature_of("p256", salt=b"short")


@pytest.mark.parametrize("what", ["certificate", "signature"])
def test_refuses_an_altered_byte(what):
    key = key_record("p256")
    good = certificate_of("p256").encode() if what == "certificate" else signature_of("p256")

    @given(st.integers(0, len(good) - 1), st.integers(1, 127))
    @settings(max_examples=200)
    def refuses(at: int, change: int) -> None:
        altered = good[:at] + bytes((good[at] ^ change,)) + good[at + 1 :]
        with pytest.raises(Invalid):
            check_v6_certificate(altered.decode("latin-1"), key) if what == "certificate" else check_v6_signature(
                altered, DATA, key
            )

    refuses()


@pytest.mark.soak
def test_a_thousand_signatures_pass_whatever_their_numbers_begin_with():
    key = key_record("p256")
    for second in range(AT_LEAST):
        check_v6_signature(signature_of("p256", at=CREATED_AT + second), DATA, key)
