"""Registries on loopback: Debian's, without a list of referrers, and one in memory that has one and does as told."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from hsmpub.client.oci.login import Login
from hsmpub.client.oci.reference import Reference
from hsmpub.client.oci.registry import Registry
from hsmpub.client.oci.wire import RegistryHttp
from hsmpub.formats.oci.attachment import descriptor_of, digest_of
from hsmpub.formats.oci.manifest import INDEX, MANIFEST

PASSWORD = "a-password-of-tests"
#: bcrypt of PASSWORD, cheap.
HTPASSWD = "ci-job:$2b$04$abcdefghijklmnopqrstuucKJOEvPnzX7hbkQfvea7hHMGL5FqfMS\n"
CONFIG = "application/vnd.oci.image.config.v1+json"


@contextmanager
def debian_registry(folder: Path, *, login: bool = False) -> Iterator[str]:
    """Yields host:port."""
    if shutil.which("docker-registry") is None:
        pytest.skip("docker-registry is not installed")
    folder.mkdir(exist_ok=True)
    (folder / "htpasswd").write_text(HTPASSWD)
    auth = f"auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}\n" if login else ""
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f'http: {{addr: "127.0.0.1:0", secret: tests}}\n{auth}'
    )
    with subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stderr=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, text=True) as process:  # fmt: skip
        assert process.stderr is not None
        try:
            found = next(filter(None, (re.search(r"listening on (\S+:\d+)", line) for line in process.stderr)))
            drain = threading.Thread(target=process.stderr.read)
            drain.start()
            yield found[1]
        finally:
            process.terminate()
            drain.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: MemoryServer

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if (own := self.server.own(self)) is not None:
            return self._answer(own[0], own[1], **own[2])
        url, own_ = urlsplit(self.path), self.server
        kind, _, name = url.path.rpartition("/")
        if self.command == "POST":
            return self._answer(202, Location=f"{url.path}upload")
        if self.command == "PUT" and "/blobs/" in url.path:
            own_.blobs[parse_qs(url.query)["digest"][0]] = body
            return self._answer(201)
        if self.command == "PUT":
            subject = own_.put(name, body, self.headers["Content-Type"])
            return self._answer(201, **({"OCI_Subject": subject} if subject and own_.referrers else {}))
        if kind.endswith("/blobs"):
            return self._answer(200, own_.blobs[name]) if name in own_.blobs else self._answer(404)
        if kind.endswith("/referrers"):
            listed = own_.referrers_of(name)
            return self._answer(200, listed, Content_Type=INDEX) if own_.referrers else self._answer(404)
        if name not in own_.manifests:
            return self._answer(404)
        content, media_type = own_.manifests[name]
        return self._answer(200, content, Content_Type=media_type, Docker_Content_Digest=digest_of(content))

    do_GET = do_HEAD = do_PUT = do_POST = _serve  # noqa: N815


class MemoryServer(ThreadingHTTPServer):
    """One repository. referrers: it notes and lists what manifests refer to. own: answers instead, where it does."""

    daemon_threads = True

    def __init__(self, *, referrers: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.referrers = referrers
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[bytes, str]] = {}
        self.own: Callable[[_Handler], tuple[int, bytes, dict[str, str]] | None] = lambda _: None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def put(self, name: str, content: bytes, media_type: str) -> str:
        self.manifests[name] = self.manifests[digest_of(content)] = content, media_type
        return str(json.loads(content).get("subject", {}).get("digest", ""))

    def referrers_of(self, digest: str) -> bytes:
        listed = []
        for content, media_type in dict.fromkeys(self.manifests.values()):
            top = json.loads(content)
            if top.get("subject", {}).get("digest") == digest:
                listed.append(descriptor_of(content, media_type) | {"artifactType": top["artifactType"]})
        return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).encode()


@contextmanager
def memory_registry(*, referrers: bool = True) -> Iterator[MemoryServer]:
    server = MemoryServer(referrers=referrers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def speaking_to(
    host: str, repository: str = "acme/web", login: Login | None = None, **how: object
) -> Iterator[Registry]:
    registry = Registry(RegistryHttp(Reference(f"{host}/{repository}", "x"), login, **how))  # type: ignore[arg-type]
    try:
        yield registry
    finally:
        registry.close()


def push_image(registry: Registry, tag: str, content: bytes = b"a layer") -> str:
    """A small image under a tag. Returns: its digest."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
        "type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"]}}).encode()  # fmt: skip
    for blob in (config, content):
        registry.put_blob(blob)
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor_of(config, CONFIG),
        "layers": [descriptor_of(content, "application/vnd.oci.image.layer.v1.tar")],
    }).encode()  # fmt: skip
    registry.put_manifest(tag, manifest, MANIFEST)
    return digest_of(manifest)


def push_index(registry: Registry, tag: str, *digests: str) -> str:
    """An index of images that are there. Returns: its digest."""
    children = []
    for digest in digests:
        stored = registry.get_manifest(digest)
        assert stored is not None
        children.append(descriptor_of(stored.content, MANIFEST))
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).encode()
    registry.put_manifest(tag, index, INDEX)
    return digest_of(index)
