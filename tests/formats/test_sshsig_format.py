"""SSHSIG, judged by ssh-keygen."""

from __future__ import annotations

import pytest
from foreign_tool import accepts, needs, run
from soak import AT_LEAST
from software_hsm import artifact_of, key_record, make, sign_raw

from hsmpub.formats.registry import FORMATS
from hsmpub.formats.ssh.sshsig import assemble_sshsig, prepare_sshsig, ssh_public_line
from hsmpub.formats.ssh.sshsig_read import SshsigKeyDiffers, SshsigNamespaceDiffers

SSHSIG = FORMATS["sshsig"]
DATA = b"A release.\r\n" * 9
every_kind = pytest.mark.parametrize("kind", ["p256", "rsa3072", "ed25519"])


def verify(folder, data: bytes, namespace: str = "file") -> bool:
    return accepts("ssh-keygen", "-Y", "verify", "-f", "signers", "-I", "hsmpub", "-n", namespace, "-s", "x.sig",
                   stdin=data, cwd=folder)  # fmt: skip


@pytest.fixture
def signers(tmp_path):
    needs("ssh-keygen")
    lines = [f"hsmpub {ssh_public_line(key_record(kind))}\n" for kind in ("p256", "rsa3072", "ed25519")]
    (tmp_path / "signers").write_text("".join(lines))
    return tmp_path


@every_kind
def test_ssh_keygen_verifies_and_refuses_what_was_tampered_with(signers, kind, proof):
    (signers / "x.sig").write_bytes(make(SSHSIG, DATA, key_record(kind, "sshsig")))
    proof("sshsig", kind, "ssh-keygen -Y verify", good=verify(signers, DATA), tampered=verify(signers, DATA + b"\n"))
    assert not verify(signers, DATA, namespace="git")
    (signers / "x.sig").write_bytes(make(SSHSIG, DATA, key_record(kind, "sshsig", number=1), number=1))
    assert not verify(signers, DATA)


@pytest.mark.soak
def test_ssh_keygen_verifies_numbers_with_and_without_leading_zeros(signers):
    """One in 128 P-256 signatures has a short number, every second one a high bit that takes a zero before it."""
    key, seen = key_record("p256", "sshsig"), set()
    for number in range(max(2_000, AT_LEAST)):
        data = number.to_bytes(4, "big")
        prepared = SSHSIG.prepare(artifact_of(data), key, None)
        raw = sign_raw(prepared)
        output = SSHSIG.assemble(prepared, raw)
        SSHSIG.check(output, artifact_of(data), key)
        shape = tuple(
            "short" if half[0] == 0 else "high" if half[0] >= 128 else "plain" for half in (raw[:32], raw[32:])
        )
        if shape not in seen and len(seen) < 6:
            seen.add(shape)
            (signers / "x.sig").write_bytes(output)
            assert verify(signers, data), shape
    assert len(seen) >= 4


@every_kind
def test_public_line_is_the_one_of_ssh_keygen(tmp_path, kind):
    needs("ssh-keygen")
    (tmp_path / "key.pub").write_text(ssh_public_line(key_record(kind)))
    assert run("ssh-keygen", "-l", "-f", "key.pub", cwd=tmp_path).returncode == 0
    if kind != "ed25519":  # ssh-keygen reads no Ed25519 key in PKCS8
        (tmp_path / "key.pem").write_text(key_record(kind).public)
        line = run("ssh-keygen", "-i", "-m", "PKCS8", "-f", "key.pem", cwd=tmp_path).stdout.decode()
        assert line.split()[:2] == ssh_public_line(key_record(kind)).split()


def test_refuses_another_namespace_and_another_key():
    key, data = key_record("ed25519", "sshsig"), artifact_of(DATA)
    prepared = prepare_sshsig(data.state.digest(), key, "git")
    with pytest.raises(SshsigNamespaceDiffers):
        SSHSIG.check(assemble_sshsig(prepared, sign_raw(prepared)), data, key)
    with pytest.raises(SshsigKeyDiffers):
        SSHSIG.check(make(SSHSIG, DATA, key), data, key_record("ed25519", "sshsig", number=1))
