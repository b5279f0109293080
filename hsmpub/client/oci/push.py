"""Puts signatures beside an image: under cosign's tags, and as referrers, by the registry's list or the tag for it.

Registries have no way to change a tag only if nobody else did meanwhile. So what stands under a tag is read, joined
with ours, written, and read again; if ours is gone by then, somebody was quicker, and it is done again. What others
signed stays. The same output pushed twice stands there once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from hsmpub.client.oci.image import Image
from hsmpub.client.oci.registry import Registry
from hsmpub.errors import Conflict, TooLarge
from hsmpub.formats.oci.attachment import (
    EMPTY_CONFIG,
    Layer,
    digest_of,
    referrer,
    referrers_index,
    tag_of,
    tagged,
)
from hsmpub.formats.oci.manifest import INDEX, MANIFEST, ManifestRefused, read_manifest

#: Most signatures of everybody under one tag.
MAX_BESIDE = 500
_TRIES = 4
Json = dict[str, Any]


class SignaturesCollide(Conflict):
    advice = "Somebody else signs the same image at this moment: push again with 'hsmpub oci attach', or sign again."
    retry_is_safe = True


class TooManySignatures(TooLarge):
    advice = "Remove old signatures from beside the image: every reader loads them all."


def push(registry: Registry, image: Image, layers: Sequence[Layer]) -> list[str]:
    """Stores the layers beside the image. Returns: where each stands, as a tag or digest of the repository.

    Raises:
        SignaturesCollide, TooManySignatures, ManifestRefused, and the rules of the registry.
    """
    places = []
    for layer in layers:
        registry.put_blob(layer.content)
        places.append(_tag(registry, image, layer) if layer.tag else _refer(registry, image, layer))
    return places


def _tag(registry: Registry, image: Image, layer: Layer) -> str:
    ours, under = layer.descriptor(), tag_of(image.digest, layer.tag)

    def joined(standing: list[Json]) -> tuple[bytes, str]:
        config, manifest = tagged([*(one for one in standing if not _is_same(one, ours)), ours])
        registry.put_blob(config)
        return manifest, MANIFEST

    _change(registry, under, "layers", ours, joined)
    return under


def _refer(registry: Registry, image: Image, layer: Layer) -> str:
    listed, manifest = referrer(image.subject, layer)
    registry.put_blob(EMPTY_CONFIG)
    digest = digest_of(manifest)
    if not registry.put_manifest(digest, manifest, MANIFEST):

        def joined(standing: list[Json]) -> tuple[bytes, str]:
            others = [one for one in standing if one.get("digest") != digest]
            return referrers_index([*others, listed]), INDEX

        _change(registry, tag_of(image.digest), "manifests", listed, joined)
    return digest


def _change(registry: Registry, under: str, member: str, ours: Json,
            joined: Callable[[list[Json]], tuple[bytes, str]]) -> None:  # fmt: skip
    """Reads a list under a tag, writes it with ours in it, and reads it again."""
    for _ in range(_TRIES):
        standing = _standing(registry, under, member)
        if ours in standing:
            return
        if len(standing) >= MAX_BESIDE:
            raise TooManySignatures(f"{len(standing)} signatures stand under {under} already.")
        content, media_type = joined(standing)
        registry.put_manifest(under, content, media_type)
        if ours in _standing(registry, under, member):
            return
    raise SignaturesCollide(f"The tag {under} does not keep what is put there.")


def _standing(registry: Registry, under: str, member: str) -> list[Json]:
    """What stands under a tag, whoever put it there; none: nothing does."""
    found = registry.get_manifest(under)
    if found is None:
        return []
    read_manifest(found.content, found.media_type)
    listed = json.loads(found.content).get(member)
    if not isinstance(listed, list) or not all(isinstance(one, dict) and "digest" in one for one in listed):
        raise ManifestRefused(f"What stands under the tag {under} holds no signatures.")
    return listed


def _is_same(one: Json, ours: Json) -> bool:
    return (one.get("digest"), one.get("annotations")) == (ours["digest"], ours.get("annotations"))
