"""Judges what stands beside an image by the pins alone; a key that a registry gives is never looked at.

    1  it is over this digest, in this repository, in a form that the service makes    else NotOverThisImage
    2  by a key of the pins that makes this format                                     else NotByPinnedKey
    3  the key is not one that others may know                                         else KeyMayBeKnown
    4  among those that hold, one is what was demanded                                 else ImageNotSigned

A signature of somebody else, or a broken one, spoils nothing: it does not count. So whoever may write to the registry
can withhold what was signed, and add nothing.
"""

from __future__ import annotations

import msgspec

from hsmpub.client.judging import notes_of
from hsmpub.client.oci.image import Image
from hsmpub.client.oci.registry import Registry
from hsmpub.client.oci.standing import Found, Standing, Unread
from hsmpub.errors import Invalid, Problem
from hsmpub.formats.format import Artifact, OutputForAnother
from hsmpub.formats.oci.named import image_named_in
from hsmpub.formats.oci.words_read import words_in
from hsmpub.formats.registry import get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.model.digest import sha256_hex
from hsmpub.model.keys import Key, Keys

#: Formats that say that the image is signed. The others say something about it, and not that it is good.
SAYS_SIGNED = ("oci-signature", "oci-bundle", "dsse")


class NotByPinnedKey(Invalid):
    advice = "It does not count. If the pins are old: 'hsmpub trust update'."


class NotOverThisImage(Invalid):
    advice = "It does not count here: verify the image that it names, under the name that it has there."


class ImageNotSigned(Invalid):
    advice = (
        "Do not use the image. If it was signed by a key that the pins do not hold yet: 'hsmpub trust update'. An"
        " attestation counts where --format or --predicate-type names it."
    )


class ImageSignature(msgspec.Struct, frozen=True):
    """A signature that holds, over `repository` and `digest`. key, key_kind, key_state: as the pins have them.

    predicate_type: of an attestation, or empty; says: what else it says of the image, in the service's words;
    sha256: of the signature as it was logged, hex; places: where it stands; notes: what to know of it.
    """

    format: str
    key: str
    key_kind: str
    key_state: str
    repository: str
    digest: str
    predicate_type: str
    says: dict[str, str]
    sha256: str
    places: tuple[str, ...]
    notes: tuple[str, ...]


class Demand(msgspec.Struct, frozen=True):
    """What one signature must be, all of it. Empty: of that, anything; without format and predicate type, one that says
    that the image is signed."""

    format: str = ""
    predicate_type: str = ""
    key: str = ""

    def is_met_by(self, one: ImageSignature) -> bool:
        formats = (self.format,) if self.format else () if self.predicate_type else SAYS_SIGNED
        return (
            (not formats or one.format in formats)
            and self.predicate_type in ("", one.predicate_type)
            and self.key in ("", one.key)
        )

    def __str__(self) -> str:
        words = {"format": self.format, "predicate type": self.predicate_type, "key": self.key}
        return ", ".join(f"{name} {word}" for name, word in words.items() if word)


class Judged(msgspec.Struct, frozen=True):
    """signatures: those that hold; unread: what does not count."""

    signatures: tuple[ImageSignature, ...]
    unread: tuple[Unread, ...]


def judge_image(registry: Registry, image: Image, keys: Keys) -> Judged:
    """Everything that stands beside an image. Raises the rules of the registry and of hsmpub.client.oci.standing."""
    outputs: dict[bytes, list[Found]] = {}
    unread: list[Unread] = []
    for one in Standing(registry, image).read():
        if isinstance(one, Unread):
            unread.append(one)
        else:  # the same output under a tag and as a referrer is one signature
            outputs.setdefault(one.output.output, []).append(one)
    good: list[ImageSignature] = []
    for founds in outputs.values():
        try:
            good.append(_judge(founds, image, keys))
        except Invalid as e:
            unread += [Unread(found.place, Problem.of(e)) for found in founds]
    return Judged(tuple(good), tuple(unread))


def check_signed(image: Image, judged: Judged, demand: Demand) -> None:
    """Raises ImageNotSigned: no signature is what was demanded."""
    if any(demand.is_met_by(one) for one in judged.signatures):
        return
    name = f"{image.named.image}@{image.digest}"
    if not judged.signatures and not judged.unread:
        raise ImageNotSigned(f"No signature stands beside {name}.")
    if not demand.format and not demand.predicate_type:
        wanted = f", with the {demand}" if demand.key else ""
        raise ImageNotSigned(f"No signature by a key of the pins says that {name} is signed{wanted}.")
    raise ImageNotSigned(f"By no key of the pins is there what was demanded ({demand}) beside {name}.")


def _judge(founds: list[Found], image: Image, keys: Keys) -> ImageSignature:
    """Raises NotByPinnedKey, NotOverThisImage, KeyMayBeKnown."""
    found = founds[0].output
    key = _maker(founds[0], image, keys)
    notes = notes_of(key, founds[0].place)
    return ImageSignature(
        found.format, key.name, key.record.kind, key.state, image.named.image, image.digest, found.predicate_type,
        words_in(found.format, found.output), sha256_hex(found.output), tuple(one.place for one in founds),
        tuple(notes),
    )  # fmt: skip


def _maker(found: Found, image: Image, keys: Keys) -> Key:
    """The key of the pins that made it over this image. Raises NotByPinnedKey, NotOverThisImage."""
    form, output = get_format(found.output.format), found.output.output
    artifact = Artifact(image.file_name, Sha256State.of(image.content), {}, image.named.image)
    makers = [key for key in keys.known if form.name in key.record.formats]
    for key in makers:
        try:
            form.check(output, artifact, key.record)
        except OutputForAnother as e:
            named = image_named_in(form.name, output)
            where = f" It names the repository {named}." if named and named != image.named.image else ""
            raise NotOverThisImage(f"{form.name}: {e.detail}{where}") from None
        except Invalid:
            continue
        return key
    raise NotByPinnedKey(
        f"{form.name}: no key of the pins made it." if makers else f"{form.name}: the pins hold no key for that."
    )
