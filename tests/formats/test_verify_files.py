"""`hsmpub verify` without a receipt: every format that `sign` writes, by the pins; timestamps are judged."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from foreign_tool import needs
from hypothesis import given
from hypothesis import strategies as st
from samples import OTHERS, SAMPLES, ar_member
from software_hsm import chain_of, key_record, make
from timestamp_authority import make_authority, reply

from hsmpub.client.agreeing import VerificationsDisagree, judge_with
from hsmpub.client.finding import NoSignatureFound, SignatureTooLarge, find_signatures, signed_by
from hsmpub.client.given import given_file
from hsmpub.client.judging import Judged, KeyMayBeKnown, SignatureOfNoPinnedKey, SignedFileAltered, judge
from hsmpub.client.stamped_time import (
    Authorities,
    CertificateOver,
    TimestampFails,
    TimestampLacks,
    TimestampNotJudged,
    own_authorities,
)
from hsmpub.errors import HsmpubError
from hsmpub.formats.cms.stamp import signature_value, with_timestamp
from hsmpub.formats.cms.timestamp_token import timestamp_request, token_of
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyRecord
from hsmpub.model.keys import Key, Keys, Life
from hsmpub.model.trust import Trust, dump_trust
from hsmpub.receipt import verify_receipt
from hsmpub.receipt.report import SignatureSeen
from tests.cli.command import Command
from tests.receipt import story

DATA = b"A release.\n" * 7
NOW = 1_790_000_000
DAY = 86_400
NAMES = {"jar": "x.jar", "apk": "x.apk", "apt-inrelease": "InRelease", "apt-release-gpg": "Release", "pdf": "x.pdf",
         "kernel-module": "x.ko", "msi": "x.msi"}  # fmt: skip
#: What `sign` writes for files; what agents sign is none, and timestamps have tests of their own.
WRITTEN = [name for name in FORMATS if not name.startswith("ssh-agent") and name not in ("timestamp", "jwt")]
#: Those over what the file says (a key, names), however it is written.
OVER_CONTENT = ("ssh-certificate", "x509-certificate")
NOBODY = Authorities((), (), NOW)


@pytest.fixture
def hsmpub(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    return Command(monkeypatch, capsys, {"HSMPUB_TRUST": str(tmp_path / "trust.json")})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("openssl")
    return make_authority(tmp_path_factory.mktemp("time") / "good")


def pins_of(folder: Path) -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_pem_x509_certificates((folder / "root.pem").read_bytes()))


def pin(folder: Path, *keys: KeyRecord) -> None:
    (folder / "trust.json").write_bytes(dump_trust(Trust("service", "log-key", "00" * 32, keys)))


def keys_of(*records: KeyRecord) -> Keys:
    return Keys(tuple(Key(record) for record in records))


def signed(folder: Path, name: str, key: KeyRecord, number: int = 0, token: bytes | None = None) -> Path:
    """A file as `sign` leaves it, under the name that is verified."""
    form, data = FORMATS[name], SAMPLES.get(name, DATA)
    path = folder / NAMES.get(name, "x.bin")
    output = make(form, data, key, number, name=path.name)
    if token is not None:
        output = with_timestamp(output, token, name)
    if form.embedded:
        path.write_bytes(b"".join(form.attach(BytesSource(data), output)))
    else:
        path.write_bytes(data)
        path.with_name(form.output_name(path.name)).write_bytes(output)
    return path


def judged(path: Path, keys: Keys, authorities: Authorities = NOBODY) -> Judged:
    [found] = find_signatures(path)
    return judge(found, given_file(path), keys, authorities)


@pytest.mark.parametrize("name", WRITTEN)
def test_what_sign_writes_verifies_by_the_pins_and_nothing_altered_does(
    hsmpub: Command, tmp_path: Path, name: str
) -> None:
    if name == "pdf" and not importlib.util.find_spec("pyhanko"):
        pytest.skip("pyhanko is not installed")
    [kind, *_] = sorted(FORMATS[name].key_kinds)
    key = key_record(kind, name)
    path = signed(tmp_path, name, key)
    pin(tmp_path, key_record(kind, name, number=1), key)
    said = hsmpub("verify", path)
    assert said.status == 0, said
    assert f"{name}, " in said.out
    assert f"by key {key.name} ({kind})" in said.out
    assert "Without a receipt" in said.err
    pin(tmp_path, key_record(kind, name, number=1))
    said = hsmpub("verify", path)
    assert said.status == 1
    assert "no key of the pins made it" in said.out
    pin(tmp_path, key)
    good, other = path.read_bytes(), OTHERS.get(name, DATA + b".")
    altered = (good[:-1], good + b"\n", _flipped(good))
    for bad in (other, *(altered if name not in OVER_CONTENT else ())):
        path.write_bytes(bad)
        assert hsmpub("verify", path).status == 1


def _flipped(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes((data[len(data) // 2] ^ 1,)) + data[len(data) // 2 + 1 :]


def test_several_signatures_are_all_judged_and_one_that_fails_is_named(hsmpub: Command, tmp_path: Path) -> None:
    key, other = key_record("p256", "openpgp", "sshsig"), key_record("p256", "openpgp", "sshsig", number=1)
    path = signed(tmp_path, "openpgp", key)
    signed(tmp_path, "sshsig", key)
    pin(tmp_path, key)
    told = json.loads(hsmpub("verify", path, "--json").out)
    assert told["verified"]
    assert sorted((one["format"], one["key"]) for one in told["judged"]) == [
        ("openpgp", key.name),
        ("sshsig", key.name),
    ]
    signed(tmp_path, "sshsig", other, 1)
    said = hsmpub("verify", path)
    assert said.status == 1
    assert "ok  x.bin.asc" in said.out
    assert "no  " in said.out
    assert "x.bin.sig" in said.out


def test_a_signature_stands_for_the_file_beside_it(hsmpub: Command, tmp_path: Path) -> None:
    key = key_record("p256", "openpgp")
    path = signed(tmp_path, "openpgp", key)
    pin(tmp_path, key)
    assert signed_by(tmp_path / "x.bin.asc") == path
    said = hsmpub("verify", tmp_path / "x.bin.asc", path)
    assert said.status == 0
    assert said.out.count("ok  ") == 1
    (tmp_path / "alone.asc").write_bytes((tmp_path / "x.bin.asc").read_bytes())
    assert hsmpub("verify", tmp_path / "alone.asc").status == 1


def test_a_file_without_any_signature_is_no_success(hsmpub: Command, tmp_path: Path) -> None:
    pin(tmp_path, key_record("p256", "openpgp"))
    (tmp_path / "x").write_bytes(DATA)
    (tmp_path / "db.gpg").write_bytes(b"encrypted, and no signature of db")
    (tmp_path / "db").write_bytes(DATA)
    for name in ("x", "db", "missing", "."):
        assert hsmpub("verify", tmp_path / name).status == 1
    with pytest.raises(NoSignatureFound):
        find_signatures(tmp_path / "x")
    (tmp_path / "x.asc").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(SignatureTooLarge):
        find_signatures(tmp_path / "x")


def test_a_retired_key_is_named_and_one_that_others_may_know_counts_no_more(tmp_path: Path) -> None:
    record = key_record("p256", "openpgp")
    path = signed(tmp_path, "openpgp", record)
    retired = Keys((Key(record, Life(retired=9, reason="superseded", successor="next")),))
    found = judged(path, retired)
    assert (found.key_state, len(found.notes)) == ("retired", 1)
    with pytest.raises(KeyMayBeKnown):
        judged(path, Keys((Key(record, Life(retired=9, reason="compromised")),)))


def test_a_key_makes_only_the_formats_of_its_ceremony(tmp_path: Path) -> None:
    record = key_record("p256", "openpgp")
    path = signed(tmp_path, "openpgp", record)
    with pytest.raises(SignatureOfNoPinnedKey):
        judged(path, keys_of(msgspec.structs.replace(record, formats=("sshsig",))))


def test_a_renewed_certificate_is_named_and_the_key_is_what_counts(tmp_path: Path) -> None:
    record = key_record("p256", "authenticode")
    path = signed(tmp_path, "authenticode", record)
    renewed = msgspec.structs.replace(record, certificates=chain_of.__wrapped__("p256", 0)[0])
    assert renewed.certificates != record.certificates
    found = judged(path, keys_of(renewed))
    assert any("renewed" in note for note in found.notes)
    other = key_record("p256", "authenticode", number=1)
    with pytest.raises(SignatureOfNoPinnedKey):
        judged(path, keys_of(other))


@pytest.mark.parametrize("name", ["authenticode", "jar", "cms", "pdf"])
def test_a_timestamp_counts_when_a_pinned_authority_made_it_over_this_signature(
    hsmpub: Command, tmp_path: Path, authority: Path, name: str
) -> None:
    if name == "pdf" and not importlib.util.find_spec("pyhanko"):
        pytest.skip("pyhanko is not installed")
    key = key_record("p256", name)
    path, token = stamped_file(tmp_path, name, key, authority)
    pin(tmp_path, key)
    said = hsmpub("verify", path, "--timestamp-ca", authority / "root.pem")
    assert said.status == 0, said
    assert "; timestamp 20" in said.out
    assert "CN=Time" in said.out
    said = hsmpub("verify", path)
    assert said.status == 1
    assert "--timestamp-ca" in said.out
    said = hsmpub("verify", path, "--ignore-timestamps")
    assert said.status == 0
    assert "was not judged" in said.out
    elsewhere = make_authority(tmp_path / "other")
    assert hsmpub("verify", path, "--timestamp-ca", elsewhere / "root.pem").status == 1
    broken = token[:-1] + bytes((token[-1] ^ 1,))
    signed(tmp_path, name, key, token=broken)
    said = hsmpub("verify", path, "--timestamp-ca", authority / "root.pem")
    assert said.status == 1
    assert "does not count" in said.out


def stamped_file(folder: Path, name: str, key: KeyRecord, authority: Path) -> tuple[Path, bytes]:
    """A signature is made anew each time, and the timestamp is over it: the file is written with both at once."""
    form, data = FORMATS[name], SAMPLES.get(name, DATA)
    path = folder / NAMES.get(name, "x.bin")
    output = make(form, data, key, name=path.name)
    token = token_of(reply(authority, timestamp_request(signature_value(output), 1)))
    whole = with_timestamp(output, token, name)
    if form.embedded:
        path.write_bytes(b"".join(form.attach(BytesSource(data), whole)))
    else:
        path.write_bytes(data)
        path.with_name(form.output_name(path.name)).write_bytes(whole)
    return path, token


def test_a_missing_timestamp_is_said_and_refused_where_one_is_required(hsmpub: Command, tmp_path: Path) -> None:
    key = key_record("p256", "authenticode")
    path = signed(tmp_path, "authenticode", key)
    pin(tmp_path, key)
    said = hsmpub("verify", path)
    assert said.status == 0
    assert "no timestamp" in said.out
    assert hsmpub("verify", path, "--require-timestamp").status == 1


def test_timestamp_and_certificate_have_to_fit_each_other_in_time(tmp_path: Path, authority: Path) -> None:
    key = key_record("p256", "cms")
    path, token = stamped_file(tmp_path, "cms", key, authority)
    keys, pins = keys_of(key), pins_of(authority)
    after = Authorities(pins, (), NOW + 9 * 365 * DAY)
    assert judged(path, keys, after).time is not None
    with pytest.raises(TimestampNotJudged):
        judged(path, keys, NOBODY)
    with pytest.raises(TimestampFails, match="a time to come"):
        judged(path, keys, Authorities(pins, (), NOW - DAY))
    with pytest.raises(TimestampLacks):
        judged(path, keys, replace(after, ignored=True, required=True))
    output = make(FORMATS["cms"], DATA, key, name="x.bin")
    (tmp_path / "x.bin.p7s").write_bytes(with_timestamp(output, token, "cms"))
    with pytest.raises(TimestampFails, match="over something else"):
        judged(path, keys, after)
    (tmp_path / "x.bin.p7s").write_bytes(output)
    assert judged(path, keys, after).time is None
    with pytest.raises(CertificateOver, match="not valid now"):
        judged(path, keys, replace(after, now=NOW + 11 * 365 * DAY))


def test_no_altered_byte_crashes_or_changes_key_or_time(tmp_path: Path, authority: Path) -> None:
    key = key_record("p256", "cms")
    path, _ = stamped_file(tmp_path, "cms", key, authority)
    keys, authorities = keys_of(key), Authorities(pins_of(authority), (), 1 << 33)
    beside = tmp_path / "x.bin.p7s"
    good, before = beside.read_bytes(), judged(path, keys, authorities)

    @given(st.integers(0, len(good) - 1), st.integers(1, 255))
    def holds(at: int, change: int) -> None:
        beside.write_bytes(good[:at] + bytes((good[at] ^ change,)) + good[at + 1 :])
        try:
            found = judged(path, keys, authorities)
        except HsmpubError:
            return
        # certificates that a token brings beside the chain are not signed, and not needed
        assert found == before

    holds()


def test_a_timestamp_file_is_judged_by_the_services_own_key_or_a_named_authority(
    tmp_path: Path, authority: Path
) -> None:
    key = key_record("p256", "timestamp")
    path = signed(tmp_path, "timestamp", key)
    keys = keys_of(key)
    own = Authorities((), own_authorities(keys), NOW)
    found = judged(path, keys, own)
    assert found.time is not None
    assert (found.key, found.time.at) == (key.name, NOW)
    with pytest.raises(TimestampNotJudged):
        judged(path, keys, NOBODY)
    compromised = Keys((Key(key, Life(retired=9, reason="compromised")),))
    assert own_authorities(compromised) == ()
    (tmp_path / "x.bin.tsr").write_bytes(reply(authority, timestamp_request(DATA, 9)))
    with pytest.raises(TimestampFails):
        judged(path, keys, own)
    foreign = judged(path, keys, Authorities(pins_of(authority), (), 1 << 33))
    assert foreign.key == ""
    (tmp_path / "x.bin.tsr").write_bytes(reply(authority, timestamp_request(DATA + b".", 9)))
    with pytest.raises(TimestampFails, match="over something else"):
        judged(path, keys, Authorities(pins_of(authority), (), 1 << 33))


def test_a_renewed_certificate_of_our_own_authority_counts_too(tmp_path: Path) -> None:
    key = key_record("p256", "timestamp")
    path = signed(tmp_path, "timestamp", key)
    chain = chain_of.__wrapped__("p256", 0, ExtendedKeyUsageOID.TIME_STAMPING)[0]
    renewed = msgspec.structs.replace(key, certificates=chain)
    found = judged(path, keys_of(renewed), Authorities((), (renewed,), NOW))
    assert found.key == key.name


def test_receipt_and_pins_agree_or_nothing_holds(tmp_path: Path, hsmpub: Command) -> None:
    entries, outputs = story.routine()
    (tmp_path / "log").mkdir()
    receipt = story.told(tmp_path / "log", entries)
    for name, data in (*story.FILES.items(), *outputs.items()):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "x.receipt.json").write_bytes(receipt)
    trust = Trust(story.SERVICE, str(story.LOG_KEY), "00" * 32, (story.KEY,))
    (tmp_path / "trust.json").write_bytes(dump_trust(trust))
    files = [tmp_path / name for name in (*story.FILES, *outputs)]
    told = json.loads(hsmpub("verify", tmp_path / "x.receipt.json", *files, "--json").out)
    assert told["verified"]
    assert {one["name"] for one in told["judged"]} == set(outputs)
    alone = hsmpub("verify", tmp_path / "x.receipt.json", *(tmp_path / name for name in outputs))
    assert (alone.status, "None of the files that were named is one that was signed." in alone.err) == (1, True)
    some = hsmpub("verify", tmp_path / "x.receipt.json", files[0])
    assert (some.status, f"not named: {files[1].name}" in some.err) == (0, len(story.FILES) > 1)
    said = hsmpub("verify", *files, tmp_path / "x.receipt.json")  # wherever the receipt stands
    assert said.status == 0
    assert said.out.count("beside the file, by key release") == len(outputs)
    (tmp_path / "y.receipt.json").write_bytes(receipt)  # `sign` writes a copy beside each file of a request
    copies = (tmp_path / "x.receipt.json", tmp_path / "y.receipt.json")
    assert hsmpub("verify", *files, *copies).status == 0
    assert hsmpub("verify", *copies, *files).status == 0
    copies[1].write_bytes(receipt + b" ")
    both = hsmpub("verify", *files, *copies)
    assert (both.status, both.out.count("Verified: "), both.out.splitlines()[-1]) == (0, 2, "All 2 receipts hold.")
    (tmp_path / "z.txt").write_text("in neither")
    assert "in none of the 2 receipts" in hsmpub("verify", *files, *copies, tmp_path / "z.txt").err
    files[0].write_bytes(b"altered")
    altered = hsmpub("verify", *files, *copies)
    assert (altered.status, altered.out.count("Verified: ")) == (1, 0)
    assert all(str(path) in altered.err for path in copies)
    files[0].write_bytes(story.FILES[files[0].name])
    keys = keys_of(story.KEY)
    report = verify_receipt(receipt, str(story.LOG_KEY), [given_file(path) for path in files], pinned=keys)
    lied = tuple(replace(one, key="another") for one in report.signatures)
    with pytest.raises(VerificationsDisagree):
        judge_with(replace(report, signatures=lied), files, keys, NOBODY)
    with pytest.raises(VerificationsDisagree):
        judge_with(report, files, keys_of(), NOBODY)


def test_what_stands_behind_the_signature_is_covered_or_refused(tmp_path: Path) -> None:
    key = key_record("p256", "deb")
    path = signed(tmp_path, "deb", key)
    path.write_bytes(path.read_bytes() + ar_member(b"_gpgmaint", b"xx"))
    with pytest.raises(SignedFileAltered):
        judged(path, keys_of(key))


def test_what_stands_behind_the_signature_is_refused_by_a_key_that_the_pins_do_not_know_yet(tmp_path: Path) -> None:
    """The receipt shows that such a key is the service's; what it did not sign is not in the receipt either."""
    key = key_record("p256", "deb")
    path = signed(tmp_path, "deb", key)
    [found] = find_signatures(path)
    seen = SignatureSeen("x", "x", "deb", key.name, sha256_hex(found.output), True, False)
    report = SimpleNamespace(signatures=(seen,), newer_keys=(key.name,), at=0)
    assert judge_with(report, [path], keys_of(), NOBODY) == []  # type: ignore[arg-type]
    path.write_bytes(path.read_bytes() + ar_member(b"_gpgmaint", b"xx"))
    with pytest.raises(SignedFileAltered):
        judge_with(report, [path], keys_of(), NOBODY)  # type: ignore[arg-type]
