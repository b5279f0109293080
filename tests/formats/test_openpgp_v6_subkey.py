"""Version 6 certificates with a signing subkey: Sequoia and openpgp.js take its signatures until it is revoked."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpgp_keys import USER_ID
from openpgp_v6_keys import OTHER_SALT, openpgp_js, sequoia_verifies
from software_hsm import CONTEXT, CREATED_AT, SALT, key_record, make, sign_raw

from hsmpub.errors import Invalid
from hsmpub.formats.openpgp.certificate import UserIdMalformed
from hsmpub.formats.openpgp.read import OpenpgpKeyDiffers
from hsmpub.formats.openpgp.subkey import PrimaryIsSubkey
from hsmpub.formats.openpgp.v6_certificate import openpgp_v6_fingerprint
from hsmpub.formats.openpgp.v6_signature import SaltMalformed
from hsmpub.formats.openpgp.v6_subkey import (
    assemble_v6_back_signature,
    assemble_v6_signing_certificate,
    assemble_v6_subkey_revocation,
    prepare_v6_back_signature,
    prepare_v6_signing_certificate,
    prepare_v6_subkey_revocation,
)
from hsmpub.formats.openpgp.v6_subkey_read import check_v6_signing_certificate, check_v6_subkey_revocation
from hsmpub.formats.public_key import SignatureDoesNotVerify
from hsmpub.formats.registry import FORMATS
from hsmpub.model.key import KeyRecord
from tests.npm import installed
from tests.proofs import Prove

FORM = FORMATS["openpgp-v6"]
DATA = b"A release.\r\n" * 9
DAY = 86_400
#: Numbers of the software keys: the primary, and its subkey.
PRIMARY, SUBKEY = 7, 8
SALTS = SALT, OTHER_SALT, SALT[::-1]
KINDS: tuple[Any, ...] = ("p256", "rsa3072", "ed25519")
pairs = pytest.mark.parametrize(("primary", "kind"), list(itertools.product(KINDS, repeat=2)))


def records(primary: Any = "p256", kind: Any = "ed25519") -> tuple[KeyRecord, KeyRecord]:
    return key_record(primary, number=PRIMARY), key_record(kind, FORM.name, number=SUBKEY)


def certificate_of(
    primary: Any = "p256", kind: Any = "ed25519", *, at: int = CREATED_AT, agreed_by: int = SUBKEY,
    vouched_by: int = PRIMARY, **ends: int,
) -> str:  # fmt: skip
    owner, key = records(primary, kind)
    back = prepare_v6_back_signature(owner, key, SALT, at=at)
    backed = assemble_v6_back_signature(back, sign_raw(back, agreed_by))
    parts = direct, called, bound = prepare_v6_signing_certificate(owner, key, USER_ID, backed, SALTS, at=at, **ends)
    raw = sign_raw(direct, PRIMARY), sign_raw(called, PRIMARY), sign_raw(bound, vouched_by)
    return assemble_v6_signing_certificate(owner, key, parts, raw)


def revocation_of(primary: Any = "p256", kind: Any = "ed25519", reason: Any = "superseded") -> str:
    owner, key = records(primary, kind)
    prepared = prepare_v6_subkey_revocation(owner, key, reason, "The next one signs.", SALT, at=CONTEXT.at + DAY)
    return assemble_v6_subkey_revocation(owner, key, prepared, sign_raw(prepared, PRIMARY))


def signature_of(kind: Any) -> bytes:
    return make(FORM, DATA, records(kind=kind)[1], SUBKEY)


@pairs
def test_sequoia_takes_what_the_subkey_signs_and_nothing_of_it_once_it_is_revoked_as_compromised(
    primary: str, kind: str, proof: Prove
) -> None:
    certificate = certificate_of(primary, kind)
    good = sequoia_verifies(DATA, signature_of(kind), certificate)
    tampered = sequoia_verifies(DATA, signature_of(kind), certificate, revocation_of(primary, kind, "compromised"))
    proof("subkey and its revocation, version 6", kind, "pysequoia", good=good, tampered=tampered)


@pytest.mark.parametrize(("primary", "kind"), [("p256", "rsa3072"), ("rsa3072", "ed25519"), ("ed25519", "p256")])
def test_openpgp_js_takes_what_the_subkey_signs_and_nothing_of_it_once_it_is_revoked_as_compromised(
    primary: str, kind: str, proof: Prove
) -> None:
    version, certificate = installed("openpgp"), certificate_of(primary, kind)
    good = openpgp_js(DATA, signature_of(kind), certificate)
    owner, key = records(primary, kind)
    assert good["fingerprint"].upper() == openpgp_v6_fingerprint(owner)
    assert [one.upper() for one in good["subkeys"]] == [openpgp_v6_fingerprint(key)]
    ended = openpgp_js(DATA, signature_of(kind), certificate, revocation_of(primary, kind, "compromised"))
    assert ended["why"].endswith("Subkey is revoked")
    proof("subkey and its revocation, version 6", kind, "openpgp verify", good=good["verified"],
          tampered=ended["verified"], version=version)  # fmt: skip


def test_openpgp_js_sees_when_primary_and_subkey_expire() -> None:
    installed("openpgp")
    told = openpgp_js(DATA, signature_of("ed25519"), certificate_of(lifetime=9 * DAY, key_lifetime=2 * DAY))
    assert told["ends"] == ["2026-06-06T20:26:40.000Z", "2026-05-30T20:26:40.000Z"]
    assert not told["verified"]


def test_neither_takes_a_subkey_that_did_not_agree() -> None:
    installed("openpgp")
    stolen = certificate_of(agreed_by=9)
    assert not openpgp_js(DATA, signature_of("ed25519"), stolen)["verified"]
    assert not sequoia_verifies(DATA, signature_of("ed25519"), stolen)


@pairs
def test_own_check_reads_certificate_and_revocation(primary: str, kind: str) -> None:
    keys = records(primary, kind)
    facts = check_v6_signing_certificate(certificate_of(primary, kind, lifetime=9 * DAY, key_lifetime=DAY), *keys)
    assert (facts.user_id, facts.certified_at) == (USER_ID, CREATED_AT)
    assert (facts.expires_at, facts.key_expires_at) == (CREATED_AT + 9 * DAY, CREATED_AT + DAY)
    assert check_v6_signing_certificate(certificate_of(primary, kind), *keys).key_expires_at == 0
    assert check_v6_subkey_revocation(revocation_of(primary, kind), *keys) == (1, "The next one signs.")


def test_refuses_keys_that_are_not_the_pinned_ones_or_signatures_by_others() -> None:
    primary, key = records()
    for wrong in ((key, primary), (primary, key_record("ed25519"))):
        with pytest.raises(OpenpgpKeyDiffers):
            check_v6_signing_certificate(certificate_of(), *wrong)
        with pytest.raises(OpenpgpKeyDiffers):
            check_v6_subkey_revocation(revocation_of(), *wrong)
    for how in ({"agreed_by": 9}, {"vouched_by": 9}):
        with pytest.raises(SignatureDoesNotVerify):
            check_v6_signing_certificate(certificate_of(**how), primary, key)


def test_a_key_is_no_subkey_of_itself_and_a_hostile_user_id_or_short_salt_is_refused() -> None:
    primary, key = records()
    with pytest.raises(PrimaryIsSubkey):
        prepare_v6_back_signature(primary, primary, SALT, at=CREATED_AT)
    with pytest.raises(UserIdMalformed):
        prepare_v6_signing_certificate(primary, key, "a\nb", b"", SALTS, at=CREATED_AT)
    with pytest.raises(SaltMalformed):
        prepare_v6_back_signature(primary, key, b"short", at=CREATED_AT)


@pytest.mark.parametrize(
    ("make_one", "check"),
    [(certificate_of, check_v6_signing_certificate), (revocation_of, check_v6_subkey_revocation)],
    ids=["certificate", "revocation"],
)
def test_refuses_an_altered_byte(make_one: Callable[[], str], check: Callable[..., object]) -> None:
    good = make_one().encode()

    @given(st.integers(0, len(good) - 1), st.integers(1, 127))
    @settings(max_examples=150)
    def refuses(at: int, change: int) -> None:
        altered = good[:at] + bytes((good[at] ^ change,)) + good[at + 1 :]
        with pytest.raises(Invalid):
            check(altered.decode("latin-1"), *records())

    refuses()
