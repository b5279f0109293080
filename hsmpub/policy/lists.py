"""Lists of a project: repositories whose images it signs, types of predicates that its requesters may have attested,
names of files that formats are made of, or that go to a target."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from hsmpub.model.attested import Attestation, PredicateRefused, PredicateTypeReserved, check_attestation
from hsmpub.model.glob import is_wild
from hsmpub.model.image import ImageNameMalformed, check_image_name
from hsmpub.model.submission import HostileName, check_file_name
from hsmpub.policy.table import Text

#: Formats that sign the manifest of an image, and so need to be told of which repository; the one with a requester's
#: predicate; the one with provenance.
IMAGE_FORMATS = frozenset({"oci-signature", "oci-bundle"})
GIVEN_PREDICATE = "in-toto"
PROVENANCE = "slsa-provenance"


def check_image_pattern(pattern: str) -> str:
    """A repository, with `*` for a part of its path; never of the registry's name."""
    try:
        check_image_name(pattern.replace("*", "x"))
    except ImageNameMalformed as e:
        raise ValueError(f"{e.detail} {e.next_step}") from None
    if "*" in pattern.partition("/")[0]:
        raise ValueError("the registry is named without stars")
    return pattern


def check_predicate_type(kind: str) -> str:
    """A URI that requesters may attest under."""
    try:
        check_attestation(Attestation(kind, {}))
    except (PredicateRefused, PredicateTypeReserved) as e:
        raise ValueError(f"{e.detail} {e.next_step}") from None
    return kind


def check_file_pattern(pattern: str) -> str:
    """Names of files, with `*` for any part. What no file can be called would silently be for none."""
    try:
        check_file_name(pattern.replace("*", "x"))
    except HostileName:
        raise ValueError(
            f"no file can be called {pattern[:80]!r}; a pattern is a base name in which '*' alone is special"
        ) from None
    if is_wild(pattern):
        raise ValueError("leave 'files' out where every file is meant")
    return pattern


FilePattern = Annotated[Text, AfterValidator(check_file_pattern)]
#: None: every file.
FilePatterns = Annotated[tuple[FilePattern, ...], Field(min_length=1, max_length=64)] | None
ImagePattern = Annotated[Text, AfterValidator(check_image_pattern)]
PredicateTypeName = Annotated[Text, AfterValidator(check_predicate_type)]
