"""Options of the commands for images, and the registry and the images that come of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from hsmpub.cli.say import note, say
from hsmpub.cli.visible import visible
from hsmpub.client.oci.image import Image, resolve
from hsmpub.client.oci.login import find_login
from hsmpub.client.oci.reference import Reference
from hsmpub.client.oci.registry import Registry
from hsmpub.client.oci.wire import RegistryHttp
from hsmpub.errors import Invalid
from hsmpub.formats.oci.attachment import BESIDE

Images = Annotated[list[str], typer.Argument(help="oci://HOST/REPOSITORY:TAG or oci://HOST/REPOSITORY@sha256:…")]
Recursive = Annotated[bool, typer.Option("--recursive", help="Of an index, also every manifest below it.")]
RegistryAuth = Annotated[
    Path | None,
    typer.Option("--registry-auth", envvar="HSMPUB_REGISTRY_AUTH", help="File of logins as 'docker login' writes it; "
                 "by default the files that docker and skopeo use."),
]  # fmt: skip
RegistryCa = Annotated[
    Path | None, typer.Option("--registry-ca", envvar="HSMPUB_REGISTRY_CA", help="Certificates to trust, in PEM.")
]
TokenHost = Annotated[
    str, typer.Option("--token-host", help="Host that gives the registry's tokens, if it is another one.")
]


class NotBesideImages(Invalid):
    advice = f"Beside images lie {', '.join(BESIDE)}."


def resolved(registry: Registry, reference: Reference, recursive: bool) -> list[Image]:
    """The images that are meant, each shown with its digest."""
    found = resolve(registry, reference, recursive=recursive)
    for image in found:
        say(visible(str(image)))
    if found[0].manifest.is_index and not recursive:
        note("Only the index is signed: --recursive signs the manifests that it names, too.")
    return found


@contextmanager
def at_registry(
    reference: Reference, auth: Path | None, ca_file: Path | None, token_host: str, *,
    blob_hosts: Iterable[str] = (), may_push: bool = True,
) -> Iterator[Registry]:  # fmt: skip
    """The repository, with the login that this machine has for it."""
    login = find_login(reference.image, auth)
    http = RegistryHttp(reference, login, ca_file=ca_file, token_host=token_host, blob_hosts=blob_hosts,
                        may_push=may_push)  # fmt: skip
    registry = Registry(http)
    try:
        yield registry
    finally:
        registry.close()
