"""Version schemes."""

from __future__ import annotations

import pytest

from hsmpub.policy.version import VersionOutsideScheme, Versions, check_version


@pytest.mark.parametrize(
    ("scheme", "version"),
    [
        ("semver", "1.2.3"), ("semver", "0.0.0"), ("semver", "1.0.0-rc.1+build.5"), ("semver", "1.0.0-0a"),
        ("calver", "2026.11"), ("calver", "26.4.2"), ("calver", "2026.11.22.1"), ("calver", "2026.04.05"),
        ("pep440", "1.2"), ("pep440", "1!2.0a1.post2.dev3"), ("pep440", "2026.11.0"), ("pep440", "1.0rc1"),
        ("any", "release_7"),
    ],
)  # fmt: skip
def test_accepts_versions_of_the_scheme(scheme: Versions, version: str) -> None:
    check_version(version, scheme)


@pytest.mark.parametrize(
    ("scheme", "version"),
    [
        ("semver", "1.2"), ("semver", "01.2.3"), ("semver", "1.2.3-01"), ("semver", "v1.2.3"), ("semver", "1.2.3\n"),
        ("semver", "1.2.3-"), ("calver", "2026.13"), ("calver", "2026"), ("calver", "1.2.3"), ("calver", "2026.0"),
        ("pep440", "1.0-1"), ("pep440", "1.0+local"), ("pep440", "1.0RC1"), ("pep440", "1.0alpha1"), ("pep440", "v1"),
        ("pep440", "1.01"), ("pep440", "\u0661.0"),
    ],
)  # fmt: skip
def test_refuses_versions_outside_the_scheme(scheme: Versions, version: str) -> None:
    with pytest.raises(VersionOutsideScheme):
        check_version(version, scheme)
