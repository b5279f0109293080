"""What holds for every format and every kind of key that it takes."""

from __future__ import annotations

import importlib.util

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import OTHERS, SAMPLES
from software_hsm import CONTEXT, artifact_of, key_record, make, sign_all

from hsmpub.errors import Invalid
from hsmpub.formats.context import Context
from hsmpub.formats.detail import DetailMalformed, DetailMissing
from hsmpub.formats.format import Artifact, OutputForAnother, OutputMalformed, RawSignatureMalformed, claim_of
from hsmpub.formats.public_key import PublicKeyUnfit, SignatureDoesNotVerify, check_claim
from hsmpub.formats.purposes import (
    BARE_FORMATS,
    FormatNotAllowed,
    KeyKindUnfit,
    PurposesMixed,
    family_of,
)
from hsmpub.formats.registry import FORMATS, UnknownFormat, check_key, get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.model.key import KeyRecord

DATA = bytes(range(256)) * 3
OTHER = DATA + b"\n"
#: PDF documents need pyHanko, which is optional.
HERE = [form for form in FORMATS.values() if form.name != "pdf" or importlib.util.find_spec("pyhanko")]
CASES = [(format_, kind) for format_ in HERE for kind in sorted(format_.key_kinds)]
every_format = pytest.mark.parametrize(("format_", "kind"), CASES, ids=lambda value: getattr(value, "name", value))


def test_there_are_the_formats_that_the_policy_knows():
    assert {"openpgp", "sshsig", "dsse", "sigstore-bundle", "der-signature", "cms", "authenticode"} <= set(FORMATS)
    assert len({format_.suffix for format_ in FORMATS.values()}) == len(FORMATS)


def sample(format_) -> bytes:
    """A file that the format is made for."""
    return SAMPLES.get(format_.name, DATA)


def other_sample(format_) -> bytes:
    """Another file of that kind."""
    return OTHERS.get(format_.name, OTHER)


def artifact_for(format_, data: bytes | None = None) -> Artifact:
    return artifact_of(sample(format_) if data is None else data, format_=format_)


def test_the_bare_formats_are_those_that_sign_the_digest_of_a_file_unseen():
    bare = set()
    for format_, kind in CASES:
        artifact = artifact_for(format_)
        prepared = format_.prepare(artifact, key_record(kind, format_.name), CONTEXT)
        if prepared.payload == artifact.state.digest() and artifact.details.get(format_.name) != sample(format_):
            bare.add(format_.name)
    assert bare == BARE_FORMATS


@every_format
def test_own_output_passes_and_claims_what_was_asked(format_, kind):
    key = key_record(kind, format_.name)
    prepared, raw = sign_all(format_, format_.prepare(artifact_for(format_), key, CONTEXT))
    output = format_.assemble(prepared, raw)
    format_.check(output, artifact_for(format_), key)
    format_.check(output, artifact_for(format_), key, CONTEXT)
    assert format_.read(output, artifact_for(format_), key, CONTEXT) == claim_of(prepared, raw)


@every_format
def test_refuses_another_file(format_, kind):
    key = key_record(kind, format_.name)
    output = make(format_, sample(format_), key)
    with pytest.raises((OutputForAnother, SignatureDoesNotVerify)):
        format_.check(output, artifact_for(format_, other_sample(format_)), key)


@every_format
def test_refuses_the_same_name_by_another_key(format_, kind):
    key, other = key_record(kind, format_.name), key_record(kind, format_.name, number=1)
    output = make(format_, sample(format_), other, number=1)
    with pytest.raises((OutputForAnother, SignatureDoesNotVerify)):
        format_.check(output, artifact_for(format_), key)


@every_format
def test_refuses_a_signature_by_another_key_under_the_right_name(format_, kind):
    key = key_record(kind, format_.name)
    output = make(format_, sample(format_), key, number=1)
    with pytest.raises(SignatureDoesNotVerify):
        format_.check(output, artifact_for(format_), key)


@every_format
def test_refuses_any_altered_byte(format_, kind):
    key, artifact = key_record(kind, format_.name), artifact_for(format_)
    output = make(format_, sample(format_), key)

    @given(st.integers(0, len(output) - 1), st.integers(1, 255))
    @settings(max_examples=150)
    def refuses(at: int, change: int) -> None:
        altered = output[:at] + bytes((output[at] ^ change,)) + output[at + 1 :]
        with pytest.raises(Invalid):
            format_.check(altered, artifact, key)

    refuses()


@every_format
def test_refuses_a_cut_or_longer_output(format_, kind):
    key, artifact = key_record(kind, format_.name), artifact_for(format_)
    output = make(format_, sample(format_), key)
    for altered in [output[:at] for at in range(0, len(output), 17)] + [output[:-1], output + b"\n", output * 2]:
        with pytest.raises(Invalid):
            format_.check(altered, artifact, key)


@given(st.binary(max_size=600), st.sampled_from(CASES))
def test_refuses_garbage_without_crashing(garbage, case):
    format_, kind = case
    with pytest.raises((OutputMalformed, OutputForAnother, SignatureDoesNotVerify)):
        format_.check(garbage, artifact_for(format_), key_record(kind, format_.name))


@every_format
def test_refuses_a_raw_signature_of_another_length(format_, kind):
    first = format_.prepare(artifact_for(format_), key_record(kind, format_.name), CONTEXT)
    prepared, good = sign_all(format_, first)
    for raw in (b"", good[:-1], good + b"\0"):
        with pytest.raises(RawSignatureMalformed):
            format_.assemble(prepared, raw)
        if prepared != first:
            with pytest.raises(RawSignatureMalformed):
                format_.follow(first, raw)


@every_format
def test_refuses_a_key_that_its_ceremony_gave_another_purpose(format_, kind):
    with pytest.raises(FormatNotAllowed):
        format_.prepare(artifact_for(format_), key_record(kind), CONTEXT)


@pytest.mark.parametrize("one", sorted(form.name for form in HERE))
def test_refuses_a_key_for_formats_of_two_families(one):
    for other in sorted(set(FORMATS) - family_of(one)):
        [kind, *_] = sorted(FORMATS[one].key_kinds)
        key = key_record(kind, one, other)
        with pytest.raises(PurposesMixed):
            FORMATS[one].prepare(artifact_for(FORMATS[one]), key, CONTEXT)


@pytest.mark.parametrize("format_", [one for one in HERE if one.embedded], ids=lambda value: value.name)
def test_an_embedded_signature_is_found_again_and_replaced(format_):
    [kind, *_] = sorted(format_.key_kinds)
    key, data = key_record(kind, format_.name), sample(format_)
    output = make(format_, data, key)
    signed = b"".join(format_.attach(BytesSource(data), output))
    assert format_.detach(BytesSource(data)) is None
    assert format_.detach(BytesSource(signed)) == output
    format_.check(output, artifact_for(format_, signed), key, CONTEXT)
    assert b"".join(format_.attach(BytesSource(signed), output)) == signed


@pytest.mark.parametrize("format_", [one for one in HERE if one.detail_limit], ids=lambda value: value.name)
def test_a_detail_that_is_missing_or_too_long_is_refused(format_):
    [kind, *_] = sorted(format_.key_kinds)
    key = key_record(kind, format_.name)
    with pytest.raises(DetailMissing):
        format_.prepare(artifact_of(sample(format_)), key, CONTEXT)
    long = Artifact("x", Sha256State.of(b""), {format_.name: bytes(format_.detail_limit + 1)})
    with pytest.raises(DetailMalformed):
        format_.prepare(long, key, CONTEXT)


def test_a_key_may_have_all_framed_or_all_bare_formats():
    check_key(key_record("p256", "openpgp", "sshsig", "dsse"))
    check_key(key_record("p256", "sigstore-bundle", "der-signature"))
    check_key(KeyRecord("sealing", "aes256", "", 0))


def test_refuses_formats_that_do_not_exist_or_do_not_fit_the_key():
    with pytest.raises(UnknownFormat):
        get_format("open-pgp")
    with pytest.raises(UnknownFormat):
        check_key(key_record("p256", "open-pgp"))
    with pytest.raises(KeyKindUnfit):
        check_key(key_record("ed25519", "sigstore-bundle"))


def test_refuses_a_record_whose_public_key_is_of_another_kind():
    wrong = KeyRecord("k", "rsa3072", key_record("p256").public, 0, ("sshsig",))
    with pytest.raises(PublicKeyUnfit):
        FORMATS["sshsig"].prepare(artifact_of(DATA), wrong, CONTEXT)
    with pytest.raises(PublicKeyUnfit):
        FORMATS["sshsig"].prepare(artifact_of(DATA), KeyRecord("k", "p256", "", 0, ("sshsig",)), CONTEXT)


@pytest.mark.parametrize("name", ["openpgp", "dsse"])
def test_refuses_an_output_of_another_time(name):
    key = key_record("p256", name)
    output = make(FORMATS[name], DATA, key)
    with pytest.raises(OutputForAnother):
        FORMATS[name].check(output, artifact_of(DATA), key, Context(at=CONTEXT.at + 1))


def test_a_bare_signature_over_a_chosen_file_is_one_of_openpgp():
    """Why bare formats have keys of their own: the file below is what an OpenPGP signature hashes."""
    pgp_key, bare_key = key_record("p256", "openpgp"), key_record("p256", "der-signature")
    openpgp, bare = FORMATS["openpgp"], FORMATS["der-signature"]
    prepared = openpgp.prepare(artifact_of(DATA), pgp_key, CONTEXT)
    chosen = DATA + prepared.parts[0] + b"\x04\xff" + len(prepared.parts[0]).to_bytes(4, "big")
    output = make(bare, chosen, bare_key)
    raw = bare.read(output, artifact_of(chosen), bare_key).signature
    openpgp.check(openpgp.assemble(prepared, raw), artifact_of(DATA), pgp_key)


def test_a_claim_of_no_known_hash_is_refused():
    key = key_record("p256", "sshsig")
    claim = FORMATS["sshsig"].read(make(FORMATS["sshsig"], DATA, key), artifact_of(DATA), key)
    with pytest.raises(SignatureDoesNotVerify):
        check_claim(type(claim)(claim.payload, "none", claim.signature), key)
