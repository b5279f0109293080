"""What is fuzzed: every parser of bytes that strangers write. Each target takes any bytes, and fails only by refusing.

Run under atheris by `make fuzz` (tests.fuzz.__main__); without it, tests/fuzz/test_found.py feeds them their seeds and
what was found before.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import msgspec

from tests.fuzz.target import Target, embedded, key_for, outputs  # isort: skip - it says where the samples are
from openpgp_keys import certificate_of
from samples import SAMPLES
from software_hsm import CONTEXT, key_record, make

from hsmpub.envelope.forms import find_header, load_recipient
from hsmpub.envelope.header import Form
from hsmpub.envelope.openpgp_keyring import recipient_of_certificate
from hsmpub.errors import HsmpubError
from hsmpub.formats.certificate_chain import check_chain
from hsmpub.formats.cms.certificates import with_its_certificates
from hsmpub.formats.cms.chain import load_chain
from hsmpub.formats.cms.der_check import check_der, contents, members
from hsmpub.formats.cms.read import ReadSignedData, signs_with_rsa
from hsmpub.formats.cms.stamp import STAMPED, signature_value, without_timestamp
from hsmpub.formats.cms.timestamp_query import load_query
from hsmpub.formats.cms.timestamp_token import read_response, see_token, timestamp_request, token_of
from hsmpub.formats.git_tag_read import split_signature
from hsmpub.formats.openpgp.certificate_read import check_certificate
from hsmpub.formats.openpgp.change_read import check_revocation, check_vouching
from hsmpub.formats.openpgp.parse import dearmor, packets, read_subpackets
from hsmpub.formats.openpgp.subkey_read import check_signing_certificate, check_subkey_revocation
from hsmpub.formats.openpgp.v6_certificate_read import (
    check_v6_certificate,
    check_v6_revocation,
    check_v6_vouching,
)
from hsmpub.formats.openpgp.v6_read import salt_of_v6
from hsmpub.formats.openpgp.v6_subkey_read import check_v6_signing_certificate, check_v6_subkey_revocation
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource
from hsmpub.formats.ssh.key import load_ssh_key, parse_ssh_key
from hsmpub.formats.ssh.sshsig_verify import verify_sshsig
from hsmpub.formats.tuf.canonical import load_canonical
from hsmpub.formats.tuf.metadata import ROLES, read_metadata
from hsmpub.formats.zip.directory import read_archive
from hsmpub.formats.zip.manifest import parse_manifest
from hsmpub.model.entry import load_entry
from hsmpub.model.key import KeyRecord
from hsmpub.model.statement import load_statement
from hsmpub.model.submission import load_ci_submission, load_personal_submission
from hsmpub.receipt.key_history import load_key_history
from hsmpub.receipt.model import load_receipt
from hsmpub.shares.channel import Accepted, read_message, read_reply
from hsmpub.shares.confirmation import load_confirmation
from hsmpub.shares.pgp_certificate import read_certificate
from hsmpub.shares.record_file import load_recovery_record, load_unseal_record
from hsmpub.shares.slip39 import canonical, read_share
from hsmpub.tlog.note import load_note
from hsmpub.tlog.proof import load_proof

FOUND = Path(__file__).parent / "found"


def _text(parser: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parser(data.decode("latin-1"))


def _der(data: bytes) -> None:
    check_der(data)
    if data[0] & 0x20:
        members(contents(data))


def _openpgp(data: bytes) -> None:
    for _, body in packets(data):
        read_subpackets(body)


def _share(data: bytes) -> None:
    read_share(canonical(data))


def _ssh(data: bytes) -> None:
    line = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH"
    verify_sshsig(data, b"message", "file", [line.decode()])


def _openpgp_seeds() -> list[bytes]:
    own = make(FORMATS["openpgp"], b"x", key_for("openpgp"))
    return [own, dearmor(own, "SIGNATURE"), certificate_of("p256").encode()]


def _cms(data: bytes) -> None:
    ReadSignedData(data, load_chain(key_for("cms")), "p256")


def _chain(data: bytes) -> None:
    check_chain(data.decode("latin-1"), key_for("openpgp"), now=CONTEXT.at)


def _records(*loads: Callable[[bytes], object]) -> Target:
    return Target(
        loads, (HsmpubError, msgspec.MsgspecError), lambda: [b"{}", b'{"type":"box","holder":"a","box":"AA=="}']
    )


def _targets() -> Iterator[tuple[str, Target]]:
    for name in ("authenticode", "msi", "cab", "cat", "kernel-module", "deb", "rpm", "jar", "apk", "pdf",
                 "openpgp-cleartext", "openpgp-v6-cleartext", "apt-inrelease"):  # fmt: skip
        yield name, embedded(name)
    yield "zip", Target((lambda data: read_archive(BytesSource(data)), parse_manifest), seeds=lambda: [SAMPLES["jar"]])
    yield "der", Target((_der,), (ValueError,), lambda: [make(FORMATS["cms"], b"x", key_for("cms"))])
    cms = (
        _cms,
        signs_with_rsa,
        signature_value,
        *(functools.partial(without_timestamp, format_name=n) for n in STAMPED),
    )
    key = key_for("cms")
    timestamps = (lambda data: read_response(data, b"x", 1, ()), lambda data: with_its_certificates(data, key))
    yield "cms", Target((*cms, *timestamps), seeds=lambda: [make(FORMATS["cms"], b"x", key_for("cms"))])
    query = lambda: [timestamp_request(b"x", 5)]  # noqa: E731
    yield "timestamp-query", Target((load_query,), seeds=query)
    tokens = (lambda data: see_token(data, lambda _: b"", ()), token_of)
    own = functools.partial(make, FORMATS["timestamp"], b"x")
    yield "timestamp", Target(tokens, seeds=lambda: [own(key_for("timestamp"))])
    tuf = [lambda data, role=role: read_metadata(data, role) for role in ROLES]
    yield "tuf", Target((*tuf, load_canonical), seeds=lambda: [SAMPLES[f"tuf-{role}"] for role in ROLES])
    yield "signature-files", outputs(*(name for name in FORMATS if name != "pdf"))
    armoured = (check_certificate, check_vouching, check_revocation, check_signing_certificate, check_subkey_revocation,
                check_v6_certificate, check_v6_revocation, check_v6_vouching, check_v6_signing_certificate,
                check_v6_subkey_revocation)  # fmt: skip
    keys = {check_certificate: 1, check_revocation: 1, check_v6_certificate: 1, check_v6_revocation: 1}
    readers = [_text(lambda text, r=r: r(text, *[key_for("openpgp")] * keys.get(r, 2))) for r in armoured]
    more = (
        _openpgp,
        salt_of_v6,
        _keyring,
        _text(read_certificate),
    )
    yield "openpgp", Target((*readers, *more), seeds=_openpgp_seeds)
    ssh = (_ssh, parse_ssh_key, _text(load_ssh_key))
    yield (
        "ssh",
        Target(ssh, seeds=lambda: [make(FORMATS["sshsig"], b"x", key_for("sshsig")), SAMPLES["ssh-certificate"]]),
    )
    tag = b"object 0\n\nx\n-----BEGIN PGP SIGNATURE-----\n"
    yield "git", Target((split_signature,), seeds=lambda: [tag])
    yield "certificate-chain", Target((_chain,), seeds=lambda: [key_for("cms").certificates.encode()])
    headers = [lambda data, form=form: find_header(data, form, _decryption()) for form in get_args(Form)]
    names = [_text(functools.partial(load_recipient, form=form)) for form in get_args(Form)]
    yield "envelope", Target((*headers, *names), seeds=lambda: [b"age-encryption.org/v1\n-> X25519 a\n\n--- \n"])
    yield "shares", _records(read_message, lambda data: read_reply(data, Accepted), _share)
    yield "records", _records(load_unseal_record, load_recovery_record, load_confirmation, load_statement, load_entry,
                              load_ci_submission, load_personal_submission, load_receipt, load_key_history)  # fmt: skip
    yield "log", Target((load_note, _text(load_proof)), seeds=lambda: [b"a\n\n\xe2\x80\x94 b AAAA\n"])


def _keyring(data: bytes) -> None:
    recipient_of_certificate(data, now=CONTEXT.at)


@functools.cache
def _decryption() -> KeyRecord:
    return key_record("rsa3072", "openpgp")


TARGETS = dict(_targets())
