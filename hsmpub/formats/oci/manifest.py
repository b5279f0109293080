"""Manifests of images, as far as whoever signs them must understand them: what kind it is, and what an index names.

One reading only: a document that could be a manifest to one reader and an index to another, or whose type differs from
what the registry called it, is refused. Source: OCI image specification 1.1; CVE-2021-41190.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from hsmpub.errors import Invalid
from hsmpub.model.digest import is_sha256_hex
from hsmpub.model.strict_json import unique_members

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFESTS = (MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")
_INDEXES = (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
MEDIA_TYPES = (*_MANIFESTS, *_INDEXES)


class ManifestRefused(Invalid):
    advice = "Push the image again with a current tool; what two readers could read differently is not signed."


class Descriptor(msgspec.Struct, frozen=True):
    """What an index says of a manifest. digest: `sha256:` and hex; size: bytes."""

    media_type: str
    digest: str
    size: int


class Manifest(msgspec.Struct, frozen=True):
    """media_type: one of MEDIA_TYPES; artifact_type: what it says it is, if it is no image; children: of an index."""

    media_type: str
    artifact_type: str = ""
    children: tuple[Descriptor, ...] = ()

    @property
    def is_index(self) -> bool:
        return self.media_type in _INDEXES

    @property
    def words(self) -> str:
        """For people."""
        if self.is_index:
            return f"index of {len(self.children)} manifests"
        return f"artifact of type {self.artifact_type}" if self.artifact_type else "image"


def read_manifest(content: bytes, content_type: str) -> Manifest:
    """Args: content_type: as the registry, or the index above, calls it.

    Raises:
        ManifestRefused.
    """
    kind = content_type.partition(";")[0].strip()
    if kind not in MEDIA_TYPES or len(content) > MAX_MANIFEST_BYTES:
        raise ManifestRefused(f"What the registry calls {kind[:100]!r} is no manifest that can be signed.")
    try:
        top = json.loads(content, object_pairs_hook=unique_members)
    except (ValueError, RecursionError):
        raise ManifestRefused("The manifest is no JSON, or names a member twice.") from None
    if not isinstance(top, dict) or top.get("schemaVersion") != 2 or top.get("mediaType", kind) != kind:
        raise ManifestRefused("The manifest says that it is something else than what the registry calls it.")
    lists = {name for name in ("manifests", "layers", "config", "fsLayers", "blobs") if name in top}
    if kind in _INDEXES:
        if lists != {"manifests"}:
            raise ManifestRefused("The index could be read as a manifest.")
        return Manifest(kind, _text(top.get("artifactType")), _children(top["manifests"]))
    if lists != {"layers", "config"}:
        raise ManifestRefused("The manifest could be read as something else.")
    config = top["config"] if isinstance(top["config"], dict) else {}
    own = _text(config.get("mediaType"))
    image = own in ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
    return Manifest(kind, _text(top.get("artifactType")) or ("" if image else own))


def check_digest(digest: Any) -> str:
    """`sha256:` and 64 hex characters. Raises ManifestRefused."""
    if not isinstance(digest, str) or not digest.startswith("sha256:") or not is_sha256_hex(digest[7:]):
        raise ManifestRefused(f"{str(digest)[:80]!r} is no SHA-256 digest.")
    return digest


def _children(listed: Any) -> tuple[Descriptor, ...]:
    children = []
    for one in listed if isinstance(listed, list) else [None]:
        said = one if isinstance(one, dict) else {}
        kind, size = said.get("mediaType"), said.get("size")
        if kind not in MEDIA_TYPES or not isinstance(size, int) or not 0 < size <= MAX_MANIFEST_BYTES:
            raise ManifestRefused("The index names something that is no manifest.")
        children.append(Descriptor(kind, check_digest(said.get("digest")), size))
    return tuple(children)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
