"""What a policy says of images, predicates and provenance: for which repositories a project signs, what it attests.

Pure. The formats that speak of images need to know which, so a project that makes one lists its repositories; the one
with a requester's predicate needs the list of types. Neither list has a default.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from hsmpub.errors import Forbidden, Invalid
from hsmpub.identity.build import build_of
from hsmpub.identity.ci import CiIdentity
from hsmpub.model.attested import Attestation, Build
from hsmpub.model.glob import is_match
from hsmpub.model.predicate import Signing
from hsmpub.policy.decide import Policy
from hsmpub.policy.lists import GIVEN_PREDICATE, IMAGE_FORMATS, PROVENANCE

_ATTESTS, _SAYS_BUILD = frozenset({GIVEN_PREDICATE}), frozenset({PROVENANCE})


class ImageNotGranted(Forbidden):
    advice = "Sign images of the repositories that the policy lists for the project."


class ImageUnnamed(Invalid):
    advice = "Sign images with 'hsmpub oci sign', other files in formats for files."


class PredicateTypeNotGranted(Forbidden):
    advice = "Use a predicate type that the policy lists for the project."


class PredicateUnused(Invalid):
    advice = "A predicate goes with the format 'in-toto', and that format with a predicate: name both or neither."


class BuildUnstated(Forbidden):
    advice = "Ask from a job of GitHub Actions or GitLab CI, whose tokens say what is built, or leave provenance out."


def check_images(policy: Policy, project: str, sign: Sequence[Signing], images: Iterable[str]) -> None:
    """images: of each file its repository, or empty.

    Raises:
        ImageNotGranted: one is not in the project's list. ImageUnnamed: a file without one, in a format for images.
    """
    wanted = _makes(sign, IMAGE_FORMATS)
    for image in images:
        if image and not any(is_match(pattern, image) for pattern in policy.projects[project].images):
            raise ImageNotGranted(f"Project {project!r} does not sign for {image!r}.")
        if not image and wanted:
            raise ImageUnnamed("A file does not come as the manifest of an image.")


def check_predicate(policy: Policy, project: str, sign: Sequence[Signing], attest: Attestation | None) -> None:
    """Raises PredicateTypeNotGranted, PredicateUnused."""
    if (attest is not None) != _makes(sign, _ATTESTS):
        raise PredicateUnused(f"The request {'brings a predicate for no format' if attest else 'lacks a predicate'}.")
    if attest is not None and attest.type not in policy.projects[project].predicates:
        raise PredicateTypeNotGranted(f"Project {project!r} attests nothing of the type {attest.type[:200]!r}.")


def decide_build(policy: Policy, who: CiIdentity, sign: Sequence[Signing]) -> Build | None:
    """From which build the files come, where provenance is asked for. Raises BuildUnstated."""
    if not _makes(sign, _SAYS_BUILD):
        return None
    build = build_of(policy.issuers[who.issuer].url, who.claims)
    if build is None:
        raise BuildUnstated(f"The token of {who.subject[:200]!r} does not say from which commit and run it asks.")
    return build


def _makes(sign: Sequence[Signing], formats: Set[str]) -> bool:
    for one in sign:  # noqa: SIM110 - asked of every file, and any() would make a generator each time
        if not formats.isdisjoint(one.formats):
            return True
    return False
