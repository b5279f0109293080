"""One vetted host: what it refuses, and that every answer is bounded."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from raw_server import RawServer

from hsmpub.errors import HsmpubError
from hsmpub.targets.address import AddressForbidden
from hsmpub.targets.bounded import AnswerTooLarge
from hsmpub.targets.pinned import AnswerMalformed, PinnedHost, TargetRedirects
from hsmpub.targets.place import load_place
from hsmpub.targets.target import OutcomeUnknown, SettingsMalformed, TargetUnreachable

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def get(url: str, *, cap: int = 1000, timeout: float = 5, lifetime: float = 10, secret: bytearray | None = None,
        loopback: bool = True) -> bytes:  # fmt: skip
    place = load_place(url, loopback=loopback)
    host = PinnedHost(place, loopback=loopback, timeout=timeout, lifetime=lifetime)
    with host.request("GET", place.path, cap=cap, secret=secret) as answer:
        return answer.read()


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "http://a.example/", "https://user@a.example/", "https://a.example/?q=1", "https://a.example/#f",
     "https:///x", "https://a.example\\@b.example/", "https://a.example/ x", "https://a.example:99999/", "https://ä.example/",
     "", "https://a.example/\r\nX: y"],
)  # fmt: skip
def test_refuses_an_address_that_is_no_plain_https_url(url: str) -> None:
    with pytest.raises(SettingsMalformed):
        load_place(url, loopback=False)


def test_refuses_this_machine_unless_loopback_is_said() -> None:
    with RawServer(OK) as server, pytest.raises(AddressForbidden):
        get(server.url(scheme="https"), loopback=False)


def test_reads_an_answer_and_sends_the_secret_as_one_header() -> None:
    with RawServer(OK) as server:
        assert get(server.url("/x"), secret=bytearray(b"Authorization: Basic abc")) == b"ok"
        assert b"\r\nAuthorization: Basic abc\r\n\r\n" in server.received[0]


def test_reads_no_proxy_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(b"HTTP/1.1 500 no\r\n\r\n") as proxy, RawServer(OK) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.url())
        assert get(server.url()) == b"ok"
        assert proxy.received == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300])
def test_follows_no_redirect(status: int) -> None:
    with RawServer(OK) as other:
        answer = f"HTTP/1.1 {status} Go\r\nLocation: {other.url()}\r\nContent-Length: 0\r\n\r\n".encode()
        with RawServer(answer) as server, pytest.raises(TargetRedirects):
            get(server.url(), secret=bytearray(b"Authorization: Basic abc"))
        assert other.received == []


HEAD = b"HTTP/1.1 200 OK\r\n"
HOSTILE: dict[str, tuple[bytes, bytes, type[HsmpubError]]] = {
    "a body without end": (HEAD + b"Content-Length: 999999999\r\n\r\n", b"x" * 65536, AnswerTooLarge),
    "a body of no announced length": (HEAD + b"\r\n<html>", b"", AnswerMalformed),
    "chunks without end": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 9000, AnswerTooLarge),
    "headers without end": (HEAD, b"A: " + b"b" * 100 + b"\r\n", AnswerMalformed),
    "a header line without end": (HEAD + b"A: ", b"b" * 65536, AnswerMalformed),
    "no HTTP": (b"SSH-2.0-x\r\n", b"", AnswerMalformed),
    "nothing": (b"", b"", OutcomeUnknown),
    "half a body": (HEAD + b"Content-Length: 10\r\n\r\nhalf", b"", AnswerMalformed),
    "a broken chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"", AnswerMalformed),
}


@pytest.mark.parametrize("defect", HOSTILE)
def test_refuses_a_server_that_answers_with(defect: str) -> None:
    answer, endless, rule = HOSTILE[defect]
    with RawServer(answer, endless=endless) as server, pytest.raises(rule):
        get(server.url(), cap=100_000)


@pytest.mark.parametrize("answer", [b"H", HEAD + b"Content-Length: 9\r\n\r\nx"], ids=["in the head", "in the body"])
def test_a_server_that_falls_silent_leaves_the_outcome_unknown(answer: bytes) -> None:
    with RawServer(answer, trickle=True) as server, pytest.raises(OutcomeUnknown):
        get(server.url(), timeout=0.2)


def test_the_time_of_a_request_is_bounded_in_all() -> None:
    head = HEAD + b"Content-Length: 999999999999\r\n\r\n"
    with RawServer(head, endless=b"x") as server, pytest.raises(OutcomeUnknown):
        get(server.url(), timeout=5, lifetime=0.3, cap=10**12)


def test_no_listener_means_that_nothing_was_sent() -> None:
    with RawServer(OK) as server:
        url = server.url()
    with pytest.raises(TargetUnreachable):
        get(url)


def test_tls_is_checked_for_the_hosts_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = _context(tmp_path / "right.pem", x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    other = _context(tmp_path / "other.pem", x509.DNSName("other.example"))
    secret = bytearray(b"Authorization: Basic abc")
    with RawServer(OK, tls=right) as server, RawServer(OK, tls=other) as stranger:
        with pytest.raises(TargetUnreachable, match="not valid"):
            get(server.url(scheme="https"), secret=secret)  # nobody has vouched for it
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "right.pem"))
        assert get(server.url(scheme="https"), secret=secret) == b"ok"
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
        with pytest.raises(TargetUnreachable, match="not valid"):
            get(stranger.url(scheme="https"), secret=secret)
        assert stranger.received == []


def _context(path: Path, name: x509.GeneralName) -> ssl.SSLContext:
    """A server's side of TLS with a certificate of its own for `name`, which is written to `path`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    path.write_bytes(pem)
    secret = path.with_suffix(".key")
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, secret)
    return context
