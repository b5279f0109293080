"""Predicates that requesters bring: one spelling, bounded, and never of a type that is the service's to say."""

from __future__ import annotations

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.model.attested import (
    MAX_PREDICATE_BYTES,
    Attestation,
    PredicateRefused,
    PredicateTypeReserved,
    check_attestation,
    load_attestation,
)
from hsmpub.model.image import ImageNameMalformed, check_image_name

TYPE = "https://spdx.dev/Document"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)


@given(st.dictionaries(st.text(max_size=9), JSON, max_size=4))
def test_what_is_taken_is_spelled_by_all_alike(predicate):
    try:
        check_attestation(Attestation(TYPE, predicate))
    except PredicateRefused:
        return
    spelled = msgspec.json.encode(predicate)
    assert json.dumps(json.loads(spelled), separators=(",", ":"), ensure_ascii=False).encode() == spelled


@given(st.binary(max_size=200))
def test_garbage_is_refused_by_name(data):
    with contextlib.suppress(PredicateRefused):
        load_attestation(TYPE, data)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}', b'{"a":{"b":1,"b":1}}', b"[1]", b'"x"', b"", b'{"a":1e999}', b'{"a":NaN}', b'{"a":1e22}',
        b'{"a":"\\ud800"}', b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", b"[" * 100_000,
        b'{"a":"' + b"x" * MAX_PREDICATE_BYTES + b'"}',
    ],
)  # fmt: skip
def test_refuses_what_readers_could_differ_about_or_is_too_much(data):
    with pytest.raises(PredicateRefused):
        load_attestation(TYPE, data)


@pytest.mark.parametrize(
    "kind",
    [
        "https://slsa.dev/provenance/v1", "https://SLSA.dev/provenance/v1", "https://slsa.dev/verification_summary/v1",
        "urn:hsmpub:release-attestation:v1", "https://sigstore.dev/cosign/sign/v1", "http://slsa.dev/x",
    ],
)  # fmt: skip
def test_types_that_are_the_service_s_to_say_are_nobody_s(kind):
    with pytest.raises(PredicateTypeReserved):
        load_attestation(kind, b"{}")


@pytest.mark.parametrize("kind", ["", "spdx", "https://x y", "https:ä", "x:" + "y" * 400])
def test_a_type_is_a_uri(kind):
    with pytest.raises(PredicateRefused):
        load_attestation(kind, b"{}")


@pytest.mark.parametrize(
    "name", ["registry.example/acme/web", "127.0.0.1:5000/a", "localhost/a/b__c/d-e.f", "r:1/a--b"]
)
def test_image_names(name):
    check_image_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "web", "acme/web", "registry.example", "registry.example/", "Registry.example/a", "registry.example/A",
     "registry.example/a:tag", "registry.example/a@sha256:00", "registry.example/../a", "registry.example//a",
     "user@registry.example/a", "https://registry.example/a", "registry.example/a\n", "registry.example/" + "a" * 255,
     "-x.example/a", "registry.example/a_", "registry.example/a___b"],
)  # fmt: skip
def test_refuses_what_is_no_image_name(name):
    with pytest.raises(ImageNameMalformed):
        check_image_name(name)
