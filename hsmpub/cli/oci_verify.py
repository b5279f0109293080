"""`hsmpub oci verify`: which keys of the pins signed an image, by what stands beside it in its registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from hsmpub.cli.oci_options import Images, NotBesideImages, RegistryAuth, RegistryCa, TokenHost, at_registry
from hsmpub.cli.options import AsJson, Pins, pins
from hsmpub.cli.say import REFUSED, note, say, say_error, say_json
from hsmpub.cli.visible import visible
from hsmpub.client.oci.image import Image, resolve
from hsmpub.client.oci.reference import load_reference
from hsmpub.client.oci.registry import Registry
from hsmpub.client.oci.standing import Unread
from hsmpub.client.oci.verifying import Demand, ImageNotSigned, ImageSignature, check_signed, judge_image
from hsmpub.client.trust import KeyNotPinned
from hsmpub.errors import Problem
from hsmpub.formats.oci.attachment import BESIDE
from hsmpub.model.keys import Keys
from hsmpub.model.trust import known_keys


class Verified(msgspec.Struct, frozen=True):
    """What was found of one image. problem: why it is not verified, None: it is."""

    image: str
    tag: str
    digest: str
    verified: bool
    signatures: Sequence[ImageSignature]
    not_counted: Sequence[Unread]
    problem: Problem | None


def verify(
    images: Images,
    format_: Annotated[
        str, typer.Option("--format", help=f"Demand one of {', '.join(BESIDE)}. Without it, or a predicate type, a "
                          "signature must say that the image is signed: oci-signature, oci-bundle or dsse.")
    ] = "",
    predicate_type: Annotated[str, typer.Option("--predicate-type", help="Demand an attestation of this type.")] = "",
    key: Annotated[str, typer.Option("--signing-key", help="Demand a signature by this key of the pins.")] = "",
    trust: Pins = None,
    registry_auth: RegistryAuth = None, registry_ca: RegistryCa = None, token_host: TokenHost = "",
    blob_host: Annotated[
        list[str] | None, typer.Option("--blob-host", help="Host that keeps the registry's blobs, if it is another "
                                       "one; it gets no login. May be given more than once.")
    ] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Check what stands beside images in their registry, by the keys of the pins alone: signatures and attestations
    under cosign's tags and as referrers. Each must be over this very repository and digest. What is demanded must hold
    for one signature; what somebody else put there does not count, and does no harm.

    Exit status: 0 every image has a signature as demanded, 1 one has none, or its registry lies, 2 wrong usage."""
    if format_ and format_ not in BESIDE:
        raise NotBesideImages(f"{format_[:40]!r} cannot be put beside an image.")
    keys, demand = known_keys(pins(trust)), Demand(format_, predicate_type, key)
    if key and key not in keys.by_name:
        raise KeyNotPinned(f"The pins do not name the key {key!r}.")
    found = []
    for reference in [load_reference(text) for text in images]:
        with at_registry(
            reference, registry_auth, registry_ca, token_host, blob_hosts=blob_host or (), may_push=False
        ) as registry:
            [image] = resolve(registry, reference)
            found.append(_verified(registry, image, keys, demand))
        if not as_json:
            _say(image, found[-1])
    if as_json:
        say_json({"verified": all(one.verified for one in found), "images": found})
    if not all(one.verified for one in found):
        raise typer.Exit(REFUSED)


def _verified(registry: Registry, image: Image, keys: Keys, demand: Demand) -> Verified:
    judged, problem = judge_image(registry, image, keys), None
    try:
        check_signed(image, judged, demand)
    except ImageNotSigned as e:
        problem = Problem.of(e)
    return Verified(image.named.image, image.named.tag, image.digest, problem is None, judged.signatures,
                    judged.unread, problem)  # fmt: skip


def _say(image: Image, found: Verified) -> None:
    say(visible(str(image)))
    for one in found.signatures:
        about = f" of the type {visible(one.predicate_type)}" if one.predicate_type else ""
        say(f"ok  {one.format}{about}, by key {visible(one.key)} ({one.key_kind})")
        say(f"      over {visible(one.repository)}@{one.digest}")
        if one.says:
            say("      says " + ", ".join(f"{name} {visible(word)}" for name, word in one.says.items()))
        for place in one.places:
            say(f"      at {visible(place)}")
        for said in one.notes:
            say(f"      {visible(said)}", "yellow")
    for unread in found.not_counted:
        say(f"no  {visible(unread.place)}: {visible(unread.problem.detail)}", "yellow")
    if found.problem is not None:
        say_error(found.problem.as_error())
        return
    say(f"Verified by the pins: {visible(found.image)}@{found.digest}.", "green")
    if found.tag:
        note(f"The tag {found.tag!r} may mean another image at any time: use the digest.")
