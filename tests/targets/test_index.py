"""Pages of a simple index, honest and hostile."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.targets.index import find_file, normal_name
from hsmpub.targets.pinned import AnswerMalformed

DIGEST, OTHER = "a" * 64, "b" * 64
NAME = "sdk-1.0-py3-none-any.whl"
JSON, HTML = "application/vnd.pypi.simple.v1+json", "text/html; charset=utf-8"


def page(*files: tuple[str, str]) -> tuple[bytes, bytes]:
    """The same page as JSON and as HTML."""
    as_json = {"files": [{"filename": n, "url": f"../{n}", "hashes": {"sha256": d} if d else {}} for n, d in files]}
    anchors = "".join(f'<a href="../{n}{f"#sha256={d}" if d else ""}">{n}</a>' for n, d in files)
    return json.dumps(as_json).encode(), f"<!doctype html><body>{anchors}</body>".encode()


@pytest.mark.parametrize(("kind", "number"), [(JSON, 0), (HTML, 1)])
def test_finds_the_digest_of_a_file(kind: str, number: int) -> None:
    body = page(("sdk-0.9-py3-none-any.whl", OTHER), (NAME, DIGEST))[number]
    found = find_file(body, kind, NAME)
    assert found is not None
    assert found.sha256 == DIGEST
    assert find_file(body, kind, "sdk-1.0.tar.gz") is None


@pytest.mark.parametrize(("kind", "number"), [(JSON, 0), (HTML, 1)])
def test_a_file_without_digest_is_found_with_none(kind: str, number: int) -> None:
    found = find_file(page((NAME, ""))[number], kind, NAME)
    assert found is not None
    assert found.sha256 == ""


@pytest.mark.parametrize(("kind", "number"), [(JSON, 0), (HTML, 1)])
def test_refuses_a_file_listed_twice_with_different_digests(kind: str, number: int) -> None:
    with pytest.raises(AnswerMalformed):
        find_file(page((NAME, DIGEST), (NAME, OTHER))[number], kind, NAME)


@given(st.binary(max_size=400), st.sampled_from([JSON, HTML, ""]))
def test_any_bytes_are_a_page_or_malformed(body: bytes, kind: str) -> None:
    with contextlib.suppress(AnswerMalformed):
        find_file(body, kind, NAME)


def test_names_are_normal_as_in_pep_503() -> None:
    assert normal_name("Friendly-._.Bard") == "friendly-bard"
