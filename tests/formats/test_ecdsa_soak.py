"""Over a thousand P-256 signatures of each format that writes its numbers in DER or SSH's form, through leading zeros.

One in 128 has a number with a leading zero byte, every second one a high bit that takes a zero before it: that is where
writers and readers of numbers fail. `make soak` makes twenty thousand of each and reads every one back; in an ordinary
run those that take a millisecond to read (CMS) are read where their numbers are short, and some besides.
"""

from __future__ import annotations

import importlib.util

import msgspec
import pytest
from foreign_tool import accepts, needs
from samples import SAMPLES
from soak import AT_LEAST, has_short_number, soaking
from software_hsm import CONTEXT, artifact_of, key_record, pem_of, sign_all

from hsmpub.formats.purposes import OPENPGP_CERTIFIED
from hsmpub.formats.registry import FORMATS

pytestmark = pytest.mark.soak
SLOW = frozenset({"cms", "authenticode", "jar", "pdf", "timestamp"})
NAMES = sorted(name for name, form in FORMATS.items() if "p256" in form.key_kinds and name not in OPENPGP_CERTIFIED)


@pytest.mark.parametrize("name", NAMES)
def test_over_a_thousand_p256_signatures_are_written_and_those_with_short_numbers_read_back(name, tmp_path):
    if name == "pdf" and not importlib.util.find_spec("pyhanko"):
        pytest.skip("pyHanko is not installed")
    form, key, data = FORMATS[name], key_record("p256", name), SAMPLES.get(name, b"A release.\r\n" * 9)
    artifact, short, number = artifact_of(data, format_=form), set(), 0
    while number < AT_LEAST or len(short) < 2:
        context = msgspec.structs.replace(CONTEXT, at=CONTEXT.at + number)
        prepared, raw = sign_all(form, form.prepare(artifact, key, context))
        output = form.assemble(prepared, raw)
        if has_short_number(raw) or soaking() or name not in SLOW or number < 30:
            form.check(output, artifact, key, context)
        if has_short_number(raw):
            short.add(output)
        number += 1
    if name == "der-signature":
        needs("openssl")
        for file, content in (("x", data), ("key.pem", pem_of("p256").encode())):
            (tmp_path / file).write_bytes(content)
        for output in sorted(short)[:5]:
            (tmp_path / "sig").write_bytes(output)
            assert accepts("openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "sig", "x", cwd=tmp_path)
