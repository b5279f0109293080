"""One repository of a registry: manifests, blobs and lists of referrers, whatever the registry answers.

A digest is what this process computes, never what the registry says.
Source: OCI distribution specification 1.1.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from hsmpub.client.oci.answers import address_in
from hsmpub.client.oci.wire import RegistryHttp, RegistryRedirects
from hsmpub.errors import Broken, TooLarge
from hsmpub.formats.oci.attachment import digest_of
from hsmpub.formats.oci.manifest import INDEX, MAX_MANIFEST_BYTES, MEDIA_TYPES

#: Most pages of one list of referrers.
MAX_PAGES = 16
_ELSEWHERE = frozenset({301, 302, 303, 307, 308})
#: Answers of registries that have no list of referrers; one of them sends its callers to its web pages.
_NO_LIST = _ELSEWHERE | {400, 404, 405, 406, 415, 501}


class RegistryLies(Broken):
    advice = "Do not use this registry: what it gives is not what it says. Nothing was signed."


class ReferrersEndless(TooLarge):
    advice = "Remove old signatures from beside the image, or look at the registry: no honest list is that long."


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

    def get_blob(self, digest: str, size: int) -> bytes | None:
        """A blob of so many bytes; None: there is none. A store of blobs at another host is asked where it was named.

        Raises:
            RegistryLies: its bytes have another digest or size.
        """
        with self._http.call("GET", f"blobs/{digest}", {200, 404, *_ELSEWHERE}) as answer:
            if answer.status_code == 404:
                return None
            where = address_in(answer.headers.get("location", ""), str(answer.url))
            content = self._http.body(answer, size) if answer.status_code == 200 else None
        if content is None:
            content = self._http.get_elsewhere(where, size)
        if (digest_of(content), len(content)) != (digest, size):
            raise RegistryLies(f"{self._http.host} gave another blob than the one that was asked for.")
        return content

    def get_referrers(self, digest: str) -> list[bytes] | None:
        """The pages of the registry's list of what refers to a manifest; None: it has no such list.

        Raises:
            ReferrersEndless; RegistryRedirects: the next page is at another host.
        """
        pages: list[bytes] = []
        path = f"referrers/{digest}"
        while path:
            if len(pages) == MAX_PAGES:
                raise ReferrersEndless(f"{self._http.host} lists over {MAX_PAGES} pages of what refers to the image.")
            wanted = {200} if pages else {200, *_NO_LIST}
            with self._http.call("GET", path, wanted, headers={"accept": INDEX}) as answer:
                if answer.status_code != 200 or answer.headers.get("content-type", "").partition(";")[0] != INDEX:
                    return None
                pages.append(self._http.body(answer, MAX_MANIFEST_BYTES))
                following = answer.links.get("next", {}).get("url", "")
                path = address_in(following, str(answer.url)) if following else ""
            self._check_here(path)
        return pages

    def put_blob(self, content: bytes) -> None:
        """Stores a blob, unless it is there."""
        digest = digest_of(content)
        # where a registry sends its readers to a store of blobs, nothing is read: it is put there once more
        with self._http.call("HEAD", f"blobs/{digest}", {200, 404, *_ELSEWHERE}) as answer:
            if answer.status_code == 200:
                return
        with self._http.call("POST", "blobs/uploads/", {202}, content=b"") as answer:
            where = address_in(answer.headers.get("location", ""), str(answer.url))
        self._check_here(where)
        joint = "&" if urlsplit(where).query else "?"
        with self._http.call("PUT", f"{where}{joint}digest={digest}", {201}, content=content,
                        headers={"content-type": "application/octet-stream"}):  # fmt: skip
            return

    def _check_here(self, url: str) -> None:
        parts = urlsplit(url)
        if url and f"{parts.scheme}://{parts.netloc}" != self._http.origin:
            raise RegistryRedirects(f"{self._http.host} sends its callers to {parts.netloc[:100]!r}.")

    def close(self) -> None:
        """Forgets the login, too."""
        self._http.close()
