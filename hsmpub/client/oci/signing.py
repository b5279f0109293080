"""Images signed: what is asked of the service for them, and what of its answer is put beside which image.

The registry is the client's to speak to: whoever pushed an image has the login for it, a signature is public and good
for nothing but its image, and the service needs neither the login nor a way to the registry (docs/adr/0015).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from hsmpub.client.client import Client
from hsmpub.client.oci.image import Image, check_still
from hsmpub.client.oci.push import push
from hsmpub.client.oci.registry import Registry
from hsmpub.client.receipts import OutputNotInLog, check_receipt
from hsmpub.client.signing import Work
from hsmpub.client.trust import pinned_key
from hsmpub.formats.format import Artifact
from hsmpub.formats.oci.attachment import BESIDE, layers_of
from hsmpub.formats.registry import get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyRecord


class Beside(msgspec.Struct, frozen=True):
    """An output that was made for an image. artifact: the manifest's file name in its request."""

    format: str
    output: bytes
    key: KeyRecord
    artifact: str = ""


def work_of(image: Image, formats: Sequence[str]) -> Work:
    """The manifest as a file to sign: its hash goes to the service, and the repository's name."""
    state = Sha256State.of(image.content)
    ask = msgspec.structs.replace(state.to_state(image.file_name), image=image.named.image)
    return Work(Path(image.file_name), tuple(formats), state, ask)


def attach(registry: Registry, image: Image, made: Iterable[Beside]) -> Iterator[str]:
    """Puts outputs beside their image, once more seen to be the one that the tag means; yields where each stands.

    Raises:
        TagMoved: nothing is pushed then. The rules of hsmpub.client.oci.push.
    """
    check_still(registry, image)
    for one in made:
        yield from push(registry, image, layers_of(one.format, one.output, one.key))


def outputs_of(client: Client, request: str) -> Mapping[tuple[str, str], list[Beside]]:
    """What a release made for images: (repository, digest) → outputs, as its receipt has them.

    Raises:
        OutputNotInLog, ReceiptOfAnother; the rules of the receipt; Refused.
    """
    report = check_receipt(client.receipt(request), client.trust, request=request)
    images = {subject.name: subject for subject in report.subjects if subject.image}
    found: dict[tuple[str, str], list[Beside]] = {}
    for seen in report.signatures:
        subject = images.get(seen.artifact)
        if subject is None or seen.format not in BESIDE:
            continue
        output = client.output(request, seen.name)
        if sha256_hex(output) != seen.sha256:
            raise OutputNotInLog(f"What the service gives as {seen.name!r} is not what its log records.")
        one = Beside(seen.format, output, pinned_key(client.trust, seen.key), seen.artifact)
        found.setdefault((subject.image, f"sha256:{subject.sha256}"), []).append(one)
    return found


def check_beside(image: Image, made: Iterable[Beside]) -> None:
    """Outputs are of this very manifest. Raises the rules of the formats."""
    for one in made:
        artifact = Artifact(one.artifact, Sha256State.of(image.content), {}, image.named.image)
        get_format(one.format).check(one.output, artifact, one.key)
