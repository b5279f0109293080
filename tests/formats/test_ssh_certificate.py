"""ssh-keygen reads the certificates, sshd lets their holders in, and neither takes what was altered."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import threading
import time
from datetime import UTC, datetime

import msgspec
import pytest
from foreign_tool import accepts, needs, run
from samples import ssh_public_key
from software_hsm import CONTEXT, artifact_of, key_record, sign_raw

from hsmpub.client.public_key import public_form
from hsmpub.formats.detail import DetailMalformed
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource
from hsmpub.formats.ssh.certificate import SshProfileMissing
from hsmpub.formats.ssh.certificate_read import SshCertificateForAnother
from hsmpub.formats.ssh.key import SshKeyMalformed
from hsmpub.model.statement import SshProfile

FORM = FORMATS["ssh-certificate"]
every_kind = pytest.mark.parametrize("kind", sorted(FORM.key_kinds))


def certify(public: bytes, kind: str = "ed25519", context=CONTEXT) -> bytes:
    key, artifact = key_record(kind, FORM.name), artifact_of(public, "id.pub", FORM)
    prepared = FORM.prepare(artifact, key, context)
    output = FORM.assemble(prepared, sign_raw(prepared))
    FORM.check(output, artifact, key, context)
    return output


@every_kind
@pytest.mark.parametrize("own", ["ed25519", "ecdsa", "rsa"])
def test_ssh_keygen_shows_what_the_profile_says(tmp_path, kind, own, proof):
    needs("ssh-keygen")
    assert accepts("ssh-keygen", "-q", "-t", own, "-N", "", "-f", "id", cwd=tmp_path)
    (tmp_path / "id-cert.pub").write_bytes(certify((tmp_path / "id.pub").read_bytes(), kind))
    shown = run("ssh-keygen", "-L", "-f", "id-cert.pub", cwd=tmp_path, env={"TZ": "UTC"})
    assert shown.returncode == 0, shown.stderr
    told = shown.stdout.decode()
    assert "user certificate" in told
    assert 'Key ID: "releases.acme.example sdk-python r-0001"' in told
    assert [line.strip() for line in told.splitlines()].count("deploy") == 1
    assert "Critical Options: (none)" in told
    assert "permit-pty" in told
    begins, ends = (datetime.fromtimestamp(CONTEXT.at + s, UTC).strftime("%Y-%m-%dT%H:%M:%S") for s in (-60, 3600))
    assert f"from {begins} to {ends}" in told
    assert "no-touch" not in told
    words = (tmp_path / "id-cert.pub").read_bytes().split(b" ")
    blob = base64.b64decode(words[1])
    assert b"deploy" in blob
    words[1] = base64.b64encode(blob.replace(b"deploy", b"deploz"))
    (tmp_path / "altered-cert.pub").write_bytes(b" ".join(words))
    tampered = accepts("ssh-keygen", "-L", "-f", "altered-cert.pub", cwd=tmp_path)
    proof(FORM.name, kind, "ssh-keygen -L", good=True, tampered=tampered, on="ssh-keygen's key")


def test_a_host_certificate_is_one():
    profile = SshProfile("host", ("build-1.example.org",), 60)
    output = certify(ssh_public_key(7), context=msgspec.structs.replace(CONTEXT, ssh=profile))
    shown = run("ssh-keygen", "-L", "-f", "-", stdin=output).stdout
    assert b"host certificate" in shown
    assert b"Extensions: (none)" in shown


@pytest.mark.parametrize(
    "profile",
    [
        SshProfile("host", CONTEXT.ssh.principals, CONTEXT.ssh.seconds, CONTEXT.ssh.extensions),
        SshProfile("user", ("root",), CONTEXT.ssh.seconds, CONTEXT.ssh.extensions),
        SshProfile("user", CONTEXT.ssh.principals, 3601, CONTEXT.ssh.extensions),
        SshProfile("user", CONTEXT.ssh.principals, CONTEXT.ssh.seconds, ("permit-pty",)),
    ],
)
def test_another_profile_than_that_of_the_request_is_seen(profile):
    output = certify(ssh_public_key(7))
    artifact, key = artifact_of(ssh_public_key(7), "id.pub", FORM), key_record("ed25519", FORM.name)
    with pytest.raises(SshCertificateForAnother):
        FORM.check(output, artifact, key, msgspec.structs.replace(CONTEXT, ssh=profile))


def test_without_a_profile_there_is_no_certificate():
    with pytest.raises(SshProfileMissing):
        certify(ssh_public_key(7), context=msgspec.structs.replace(CONTEXT, ssh=None))


@pytest.mark.parametrize("file", [b"", b"x" * 5000, b"ssh-ed25519 AAAA", b'command="x" ' + ssh_public_key(7), b"\xff"])
def test_what_is_no_public_key_is_refused(file):
    with pytest.raises((DetailMalformed, SshKeyMalformed)):
        FORM.extract(BytesSource(file))


def test_sshd_lets_the_holder_in_and_nobody_else(tmp_path, proof):
    """A real sshd on loopback, one connection a run, with the service's key as its only authority."""
    sshd = shutil.which("sshd") or "/usr/sbin/sshd"
    if not os.path.exists(sshd) or not os.path.isdir("/run/sshd"):
        pytest.skip("sshd is not installed, or has no /run/sshd")
    for name in ("id", "host"):
        assert accepts("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name, cwd=tmp_path)
    (tmp_path / "ca.pub").write_text(public_form(key_record("ed25519", FORM.name), "ssh"))
    user = os.environ.get("USER") or subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
    (tmp_path / "principals").write_text("deploy\n")
    (tmp_path / "config").write_text(
        f"HostKey {tmp_path}/host\nTrustedUserCAKeys {tmp_path}/ca.pub\n"
        f"AuthorizedPrincipalsFile {tmp_path}/principals\n"
        "AuthorizedKeysFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nStrictModes no\n"
        "PermitRootLogin prohibit-password\nUsePAM no\nPidFile none\n"
    )

    def log_in(context) -> bool:
        (tmp_path / "id-cert.pub").write_bytes(certify((tmp_path / "id.pub").read_bytes(), context=context))
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def serve() -> None:
                line, _ = listener.accept()
                with line:
                    line.setblocking(True)
                    subprocess.run([sshd, "-i", "-f", str(tmp_path / "config")], stdin=line, stdout=line,
                                   stderr=subprocess.DEVNULL, timeout=60)  # fmt: skip

            serving = threading.Thread(target=serve)
            serving.start()
            done = accepts(
                "ssh", "-F", "none", "-i", "id", "-p", listener.getsockname()[1], "-o", "IdentitiesOnly=yes",
                "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={tmp_path}/known", "-o", "BatchMode=yes",
                f"{user}@127.0.0.1", "true", cwd=tmp_path,
            )  # fmt: skip
            serving.join()
            return done

    now = msgspec.structs.replace(CONTEXT, at=int(time.time()))
    another = msgspec.structs.replace(now, ssh=SshProfile("user", ("another",), 3600, ("permit-pty",)))
    proof(FORM.name, "ed25519", "sshd", good=log_in(now), tampered=log_in(another), on="ssh-keygen's key")
    assert not log_in(msgspec.structs.replace(now, at=now.at - 7200))
