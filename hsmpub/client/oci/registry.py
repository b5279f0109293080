"""One repository of a registry: manifests and blobs in and out, whatever the registry answers.

A digest is what this process computes, never what the registry says.
Source: OCI distribution specification 1.1.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import msgspec

from hsmpub.client.oci.wire import RegistryHttp, RegistryRedirects
from hsmpub.errors import Broken
from hsmpub.formats.oci.attachment import digest_of
from hsmpub.formats.oci.manifest import MAX_MANIFEST_BYTES, MEDIA_TYPES


class RegistryLies(Broken):
    advice = "Do not use this registry: what it gives is not what it says. Nothing was signed."


class Stored(msgspec.Struct, frozen=True):
    """A manifest as the registry gave it; digest: of the content, computed here."""

    content: bytes
    media_type: str
    digest: str


class Registry:
    """The repository that `http` speaks for. Every method raises the rules of hsmpub.client.oci.wire, too."""

    def __init__(self, http: RegistryHttp) -> None:
        self._http = http

    def get_manifest(self, reference: str) -> Stored | None:
        """The manifest under a tag or digest; None: there is none.

        Raises:
            RegistryLies: its bytes have another digest than asked for, or than the registry says.
        """
        accept = {"accept": ", ".join(MEDIA_TYPES)}
        with self._http.call("GET", f"manifests/{reference}", {200, 404}, headers=accept) as answer:
            if answer.status_code == 404:
                return None
            content = self._http.body(answer, MAX_MANIFEST_BYTES)
            said = answer.headers.get("docker-content-digest", "")
        digest = digest_of(content)
        if (":" in reference and reference != digest) or (said.startswith("sha256:") and said != digest):
            raise RegistryLies(
                f"{self._http.host} gave another manifest than the one of the digest that was asked for."
            )
        return Stored(content, answer.headers.get("content-type", ""), digest)

    def put_manifest(self, reference: str, content: bytes, media_type: str) -> bool:
        """Stores a manifest under a tag or its digest. Returns: the registry has noted what it refers to."""
        with self._http.call("PUT", f"manifests/{reference}", {201}, content=content,
                        headers={"content-type": media_type}) as answer:  # fmt: skip
            return "oci-subject" in answer.headers

    def put_blob(self, content: bytes) -> None:
        """Stores a blob, unless it is there."""
        digest = digest_of(content)
        # where a registry sends its readers to a store of blobs, nothing is read: it is put there once more
        with self._http.call("HEAD", f"blobs/{digest}", {200, 404, 301, 302, 303, 307, 308}) as answer:
            if answer.status_code == 200:
                return
        with self._http.call("POST", "blobs/uploads/", {202}, content=b"") as answer:
            where = urljoin(str(answer.url), answer.headers.get("location", ""))
        parts = urlsplit(where)
        if f"{parts.scheme}://{parts.netloc}" != self._http.origin:
            raise RegistryRedirects(f"{self._http.host} sends the upload to {parts.netloc[:100]!r}.")
        joint = "&" if parts.query else "?"
        with self._http.call("PUT", f"{where}{joint}digest={digest}", {201}, content=content,
                        headers={"content-type": "application/octet-stream"}):  # fmt: skip
            return

    def close(self) -> None:
        """Forgets the login, too."""
        self._http.close()
