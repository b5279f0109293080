"""Thousands of signatures of each format that OpenPGP tools read: numbers with leading zeros are where writers fail."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from foreign_tool import accepts, needs, run
from openpgp_keys import certificate_of
from samples import SAMPLES
from soak import AT_LEAST, has_short_number
from software_hsm import CREATED_AT, artifact_of, key_record, sign_raw

from hsmpub.formats.context import Context
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource

pytestmark = pytest.mark.soak
TEXTS = ["openpgp-cleartext", "apt-inrelease"]


@pytest.mark.parametrize("name", [*TEXTS, "apt-release-gpg", "deb", "rpm"])
def test_over_a_thousand_p256_signatures_pass_and_gpg_takes_texts_with_short_numbers(name):
    form, key, data = FORMATS[name], key_record("p256", name), SAMPLES[name]
    artifact, short = artifact_of(data, format_=form), []
    for second in range(AT_LEAST):
        context = Context(at=CREATED_AT + second)
        prepared = form.prepare(artifact, key, context)
        raw = sign_raw(prepared)
        output = form.assemble(prepared, raw)
        form.check(output, artifact, key, context)
        if has_short_number(raw):
            short.append(output)
    assert short
    if name in TEXTS:
        needs("gpg")
        with tempfile.TemporaryDirectory(prefix="pgp", ignore_cleanup_errors=True) as home:
            run("gpg", "--batch", "--homedir", home, "--import", stdin=certificate_of("p256").encode())
            for output in short[:5]:
                file = Path(home) / "x"
                file.write_bytes(b"".join(form.attach(BytesSource(data), output)))
                assert accepts("gpg", "--batch", "--homedir", home, "--verify", file)


@pytest.mark.parametrize("name", TEXTS[:1])
def test_an_rsa_signature_with_a_leading_zero_passes(name):
    """One in 256. Here the time is found by trying."""
    form, key = FORMATS[name], key_record("rsa3072", name)
    artifact = artifact_of(SAMPLES[name], format_=form)
    for second in range(5_000):
        prepared = form.prepare(artifact, key, Context(at=CREATED_AT + second))
        if (raw := sign_raw(prepared))[0] == 0:
            break
    assert raw[0] == 0
    form.check(form.assemble(prepared, raw), artifact, key)
