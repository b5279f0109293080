"""Every name in a release means one thing: a file, or one signature of one file."""

from __future__ import annotations

from typing import Any

import pytest

from hsmpub.formats.output_names import NameOfASignature, TwoSignaturesInOneFile
from hsmpub.keeper.submitting import check_output_names
from hsmpub.model.predicate import Signing
from hsmpub.model.submission import FileRef
from hsmpub.policy import ReleaseGrant

SIGN = (Signing("k", ("openpgp", "openpgp-v6")), Signing("l", ("sshsig",)))
GRANT = ReleaseGrant("p", SIGN, (), (), 60)


def files(*names: str) -> list[FileRef]:
    return [FileRef(name, "0" * 64, 1) for name in names]


def test_takes_files_whose_signatures_have_names_of_their_own() -> None:
    check_output_names(files("x.whl", "x.tar.gz", "x"), GRANT)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("x", "x.asc"), "'x.asc' would be the file 'x.asc' and a signature of 'x'."),
        (("x", "x.v6"), "'x.v6.asc' would be a signature of 'x' and a signature of 'x.v6'."),
    ],
)
def test_refuses_names_that_would_mean_two_things(names: tuple[str, ...], told: Any) -> None:
    for order in (names, names[::-1]):
        with pytest.raises(NameOfASignature) as refused:
            check_output_names(files(*order), GRANT)
        assert refused.value.detail in (told, "'x.v6.asc' would be a signature of 'x.v6' and a signature of 'x'.")


def test_names_every_file_that_is_in_the_way() -> None:
    names = [f"{number}{end}" for number in range(25) for end in ("", ".asc")]
    with pytest.raises(NameOfASignature) as refused:
        check_output_names(files(*names), GRANT)
    assert refused.value.detail.startswith("Each of these is a signature's name, and taken: '0.asc', '1.asc', ")
    assert refused.value.detail.endswith("'19.asc' and 5 more.")


def test_refuses_two_signatures_that_go_into_one_file() -> None:
    """Each is made over the file as it was sent, so one of them would be lost."""
    grant = ReleaseGrant("p", (Signing("k", ("jar", "apk")),), (), (), 60)
    with pytest.raises(TwoSignaturesInOneFile) as refused:
        check_output_names(files("x.apk"), grant)
    assert "jar and apk would both change 'x.apk'" in refused.value.detail
