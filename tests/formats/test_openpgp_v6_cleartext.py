"""Texts that carry a signature of OpenPGP version 6, judged by Sequoia's library and by openpgp.js."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpgp_v6_keys import OTHER_SALT, certificate_of, key_of, openpgp_js, sequoia_verifies
from samples import RELEASE
from software_hsm import CONTEXT, artifact_of, key_record, make, sign_raw

from hsmpub.client.embedding import write_signed
from hsmpub.client.finding import find_signatures
from hsmpub.formats.detail import DetailMalformed
from hsmpub.formats.format import Artifact
from hsmpub.formats.openpgp.parse import OpenpgpMalformed
from hsmpub.formats.openpgp.read import OpenpgpDigestDiffers
from hsmpub.formats.openpgp.v6_cleartext import OpenpgpV6Cleartext
from hsmpub.formats.openpgp.v6_detail import read_salted
from hsmpub.formats.openpgp.v6_read import OpenpgpSaltDiffers, read_v6_document
from hsmpub.formats.public_key import SignatureDoesNotVerify
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.salted import details_to_check
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from tests.npm import installed
from tests.proofs import Prove

FORM = OpenpgpV6Cleartext()
#: With what the framework must escape, and blanks at ends that are in no signature of a text.
TEXT = b"Changes:\n\n- tofu  \n-----BEGIN PGP SIGNATURE-----\nFrom here \t\n\xc3\xa4\n\n"
every_kind = pytest.mark.parametrize("kind", ["p256", "rsa3072", "ed25519"])


def signed(kind: str, text: bytes = TEXT, number: int = 0) -> bytes:
    """number: of the key that signs; the signature names the first."""
    output = make(FORM, text, key_of(kind, form=FORM.name), number)
    return b"".join(FORM.attach(BytesSource(text), output))


@every_kind
def test_sequoia_takes_a_signed_text_and_nothing_altered(kind: str, proof: Prove) -> None:
    certificate = certificate_of(kind)
    good, tampered = (sequoia_verifies(text, None, certificate) for text in (signed(kind), altered(signed(kind))))
    proof(FORM.name, kind, "pysequoia", good=good, tampered=tampered)
    assert not sequoia_verifies(signed(kind, number=1), None, certificate)


@every_kind
def test_openpgp_js_takes_a_signed_text_and_nothing_altered(kind: str, proof: Prove) -> None:
    version, certificate = installed("openpgp"), certificate_of(kind)
    good, tampered = (openpgp_js(text, None, certificate) for text in (signed(kind), altered(signed(kind))))
    proof(FORM.name, kind, "openpgp verify", good=good["verified"], tampered=tampered["verified"], version=version)


def altered(text: bytes) -> bytes:
    assert text.count(b"tofu") == 1
    return text.replace(b"tofu", b"tofo")


def test_no_header_names_the_hash_and_the_armour_has_no_checksum() -> None:
    begin, empty, *_ = signed("p256").split(b"\n")
    assert (begin, empty) == (b"-----BEGIN PGP SIGNED MESSAGE-----", b"")
    assert b"\n=" not in signed("p256")


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_a_signature_of_a_text_is_none_of_a_file_and_the_other_way_round(kind: str) -> None:
    """Both may be by one key, over one salt and the same bytes."""
    detached, data = FORMATS["openpgp-v6"], b"one line"
    text, file = (make(form, data, key_of(kind, form=form.name)) for form in (FORM, detached))
    for form, output in ((detached, text), (FORM, file)):
        with pytest.raises(OpenpgpMalformed, match="of this kind"):
            form.check(output, artifact_of(data, format_=form), key_of(kind, form=form.name))
    salt, state = read_salted(artifact_of(data, format_=FORM).details[FORM.name], "x")
    key = key_of(kind)
    claims = [read_v6_document(one, salt, state, key, None, kind=of) for one, of in ((text, 1), (file, 0))]
    assert claims[0].payload != claims[1].payload


def test_who_has_the_signed_text_alone_checks_it_after_the_salt_that_it_names() -> None:
    key, source = key_of("p256", form=FORM.name), BytesSource(TEXT)
    detail = FORM.extract(source)
    assert detail[:16] != FORM.extract(source)[:16]
    prepared = FORM.prepare(Artifact("x", Sha256State.of(TEXT), {FORM.name: detail}), key, CONTEXT)
    output = FORM.assemble(prepared, sign_raw(prepared))
    whole = b"".join(FORM.attach(source, output))

    def check(data: bytes) -> None:
        held = FORM.detach(BytesSource(data))
        assert held == output
        details = details_to_check(FORM, BytesSource(data), output)
        FORM.check(output, Artifact("x", Sha256State.of(data), details), key)

    check(whole)
    with pytest.raises((OpenpgpDigestDiffers, SignatureDoesNotVerify)):  # one in 65,536 begins with the same two bytes
        check(altered(whole))
    with pytest.raises(OpenpgpSaltDiffers):
        FORM.check(output, artifact_of(TEXT, format_=FORM), key)


def test_a_detail_without_its_salt_or_its_state_is_refused() -> None:
    key, detail = key_of("p256", form=FORM.name), FORM.extract_after(OTHER_SALT, BytesSource(TEXT))
    for sent in (detail[:15], detail[:-1], detail + b"\0"):
        with pytest.raises(DetailMalformed):
            FORM.prepare(Artifact("x", Sha256State.of(TEXT), {FORM.name: sent}), key, CONTEXT)


def test_a_text_is_signed_again_in_the_other_version_and_found_as_what_it_is(tmp_path: Path) -> None:
    """The signature of the one is not taken for the other's, and gives way to it."""
    path, older = tmp_path / "x.changes", FORMATS["openpgp-cleartext"]
    path.write_bytes(RELEASE)
    for form in (FORM, older, FORM):
        key, data = key_record("p256", form.name), path.read_bytes()
        output = make(form, data, key)
        write_signed(path, tmp_path, Sha256State.of(data), output, form, key)
        other = older if form is FORM else FORM
        assert other.detach(BytesSource(path.read_bytes())) is None
        [found] = find_signatures(path)
        assert ([one.name for one in found.forms], found.output) == ([form.name], output)
    assert path.read_bytes().count(b"-----BEGIN") == 2
