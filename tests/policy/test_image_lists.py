"""The lists of a project: repositories that it signs for, predicate types that it attests."""

from __future__ import annotations

import pytest

from hsmpub.model.attested import Attestation
from hsmpub.model.key import KeyRecord
from hsmpub.model.predicate import Signing
from hsmpub.policy import Policy, load_policy, refusals
from hsmpub.policy.attesting import (
    ImageNotGranted,
    ImageUnnamed,
    PredicateTypeNotGranted,
    PredicateUnused,
    check_images,
    check_predicate,
)

FORMATS = ("sshsig", "oci-signature", "oci-bundle", "in-toto")
KEYS = {"images": KeyRecord("images", "p256", "", 1, FORMATS)}
SPDX = "https://spdx.dev/Document"
IMAGES = 'images = ["registry.example/acme/*"]'
PREDICATES = f'predicates = ["{SPDX}"]'


def policy(*lines: str, formats: tuple[str, ...] = FORMATS) -> Policy:
    made = ", ".join(f'"{name}"' for name in formats)
    head = ["[issuer.ci]", 'url = "https://ci.example"', 'audience = "a"', "[project.web]", "approvals = []"]
    head += [
        'requesters = [{ issuer = "ci", repository = "acme/web" }]',
        f'sign = [{{ key = "images", formats = [{made}] }}]',
    ]
    return load_policy("\n".join([*head, *lines]), keys=KEYS, groups={})


def signing(*formats: str) -> tuple[Signing, ...]:
    return (Signing("images", formats),)


def test_images_of_the_list_are_signed_and_no_others():
    rules = policy(IMAGES, PREDICATES)
    check_images(rules, "web", signing("oci-signature"), ["registry.example/acme/web"])
    for image in ("registry.example/acme/web/x", "other.example/acme/web", "registry.example:1/acme/web"):
        with pytest.raises(ImageNotGranted):
            check_images(rules, "web", signing("dsse"), [image])


@pytest.mark.parametrize("form", ["oci-signature", "oci-bundle"])
def test_a_file_that_is_no_image_is_not_signed_as_one(form):
    with pytest.raises(ImageUnnamed):
        check_images(policy(IMAGES, PREDICATES), "web", signing("sshsig", form), ["registry.example/acme/web", ""])
    check_images(policy(IMAGES, PREDICATES), "web", signing("sshsig"), [""])


def test_predicates_of_the_list_are_attested_and_no_others():
    rules = policy(IMAGES, PREDICATES)
    check_predicate(rules, "web", signing("in-toto"), Attestation(SPDX, {}))
    with pytest.raises(PredicateTypeNotGranted):
        check_predicate(rules, "web", signing("in-toto"), Attestation(f"{SPDX}/v2", {}))
    for form, attest in (("in-toto", None), ("sshsig", Attestation(SPDX, {}))):
        with pytest.raises(PredicateUnused):
            check_predicate(rules, "web", signing(form), attest)


@pytest.mark.parametrize(
    ("lines", "formats", "expected"),
    [
        ((PREDICATES,), FORMATS, refusals.ImagesUnstated),
        ((IMAGES,), FORMATS, refusals.PredicatesUnstated),
        ((IMAGES, PREDICATES), ("oci-bundle",), refusals.PredicatesUnstated),
        ((IMAGES, 'predicates = ["https://slsa.dev/provenance/v1"]'), FORMATS, refusals.WrongValue),
        ((PREDICATES, 'images = ["*.example/acme/web"]'), FORMATS, refusals.WrongValue),
        ((PREDICATES, 'images = ["*"]'), FORMATS, refusals.WrongValue),
        ((PREDICATES, 'images = ["registry.example/acme/web:1"]'), FORMATS, refusals.WrongValue),
        ((PREDICATES, 'images = ["r.example/a", "r.example/a"]'), FORMATS, refusals.SaidTwice),
    ],
)  # fmt: skip
def test_refuses_lists_that_say_too_little_or_too_much(lines, formats, expected):
    with pytest.raises(expected):
        policy(*lines, formats=formats)
