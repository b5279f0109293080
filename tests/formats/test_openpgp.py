"""OpenPGP, judged by GnuPG and Sequoia: certificates, detached signatures, thousands of P-256 ones."""

from __future__ import annotations

import shutil
import tempfile
from base64 import b64decode
from pathlib import Path

import pytest
from foreign_tool import accepts, needs, run
from hypothesis import given, settings
from hypothesis import strategies as st
from soak import AT_LEAST
from software_hsm import CONTEXT, CREATED_AT, artifact_of, key_record, make, sign_raw

from hsmpub.errors import Invalid
from hsmpub.formats.openpgp.certificate import (
    UserIdMalformed,
    assemble_certificate,
    openpgp_fingerprint,
    prepare_certificate,
)
from hsmpub.formats.openpgp.certificate_read import check_certificate
from hsmpub.formats.openpgp.packet import mpi
from hsmpub.formats.openpgp.parse import OpenpgpMalformed
from hsmpub.formats.openpgp.read import OpenpgpDigestDiffers, OpenpgpKeyDiffers
from hsmpub.formats.public_key import SignatureDoesNotVerify
from hsmpub.formats.registry import FORMATS

OPENPGP = FORMATS["openpgp"]
DATA = b"A release.\r\n" * 9
USER_ID = "Acme releases <releases@acme.example>"
both_kinds = pytest.mark.parametrize("kind", ["p256", "rsa3072"])


def certificate_of(kind, number=0, **how) -> str:
    prepared = prepare_certificate(key_record(kind, number=number), USER_ID, at=CREATED_AT, **how)
    return assemble_certificate(prepared, sign_raw(prepared, number))


@pytest.fixture(scope="module")
def gnupg():
    """A GnuPG home with a short path: its sockets have a limit of their own."""
    needs("gpg")
    home = Path(tempfile.mkdtemp(prefix="pgp"))
    home.chmod(0o700)
    for kind in ("p256", "rsa3072"):
        imported = run("gpg", "--batch", "--homedir", home, "--import", stdin=certificate_of(kind).encode())
        assert imported.returncode == 0, imported.stderr
    yield home
    shutil.rmtree(home, ignore_errors=True)  # its agent may take its sockets away meanwhile


def gpg_says(home: Path, signature: Path, file: Path) -> str:
    done = run("gpg", "--batch", "--no-auto-key-retrieve", "--homedir", home, "--status-fd", "1", "--verify",
               signature, file)  # fmt: skip
    return done.stdout.decode()


@both_kinds
def test_gpg_takes_the_certificate_and_shows_what_it_says(gnupg, tmp_path, kind, proof):
    listed = run("gpg", "--batch", "--homedir", gnupg, "--with-colons", "--fixed-list-mode", "--check-sigs",
                 openpgp_fingerprint(key_record(kind)))  # fmt: skip
    records = [line.split(":") for line in listed.stdout.decode().splitlines()]
    of_type = {record[0]: record for record in records}
    assert of_type["fpr"][9] == openpgp_fingerprint(key_record(kind))
    assert (of_type["pub"][3], of_type["pub"][5]) == ("19" if kind == "p256" else "1", str(CREATED_AT))
    assert set(of_type["pub"][11]) >= {"s", "c"}
    assert of_type["uid"][9] == USER_ID
    other = b64decode("".join(certificate_of(kind).partition("\n\n")[2].splitlines()[:-2])).replace(b"Acme", b"Acne")
    alone = ["gpg", "--batch", "--homedir", tmp_path]
    run(*alone, "--no-allow-non-selfsigned-uid", "--import", stdin=other)  # gpg 2.4 allows them unless told otherwise
    taken = accepts(*alone, "--list-keys", openpgp_fingerprint(key_record(kind)))
    proof("certificate", kind, "gpg --import", good=of_type["sig"][1] == "!", tampered=taken)


@both_kinds
def test_gpg_verifies_and_refuses_what_was_tampered_with(gnupg, tmp_path, kind, proof):
    file, signature = tmp_path / "x", tmp_path / "x.asc"
    file.write_bytes(DATA)
    signature.write_bytes(make(OPENPGP, DATA, key_record(kind, "openpgp")))
    said = gpg_says(gnupg, signature, file)
    assert f"VALIDSIG {openpgp_fingerprint(key_record(kind))}" in said
    assert f" {CONTEXT.at} " in said
    file.write_bytes(DATA + b"\n")
    others = gpg_says(gnupg, signature, file)
    assert "BADSIG" in others
    proof("openpgp", kind, "gpg --verify", good="VALIDSIG" in said, tampered="VALIDSIG" in others)


@both_kinds
def test_sequoia_verifies_and_refuses_what_was_tampered_with(tmp_path, kind, proof):
    needs("sqv")
    for name, data in (("key", certificate_of(kind).encode()), ("x", DATA), ("other", DATA + b"!"),
                       ("x.asc", make(OPENPGP, DATA, key_record(kind, "openpgp")))):  # fmt: skip
        (tmp_path / name).write_bytes(data)
    good, tampered = (accepts("sqv", "--keyring", "key", "x.asc", name, cwd=tmp_path) for name in ("x", "other"))
    proof("openpgp", kind, "sqv", good=good, tampered=tampered)


@both_kinds
def test_own_check_reads_the_certificate(kind):
    facts = check_certificate(certificate_of(kind, lifetime=86_400), key_record(kind))
    assert (facts.user_id, facts.certified_at, facts.expires_at) == (USER_ID, CREATED_AT, CREATED_AT + 86_400)
    assert check_certificate(certificate_of(kind), key_record(kind)).expires_at == 0


def test_gpg_sees_when_a_certificate_expires(tmp_path):
    needs("gpg")
    shown = run("gpg", "--batch", "--homedir", tmp_path, "--with-colons", "--show-keys",
                stdin=certificate_of("p256", lifetime=86_400).encode())  # fmt: skip
    assert f":{CREATED_AT}:{CREATED_AT + 86_400}:" in shown.stdout.decode()


def test_refuses_a_certificate_of_another_key_or_by_another_key():
    with pytest.raises(OpenpgpKeyDiffers):
        check_certificate(certificate_of("p256", number=1), key_record("p256"))
    prepared = prepare_certificate(key_record("p256"), USER_ID, at=CREATED_AT)
    with pytest.raises(SignatureDoesNotVerify):
        check_certificate(assemble_certificate(prepared, sign_raw(prepared, number=1)), key_record("p256"))


@given(st.data())
@settings(max_examples=200)
def test_refuses_a_certificate_with_an_altered_byte(data):
    good = certificate_of("p256").encode()
    at = data.draw(st.integers(0, len(good) - 1))
    altered = good[:at] + bytes((good[at] ^ data.draw(st.integers(1, 127)),)) + good[at + 1 :]
    with pytest.raises(Invalid):
        check_certificate(altered.decode("latin-1"), key_record("p256"))


@pytest.mark.parametrize("user_id", ["", "a\nb", "x <y>", "x <a@b> <c@d>", " x", "x ", "x <a@b>\n", "x" * 101, "é\0"])
def test_refuses_a_hostile_user_id(user_id):
    with pytest.raises(UserIdMalformed):
        prepare_certificate(key_record("p256"), user_id, at=CREATED_AT)


@pytest.mark.parametrize("user_id", ["Acme", "Åcme Ünïted <r+x@acme.example>"])
def test_takes_usual_user_ids(user_id):
    prepared = prepare_certificate(key_record("p256"), user_id, at=CREATED_AT)
    armored = assemble_certificate(prepared, sign_raw(prepared))
    assert check_certificate(armored, key_record("p256")).user_id == user_id


def test_a_certification_is_no_signature_over_a_document():
    key = key_record("p256", "openpgp")
    prepared = prepare_certificate(key, USER_ID, at=CREATED_AT)
    with pytest.raises(OpenpgpMalformed):
        OPENPGP.check(OPENPGP.assemble(prepared, sign_raw(prepared)), artifact_of(DATA), key)


def test_says_that_another_file_was_signed_before_it_verifies():
    key = key_record("p256", "openpgp")
    with pytest.raises(OpenpgpDigestDiffers):
        OPENPGP.read(make(OPENPGP, DATA, key), artifact_of(DATA + b"!"), key)


@pytest.mark.parametrize(
    ("number", "spelled"),
    [
        ("00000000", "0000"),
        ("00000001", "000101"),
        ("000000ff", "0008ff"),
        ("0001ff00", "001101ff00"),
        ("80000000", "002080000000"),
    ],
)
def test_numbers_drop_their_leading_zeros(number, spelled):
    assert mpi(bytes.fromhex(number)).hex() == spelled


@pytest.mark.soak
def test_two_thousand_p256_signatures_pass_and_gpg_takes_those_with_short_numbers(gnupg, tmp_path):
    """Short r or s (a leading zero byte, one in 128 signatures) is where writers of MPIs fail."""
    key = key_record("p256", "openpgp")
    short: list[tuple[bytes, bytes]] = []
    usual: list[tuple[bytes, bytes]] = []
    for number in range(max(2_200, AT_LEAST)):
        data = DATA + number.to_bytes(4, "big")
        artifact = artifact_of(data)
        prepared = OPENPGP.prepare(artifact, key, CONTEXT)
        raw = sign_raw(prepared)
        output = OPENPGP.assemble(prepared, raw)
        OPENPGP.check(output, artifact, key, CONTEXT)
        (short if 0 in (raw[0], raw[32]) else usual).append((data, output))
    assert any(short)
    for number, (data, output) in enumerate((short + usual)[:50]):
        file, signature = tmp_path / f"{number}", tmp_path / f"{number}.asc"
        file.write_bytes(data)
        signature.write_bytes(output)
        assert "VALIDSIG" in gpg_says(gnupg, signature, file)


def test_gpg_takes_an_rsa_signature_with_a_leading_zero(gnupg, tmp_path):
    """One in 256. Here the file is found by trying."""
    key = key_record("rsa3072", "openpgp")
    for number in range(5_000):
        artifact = artifact_of(number.to_bytes(4, "big"))
        prepared = OPENPGP.prepare(artifact, key, CONTEXT)
        raw = sign_raw(prepared)
        if raw[0] == 0:
            break
    assert raw[0] == 0
    output = OPENPGP.assemble(prepared, raw)
    OPENPGP.check(output, artifact, key)
    (tmp_path / "x").write_bytes(number.to_bytes(4, "big"))
    (tmp_path / "x.asc").write_bytes(output)
    assert "VALIDSIG" in gpg_says(gnupg, tmp_path / "x.asc", tmp_path / "x")
