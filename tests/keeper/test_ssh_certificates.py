"""A public key goes in, a certificate by the policy's profile comes out; the statement in the log says the profile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import keeping
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    load_ssh_public_identity,
)

from hsmpub.formats.sha256state import Sha256State
from hsmpub.model import entry as e
from hsmpub.model import submission as s
from hsmpub.model.statement import load_statement
from hsmpub.wire import messages as m

PROJECT = """
[project.deploys]
requesters = [{{ issuer = "ci", repository = "example/deploys" }}]
sign = [{{ key = "logins", formats = ["ssh-certificate"] }}]
approvals = []
[project.deploys.ssh_certificate]
kind = "user"
principals = ["deploy"]
valid = "4h"
extensions = ["permit-pty"]
"""
AUTHORITY = Ed25519PrivateKey.from_private_bytes(b"a" * 32)


def test_a_certificate_says_what_the_policy_s_profile_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(keeping.MORE_KEYS, "logins", (AUTHORITY, "ed25519", ("ssh-certificate",)))
    monkeypatch.setattr(keeping, "POLICY", keeping.POLICY + PROJECT)
    own = Ed25519PrivateKey.generate().public_key()
    line = own.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" ci-job\n"

    async def scenario(kept: keeping.Kept) -> None:
        await kept.unseal()
        job = await kept.job(repository="example/deploys", ref="refs/heads/main")
        state = Sha256State.of(line).to_state("id.pub")
        state = msgspec.structs.replace(state, details={"ssh-certificate": line})
        reply = await job.ask(s.AskSign("deploys", ("ssh-certificate",), states=(state,)))
        assert isinstance(reply, m.SignReply)
        made = load_ssh_public_identity(reply.made[0].output)
        assert isinstance(made, SSHCertificate)
        made.verify_cert_signature()
        assert made.public_key() == own
        assert made.valid_principals == [b"deploy"]
        assert made.extensions == {b"permit-pty": b""}
        assert made.critical_options == {}
        assert made.valid_before - made.valid_after == 4 * 3600 + 60
        entry = kept.entries()[reply.entry]
        assert isinstance(entry, e.RoutineSigned)
        profile = load_statement(entry.statement.encode()).predicate.ssh
        assert profile is not None
        assert (profile.kind, profile.principals, profile.seconds) == ("user", ("deploy",), 4 * 3600)

    with keeping.kept(tmp_path, monkeypatch) as kept:
        asyncio.run(scenario(kept))
