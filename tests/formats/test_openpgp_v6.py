"""OpenPGP version 6, judged by Sequoia's library and by openpgp.js where they are installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpgp_keys import USER_ID
from openpgp_v6_keys import OTHER_SALT, certificate_of, key_of, openpgp_js, sequoia_verifies
from soak import AT_LEAST
from software_hsm import CONTEXT, CREATED_AT, SALT, artifact_of, make, sign_raw

from hsmpub.errors import Invalid
from hsmpub.formats.detail import DetailMalformed
from hsmpub.formats.format import Artifact
from hsmpub.formats.openpgp.read import OpenpgpDigestDiffers, OpenpgpKeyDiffers, OpenpgpTimeDiffers
from hsmpub.formats.openpgp.v6_certificate import (
    assemble_v6_revocation,
    assemble_v6_vouching,
    openpgp_v6_fingerprint,
    prepare_v6_revocation,
    prepare_v6_vouching,
)
from hsmpub.formats.openpgp.v6_certificate_read import check_v6_certificate, check_v6_revocation, check_v6_vouching
from hsmpub.formats.openpgp.v6_detached import OpenPgpV6, SaltedHashOfAnother
from hsmpub.formats.openpgp.v6_read import OpenpgpSaltDiffers
from hsmpub.formats.openpgp.v6_signature import SaltMalformed
from hsmpub.formats.public_key import SignatureDoesNotVerify
from hsmpub.formats.salted import details_to_check
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.model.key import KeyRecord
from tests.npm import installed
from tests.proofs import Prove

FORM = OpenPgpV6()
DATA = b"A release.\r\n" * 9
every_kind = pytest.mark.parametrize("kind", ["p256", "rsa3072", "ed25519"])


def revocation_of(kind: Any) -> str:
    prepared = prepare_v6_revocation(key_of(kind), "compromised", "others know it", SALT, at=CONTEXT.at + 5)
    return assemble_v6_revocation(key_of(kind), prepared, sign_raw(prepared))


def vouched_for(kind: Any) -> str:
    """The first key's certificate, with a signature by the second."""
    prepared = prepare_v6_vouching(key_of(kind, 1), key_of(kind), USER_ID, SALT, at=CONTEXT.at)
    return assemble_v6_vouching(certificate_of(kind), prepared, sign_raw(prepared, 1))


def signature_of(kind: Any, number: int = 0, data: bytes = DATA) -> bytes:
    """number: of the key that signs; the signature names the first."""
    return make(FORM, data, key_of(kind), number)


@every_kind
def test_sequoia_takes_certificate_and_signature_and_nothing_altered(kind: str, proof: Prove) -> None:
    sequoia = pytest.importorskip("pysequoia")
    certificate = sequoia.Cert.from_bytes(certificate_of(kind, lifetime=1 << 31).encode())
    assert certificate.fingerprint.upper() == openpgp_v6_fingerprint(key_of(kind))
    assert [str(user_id) for user_id in certificate.user_ids] == [USER_ID]

    good, tampered = (sequoia_verifies(data, signature_of(kind), certificate_of(kind)) for data in (DATA, DATA + b"\n"))
    proof("openpgp-v6", kind, "pysequoia", good=good, tampered=tampered)
    assert not sequoia_verifies(DATA, signature_of(kind, number=1), certificate_of(kind))


@every_kind
def test_openpgp_js_takes_certificate_and_signature_and_nothing_altered_or_revoked(kind: str, proof: Prove) -> None:
    version, certificate = installed("openpgp"), certificate_of(kind)
    good = openpgp_js(DATA, signature_of(kind), certificate)
    assert good["fingerprint"].upper() == openpgp_v6_fingerprint(key_of(kind))
    assert good["userIds"] == [USER_ID]
    tampered = openpgp_js(DATA + b"\n", signature_of(kind), certificate)
    proof("openpgp-v6", kind, "openpgp verify", good=good["verified"], tampered=tampered["verified"], version=version)
    assert not openpgp_js(DATA, signature_of(kind, number=1), certificate)["verified"]
    revoked = openpgp_js(DATA, signature_of(kind), certificate, revocation_of(kind))
    vouched = openpgp_js(DATA, signature_of(kind), vouched_for(kind), by=certificate_of(kind, 1))
    assert (vouched["verified"], vouched["vouched"]) == (True, True)
    assert not openpgp_js(DATA, signature_of(kind), certificate, by=certificate_of(kind, 1))["vouched"]
    assert (good["revoked"], revoked["revoked"]) == (False, True)
    proof("certificate and revocation, version 6", kind, "openpgp verify", good=good["verified"],
          tampered=revoked["verified"], version=version)  # fmt: skip


@every_kind
def test_own_check_takes_certificate_vouching_and_revocation_and_no_other_key_s(kind: str) -> None:
    key, other = key_of(kind), key_of(kind, number=1)
    assert check_v6_certificate(certificate_of(kind), key).user_id == USER_ID
    assert check_v6_certificate(certificate_of(kind, lifetime=9), key).expires_at == CREATED_AT + 9
    assert check_v6_revocation(revocation_of(kind), key) == (2, "others know it")
    with pytest.raises(OpenpgpKeyDiffers):
        check_v6_certificate(certificate_of(kind), other)
    with pytest.raises(OpenpgpKeyDiffers):
        check_v6_revocation(revocation_of(kind), other)
    with pytest.raises(Invalid):
        check_v6_revocation(certificate_of(kind), key)
    check_v6_vouching(vouched_for(kind), key, other)
    with pytest.raises(OpenpgpKeyDiffers):
        check_v6_vouching(vouched_for(kind), key, key)


def test_who_has_the_file_and_the_signature_alone_checks_it_after_the_salt_that_it_names() -> None:
    key, source = key_of("p256"), BytesSource(DATA)
    detail = FORM.extract(source)
    assert detail[:16] != FORM.extract(source)[:16]
    prepared = FORM.prepare(Artifact("x", Sha256State.of(DATA), {FORM.name: detail}), key, CONTEXT)
    output = FORM.assemble(prepared, sign_raw(prepared))
    assert FORM.salt_of(output) == detail[:16]

    def check(data: bytes, **context: Any) -> None:
        details = details_to_check(FORM, BytesSource(data), output)
        FORM.check(output, Artifact("x", Sha256State.of(data), details), key, **context)

    check(DATA)
    with pytest.raises((OpenpgpDigestDiffers, SignatureDoesNotVerify)):  # one in 65,536 begins with the same two bytes
        check(DATA + b"\n")
    with pytest.raises(OpenpgpTimeDiffers):
        check(DATA, context=type(CONTEXT)(at=CONTEXT.at + 1))
    with pytest.raises(OpenpgpSaltDiffers):
        FORM.check(output, artifact_of(DATA, format_=FORM), key)


def test_a_salted_hash_of_another_length_or_without_its_salt_is_refused() -> None:
    key, detail = key_of("p256"), artifact_of(DATA, format_=FORM).details[FORM.name]
    for data, sent, rule in ((DATA + b"\n", detail, SaltedHashOfAnother), (DATA, detail[:15], DetailMalformed)):
        with pytest.raises(rule):
            FORM.prepare(Artifact("x", Sha256State.of(data), {FORM.name: sent}), key, CONTEXT)
    with pytest.raises(SaltMalformed):
        FORM.extract_after(b"short", BytesSource(DATA))


def test_a_client_that_lies_about_its_salt_gets_a_signature_that_holds_with_the_salt_it_hashed() -> None:
    """Why the service draws no salt for a file that it does not hold: nothing but the hash binds it."""
    key, truth = key_of("p256"), FORM.extract_after(OTHER_SALT, BytesSource(DATA))
    lie = Artifact("x", Sha256State.of(DATA), {FORM.name: SALT + truth[16:]})
    prepared = FORM.prepare(lie, key, CONTEXT)
    raw = sign_raw(prepared)
    output = FORM.assemble(prepared, raw)
    with pytest.raises((OpenpgpDigestDiffers, SignatureDoesNotVerify)):
        FORM.check(output, artifact_of(DATA, format_=FORM), key)
    honest = Artifact("x", Sha256State.of(DATA), {FORM.name: truth})
    FORM.check(FORM.assemble(FORM.prepare(honest, key, CONTEXT), raw), honest, key)


@pytest.mark.parametrize(
    ("make_one", "read"), [(certificate_of, check_v6_certificate), (revocation_of, check_v6_revocation)]
)
def test_refuses_an_altered_byte(make_one: Callable[[str], str], read: Callable[[str, KeyRecord], object]) -> None:
    key, good = key_of("p256"), make_one("p256").encode()

    @given(st.integers(0, len(good) - 1), st.integers(1, 127))
    @settings(max_examples=150)
    def refuses(at: int, change: int) -> None:
        altered = good[:at] + bytes((good[at] ^ change,)) + good[at + 1 :]
        with pytest.raises(Invalid):
            read(altered.decode("latin-1"), key)

    refuses()


@pytest.mark.soak
def test_a_thousand_signatures_pass_whatever_their_numbers_begin_with() -> None:
    key, artifact = key_of("p256"), artifact_of(DATA, format_=FORM)
    for second in range(AT_LEAST):
        prepared = FORM.prepare(artifact, key, type(CONTEXT)(at=CREATED_AT + second))
        FORM.check(FORM.assemble(prepared, sign_raw(prepared)), artifact, key)
