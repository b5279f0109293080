"""Version schemes that a project may ask of its releases.

- `semver`: Semantic Versioning 2.0.0.
- `calver`: a year of two or four digits, a month, and then numbers, e.g. `2026.11`, `26.11.3`, `2026.11.22.1`.
- `pep440`: public versions as the Python Packaging User Guide specifies them, in normal form; no local part.
- `any`: whatever a submission may carry.
"""

from __future__ import annotations

import re
from typing import Literal

from hsmpub.errors import Forbidden

Versions = Literal["semver", "calver", "pep440", "any"]

_NUMBER = r"(?:0|[1-9][0-9]*)"
_SEMVER_PART = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SCHEMES: dict[Versions, re.Pattern[str]] = {
    "semver": re.compile(
        rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_SEMVER_PART}(?:\.{_SEMVER_PART})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
    ),
    "calver": re.compile(rf"(?:[1-9][0-9]{{3}}|[1-9][0-9])\.(?:0?[1-9]|1[0-2])(?:\.(?:0[0-9]|{_NUMBER}))*"),
    "pep440": re.compile(
        rf"(?:[1-9][0-9]*!)?{_NUMBER}(?:\.{_NUMBER})*(?:(?:a|b|rc){_NUMBER})?(?:\.post{_NUMBER})?(?:\.dev{_NUMBER})?"
    ),
}


class VersionOutsideScheme(Forbidden):
    advice = "Release under a version of the scheme that the policy names for the project."


def check_version(version: str, scheme: Versions) -> None:
    """Raises VersionOutsideScheme."""
    if scheme != "any" and not _SCHEMES[scheme].fullmatch(version):
        raise VersionOutsideScheme(f"The version {version[:80]!r} is not {scheme}.")
