"""An image in a registry, resolved once: from here on the digest counts, and a tag must still mean it.

1. the manifest is fetched under its tag, or digest, 2. its digest is computed here, 3. of an index, where asked for,
every manifest below it, each as its digest says. `check_still` is asked again before anything is signed, and before
anything is pushed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hsmpub.client.oci.reference import Reference
from hsmpub.client.oci.registry import Registry, RegistryLies
from hsmpub.errors import Conflict, NotFound, TooLarge
from hsmpub.formats.oci.manifest import Manifest, read_manifest

#: Most manifests below one index, in all, and most indexes within indexes.
MAX_MANIFESTS = 128
MAX_DEPTH = 3


class ImageMissing(NotFound):
    advice = "Push the image first, and name it as the registry does."


class TagMoved(Conflict):
    advice = "See who pushed to the tag meanwhile; sign the digest that you mean."


class TooManyManifests(TooLarge):
    advice = "Sign the index alone: leave --recursive out."


@dataclass(frozen=True)
class Image:
    """A manifest at hand. named: as it was asked for; digest: `sha256:` and hex, computed from `content`."""

    named: Reference
    digest: str
    content: bytes
    manifest: Manifest

    @property
    def file_name(self) -> str:
        """What the manifest is called as a file: its repository's last part and the first half of its digest."""
        return f"{self.named.repository.rpartition('/')[2][:80]}-{self.digest[7:39]}.manifest.json"

    @property
    def subject(self) -> dict[str, object]:
        """Its descriptor."""
        return {"mediaType": self.manifest.media_type, "digest": self.digest, "size": len(self.content)}

    def __str__(self) -> str:
        tag = f" (tag {self.named.tag})" if self.named.tag else ""
        return f"{self.named.image}@{self.digest}{tag}: {self.manifest.words}"


def resolve(registry: Registry, reference: Reference, *, recursive: bool = False) -> list[Image]:
    """The image that a reference means, and with `recursive` every manifest below it, each once.

    Raises:
        ImageMissing, TagMoved, TooManyManifests, ManifestRefused, and the rules of the registry.
    """
    image = _fetch(registry, reference, reference.tag or reference.digest)
    check_still(registry, image)
    return [image, *(_below(registry, image) if recursive else ())]


def check_still(registry: Registry, image: Image) -> None:
    """Raises TagMoved: the tag that was named means another image now, or never meant the digest that was named."""
    named = image.named
    if named.digest and named.digest != image.digest:
        raise TagMoved(f"The tag {named.tag!r} of {named.image} means {image.digest}, not {named.digest}.")
    if named.tag:
        found = registry.get_manifest(named.tag)
        if found is None or found.digest != image.digest:
            now = found.digest if found else "nothing"
            raise TagMoved(f"The tag {named.tag!r} of {named.image} meant {image.digest} and now means {now}.")


def _fetch(registry: Registry, reference: Reference, under: str) -> Image:
    found = registry.get_manifest(under)
    if found is None:
        raise ImageMissing(f"{reference} is not there.")
    return Image(reference, found.digest, found.content, read_manifest(found.content, found.media_type))


def _below(registry: Registry, index: Image) -> Iterator[Image]:
    seen, level, depth = {index.digest}, [index], 0
    while level:
        depth += 1
        inner: list[Image] = []
        for child in [child for one in level for child in one.manifest.children if child.digest not in seen]:
            if child.digest in seen:
                continue
            seen.add(child.digest)
            if len(seen) > MAX_MANIFESTS or depth > MAX_DEPTH:
                raise TooManyManifests(f"Below {index.digest} are more than {MAX_MANIFESTS} manifests, or too deep.")
            image = _fetch(registry, Reference(index.named.image, "", child.digest), child.digest)
            if (image.manifest.media_type, len(image.content)) != (child.media_type, child.size):
                raise RegistryLies(f"The index and the registry differ about {child.digest}.")
            inner.append(image)
            yield image
        level = inner
