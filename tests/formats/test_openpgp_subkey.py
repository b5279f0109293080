"""Certificates with a signing subkey: GnuPG and Sequoia take its signatures until it expires or is revoked."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import pytest
from foreign_tool import accepts, needs, run
from hypothesis import given, settings
from hypothesis import strategies as st
from openpgp_keys import USER_ID
from software_hsm import CREATED_AT, key_record, make, sign_raw

from hsmpub.errors import Invalid
from hsmpub.formats.openpgp.certificate import UserIdMalformed, openpgp_fingerprint
from hsmpub.formats.openpgp.read import OpenpgpKeyDiffers
from hsmpub.formats.openpgp.subkey import (
    PrimaryIsSubkey,
    assemble_back_signature,
    assemble_signing_certificate,
    assemble_subkey_revocation,
    prepare_back_signature,
    prepare_signing_certificate,
    prepare_subkey_revocation,
)
from hsmpub.formats.openpgp.subkey_read import check_signing_certificate, check_subkey_revocation
from hsmpub.formats.public_key import SignatureDoesNotVerify
from hsmpub.formats.registry import FORMATS

OPENPGP = FORMATS["openpgp"]
DATA = b"A release.\r\n" * 9
DAY = 86_400
#: Numbers of the software keys: the primary, and its subkey.
PRIMARY, SUBKEY = 7, 8
pairs = pytest.mark.parametrize(("primary", "kind"), list(itertools.product(["p256", "rsa3072"], repeat=2)))


def records(primary="p256", kind="p256"):
    return key_record(primary, number=PRIMARY), key_record(kind, OPENPGP.name, number=SUBKEY)


def certificate_of(primary="p256", kind="p256", *, at=CREATED_AT, agreed_by=SUBKEY, vouched_by=PRIMARY, **how) -> str:
    owner, key = records(primary, kind)
    back = prepare_back_signature(owner, key, at=at)
    backed = assemble_back_signature(back, sign_raw(back, agreed_by))
    first, second = prepare_signing_certificate(owner, key, USER_ID, backed, at=at, **how)
    return assemble_signing_certificate((first, sign_raw(first, PRIMARY)), (second, sign_raw(second, vouched_by)))


def revocation_of(primary="p256", kind="p256", reason="superseded", at=CREATED_AT + DAY) -> str:
    prepared = prepare_subkey_revocation(*records(primary, kind), reason, "The next one signs.", at=at)
    return assemble_subkey_revocation(prepared, sign_raw(prepared, PRIMARY))


class Gnupg:
    def __init__(self, folder: Path, *imported: str) -> None:
        self.folder = folder
        for armored in imported:
            done = self.run("--import", stdin=armored.encode())
            assert done.returncode == 0, done.stderr

    def run(self, *words, **how):
        return run("gpg", "--batch", "--homedir", self.folder, *words, **how)

    def says(self, kind) -> str:
        (self.folder / "x").write_bytes(DATA)
        (self.folder / "x.asc").write_bytes(make(OPENPGP, DATA, records(kind=kind)[1], SUBKEY))
        return self.run("--status-fd", "1", "--verify", self.folder / "x.asc", self.folder / "x").stdout.decode()


@pytest.fixture
def home():
    needs("gpg")
    with tempfile.TemporaryDirectory(prefix="pgp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pairs
def test_gpg_takes_what_the_subkey_signs_and_nothing_of_it_once_it_is_revoked_as_compromised(
    home, primary, kind, proof
):
    owner, key = records(primary, kind)
    gnupg = Gnupg(home, certificate_of(primary, kind))
    said = gnupg.says(kind)
    assert f"VALIDSIG {openpgp_fingerprint(key)}" in said
    assert said.rstrip().split("VALIDSIG")[1].split()[9] == openpgp_fingerprint(owner)
    listed = gnupg.run("--with-colons", "--fixed-list-mode", "--check-sigs").stdout.decode()
    records_ = [line.split(":") for line in listed.splitlines()]
    assert [record[11] for record in records_ if record[0] in ("pub", "sub")] == ["cSC", "s"]
    assert {record[1] for record in records_ if record[0] == "sig"} == {"!"}
    Gnupg(home, revocation_of(primary, kind, "compromised"))
    after = gnupg.says(kind)
    assert "REVKEYSIG" in after
    proof("subkey and its revocation", kind, "gpg --verify", good="VALIDSIG" in said, tampered="GOODSIG" in after)


def test_gpg_sees_when_primary_and_subkey_expire(home):
    lifetimes = {"lifetime": 9 * DAY, "key_lifetime": 2 * DAY}
    gnupg = Gnupg(home, certificate_of(**lifetimes))
    listed = gnupg.run("--with-colons", "--fixed-list-mode", "--list-keys").stdout.decode()
    ends = [line.split(":")[6] for line in listed.splitlines() if line.startswith(("pub", "sub"))]
    assert ends == [str(CREATED_AT + 9 * DAY), str(CREATED_AT + 2 * DAY)]
    assert "EXPKEYSIG" in gnupg.says("p256")
    Gnupg(home, certificate_of(at=CREATED_AT + DAY))  # a later one without an end takes its place
    assert "GOODSIG" in gnupg.says("p256")


def test_sequoia_takes_what_the_subkey_signs_until_it_is_revoked(home, proof):
    needs("sqv")
    (home / "x").write_bytes(DATA)
    (home / "x.asc").write_bytes(make(OPENPGP, DATA, records()[1], SUBKEY))
    (home / "key").write_text(certificate_of())
    good = accepts("sqv", "--keyring", "key", "x.asc", "x", cwd=home)
    gnupg = Gnupg(home, certificate_of(), revocation_of(reason="compromised"))
    (home / "revoked").write_bytes(gnupg.run("--armor", "--export").stdout)
    tampered = accepts("sqv", "--keyring", "revoked", "x.asc", "x", cwd=home)
    proof("subkey and its revocation", "p256", "sqv", good=good, tampered=tampered)


def test_gpg_takes_no_subkey_that_did_not_agree(home):
    gnupg = Gnupg(home, certificate_of(agreed_by=9))
    assert "GOODSIG" not in gnupg.says("p256")


@pairs
def test_own_check_reads_certificate_and_revocation(primary, kind):
    keys = records(primary, kind)
    facts = check_signing_certificate(certificate_of(primary, kind, lifetime=9 * DAY, key_lifetime=DAY), *keys)
    assert (facts.user_id, facts.certified_at) == (USER_ID, CREATED_AT)
    assert (facts.expires_at, facts.key_expires_at) == (CREATED_AT + 9 * DAY, CREATED_AT + DAY)
    assert check_signing_certificate(certificate_of(primary, kind), *keys).key_expires_at == 0
    assert check_subkey_revocation(revocation_of(primary, kind), *keys) == (1, "The next one signs.")


def test_refuses_keys_that_are_not_the_pinned_ones_or_signatures_by_others():
    primary, key = records()
    for wrong in ((key, primary), (primary, key_record("p256"))):
        with pytest.raises(OpenpgpKeyDiffers):
            check_signing_certificate(certificate_of(), *wrong)
        with pytest.raises(OpenpgpKeyDiffers):
            check_subkey_revocation(revocation_of(), *wrong)
    for how in ({"agreed_by": 9}, {"vouched_by": 9}):
        with pytest.raises(SignatureDoesNotVerify):
            check_signing_certificate(certificate_of(**how), primary, key)


def test_a_key_is_no_subkey_of_itself_and_a_hostile_user_id_is_refused():
    primary, key = records()
    with pytest.raises(PrimaryIsSubkey):
        prepare_back_signature(primary, primary, at=CREATED_AT)
    with pytest.raises(UserIdMalformed):
        prepare_signing_certificate(primary, key, "a\nb", b"", at=CREATED_AT)


@pytest.mark.parametrize(
    ("make_one", "check"),
    [(certificate_of, check_signing_certificate), (revocation_of, check_subkey_revocation)],
    ids=["certificate", "revocation"],
)
def test_refuses_an_altered_byte(make_one, check):
    good = make_one().encode()

    @given(st.integers(0, len(good) - 1), st.integers(1, 127))
    @settings(max_examples=200)
    def refuses(at: int, change: int) -> None:
        altered = good[:at] + bytes((good[at] ^ change,)) + good[at + 1 :]
        with pytest.raises(Invalid):
            check(altered.decode("latin-1"), *records())

    refuses()


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["p256"])
def test_five_hundred_certificates_pass_whatever_their_numbers_begin_with(kind):
    keys = records(kind, kind)
    for number in range(500):
        check_signing_certificate(certificate_of(kind, kind, at=CREATED_AT + number), *keys)
        check_subkey_revocation(revocation_of(kind, kind, at=CREATED_AT + number), *keys)
