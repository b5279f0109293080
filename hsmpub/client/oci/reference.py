"""How an image is named on the command line: `oci://registry.example/acme/web:v1`, or `…@sha256:…`, or both."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hsmpub.client.address import is_loopback
from hsmpub.errors import Invalid
from hsmpub.formats.oci.manifest import check_digest
from hsmpub.model.image import SCHEME, check_image_name

#: Tags under which signatures lie; they are no images.
_OURS = re.compile(r"sha256-[0-9a-f]{64}(\.[a-z]+)?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
#: The registry whose name is not its host.
_ELSEWHERE = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}


class ReferenceMalformed(Invalid):
    advice = "Name an image as oci://registry.example/acme/web:v1 or oci://registry.example/acme/web@sha256:…"


@dataclass(frozen=True)
class Reference:
    """image: registry and repository; tag and digest (`sha256:…`): at least one of them is named."""

    image: str
    tag: str = ""
    digest: str = ""

    @property
    def registry(self) -> str:
        """Host, with its port."""
        return self.image.partition("/")[0]

    @property
    def repository(self) -> str:
        return self.image.partition("/")[2]

    @property
    def url(self) -> str:
        """Where the registry answers: plain http is spoken on this machine only."""
        host = _ELSEWHERE.get(self.registry, self.registry)
        return f"{'http' if is_loopback(host.partition(':')[0]) else 'https'}://{host}"

    def __str__(self) -> str:
        return self.image + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def load_reference(text: str) -> Reference:
    """Raises ReferenceMalformed, ImageNameMalformed, ManifestRefused."""
    if not text.startswith(SCHEME):
        raise ReferenceMalformed(f"{text[:80]!r} does not begin with {SCHEME}.")
    name, at, digest = text.removeprefix(SCHEME).partition("@")
    head, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    if bool(at) != bool(digest) or bool(colon) != bool(tag) or not (tag or digest):
        raise ReferenceMalformed(f"{text[:200]!r} names neither a tag nor a digest.")
    if tag and (not _TAG.fullmatch(tag) or _OURS.fullmatch(tag)):
        raise ReferenceMalformed(f"{tag[:130]!r} is no tag of an image.")
    check_image_name(head + slash + last)
    return Reference(head + slash + last, tag, check_digest(digest) if digest else "")
