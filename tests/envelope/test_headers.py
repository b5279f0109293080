"""Headers read strictly: what is altered, cut, too long or foreign is refused by name, and nothing else happens."""

from __future__ import annotations

import itertools
import os
import subprocess
import tracemalloc
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hsmpub.client.envelope import HeaderChanged, OutputExists, join, name_recipient, read_header
from hsmpub.client.outputs import NotWritten
from hsmpub.envelope import rules
from hsmpub.envelope.age_recipient import load_age_recipient
from hsmpub.envelope.bech32 import read_bech32
from hsmpub.envelope.forms import check_ours, find_header, form_of, load_header, load_recipient
from hsmpub.envelope.header import MAX_HEADER_BYTES, Form
from hsmpub.envelope.openpgp_keyring import recipient_of_certificate
from hsmpub.errors import HsmpubError
from hsmpub.model.trust import Trust
from tests.envelope import team as makers
from tests.envelope.team import Gpg, Team, run

FORMS = get_args(Form)
PERSON = "age1r74g8yzsh7zcywlnppfw8yhld2f5hdm6s7ufw5p6658mmpkzldxs0e9yca"


@pytest.fixture(scope="module")
def files(team: Team, gpg: Gpg, tmp_path_factory: pytest.TempPathFactory) -> dict[Form, bytes]:
    """One of each form, as its own tool made it."""
    leaf = tmp_path_factory.mktemp("x") / "team.crt"
    leaf.write_text(team.key.certificates)
    return {
        "age": run("age", "-r", PERSON, "-r", team.age, data=b"content"),
        "openpgp": gpg("--encrypt", "-r", "Backups", data=b"content"),
        "cms": run("openssl", "cms", "-encrypt", "-binary", "-stream", "-aes-256-gcm", "-outform", "DER", leaf,
                   data=b"content"),
    }  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_header_stands_alone_or_before_its_content(team: Team, files: dict[Form, bytes], form: Form) -> None:
    file = files[form]
    assert form_of(file) == form
    header = find_header(file, form, team.key)
    assert file.startswith(header.raw)
    assert load_header(header.raw, form, team.key) == header
    for wrong in (header.raw[:-1], file, b"", header.raw[1:]):
        with pytest.raises(HsmpubError):
            load_header(wrong, form, team.key)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_altered_gives_a_header_or_a_refusal(
    team: Team, files: dict[Form, bytes], form: Form, data: st.DataObject
) -> None:
    raw = bytearray(find_header(files[form], form, team.key).raw)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.sampled_from(("flip", "cut", "insert", "double"))):
            case "flip":
                raw[at] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del raw[at : at + data.draw(st.integers(1, 9))]
            case "insert":
                raw[at:at] = data.draw(st.binary(min_size=1, max_size=9))
            case _:
                raw += raw[at:]
        raw = raw or bytearray(b"x")
    before = len(team.blocks)
    try:
        header = load_header(bytes(raw), form, team.key)
    except rules.HeaderNotOpened:
        raise
    except HsmpubError:
        return
    assert header.raw == bytes(raw)
    assert len(header.sealed[header.ours].block) == 384
    assert len(team.blocks) == before


@given(data=st.binary(max_size=300), form=st.sampled_from(FORMS))
def test_noise_is_refused(data: bytes, form: Form) -> None:
    with pytest.raises(HsmpubError):
        load_header(data, form, makers.team().key)


def test_an_altered_age_header_does_not_open_and_says_nothing_more(team: Team, files: dict[Form, bytes]) -> None:
    head, mark, rest = files["age"].partition(b"\n--- ")
    with pytest.raises(rules.HeaderNotOpened):
        team.reseal(head + b"\n-> a b\n" + mark + rest, PERSON)


def test_each_refusal_has_its_name(team: Team, gpg: Gpg, files: dict[Form, bytes], tmp_path: Path) -> None:
    leaf = tmp_path / "team.crt"
    leaf.write_text(team.key.certificates)
    stanza = b"-> X25519 abc\n" + b"A" * 43 + b"\n"
    cases: list[tuple[type[HsmpubError], bytes]] = [
        (rules.HeaderForOthers, run("age", "-r", PERSON, data=b"x")),
        (rules.HeaderForOthers, gpg("--symmetric", "--passphrase", "x", "--pinentry-mode", "loopback", data=b"x")),
        (rules.ArmouredFile, run("age", "-a", "-r", team.age, data=b"x")),
        (rules.ArmouredFile, gpg("--armor", "--encrypt", "-r", "Backups", data=b"x")),
        (rules.ArmouredFile, run("openssl", "cms", "-encrypt", "-outform", "PEM", leaf, data=b"x")),
        (rules.CipherUnknown, run("openssl", "cms", "-encrypt", "-des3", "-outform", "DER", leaf, data=b"x")),
        (rules.HeaderTooLarge, b"age-encryption.org/v1\n" + stanza * 2000),
        (rules.HeaderMalformed, b"age-encryption.org/v1\n" + stanza),
        (rules.HeaderMalformed, b"plain text"),
        (rules.HeaderMalformed, gpg("--store", data=b"x")),
        (rules.ContentUnprotected, _without_protection(team, files["openpgp"])),
    ]
    for rule, file in cases:
        with pytest.raises(rule):
            read_ours(team, file)


def read_ours(team: Team, file: bytes) -> None:
    check_ours(find_header(file[: MAX_HEADER_BYTES + 512], form_of(file), team.key), team.key)


def _without_protection(team: Team, file: bytes) -> bytes:
    """The same message, with the packet that is not protected (tag 9)."""
    header = find_header(file, "openpgp", team.key)
    return header.raw + b"\xc9\x20" + bytes(32)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("age", PERSON[:-1]), ("age", PERSON.upper()), ("age", "age1pq1qqqq"), ("age", f" {PERSON}"),
        ("age", "ssh-ed25519 AAAA"), ("age", ""), ("openpgp", "openpgp "), ("openpgp", "openpgp BAAA"),
        ("cms", "x509 "), ("cms", "x509 MIIB"), ("openpgp", PERSON), ("age", "age1" + "q" * 9000),
        ("age", "age1\u200b"),
    ],
    ids=itertools.count(),
)  # fmt: skip
def test_refuses_recipients_that_are_none(form: Form, text: str) -> None:
    with pytest.raises(rules.RecipientRefused):
        load_recipient(text, form)


def test_refuses_keys_that_age_cannot_use() -> None:
    low = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"  # y = 1
    with pytest.raises(rules.RecipientRefused):
        load_age_recipient(low).seal(bytearray(16))


def test_bech32_agrees_with_age(tmp_path: Path) -> None:
    assert read_bech32("age", PERSON) is not None
    for at in range(4, len(PERSON)):
        changed = PERSON[:at] + ("q" if PERSON[at] != "q" else "p") + PERSON[at + 1 :]
        assert read_bech32("age", changed) is None


def test_a_certificate_gives_its_newest_key_that_may_encrypt(gpg: Gpg, tmp_path: Path) -> None:
    gpg.make("cv25519", "encr", "many")
    later = ("--passphrase", "", "--faked-system-time", "20300101T000000!")
    gpg(*later, "--quick-add-key", gpg.fingerprints("many")[0], "cv25519", "encr", "1y")
    fingerprints = gpg.fingerprints("many")
    armoured = gpg("--armor", "--export", "many")
    assert recipient_of_certificate(armoured, now=1_895_000_000).fingerprint == fingerprints[2]
    assert recipient_of_certificate(armoured, now=2_000_000_000).fingerprint == fingerprints[1]  # the other expired
    both = gpg("--export", "many", "Backups")
    with pytest.raises(rules.RecipientRefused):
        recipient_of_certificate(both, now=1_895_000_000)
    with pytest.raises(rules.RecipientRefused):
        recipient_of_certificate(b"nothing", now=0)


def trust_of(team: Team) -> Trust:
    return Trust("releases", "", "", (team.certifier, team.key))


def test_joins_a_large_file_in_constant_memory(team: Team, tmp_path: Path) -> None:
    """64 MiB behind a real header; none of it is ever held."""
    source, target = tmp_path / "db.age", tmp_path / "out.age"
    source.write_bytes(run("age", "-r", team.age, data=b"x"))
    os.truncate(source, 64 << 20)
    header, _ = read_header(source, trust_of(team))
    tracemalloc.start()
    try:
        join(source, header.raw, b"new header", target)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert target.stat().st_size == (64 << 20) - len(header.raw) + 10
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_new_file_is_whole_or_not_there_and_replaces_none(team: Team, tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"old header and content")
    with pytest.raises(HeaderChanged):
        join(source, b"another", b"new", target)
    target.write_bytes(b"mine")
    with pytest.raises(OutputExists):
        join(source, b"old header", b"new", target)
    assert target.read_bytes() == b"mine"
    with pytest.raises(NotWritten):
        join(source, b"old header", b"new", tmp_path / "none" / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_age_recipients_are_named_by_text_or_by_file(tmp_path: Path) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "person", "-f", tmp_path / "id")
    assert name_recipient(PERSON, "age").text == PERSON
    named = name_recipient(str(tmp_path / "id.pub"), "age")
    assert named.text == " ".join((tmp_path / "id.pub").read_text().split()[:2])
    shown = subprocess.run(
        ["ssh-keygen", "-lf", tmp_path / "id.pub"], capture_output=True, text=True, check=True
    ).stdout
    assert named.fingerprint in shown
    (tmp_path / "two").write_text(f"# comment\n{PERSON}\n{PERSON}\n")
    with pytest.raises(rules.RecipientRefused):
        name_recipient(str(tmp_path / "two"), "age")
