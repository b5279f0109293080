"""`hsmpub agent`: ssh-keygen and git sign with keys of the service, and get nothing else signed."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from real_keeper import Place, pins, real

from hsmpub.client.agent_signer import NoAgentKey, Signer
from hsmpub.client.client import Client
from hsmpub.client.public_key import public_form
from hsmpub.client.ssh_agent import SocketTaken, listening
from hsmpub.formats.ssh.sshsig import string
from hsmpub.formats.ssh.sshsig_agent import to_be_signed
from hsmpub.model import entry as e
from hsmpub.model.trust import dump_trust
from tests.proofs import Prove
from tests.service.jobs import AUDIENCE

PROJECTS = """
[project.commits]
requesters = [{ issuer = "ci", repository = "example/commits" }]
sign = [{ key = "commits", formats = ["ssh-agent-git"] }, { key = "lists", formats = ["ssh-agent-file"] }]
approvals = []
[project.rsa]
requesters = [{ issuer = "ci", repository = "example/commits" }]
sign = [{ key = "tags-rsa", formats = ["ssh-agent-git"] }, { key = "listed-rsa", formats = ["ssh-agent-file"] }]
approvals = []
[project.others]
requesters = [{ issuer = "ci", repository = "example/commits" }]
sign = [{ key = "tags", formats = ["ssh-agent-git"] }, { key = "notes", formats = ["ssh-agent-file"] }]
approvals = []
"""
KEYS = {
    "commits": (Ed25519PrivateKey.from_private_bytes(b"c" * 32), "ed25519", ("ssh-agent-git",)),
    "lists": (ec.derive_private_key(4714, ec.SECP256R1()), "p256", ("ssh-agent-file",)),
    "tags": (ec.derive_private_key(4715, ec.SECP256R1()), "p256", ("ssh-agent-git",)),
    "notes": (Ed25519PrivateKey.from_private_bytes(b"n" * 32), "ed25519", ("ssh-agent-file",)),
    "tags-rsa": (rsa.generate_private_key(65537, 3072), "rsa3072", ("ssh-agent-git",)),
    "listed-rsa": (rsa.generate_private_key(65537, 3072), "rsa3072", ("ssh-agent-file",)),
    "unlisted": (Ed25519PrivateKey.from_private_bytes(b"u" * 32), "ed25519", ("ssh-agent-git",)),
}


class Tokens:
    """A token of the demo's issuer for each session."""

    def __init__(self, place: Place) -> None:
        self._issuer = place[1].issuer
        self.made = 0

    def token(self, audience: str) -> str:
        self.made += 1
        return self._issuer.token(audience, repository="example/commits", ref="refs/heads/main")


class Agent:
    """One that runs: its socket, and what it said."""

    def __init__(self, place: Place, signer: Signer, tokens: Tokens, path: Path) -> None:
        self.place, self.signer, self.tokens, self.path = place, signer, tokens, path
        self.said: list[str] = []
        self.folder = path.parent
        for name in KEYS:
            key = next(key for key in signer.keys.values() if key.name == name)
            (self.folder / f"{name}.pub").write_text(public_form(key, "ssh"))

    def run(self, *command: str, cwd: Path | None = None, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "SSH_AUTH_SOCK": str(self.path)}
        return subprocess.run(command, cwd=cwd or self.folder, env=env, input=stdin, capture_output=True, timeout=60)

    def ask(self, message: bytes) -> bytes:
        """One message, as it is, and the answer; empty when the agent hung up."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(30)
            line.connect(str(self.path))
            line.sendall(message)
            line.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: line.recv(65_536), b""))

    def sign_request(self, key: str, data: bytes) -> bytes:
        blob = next(blob for blob, record in self.signer.keys.items() if record.name == key)
        return self.ask(string(b"\x0d" + string(blob) + string(data) + bytes(4)))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with real(tmp_path_factory.mktemp("keeper"), KEYS, PROJECTS) as made:
        yield made


@contextmanager
def agent_of(project: str, place: Place, folder: Path) -> Iterator[Agent]:
    tokens = Tokens(place)
    with Client(place[0].url, pins(place[1])) as client:
        signer = Signer(client, tokens, project, audience=AUDIENCE)
        up = Agent(place, signer, tokens, folder / "s")
        with listening(up.path, signer, up.said.append) as server:
            serving = threading.Thread(target=server.serve_forever, args=(0.02,))
            serving.start()
            try:
                yield up
            finally:
                server.shutdown()
                serving.join()


@pytest.fixture(scope="module")
def agent(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with agent_of("commits", place, tmp_path_factory.mktemp("a")) as up:
        yield up


@pytest.fixture(scope="module")
def others(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """The same two formats by keys of the other kinds."""
    with agent_of("others", place, tmp_path_factory.mktemp("a")) as up:
        yield up


@pytest.fixture(scope="module")
def rsa_agent(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with agent_of("rsa", place, tmp_path_factory.mktemp("a")) as up:
        yield up


def allowed(agent: Agent, key: str, namespace: str) -> None:
    line = (agent.folder / f"{key}.pub").read_text()
    (agent.folder / "allowed").write_text(f'ci namespaces="{namespace}" {line}')


@pytest.mark.parametrize("key", ["lists", "notes", "listed-rsa"])
def test_ssh_keygen_signs_files_and_verifies_them(
    agent: Agent, others: Agent, rsa_agent: Agent, key: str, proof: Prove
) -> None:
    agent = {"notes": others, "listed-rsa": rsa_agent}.get(key, agent)
    allowed(agent, key, "file")
    (agent.folder / "x").write_bytes(b"a list")
    assert agent.run("ssh-keygen", "-Y", "sign", "-n", "file", "-f", f"{key}.pub", "x").returncode == 0, agent.said
    verify = ["ssh-keygen", "-Y", "verify", "-n", "file", "-I", "ci", "-f", "allowed", "-s", "x.sig"]
    good, tampered = (agent.run(*verify, stdin=text).returncode == 0 for text in (b"a list", b"another"))
    made_by = "ssh-keygen -Y sign's request"
    proof("ssh-agent-file", KEYS[key][1], "ssh-keygen -Y verify", good=good, tampered=tampered, on=made_by)


@pytest.mark.parametrize("key", ["commits", "tags", "tags-rsa"])
def test_git_signs_commits_and_verifies_them(
    agent: Agent, others: Agent, rsa_agent: Agent, key: str, proof: Prove
) -> None:
    agent = {"tags": others, "tags-rsa": rsa_agent}.get(key, agent)
    allowed(agent, key, "git")
    repository = agent.folder / "repository"
    assert agent.run("git", "init", "-q", str(repository)).returncode == 0
    for name, value in {
        "user.name": "ci-job", "user.email": "ci@example.org", "gpg.format": "ssh",
        "user.signingkey": str(agent.folder / f"{key}.pub"),
        "gpg.ssh.allowedSignersFile": str(agent.folder / "allowed"),
    }.items():  # fmt: skip
        agent.run("git", "config", name, value, cwd=repository)
    before = len(agent.place[1].entries())
    made = agent.run("git", "commit", "-q", "-S", "--allow-empty", "-m", "one", cwd=repository)
    assert made.returncode == 0, (made.stderr, agent.said)
    good = b'Good "git" signature for ci' in agent.run("git", "verify-commit", "HEAD", cwd=repository).stderr
    commit = agent.run("git", "cat-file", "commit", "HEAD", cwd=repository).stdout.replace(b"\none", b"\ntwo")
    store = ("git", "hash-object", "-t", "commit", "-w", "--stdin")
    altered = agent.run(*store, cwd=repository, stdin=commit).stdout.decode().strip()
    tampered = agent.run("git", "verify-commit", altered, cwd=repository).returncode == 0
    proof("ssh-agent-git", KEYS[key][1], "git verify-commit", good=good, tampered=tampered, on="git commit -S's commit")
    added = agent.place[1].entries()[before:]
    assert [type(one) for one in added if isinstance(one, e.RoutineSigned)] == [e.RoutineSigned]


def test_the_keys_are_listed_and_the_socket_is_its_user_s_alone(agent: Agent) -> None:
    listed = agent.run("ssh-add", "-L").stdout.decode().splitlines()
    assert sorted(line.rpartition(" ")[2] for line in listed) == [f"hsmpub-{name}" for name in sorted(KEYS)]
    assert stat.S_IMODE(agent.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("namespace", ["git", "email", "hsmpub-approval"])
def test_no_other_namespace_is_signed(agent: Agent, namespace: str) -> None:
    (agent.folder / "y").write_bytes(b"a list")
    assert agent.run("ssh-keygen", "-Y", "sign", "-n", namespace, "-f", "lists.pub", "y").returncode != 0


def test_an_ssh_login_is_not_signed(agent: Agent) -> None:
    """RFC 4252, 7: a session identifier, then the request for authentication."""
    blob = next(blob for blob, key in agent.signer.keys.items() if key.name == "commits")
    fields = (b"root", b"ssh-connection", b"publickey")
    login = (
        string(bytes(32)) + b"\x32" + b"".join(map(string, fields)) + b"\x01" + string(b"ssh-ed25519") + string(blob)
    )
    assert agent.sign_request("commits", login) == string(b"\x05")
    assert "something else than a signed message" in agent.said[-1]


def test_an_rsa_key_signs_with_sha512_and_nothing_else(rsa_agent: Agent) -> None:
    data = to_be_signed("file", "sha512", bytes(64))
    blob = next(blob for blob, key in rsa_agent.signer.keys.items() if key.name == "listed-rsa")
    asked = b"\x0d" + string(blob) + string(data)
    answers = [rsa_agent.ask(string(asked + flags.to_bytes(4, "big"))) for flags in (0, 2, 4)]
    assert answers[:2] == [string(b"\x05")] * 2
    assert b"rsa-sha2-512" in answers[2]


def test_a_key_that_the_policy_does_not_give_the_project_is_refused_by_the_service(agent: Agent) -> None:
    (agent.folder / "z").write_bytes(b"a list")
    assert agent.run("ssh-keygen", "-Y", "sign", "-n", "git", "-f", "unlisted.pub", "z").returncode != 0
    assert "does not sign with 'unlisted'" in agent.said[-1]


def test_a_session_that_ended_is_opened_again(agent: Agent) -> None:
    allowed(agent, "lists", "file")
    (agent.folder / "w").write_bytes(b"a list")
    sign = ["ssh-keygen", "-Y", "sign", "-n", "file", "-f", "lists.pub", "w"]
    assert agent.run(*sign).returncode == 0
    opened = agent.tokens.made
    agent.place[1].keeper.sessions._open.clear()
    (agent.folder / "w.sig").unlink()
    assert agent.run(*sign).returncode == 0
    assert agent.tokens.made == opened + 1


def test_whatever_is_sent_the_agent_goes_on(agent: Agent) -> None:
    @given(st.binary(max_size=80))
    @settings(max_examples=40, deadline=None)
    def send(data: bytes) -> None:
        assert agent.ask(string(data) if data else data) in (b"", string(b"\x05")) or data[:1] == b"\x0b"

    send()
    assert agent.ask((1 << 30).to_bytes(4, "big") + b"x") == b""
    assert agent.run("ssh-add", "-L").returncode == 0


def test_a_path_that_is_taken_and_a_trust_file_without_such_keys_are_refused(agent: Agent) -> None:
    with pytest.raises(SocketTaken), listening(agent.path, agent.signer, print):
        pass
    with Client(agent.place[0].url, pins(agent.place[1])) as client, pytest.raises(NoAgentKey):
        Signer(client, agent.tokens, "commits", names=["release"])


def test_an_agent_that_a_script_started_in_the_background_ends_at_sigterm(tmp_path: Path, place: Place) -> None:
    """Such a script has SIGINT ignored in what it starts."""
    (tmp_path / "trust.json").write_bytes(dump_trust(pins(place[1])))
    where, trust = tmp_path / "socket", str(tmp_path / "trust.json")
    words = ["agent", "--project", "commits", "--socket", str(where), "--trust", trust, "--token-command", "false"]
    command = [sys.executable, "-c", "from hsmpub.cli.main import run; run()", *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command], stdout=subprocess.PIPE, env=environment
    ) as running:
        try:
            assert running.stdout is not None
            assert str(where) in running.stdout.readline().decode()
            running.terminate()
            assert running.wait(30) == 0
        finally:
            running.kill()
    assert not where.exists()
