"""A timestamp authority of others, `openssl ts -reply`, behind a small server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from foreign_tool import run

_CONFIG = """
[tsa]
default_tsa = t
[t]
dir = {folder}
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/signer.pem
certs = {folder}/root.pem
signer_key = {folder}/signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


def make_authority(folder: Path, *, days: tuple[int, int] = (-1, 30), usage=ExtendedKeyUsageOID.TIME_STAMPING) -> Path:
    """A root and a certificate for timestamps, and what openssl wants beside; days: of validity, from today."""
    folder.mkdir()
    now = datetime.now(UTC)
    root, signer = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Time Root {folder.name}")])
    begun = x509.CertificateBuilder().issuer_name(issuer)
    authority = (
        begun.subject_name(issuer).public_key(root.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=900)).not_valid_after(now + timedelta(days=900))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(root, SHA256())
    )  # fmt: skip
    leaf = (
        begun.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Time")]))
        .public_key(signer.public_key()).serial_number(2)
        .not_valid_before(now + timedelta(days=days[0])).not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=True).sign(root, SHA256())
    )  # fmt: skip
    (folder / "root.pem").write_bytes(authority.public_bytes(Encoding.PEM))
    (folder / "signer.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    key = signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "signer.key").write_bytes(key)
    (folder / "serial").write_text("01")
    (folder / "config").write_text(_CONFIG.format(folder=folder))
    return folder


def reply(folder: Path, request: bytes) -> bytes:
    """What openssl answers."""
    (folder / "query").write_bytes(request)
    done = run("openssl", "ts", "-reply", "-config", "config", "-queryfile", "query", "-out", "reply", cwd=folder)
    assert done.returncode == 0, done.stderr
    return (folder / "reply").read_bytes()


Answer = Callable[[bytes], tuple[int, dict[str, str], Iterator[bytes]]]
REPLY = {"content-type": "application/timestamp-reply"}


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """The address of a server that gives these answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, headers, pieces = answer(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for piece in pieces:
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
