"""What stands beside an image in its registry, whoever put it there: under cosign's tags, and as referrers.

    sha256-<hex>.sig, sha256-<hex>.att ──► layers ──► blobs
    referrers/<digest>, or else the tag sha256-<hex> ──► manifests that refer to the image ──► layers ──► blobs

All of it is bounded: in number, in bytes and in time. What the registry gives under a digest must have that digest, or
nothing of this registry counts; what is only malformed is told, and the rest is read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec

from hsmpub.client.oci.image import Image
from hsmpub.client.oci.push import MAX_BESIDE, TooManySignatures
from hsmpub.client.oci.registry import Registry, Stored
from hsmpub.client.oci.wire import RegistryUnreachable
from hsmpub.errors import Invalid, Problem
from hsmpub.formats.oci.attachment import tag_of
from hsmpub.formats.oci.beside_read import (
    MAX_OUTPUT_BYTES,
    Held,
    NoSignatureOfOurs,
    Output,
    output_in,
    read_held,
    read_referrers,
)
from hsmpub.formats.oci.manifest import ManifestRefused

#: Bytes of all signatures and attestations beside one image.
MAX_BYTES = 64 * 1024 * 1024
#: Seconds for all that stands beside one image.
PATIENCE = 300.0


class Unread(msgspec.Struct, frozen=True):
    """What does not count, and why. place: where it stands, as a tag or digest and the layer's number."""

    place: str
    problem: Problem


class Found(msgspec.Struct, frozen=True):
    place: str
    output: Output


class Standing:
    """Reads what stands beside one image. patience: seconds for all of it."""

    def __init__(self, registry: Registry, image: Image, patience: float = PATIENCE) -> None:
        self._registry, self._image = registry, image
        self._patience, self._until = patience, time.monotonic() + patience
        self._blobs: dict[str, bytes | None] = {}
        self._count = self._bytes = 0

    def read(self) -> Iterator[Found | Unread]:
        """Raises TooManySignatures, RegistryUnreachable, and the rules of the registry."""
        for kind in ("sig", "att"):
            tag = tag_of(self._image.digest, kind)
            stored = self._manifest(tag)
            if stored is not None:
                yield from self._layers(tag, stored)
        try:
            referrers = self._referrers()
        except ManifestRefused as e:
            yield Unread(tag_of(self._image.digest), Problem.of(e))
            return
        for digest in referrers:
            stored = self._manifest(digest)
            if stored is None:
                yield Unread(digest, Problem.of(NoSignatureOfOurs("It is listed beside the image and is not there.")))
            else:
                yield from self._layers(digest, stored, self._image.digest)

    def _referrers(self) -> list[str]:
        """Digests of the manifests that refer to the image, each once. Raises ManifestRefused."""
        pages = self._registry.get_referrers(self._image.digest)
        if pages is None:
            listed = self._manifest(tag_of(self._image.digest))
            pages = [listed.content] if listed is not None else []
        found = list(dict.fromkeys(digest for page in pages for digest in read_referrers(page)))
        self._add(len(found))
        return found

    def _layers(self, place: str, stored: Stored, subject: str = "") -> Iterator[Found | Unread]:
        try:
            layers = read_held(stored.content, stored.media_type, subject)
        except ManifestRefused as e:
            yield Unread(place, Problem.of(e))
            return
        self._add(len(layers))
        for number, held in enumerate(layers, 1):
            where = f"{place}, layer {number}" if len(layers) > 1 else place
            try:
                found = output_in(held, self._blob(held))
            except Invalid as e:
                yield Unread(where, Problem.of(e))
            else:
                yield Found(where, found)

    def _manifest(self, reference: str) -> Stored | None:
        self._check_time()
        return self._registry.get_manifest(reference)

    def _blob(self, held: Held) -> bytes:
        """Raises NoSignatureOfOurs: there is none, or one too large to be read."""
        if held.size > MAX_OUTPUT_BYTES:
            raise NoSignatureOfOurs(f"It has {held.size:,} bytes, more than any signature of the service.")
        if held.digest not in self._blobs:
            self._check_time()
            self._bytes += held.size
            if self._bytes > MAX_BYTES:
                raise TooManySignatures(f"The signatures beside {self._image.digest} have over {MAX_BYTES:,} bytes.")
            self._blobs[held.digest] = self._registry.get_blob(held.digest, held.size)
        blob = self._blobs[held.digest]
        if blob is None:
            raise NoSignatureOfOurs("Its content is not in the registry.")
        return blob

    def _add(self, count: int) -> None:
        self._count += count
        if self._count > MAX_BESIDE:
            raise TooManySignatures(f"More than {MAX_BESIDE} signatures stand beside {self._image.digest}.")

    def _check_time(self) -> None:
        if time.monotonic() > self._until:
            raise RegistryUnreachable(f"What stands beside the image takes more than {self._patience:.0f} seconds.")
