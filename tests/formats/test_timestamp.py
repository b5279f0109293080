"""Timestamps of others: taken when they fit the question, and put into files that foreign tools verify."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import socket
import threading
from types import SimpleNamespace

import pytest
from asn1crypto import tsp
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from foreign_tool import accepts, needs, run
from hypothesis import given
from hypothesis import strategies as st
from samples import SAMPLES, pe_file
from software_hsm import artifact_of, chain_of, key_record, make
from test_jar import verdict as jarsigner_says
from test_pdf import poppler_says
from timestamp_authority import REPLY, make_authority, reply, serving

from hsmpub.cli.sign_write import write_one
from hsmpub.client.embedding import SignedFileDiffers, write_signed
from hsmpub.client.signing import Made
from hsmpub.client.timestamp import Authority, TimestampMissing, Timestamps, token_for
from hsmpub.client.timestamp_file import TimestampFileWrong, TimestampPinsUnusable, read_timestamp_file
from hsmpub.errors import Invalid
from hsmpub.formats.cms.stamp import STAMPED, signature_value, with_timestamp, without_timestamp
from hsmpub.formats.cms.timestamp_signer import TimestampUntrusted, check_authority
from hsmpub.formats.cms.timestamp_token import read_response, see_token, timestamp_request
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.model.digest import sha256_hex
from hsmpub.receipt.files import GivenFile, _signature_in

DATA = b"a signature value"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    needs("openssl")
    return make_authority(tmp_path_factory.mktemp("time") / "good")


def pins_of(folder, name: str = "root.pem") -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_pem_x509_certificates((folder / name).read_bytes()))


def stamps(folder, *urls: str, pins: str = "root.pem", patience: float = 5.0) -> Timestamps:
    named = [Authority(f"number {i}", url, pins_of(folder, pins)) for i, url in enumerate(urls)]
    return Timestamps(named, patience=patience)


def honest(folder):
    return lambda request: (200, REPLY, iter([reply(folder, request)]))


def refusal(folder, answer, **how) -> str:
    with serving(answer) as url, pytest.raises(TimestampMissing) as refused:
        stamps(folder, url, **how).stamp(DATA)
    return str(refused.value)


@pytest.mark.parametrize("pins", ["root.pem", "signer.pem"])
def test_openssl_verifies_the_token_that_was_taken(folder, tmp_path, pins):
    with serving(honest(folder)) as url:
        token = stamps(folder, url, pins=pins).stamp(DATA)
    (tmp_path / "token").write_bytes(token.der)
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "other").write_bytes(DATA + b".")
    verify = ["openssl", "ts", "-verify", "-token_in", "-in", "token", "-CAfile", folder / "root.pem", "-data"]
    assert accepts(*verify, "data", cwd=tmp_path)
    assert not accepts(*verify, "other", cwd=tmp_path)
    assert see_token(token.der, lambda name: hashlib.new(name, DATA).digest(), pins_of(folder)).at == token.at


def test_the_next_authority_is_asked_when_one_is_down(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        down = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with serving(honest(folder)) as url:
            assert stamps(folder, down, url).stamp(DATA).at
        with pytest.raises(TimestampMissing, match=r"number 0: .*number 1: "):
            stamps(folder, down, down).stamp(DATA)


def test_an_authority_that_is_slow_is_given_up(folder):
    never = threading.Event()

    def drip(_: bytes):
        def pieces():
            for _ in itertools.count():
                yield b"\x30"
                if never.wait(0.05):
                    return

        return 200, REPLY, pieces()

    def hang(_: bytes):
        return 200, REPLY, iter(lambda: never.wait(30) and b"", b"")

    assert "does not end" in refusal(folder, drip, patience=0.3)
    assert "does not answer" in refusal(folder, hang, patience=0.3)
    never.set()


def test_an_authority_that_answers_another_question_is_refused(folder):
    wrong_nonce = refusal(folder, lambda _: (200, REPLY, iter([reply(folder, timestamp_request(DATA, 5))])))
    assert "another nonce" in wrong_nonce

    def other_data(request: bytes):
        nonce = tsp.TimeStampReq.load(request)["nonce"].native
        return 200, REPLY, iter([reply(folder, timestamp_request(b"other", nonce))])

    assert "something else" in refusal(folder, other_data)


def test_an_authority_whose_certificate_has_expired_or_is_for_something_else_is_refused(tmp_path):
    expired = make_authority(tmp_path / "expired", days=(-30, -1))
    assert "not valid at that time" in refusal(expired, honest(expired))
    good = make_authority(tmp_path / "good")
    other = make_authority(tmp_path / "other")
    with serving(honest(other)) as url, pytest.raises(TimestampMissing, match="does not lead to a pinned one"):
        stamps(good, url).stamp(DATA)
    coder = make_authority(tmp_path / "coder", usage=ExtendedKeyUsageOID.CODE_SIGNING)
    leaf = pins_of(coder, "signer.pem")[0]
    with pytest.raises(TimestampUntrusted, match="not one for timestamps"):
        check_authority(leaf, (), (leaf,), 0)


def test_an_authority_with_another_clock_is_refused(folder):
    with serving(honest(folder)) as url:
        away = Timestamps([Authority("a", url, pins_of(folder))], clock=lambda: 1_000_000_000.0)
        with pytest.raises(TimestampMissing, match="minutes away"):
            away.stamp(DATA)


@pytest.mark.parametrize(
    ("status", "headers", "body", "said"),
    [
        (302, {"location": "http://127.0.0.1:1/", **REPLY}, b"", "status 302"),
        (200, {"content-type": "text/html"}, b"<html>", "another type"),
        (200, REPLY, bytes(1 << 17), "does not end"),
        (200, REPLY, b"\x30\x03\x02\x01\x00", "no timestamp"),
        (200, REPLY, b"\x30\x05\x30\x03\x02\x01\x02", "refuses: rejection"),
        (500, REPLY, b"", "status 500"),
    ],
)
def test_an_answer_that_is_no_timestamp_is_refused(folder, status, headers, body, said):
    assert said in refusal(folder, lambda _: (status, headers, iter([body])))


def test_an_altered_answer_is_refused(folder):
    answer = reply(folder, timestamp_request(DATA, 77))
    pins = pins_of(folder)
    assert read_response(answer, DATA, 77, pins)

    @given(st.integers(0, len(answer) - 1), st.integers(1, 255))
    def refuses(at: int, change: int) -> None:
        altered = answer[:at] + bytes((answer[at] ^ change,)) + answer[at + 1 :]
        try:
            found = read_response(altered, DATA, 77, pins)
        except Invalid:
            return
        # granted or granted with changes, and a certificate beside the chain: neither is signed
        seen = see_token(found.der, lambda name: hashlib.new(name, DATA).digest(), pins)
        assert seen.at == read_response(answer, DATA, 77, pins).at

    refuses()


@given(st.binary(max_size=200))
def test_garbage_is_refused(garbage):
    with pytest.raises(Invalid):
        read_response(garbage, DATA, 1, ())
    assert without_timestamp(garbage, "cms") == (garbage, None)


@pytest.mark.parametrize("name", sorted(STAMPED))
@pytest.mark.parametrize("kind", ["p256", "rsa3072"])
def test_a_timestamp_goes_in_and_comes_out_byte_for_byte(folder, name, kind):
    form = FORMATS[name]
    if name == "pdf":
        pytest.importorskip("pyhanko")
    data = SAMPLES.get(name, DATA)
    output = make(form, data, key_record(kind, name))
    response = reply(folder, timestamp_request(signature_value(output), 1))
    token = read_response(response, signature_value(output), 1, pins_of(folder)).der
    stamped = with_timestamp(output, token, name)
    assert stamped != output
    assert without_timestamp(stamped, name) == (output, token)
    assert with_timestamp(stamped, token, name) == stamped
    signed = b"".join(form.attach(BytesSource(data), stamped))
    assert form.detach(BytesSource(signed)) == output
    assert form.timestamp(BytesSource(signed)) == token
    with pytest.raises(Invalid):  # what was logged is what is checked
        form.check(stamped, artifact_of(data, format_=form), key_record(kind, name))


@pytest.mark.parametrize("name", ["authenticode", "msi", "cab", "cat"])
def test_osslsigncode_verifies_what_was_timestamped(folder, tmp_path, name):
    needs("osslsigncode")
    program, form, key = tmp_path / f"x.{name}", FORMATS[name], key_record("rsa3072", name)
    program.write_bytes(SAMPLES[name])
    output = make(form, SAMPLES[name], key, name=program.name)
    with serving(honest(folder)) as url:
        token = token_for(output, form, stamps(folder, url))
        assert token_for(b"", FORMATS["openpgp"], stamps(folder, url)) is None
    (tmp_path / "signed").mkdir()
    hash_ = artifact_of(SAMPLES[name]).state
    signed = write_signed(program, tmp_path / "signed", hash_, output, form, key, token)
    (tmp_path / "ca").write_text(chain_of("rsa3072", 0)[1])
    verify = ["osslsigncode", "verify", "-in", signed, "-CAfile", "ca", "-TSA-CAfile", folder / "root.pem"]
    said = run(*verify, cwd=tmp_path)
    assert said.returncode == 0, said.stdout
    assert b"Timestamp Server Signature verification: ok" in said.stdout
    elsewhere = with_timestamp(output, token, "cms")
    assert without_timestamp(elsewhere, name) == (elsewhere, None)


def test_jarsigner_and_openssl_cms_and_poppler_verify_what_was_timestamped(folder, tmp_path):
    for name in ("jar", "cms", "pdf"):
        form, data = FORMATS[name], SAMPLES.get(name, DATA)
        if name == "pdf" and not importlib.util.find_spec("pyhanko"):
            continue
        output = make(form, data, key_record("p256", name))
        response = reply(folder, timestamp_request(signature_value(output), 1))
        token = read_response(response, signature_value(output), 1, pins_of(folder)).der
        signed = b"".join(form.attach(BytesSource(data), with_timestamp(output, token, name)))
        if name == "jar":
            said = jarsigner_says(tmp_path, signed, "p256", *pins_of(folder))
            assert (said.returncode, b"jar verified." in said.stdout) == (0, True), said.stdout
            assert b"Timestamped by" in said.stdout
        elif name == "pdf":
            assert b"Signature is Valid" in poppler_says(tmp_path, signed, "p256")
        else:
            (tmp_path / "p7s").write_bytes(signed)
            (tmp_path / "data").write_bytes(data)
            (tmp_path / "ca").write_text(chain_of("p256", 0)[1])
            verify = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "p7s", "-content", "data"]
            assert accepts(*verify, "-CAfile", "ca", "-purpose", "any", cwd=tmp_path)


def test_a_signed_file_without_its_timestamp_is_not_written(folder, tmp_path, monkeypatch):
    program, form, key = tmp_path / "x.exe", FORMATS["authenticode"], key_record("p256", "authenticode")
    program.write_bytes(pe_file())
    output = make(form, pe_file(), key, name="x.exe")
    token = read_response(reply(folder, timestamp_request(signature_value(output), 1)), signature_value(output), 1,
                          pins_of(folder)).der  # fmt: skip
    monkeypatch.setattr("hsmpub.client.embedding.stamped", lambda output, *_: output)
    with pytest.raises(SignedFileDiffers):
        write_signed(program, tmp_path, artifact_of(pe_file()).state, output, form, key, token)
    assert program.read_bytes() == pe_file()


def test_without_a_timestamp_nothing_is_written_unless_none_is_asked_for(tmp_path):
    (tmp_path / "x").write_bytes(DATA)
    output = make(FORMATS["cms"], DATA, key_record("p256", "cms"), name="x")
    made = Made(tmp_path / "x", artifact_of(DATA).state, 1, {"x.p7s": output})
    with pytest.raises(TimestampMissing, match="--no-timestamp"):
        write_one(None, made, tmp_path, b"{}", Timestamps([]))
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    write_one(None, made, tmp_path, b"", None)
    assert (tmp_path / "x.p7s").read_bytes() == output


def test_a_receipt_knows_a_detached_signature_with_a_timestamp_in_it(folder):
    output = make(FORMATS["cms"], DATA, key_record("p256", "cms"))
    response = reply(folder, timestamp_request(signature_value(output), 1))
    token = read_response(response, signature_value(output), 1, pins_of(folder)).der
    stamped = with_timestamp(output, token, "cms")
    logged = SimpleNamespace(output=SimpleNamespace(format="cms", sha256=sha256_hex(output)))
    held = _signature_in(GivenFile("x.p7s", Sha256State.of(stamped), stamped, BytesSource(stamped)), [logged])
    assert held is not None
    assert held.content == output


def test_the_file_of_authorities_is_read_and_typos_are_refused_with_their_line(folder, tmp_path):
    good = '[[authority]]\nname = "one"\nurl = "http://127.0.0.1:1/"\ncertificates = "root.pem"\n'
    (folder / "times.toml").write_text(good)
    with pytest.raises(TimestampMissing, match="one: It does not answer"):
        read_timestamp_file(folder / "times.toml").stamp(DATA)
    for text in ("", good.replace("url", "URL"), good.replace("http:", "ftp:"), good + "more = 1\n"):
        (tmp_path / "x.toml").write_text(text)
        with pytest.raises(TimestampFileWrong, match=r"Line \d of the timestamp file"):
            read_timestamp_file(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_text(good)
    with pytest.raises(TimestampPinsUnusable):
        read_timestamp_file(tmp_path / "x.toml")
