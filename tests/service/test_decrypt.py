"""Files that a team encrypted to its key, with the usual tools, opened for one person after a quorum said so."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from deploy.demo.people import Person
from deploy.demo.world import World
from hsmpub.envelope.bech32 import read_bech32
from hsmpub.errors import HsmpubError
from hsmpub.model import entry as e
from hsmpub.wire import messages as m
from tests.service import processes
from tests.service.canaries import Canary, files, found_in
from tests.service.hands import approve, at_the_keeper, log_entries
from tests.service.jobs import Front

CONTENT = os.urandom(300_000)
HEADER_REQUEST = re.compile(r"[0-9a-f]{16}(?=: )")


@dataclass(frozen=True)
class Desk:
    """sdk-lead asks; release-manager and security-officer approve."""

    world: World
    folder: Path

    def run(self, *command: str | Path, stdin: bytes = b"") -> str:
        return self.world.stage.run(*command, stdin=stdin, env={"GNUPGHOME": str(self.folder / "gnupg")})

    def key(self, form: str) -> str:
        return self.world.hsmpub("backup-key", "--form", form)

    def write(self, name: str, data: bytes = CONTENT) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    def ask(self, file: Path, to: str | Path, who: Person | None = None) -> str:
        asker = who or self.world.people.lead
        said = self.world.hsmpub("decrypt", file, "--to", str(to), "--reason", "disk of host-1 lost",
                                 "--person", asker.name, "--key", asker.identity)  # fmt: skip
        found = HEADER_REQUEST.search(said)
        assert found, said
        return found[0]

    def approve(self, request: str, *people: Person) -> None:
        async def scenario(front: Front) -> None:
            view = await front.call(m.GetRequest(request))
            assert isinstance(view, m.RequestView)
            await approve(self.world, front, view, people or (self.world.people.manager, self.world.people.officer))

        at_the_keeper(self.world, scenario)

    def fetching(self, file: Path, request: str, output: Path, timeout: int = 30) -> list[str | Path]:
        lead = self.world.people.lead
        return ["decrypt", file, "--request", request, "--output", output, "--person", lead.name,
                "--key", lead.identity, "--timeout", str(timeout)]  # fmt: skip

    def open_for(self, file: Path, to: str | Path) -> Path:
        """The whole way."""
        request, output = self.ask(file, to), file.with_name(file.name + ".opened")
        self.approve(request)
        self.world.hsmpub(*self.fetching(file, request, output))
        return output


@pytest.fixture
def desk(service: World, tmp_path: Path) -> Desk:
    (tmp_path / "gnupg").mkdir(mode=0o700)
    return Desk(service, tmp_path)


def age_identity(desk: Desk, name: str) -> tuple[Path, str]:
    path = desk.folder / name
    desk.run("age-keygen", "-o", path)
    return path, desk.run("age-keygen", "-y", path).strip()


def file_key_of(file: Path, identity: Path) -> bytes:
    """As the holder of another recipient's key finds it. Source: C2SP age.md, "X25519 recipient stanza"."""
    secret = next(line for line in identity.read_text().splitlines() if line.startswith("AGE-SECRET-KEY-1"))
    raw = read_bech32("age-secret-key-", secret.lower())
    assert raw is not None
    private = X25519PrivateKey.from_private_bytes(raw)
    found = re.search(rb"-> X25519 (\S{43})\n(\S{43})\n", file.read_bytes())
    assert found
    share, body = (base64.b64decode(part + b"=") for part in found.groups())
    shared = private.exchange(X25519PublicKey.from_public_bytes(share))
    salt = share + private.public_key().public_bytes_raw()
    key = HKDF(SHA256(), 32, salt=salt, info=b"age-encryption.org/v1/X25519").derive(shared)
    return ChaCha20Poly1305(key).decrypt(bytes(12), body, None)


def test_a_quorum_opens_an_age_file_for_one_person_and_nothing_keeps_its_key(desk: Desk) -> None:
    other, other_public = age_identity(desk, "other")
    person, public = age_identity(desk, "person")
    file = desk.folder / "db.age"
    plain = desk.write("db")
    desk.run("age", "-r", other_public, "-r", desk.key("age").strip(), "-o", file, plain)
    output = desk.open_for(file, public)
    desk.run("age", "-d", "-i", person, "-o", desk.folder / "again", output)
    assert (desk.folder / "again").read_bytes() == CONTENT
    with pytest.raises(Exception, match="no identity matched"):  # it is for that person alone
        desk.run("age", "-d", "-i", other, output)

    secret = file_key_of(file, other)
    assert secret == file_key_of(output, person)
    canary = Canary("the file's key", secret)
    assert found_in([("here", base64.b64encode(b"-" + secret + b"-"))], [canary])  # the search finds what is there
    assert found_in(files(desk.world.home), [canary]) == []
    logs = [desk.world.stage.root / name for name in ("service.log", "commands.log")]
    assert found_in([(str(log), log.read_bytes()) for log in logs], [canary]) == []
    assert desk.world.service is not None
    with httpx.Client(base_url=desk.world.service.url, trust_env=False) as client:
        paths = ["/v1/requests?open=0", "/v1/status", "/log/entries?start=0&end=1000"]
        assert found_in([(path, client.get(path).content) for path in paths], [canary]) == []
    keeper = processes.one(desk.world, "keeper")
    try:
        pieces = [("the memory of the keeper", piece) for piece in processes.readable_memory(keeper)]
    except OSError:
        pieces = []  # this user may not look
    assert found_in(pieces, [canary]) == []


def test_gpg_and_openssl_files_open_with_their_own_tools(desk: Desk) -> None:
    plain = desk.write("db")
    try:
        desk.run("gpg", "--batch", "--import", stdin=desk.key("openpgp").encode())
        desk.run("gpg", "--batch", "--passphrase", "", "--quick-generate-key", "person@example.org", "future-default")
        desk.run(
            "gpg", "--batch", "--trust-model", "always", "-r", "backups", "-o", desk.folder / "db.gpg", "-e", plain
        )
        certificate = desk.folder / "person.asc"
        desk.run("gpg", "--batch", "--armor", "--export", "-o", certificate, "person@example.org")
        opened = desk.open_for(desk.folder / "db.gpg", certificate)
        desk.run("gpg", "--batch", "-o", desk.folder / "again", "-d", opened)
    finally:
        desk.run("gpgconf", "--kill", "all")
    assert (desk.folder / "again").read_bytes() == CONTENT

    leaf = desk.write("backup.crt", desk.key("x509").encode())
    key, certificate = desk.folder / "key.pem", desk.folder / "person.crt"
    desk.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=person", "-keyout", key,
             "-out", certificate)  # fmt: skip
    desk.run("openssl", "cms", "-encrypt", "-binary", "-stream", "-aes-256-gcm", "-outform", "DER", "-in", plain,
             "-out", desk.folder / "db.cms", leaf)  # fmt: skip
    opened = desk.open_for(desk.folder / "db.cms", certificate)
    desk.run("openssl", "cms", "-decrypt", "-inform", "DER", "-in", opened, "-inkey", key, "-recip", certificate,
             "-out", desk.folder / "once more")  # fmt: skip
    assert (desk.folder / "once more").read_bytes() == CONTENT


def test_nothing_comes_out_before_everybody_has_approved_nor_to_anybody_else(desk: Desk) -> None:
    people = desk.world.people
    _, public = age_identity(desk, "person")
    file, output = desk.folder / "db.age", desk.folder / "out"
    desk.run("age", "-r", desk.key("age").strip(), "-o", file, desk.write("db"))
    request = desk.ask(file, public)
    with pytest.raises(HsmpubError) as caught:
        desk.approve(request, people.lead)
    assert caught.value.rule == "own-request"
    desk.approve(request, people.manager)
    assert "pending" in desk.world.hsmpub_refused(*desk.fetching(file, request, output, timeout=0))
    desk.approve(request, people.officer)
    other = desk.write(
        "other.age", file.read_bytes().replace(b"age-encryption.org/v1\n", b"age-encryption.org/v1\n-> a b\n\n")
    )
    assert "another file" in desk.world.hsmpub_refused(*desk.fetching(other, request, output))
    stranger = ["decrypt", file, "--request", request, "--output", output, "--person", people.manager.name,
                "--key", people.manager.identity]  # fmt: skip
    assert "another person's" in desk.world.hsmpub_refused(*stranger)
    assert not output.exists()
    desk.world.hsmpub(*desk.fetching(file, request, output))
    assert "exists already" in desk.world.hsmpub_refused(*desk.fetching(file, request, output))
    assert [path.name for path in desk.folder.glob(".*")] == []
    receipt = desk.world.hsmpub("release", "fetch", request, "--to", desk.folder / "receipt")
    assert "receipt.json" in receipt


def test_an_approval_of_one_request_is_none_of_another_for_the_same_file(desk: Desk) -> None:
    _, public = age_identity(desk, "person")
    file = desk.folder / "db.age"
    desk.run("age", "-r", desk.key("age").strip(), "-o", file, desk.write("db"))
    first, second = desk.ask(file, public), desk.ask(file, public)
    desk.approve(first)
    approval = next(x for x in log_entries(desk.world) if isinstance(x, e.Approved) and x.request == first)
    assert desk.world.service is not None
    with httpx.Client(base_url=desk.world.service.url, trust_env=False) as client:
        answer = client.post(
            f"/v1/requests/{second}/approvals", json={"person": approval.person, "signature": approval.signature}
        )
        assert answer.status_code in (400, 401, 403), answer.text
        assert client.get(f"/v1/requests/{second}").json()["approvals"] == []


def test_a_header_altered_on_the_way_ends_its_request(desk: Desk) -> None:
    """Its code is checked with the file's key, in the vault; the answer is the one for all that can be wrong."""
    _, public = age_identity(desk, "person")
    file = desk.folder / "db.age"
    desk.run("age", "-r", desk.key("age").strip(), "-o", file, desk.write("db"))
    head, mark, rest = file.read_bytes().partition(b"\n--- ")
    bad = desk.write("bad.age", head + b"\n-> grease abc\n" + mark + rest)
    request = desk.ask(bad, public)
    desk.approve(request)
    refused = desk.world.hsmpub_refused(*desk.fetching(bad, request, desk.folder / "out"))
    assert "failed" in refused
    assert "header-not-opened" in refused
    assert "HeaderNotOpened" not in (desk.world.stage.root / "service.log").read_text()
    [ended] = [x for x in log_entries(desk.world) if isinstance(x, e.NotDelivered) and x.request == request]
    assert ended.reason == "header-not-opened"


def test_what_a_header_says_is_shown_and_a_foreign_file_refused(desk: Desk) -> None:
    _, public = age_identity(desk, "person")
    ours, foreign = desk.folder / "db.age", desk.folder / "foreign.age"
    plain = desk.write("db")
    desk.run("age", "-r", public, "-r", desk.key("age").strip(), "-o", ours, plain)
    desk.run("age", "-r", public, "-o", foreign, plain)
    said = desk.world.hsmpub("decrypt", ours)
    assert "form age" in said
    assert "(backup)" in said
    assert "encrypted to no key" in desk.world.hsmpub_refused("decrypt", foreign)
    desk.run("age", "-a", "-r", desk.key("age").strip(), "-o", desk.folder / "text.age", plain)
    assert "(backup)" in desk.world.hsmpub("decrypt", desk.folder / "text.age")
    assert "cannot be read" in desk.world.hsmpub_refused("decrypt", desk.folder / "none")
