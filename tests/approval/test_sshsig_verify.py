"""SSHSIG: what real ssh-keygen makes is accepted, and everything that differs from it by a byte is refused."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from ssh_signers import MESSAGE, NAMESPACE, Authenticator, armor, envelope, keygen, mpint, sign, signed_data, string

from hsmpub.errors import Invalid, Unauthenticated
from hsmpub.formats.ssh import sshsig_verify as rule
from hsmpub.formats.ssh.key import SshKeyMalformed, SshKeyRefused, load_ssh_key
from hsmpub.formats.ssh.sshsig_verify import verify_sshsig


@pytest.fixture(scope="module")
def software(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    key = keygen(tmp_path_factory.mktemp("ssh"), "-t", "ed25519")
    return key.with_suffix(".pub").read_text(), sign(key)


@pytest.mark.parametrize(
    "options",
    [
        ("-t", "ed25519"),
        ("-t", "ecdsa", "-b", "256"),
        ("-t", "ecdsa", "-b", "384"),
        ("-t", "ecdsa", "-b", "521"),
        ("-t", "rsa", "-b", "2048"),
        ("-t", "rsa", "-b", "3072"),
    ],
    ids="-".join,
)
@pytest.mark.parametrize("hash_name", ["sha256", "sha512"])
def test_accepts_what_ssh_keygen_signs(tmp_path: Path, options: tuple[str, ...], hash_name: str) -> None:
    key = keygen(tmp_path, *options)
    line = key.with_suffix(".pub").read_text()
    for _ in range(4):  # leading zeros of r and s come and go
        signature = verify_sshsig(sign(key, options=("-O", f"hashalg={hash_name}")), MESSAGE, NAMESPACE, [line])
    assert signature.hash == hash_name
    assert signature.key == " ".join(line.split()[:2])
    assert (signature.hardware, signature.counter) == (False, None)
    listed = subprocess.run(["ssh-keygen", "-l", "-f", key], capture_output=True, check=True, text=True).stdout
    assert signature.fingerprint in listed


@pytest.mark.parametrize("kind", ["ed25519", "p256"])
def test_accepts_a_hardware_key_that_was_touched_and_verified_its_person(kind: str) -> None:
    authenticator = Authenticator(kind)
    for counter in range(20):
        said = verify_sshsig(authenticator.sign(counter=counter), MESSAGE, NAMESPACE, [authenticator.line])
        assert (said.hardware, said.present, said.verified, said.counter) == (True, True, True, counter)


@pytest.mark.parametrize("kind", ["ed25519", "p256"])
def test_agrees_with_ssh_keygen_about_hardware_signatures(tmp_path: Path, kind: str) -> None:
    authenticator = Authenticator(kind)
    (tmp_path / "signers").write_text(f"holder-1 {authenticator.line}\n")
    (tmp_path / "signature").write_bytes(authenticator.sign())
    command = ["ssh-keygen", "-Y", "verify", "-I", "holder-1", "-n", NAMESPACE]
    command += ["-f", str(tmp_path / "signers"), "-s", str(tmp_path / "signature")]
    subprocess.run(command, input=MESSAGE, capture_output=True, check=True)


@pytest.mark.parametrize("kind", ["ed25519", "p256"])
def test_refuses_a_hardware_key_that_nobody_touched(kind: str) -> None:
    authenticator = Authenticator(kind)
    for flags in (0, 4):
        with pytest.raises(rule.PresenceMissing):
            verify_sshsig(authenticator.sign(flags=flags), MESSAGE, NAMESPACE, [authenticator.line], touch_only=True)


@pytest.mark.parametrize("kind", ["ed25519", "p256"])
def test_refuses_a_hardware_key_that_did_not_verify_its_person_unless_touch_is_enough(kind: str) -> None:
    authenticator = Authenticator(kind)
    signature = authenticator.sign(flags=1)
    with pytest.raises(rule.VerificationMissing):
        verify_sshsig(signature, MESSAGE, NAMESPACE, [authenticator.line])
    assert not verify_sshsig(signature, MESSAGE, NAMESPACE, [authenticator.line], touch_only=True).verified


def test_refuses_flags_that_the_hardware_did_not_sign() -> None:
    authenticator = Authenticator()
    with pytest.raises(rule.SignatureOfOtherBytes):
        verify_sshsig(authenticator.sign(flags=0, said_flags=5), MESSAGE, NAMESPACE, [authenticator.line])


def test_refuses_authenticator_data_of_another_shape() -> None:
    authenticator = Authenticator()
    for flags in (0x45, 0x85, 0x07):
        with pytest.raises(rule.SshsigMalformed):
            verify_sshsig(authenticator.sign(flags=flags), MESSAGE, NAMESPACE, [authenticator.line])


def test_refuses_a_hardware_key_of_another_application() -> None:
    with pytest.raises(SshKeyRefused):
        load_ssh_key(Authenticator(application=b"https://example.test").line)


def test_refuses_other_bytes(software: tuple[str, bytes]) -> None:
    line, signature = software
    with pytest.raises(rule.SignatureOfOtherBytes):
        verify_sshsig(signature, MESSAGE + b"\n", NAMESPACE, [line])


@pytest.mark.parametrize("namespace", ["hsmpub-refusal", "git", "", "hsmpub-approval\0", "hsmpub-approva"])
def test_refuses_another_namespace(software: tuple[str, bytes], namespace: str) -> None:
    line, signature = software
    with pytest.raises(rule.SshsigOfAnotherNamespace):
        verify_sshsig(signature, MESSAGE, namespace, [line])


def test_refuses_a_signer_who_is_not_expected(software: tuple[str, bytes]) -> None:
    _, signature = software
    with pytest.raises(rule.SignerNotExpected):
        verify_sshsig(signature, MESSAGE, NAMESPACE, [Authenticator().line])
    with pytest.raises(rule.SignerNotExpected):
        verify_sshsig(signature, MESSAGE, NAMESPACE, [])


def test_refuses_two_blocks_text_around_and_other_line_ends(software: tuple[str, bytes]) -> None:
    line, signature = software
    variants = [
        signature + signature, b"\n" + signature, signature + b"\n", b"x" + signature, signature + b"x",
        signature.replace(b"\n", b"\r\n"), signature.replace(b"SSH SIGNATURE", b"PGP SIGNATURE"), b"",
        signature.replace(b"\n", b"\n\n", 1), signature + b"\0" * 9000,
    ]  # fmt: skip
    for variant in variants:
        with pytest.raises(rule.SshsigMalformed):
            verify_sshsig(variant, MESSAGE, NAMESPACE, [line])


def _inner(signature: bytes) -> bytes:
    return base64.b64decode(b"".join(signature.split(b"\n")[1:-2]))


@pytest.mark.parametrize(
    "change",
    [
        {"magic": b"SSHSIG\0\0\0\2"},
        {"magic": b"SSHSIG\0\0\0\0"},
        {"magic": b"SSHSIH\0\0\0\1"},
        {"reserved": b"x"},
        {"tail": b"\0"},
    ],
    ids=repr,
)
def test_refuses_another_magic_version_reserved_field_and_trailing_bytes(change: dict[str, bytes]) -> None:
    key = Ed25519PrivateKey.generate()
    blob = string(b"ssh-ed25519") + string(key.public_key().public_bytes_raw())
    line = f"ssh-ed25519 {base64.b64encode(blob).decode()}"
    signature = string(b"ssh-ed25519") + string(key.sign(signed_data(MESSAGE)))
    verify_sshsig(armor(envelope(blob, signature)), MESSAGE, NAMESPACE, [line])
    with pytest.raises(rule.SshsigMalformed):
        verify_sshsig(armor(envelope(blob, signature, **change)), MESSAGE, NAMESPACE, [line])
    with pytest.raises(rule.SshsigMalformed):
        verify_sshsig(armor(envelope(blob, signature + b"\0")), MESSAGE, NAMESPACE, [line])
    with pytest.raises(rule.SshsigHashRefused):
        verify_sshsig(armor(envelope(blob, signature, hash_name=b"sha1")), MESSAGE, NAMESPACE, [line])


def test_refuses_rsa_with_sha1(tmp_path: Path) -> None:
    key = keygen(tmp_path, "-t", "rsa", "-b", "2048")
    inner = _inner(sign(key))
    swapped = inner.replace(string(b"rsa-sha2-512"), string(b"ssh-rsa"))
    at = inner.rindex(string(b"rsa-sha2-512")) - 4
    length = int.from_bytes(inner[at : at + 4], "big") - 5
    swapped = swapped[:at] + length.to_bytes(4, "big") + swapped[at + 4 :]
    with pytest.raises(rule.SshsigMalformed, match="another shape"):
        verify_sshsig(armor(swapped), MESSAGE, NAMESPACE, [key.with_suffix(".pub").read_text()])


def test_refuses_weak_and_unknown_keys(tmp_path: Path) -> None:
    weak = string(b"ssh-rsa") + mpint(65537) + mpint((1 << 1023) | 1)
    with pytest.raises(SshKeyRefused):
        load_ssh_key(f"ssh-rsa {base64.b64encode(weak).decode()}")
    dsa = string(b"ssh-dss") + mpint(5)
    with pytest.raises(SshKeyRefused):
        load_ssh_key(f"ssh-dss {base64.b64encode(dsa).decode()}")


def test_refuses_key_lines_with_options_other_types_or_trailing_bytes(software: tuple[str, bytes]) -> None:
    kind, encoded, *_ = software[0].split()
    longer = base64.b64encode(base64.b64decode(encoded) + b"\0").decode()
    for line in (f'restrict {kind} {encoded}', f"ssh-rsa {encoded}", f"{kind} {longer}", f"{kind} {encoded}=", kind, "",
                 f"{kind} {encoded}\n{kind} {encoded}"):  # fmt: skip
        with pytest.raises(SshKeyMalformed):
            load_ssh_key(line)


@pytest.fixture(scope="module")
def signatures(software: tuple[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, bytes]]:
    found = [software]
    for options in (("-t", "ecdsa"), ("-t", "rsa", "-b", "2048")):
        key = keygen(tmp_path_factory.mktemp("ssh"), *options)
        found.append((key.with_suffix(".pub").read_text(), sign(key)))
    for kind in ("ed25519", "p256"):
        authenticator = Authenticator(kind)
        found.append((authenticator.line, authenticator.sign()))
    return found


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_refuses_every_changed_byte_of_the_armour(signatures: list[tuple[str, bytes]], data: st.DataObject) -> None:
    line, signature = data.draw(st.sampled_from(signatures))
    at = data.draw(st.integers(0, len(signature) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != signature[at]))
    changed = signature[:at] + bytes([byte]) + signature[at + 1 :]
    with pytest.raises((Invalid, Unauthenticated)):
        verify_sshsig(changed, MESSAGE, NAMESPACE, [line])


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_refuses_every_changed_inserted_or_lost_byte_inside(
    signatures: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    line, signature = data.draw(st.sampled_from(signatures))
    inner = _inner(signature)
    at = data.draw(st.integers(0, len(inner) - 1))
    piece = data.draw(st.binary(max_size=4).filter(lambda b: b != inner[at : at + 1]))
    with pytest.raises((Invalid, Unauthenticated)):
        verify_sshsig(armor(inner[:at] + piece + inner[at + 1 :]), MESSAGE, NAMESPACE, [line])


@settings(max_examples=300, deadline=None)
@given(armored=st.binary(max_size=300), inner=st.binary(max_size=300))
def test_refuses_noise_by_name(armored: bytes, inner: bytes) -> None:
    for noise in (armored, armor(inner), armor(b"SSHSIG\0\0\0\1" + inner)):
        with pytest.raises((Invalid, Unauthenticated)):
            verify_sshsig(noise, MESSAGE, NAMESPACE, [])


@settings(max_examples=300, deadline=None)
@given(blob=st.binary(max_size=80), kind=st.sampled_from([b"ssh-ed25519", b"ssh-rsa", b"ecdsa-sha2-nistp256",
       b"sk-ecdsa-sha2-nistp256@openssh.com"]))  # fmt: skip
def test_refuses_broken_keys_by_name(blob: bytes, kind: bytes) -> None:
    line = f"{kind.decode()} {base64.b64encode(string(kind) + blob).decode()}"
    try:
        key = load_ssh_key(line)
    except (SshKeyMalformed, SshKeyRefused):
        return
    assert key.line == line


@pytest.mark.parametrize("namespace", ["n", "nn", "nnn"])
def test_refuses_base64_with_stray_bits_at_its_end(namespace: str) -> None:
    authenticator = Authenticator()
    signature = authenticator.sign(namespace=namespace)
    verify_sshsig(signature, MESSAGE, namespace, [authenticator.line])
    body, end = signature.split(b"\n-----END")
    padding = len(body) - len(body.rstrip(b"="))
    if padding:
        last = body.rstrip(b"=")
        stray = bytes([last[-1] + 1])  # the letters that end padded base64 are followed by ones with a bit more
        with pytest.raises(rule.SshsigMalformed, match="one form"):
            verify_sshsig(
                last[:-1] + stray + b"=" * padding + b"\n-----END" + end, MESSAGE, namespace, [authenticator.line]
            )
