"""A change of keys in OpenPGP, judged by GnuPG: one key vouches for the next, and says that it signs no more."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from foreign_tool import needs, run
from software_hsm import CREATED_AT, key_record, make, sign_raw

from hsmpub.errors import Invalid
from hsmpub.formats.openpgp.certificate import assemble_certificate, openpgp_fingerprint, prepare_certificate
from hsmpub.formats.openpgp.change import (
    REASONS,
    assemble_revocation,
    assemble_vouching,
    prepare_revocation,
    prepare_vouching,
)
from hsmpub.formats.openpgp.change_read import check_revocation, check_vouching
from hsmpub.formats.openpgp.read import OpenpgpKeyDiffers
from hsmpub.formats.registry import FORMATS

USER_ID = "Acme releases <releases@acme.example>"
AT = CREATED_AT + 5000
OLD, NEW = key_record("rsa3072", "openpgp"), key_record("p256", "openpgp", number=1)


def certificate(key, number) -> str:
    prepared = prepare_certificate(key, USER_ID, at=CREATED_AT)
    return assemble_certificate(prepared, sign_raw(prepared, number))


def vouched() -> str:
    prepared = prepare_vouching(OLD, NEW, USER_ID, at=AT)
    return assemble_vouching(certificate(NEW, 1), prepared, sign_raw(prepared))


def revocation(reason="superseded") -> str:
    prepared = prepare_revocation(OLD, reason, f"{reason}: see release-2027", at=AT)
    return assemble_revocation(prepared, sign_raw(prepared))


@pytest.fixture
def gnupg():
    needs("gpg")
    home = Path(tempfile.mkdtemp(prefix="pgp"))  # short: its sockets have a limit of their own
    home.chmod(0o700)
    yield home
    shutil.rmtree(home, ignore_errors=True)  # its agent may take its sockets away meanwhile


def gpg(home: Path, *words: object, stdin: bytes = b"") -> str:
    done = run("gpg", "--batch", "--no-auto-key-retrieve", "--homedir", home, "--status-fd", "1", *words, stdin=stdin)
    return done.stdout.decode() + done.stderr.decode()


def test_gpg_sees_that_the_old_key_vouches_for_the_new_one(gnupg: Path) -> None:
    gpg(gnupg, "--import", stdin=certificate(OLD, 0).encode())
    gpg(gnupg, "--import", stdin=vouched().encode())
    listed = gpg(gnupg, "--with-colons", "--check-sigs", openpgp_fingerprint(NEW))
    signatures = [line.split(":") for line in listed.splitlines() if line.startswith("sig:")]
    by = {record[4]: record[1] for record in signatures}
    assert by == {openpgp_fingerprint(NEW)[-16:]: "!", openpgp_fingerprint(OLD)[-16:]: "!"}


def test_gpg_takes_the_revocation_and_still_shows_what_was_signed_before(gnupg: Path, tmp_path: Path) -> None:
    file, signature = tmp_path / "x", tmp_path / "x.asc"
    file.write_bytes(b"x")
    signature.write_bytes(make(FORMATS["openpgp"], b"x", OLD))
    gpg(gnupg, "--import", stdin=certificate(OLD, 0).encode())
    gpg(gnupg, "--import", stdin=revocation().encode())
    assert f":{openpgp_fingerprint(OLD)[-16:]}:" in gpg(gnupg, "--with-colons", "--list-keys")
    said = gpg(gnupg, "--verify", signature, file)
    assert "REVKEYSIG" in said
    assert "VALIDSIG" in said
    assert "superseded" in said


def test_both_are_read_back_by_other_code() -> None:
    check_vouching(vouched(), NEW, OLD)
    for reason, code in REASONS.items():
        assert check_revocation(revocation(reason), OLD) == (code, f"{reason}: see release-2027")


def test_refuses_another_key_on_either_side() -> None:
    other = key_record("p256", "openpgp", number=2)
    with pytest.raises(OpenpgpKeyDiffers):
        check_vouching(vouched(), other, OLD)
    with pytest.raises(OpenpgpKeyDiffers):
        check_vouching(vouched(), NEW, other)
    with pytest.raises(OpenpgpKeyDiffers):
        check_revocation(revocation(), other)


def test_refuses_any_other_character() -> None:
    for text, check in ((vouched(), lambda t: check_vouching(t, NEW, OLD)),
                        (revocation(), lambda t: check_revocation(t, OLD))):  # fmt: skip
        for at in range(40, len(text), 7):
            changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
            with pytest.raises(Invalid):
                check(changed)
