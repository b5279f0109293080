"""`hsmpub oci …`: sign images in a registry, put what was made beside them, and verify what is there."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from hsmpub.cli.oci_options import (
    Images,
    NotBesideImages,
    Recursive,
    RegistryAuth,
    RegistryCa,
    TokenHost,
    at_registry,
    resolved,
)
from hsmpub.cli.oci_verify import verify
from hsmpub.cli.options import DEFAULT_URL, Audience, CaFile, Pins, TokenCommand, TokenFile, Url, connect, connect_ci
from hsmpub.cli.predicate import PredicateFile, PredicateType, read_predicate
from hsmpub.cli.release import Request
from hsmpub.cli.release_words import say_next, say_view
from hsmpub.cli.say import say
from hsmpub.cli.visible import visible
from hsmpub.client.batches import batches
from hsmpub.client.client import Client
from hsmpub.client.oci.image import Image, check_still
from hsmpub.client.oci.reference import Reference, load_reference
from hsmpub.client.oci.registry import Registry
from hsmpub.client.oci.signing import Beside, attach, check_beside, outputs_of, work_of
from hsmpub.client.outputs import write_whole
from hsmpub.client.signing import Made
from hsmpub.client.trust import pinned_key
from hsmpub.errors import NotFound
from hsmpub.formats.oci.attachment import BESIDE
from hsmpub.formats.registry import get_format
from hsmpub.model.submission import FileRef
from hsmpub.policy.lists import GIVEN_PREDICATE
from hsmpub.receipt.model import SUFFIX

app = typer.Typer(help="Sign and verify images in a registry.", no_args_is_help=True)
DEFAULT_FORMAT = "oci-signature"


class NothingForImages(NotFound):
    advice = "See 'hsmpub release show': it may wait for approvals, or be a release of files."


@app.command()
def sign(
    images: Images,
    project: Annotated[str, typer.Option("--project", envvar="HSMPUB_PROJECT")],
    formats: Annotated[
        list[str] | None, typer.Option("--format", help=f"Which of {', '.join(BESIDE)}; may be given more than once. "
                                       f"Without it {DEFAULT_FORMAT}, or {GIVEN_PREDICATE} for a predicate.")
    ] = None,
    key: Annotated[str, typer.Option("--signing-key", help="The key's name, where the policy leaves a choice.")] = "",
    recursive: Recursive = False,
    predicate: PredicateFile = None, predicate_type: PredicateType = "",
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder for copies of manifest, signatures and receipt.")
    ] = None,
    registry_auth: RegistryAuth = None, registry_ca: RegistryCa = None, token_host: TokenHost = "",
    token_command: TokenCommand = "", token_file: TokenFile = None, audience: Audience = "",
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Sign images that need no approval, and put the signatures beside them in the registry: under the tags that cosign
    reads and as referrers. Tags are resolved to digests, which are shown, and must mean the same until the end."""
    attest = read_predicate(predicate, predicate_type)
    chosen = tuple(formats or [GIVEN_PREDICATE if attest else DEFAULT_FORMAT])
    if strangers := set(chosen) - set(BESIDE):
        raise NotBesideImages(f"{', '.join(sorted(strangers))} cannot be put beside an image.")
    references = [load_reference(text) for text in images]
    with connect_ci(url, trust, ca_file, command=token_command, file=token_file, audience=audience) as client:
        for reference in references:
            with at_registry(reference, registry_auth, registry_ca, token_host) as registry:
                found = resolved(registry, reference, recursive)
                works = {image.file_name: work_of(image, chosen) for image in found}
                for batch in batches(works.values(), attest):
                    for image in found:
                        check_still(registry, image)
                    made = client.sign_batch(batch, project, key, attest)
                    _place(client, registry, found, made, output)


@app.command()
def submit(
    images: Images,
    project: Annotated[str, typer.Option("--project")],
    version: Annotated[str, typer.Option("--version")],
    commit: Annotated[str, typer.Option("--commit", help="The source commit, in full.")],
    recursive: Recursive = False,
    predicate: PredicateFile = None, predicate_type: PredicateType = "",
    registry_auth: RegistryAuth = None, registry_ca: RegistryCa = None, token_host: TokenHost = "",
    token_command: TokenCommand = "", token_file: TokenFile = None, audience: Audience = "",
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Ask for a release of images, which others approve. Once it is signed: 'hsmpub oci attach'."""
    attest = read_predicate(predicate, predicate_type)
    references = [load_reference(text) for text in images]
    found: dict[str, Image] = {}
    with connect_ci(url, trust, ca_file, command=token_command, file=token_file, audience=audience) as client:
        for reference in references:
            with at_registry(reference, registry_auth, registry_ca, token_host) as registry:
                found |= {image.file_name: image for image in resolved(registry, reference, recursive)}
        files = [_upload(client, image) for image in found.values()]
        view, resumed = client.ask_release(project, version, commit, files, attest)
    if resumed:
        say("This release was asked for before; it goes on from there.")
    say_view(view)
    say_next(view)


@app.command("attach")
def attach_(
    request: Request,
    registry_auth: RegistryAuth = None, registry_ca: RegistryCa = None, token_host: TokenHost = "",
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Put what a release of images made beside them. Done twice, it changes nothing."""
    with connect(url, trust, ca_file) as client:
        made = outputs_of(client, request)
    if not made:
        raise NothingForImages(f"Request {visible(request)} made no signature of an image.")
    for (image, digest), beside in made.items():
        reference = Reference(image, "", digest)
        with at_registry(reference, registry_auth, registry_ca, token_host) as registry:
            [found] = resolved(registry, reference, recursive=False)
            check_beside(found, beside)
            _attach(registry, found, beside)


def _place(client: Client, registry: Registry, images: Sequence[Image], made: Sequence[Made],
           output: Path | None) -> None:  # fmt: skip
    """1. the batch's receipt, which must hold every output, 2. each output beside its image, 3. copies.

    Raises:
        Refused: the service's reason not to sign an image; nothing of the batch is pushed then.
    """
    for one in made:
        for problem in one.problems:
            raise problem.as_error()
    receipt = client.receipt_of(made)
    named = {image.file_name: image for image in images}
    for one in made:
        image = named[one.path.name]
        _attach(registry, image, _beside(client, one))
        if output is not None:
            for name, content in {**one.outputs, image.file_name: image.content}.items():
                write_whole(output, name, content)
            write_whole(output, f"{image.file_name}{SUFFIX}", receipt)


def _beside(client: Client, made: Made) -> list[Beside]:
    return [
        Beside(name, made.outputs[get_format(name).output_name(made.path.name)], pinned_key(client.trust, key))
        for name, key in made.keys.items()
    ]


def _attach(registry: Registry, image: Image, made: Sequence[Beside]) -> None:
    for place in attach(registry, image, made):
        say(f"  {visible(place)}")


def _upload(client: Client, image: Image) -> FileRef:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / image.file_name
        path.write_bytes(image.content)
        return msgspec.structs.replace(client.upload(path), image=image.named.image)


app.command("verify")(verify)
