"""The timestamp authority as programs of others ask it: openssl, osslsigncode and rfc3161-client over HTTP, and what
is no query; a real keeper behind the front."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st
from real_keeper import Place, real
from running import Running

from hsmpub.client.timestamp import Authority, Timestamps
from hsmpub.formats.cms.der_check import contents, members
from hsmpub.formats.cms.timestamp_token import see_token
from hsmpub.keeper.clock import KernelClock
from hsmpub.keeper.timestamping import TimestampsNotUnsealed
from hsmpub.model import entry as e
from hsmpub.model.terms import Terms
from hsmpub.wire import messages as m
from tests.formats.software_hsm import chain_of, private_key
from tests.keeper.keeping import Kept
from tests.service.jobs import AUDIENCE

POLICY_OID = "1.3.6.1.4.1.55555.1"
FOR_ANYBODY = f'[timestamping]\nkey = "time"\npolicy = "{POLICY_OID}"\nanybody = true\n'
FOR_IMAGES = f"""
[project.images]
requesters = [{{ issuer = "ci", repository = "example/images" }}]
approvals = []
[project.others]
requesters = [{{ issuer = "ci", repository = "example/images", ref = "refs/heads/other" }}]
approvals = []
[timestamping]
key = "time"
policy = "{POLICY_OID}"
projects = ["images"]
ordering = true
accuracy = 1
"""
QUERY = {"content-type": "application/timestamp-query"}
TIME_KEY = private_key("p256", 0)
DATA = b"something of yesterday"


CHAIN, ROOT = chain_of("p256", 0, ExtendedKeyUsageOID.TIME_STAMPING)


def place(folder: Path, policy: str, **how: Any) -> Any:
    keys = {"time": (TIME_KEY, "p256", ("timestamp",))}
    return real(folder, keys, policy, certificates={"time": CHAIN}, **how)


@pytest.fixture(scope="module")
def anybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("keeper"), FOR_ANYBODY) as both:
        yield both


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("keeper"), FOR_IMAGES, bearer=True) as both:
        yield both


def ask(front: Running, query: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    with httpx.Client(base_url=front.url, trust_env=False) as client:
        return client.post("/v1/timestamp", content=query, headers={**QUERY, **(headers or {})})


def openssl(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    return subprocess.run(["openssl", "ts", *words], cwd=folder, capture_output=True, check=False)


def query_of(data: bytes = DATA, **changes: Any) -> bytes:
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": hashlib.sha256(data).digest()}
    return tsp.TimeStampReq({"version": "v1", "message_imprint": imprint, "cert_req": True, **changes}).dump()


def refusal(answer: httpx.Response) -> tuple[str, set[str], str]:
    """Status, reasons and words of an answer of the protocol without a timestamp."""
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/timestamp-reply")
    return reasons_of(answer.content)


def reasons_of(answer: bytes) -> tuple[str, set[str], str]:
    [status] = members(contents(answer))  # asn1crypto's type for the whole takes the token for required
    status = tsp.PKIStatusInfo.load(status, strict=True)
    return status["status"].native, status["fail_info"].native, " ".join(status["status_string"].native)


def info_of(answer: httpx.Response) -> Any:
    assert answer.status_code == 200
    token = tsp.TimeStampResp.load(answer.content, strict=True)["time_stamp_token"]
    return token["content"]["encap_content_info"]["content"].parsed


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("more", [["-cert"], ["-no_nonce"], ["-tspolicy", POLICY_OID, "-cert"]], ids=str)
def test_openssl_asks_and_verifies_the_answer_to_its_query_only(
    anybody: Place, tmp_path: Path, hash_name: str, more: list[str]
) -> None:
    front, made = anybody
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "ca").write_text(ROOT)
    (tmp_path / "chain").write_text(CHAIN)
    assert openssl(tmp_path, "-query", "-data", "data", f"-{hash_name}", *more, "-out", "q").returncode == 0
    assert openssl(tmp_path, "-query", "-data", "data", f"-{hash_name}", *more, "-out", "again").returncode == 0
    answer = ask(front, (tmp_path / "q").read_bytes())
    (tmp_path / "a").write_bytes(answer.content)
    verify = ["-verify", "-CAfile", "ca", "-in", "a", *([] if "-cert" in more else ["-untrusted", "chain"])]
    said = openssl(tmp_path, *verify, "-queryfile", "q")
    assert said.returncode == 0, said.stderr
    if "-no_nonce" not in more:
        assert openssl(tmp_path, *verify, "-queryfile", "again").returncode != 0, "another nonce"
    altered = bytearray(answer.content)
    altered[-1] ^= 1
    (tmp_path / "a").write_bytes(altered)
    assert openssl(tmp_path, *verify, "-queryfile", "q").returncode != 0
    entry = made.entries()[-1]
    assert isinstance(entry, e.Timestamped)
    assert entry.sha256 == hashlib.sha256(tsp.TimeStampResp.load(answer.content)["time_stamp_token"].dump()).hexdigest()
    assert int(entry.serial, 16) == info_of(answer)["serial_number"].native


def test_the_client_of_sigstore_takes_the_answer_and_no_altered_one(images: Place) -> None:
    client = pytest.importorskip("rfc3161_client")
    front, made = images
    request = client.TimestampRequestBuilder().data(DATA).nonce(nonce=True).build()
    answer = ask(front, request.as_bytes(), bearer_of(front, made))
    response = client.decode_timestamp_response(answer.content)
    root = x509.load_pem_x509_certificate(ROOT.encode())
    verifier = client.VerifierBuilder.from_request(request).add_root_certificate(root).build()
    assert verifier.verify_message(response, DATA)
    with pytest.raises(client.VerificationError):
        verifier.verify_message(response, DATA + b".")
    other = client.TimestampRequestBuilder().data(DATA).nonce(nonce=True).build()
    with pytest.raises(client.VerificationError):
        client.VerifierBuilder.from_request(other).add_root_certificate(root).build().verify_message(response, DATA)


def test_osslsigncode_puts_our_timestamp_into_a_program(anybody: Place, tmp_path: Path) -> None:
    if shutil.which("osslsigncode") is None:
        pytest.skip("osslsigncode is not installed")
    samples = pytest.importorskip("tests.formats.samples")
    key = rsa.generate_private_key(65537, 2048)
    (tmp_path / "x.exe").write_bytes(samples.pe_file())
    code = _self_signed(key)
    (tmp_path / "code.pem").write_bytes(code.public_bytes(Encoding.PEM))
    (tmp_path / "code.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "ca").write_text(ROOT)
    signing = ["osslsigncode", "sign", "-certs", "code.pem", "-key", "code.key", "-ts",
               f"{anybody[0].url}/v1/timestamp",
               "-in", "x.exe", "-out", "y.exe"]  # fmt: skip
    said = subprocess.run(signing, cwd=tmp_path, capture_output=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    verify = ["osslsigncode", "verify", "-in", "y.exe", "-CAfile", "code.pem", "-TSA-CAfile", "ca"]
    said = subprocess.run(verify, cwd=tmp_path, capture_output=True, check=False)
    assert b"Timestamp Server Signature verification: ok" in said.stdout, said.stdout


def _self_signed(key: Any) -> x509.Certificate:
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Code")]), datetime.now(UTC)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
    begun = x509.CertificateBuilder().issuer_name(name).subject_name(name).public_key(key.public_key())
    begun = begun.serial_number(9).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=9))
    return begun.add_extension(usage, critical=False).sign(key, SHA256())


def bearer_of(front: Running, made: Kept, role: str = "images", **claims: str) -> dict[str, str]:
    job = {"repository": "example/images", "ref": "refs/heads/main", **claims}
    with httpx.Client(base_url=front.url, trust_env=False) as client:
        login = client.post("/v1/auth/jwt/login", json={"role": role, "jwt": made.issuer.token(AUDIENCE, **job)})
    return {"authorization": f"Bearer {login.json()['auth']['client_token']}"}


def test_only_jobs_of_the_named_projects_get_timestamps_where_the_policy_says_so(images: Place) -> None:
    front, made = images
    size = len(made.entries())
    for headers, status in (
        ({}, 401),
        ({"authorization": "Bearer " + "A" * 43 + "="}, 401),
        ({"authorization": "x"}, 400),
    ):
        assert ask(front, query_of(), headers).status_code == status
    other = bearer_of(front, made, "others", ref="refs/heads/other")
    assert ask(front, query_of(), other).json()["type"].endswith("timestamps-not-for-project")
    assert not any(isinstance(entry, e.Timestamped) for entry in made.entries()[size:])
    answer = info_of(ask(front, query_of(), bearer_of(front, made)))
    assert answer["policy"].dotted == POLICY_OID
    entry = made.entries()[-1]
    assert isinstance(entry, e.Timestamped)
    assert entry.session


def test_ordered_timestamps_have_times_and_numbers_that_grow(images: Place) -> None:
    front, made = images
    who = bearer_of(front, made)
    found = [info_of(ask(front, query_of(nonce=n), who)) for n in range(1, 6)]
    times = [info["gen_time"].native for info in found]
    assert times == sorted(set(times))
    assert len({info["serial_number"].native for info in found}) == 5
    assert [info["nonce"].native for info in found] == [1, 2, 3, 4, 5]
    assert all(info["ordering"].native and info["accuracy"]["seconds"].native == 1 for info in found)


def test_certificates_come_only_where_they_are_asked_for(anybody: Place) -> None:
    for wanted in (True, False):
        answer = ask(anybody[0], query_of(cert_req=wanted))
        held = tsp.TimeStampResp.load(answer.content)["time_stamp_token"]["content"]["certificates"]
        assert bool(held.native) == wanted


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"req_policy": "1.2.3.4"}, "unaccepted_policy"),
        ({"message_imprint": {"hash_algorithm": {"algorithm": "sha1"}, "hashed_message": bytes(20)}}, "bad_alg"),
        ({"message_imprint": {"hash_algorithm": {"algorithm": "md5"}, "hashed_message": bytes(16)}}, "bad_alg"),
        ({"message_imprint": {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": bytes(31)}},
         "bad_data_format"),
        ({"version": 2}, "bad_request"),
        ({"nonce": 1 << 300}, "bad_data_format"),
        ({"extensions": [{"extn_id": "1.2.3", "critical": False, "extn_value": b"\x05\x00"}]}, "unaccepted_extensions"),
    ],
)  # fmt: skip
def test_a_query_that_asks_for_what_is_not_given_is_refused_with_the_protocols_reason(
    anybody: Place, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    size = len(anybody[1].entries())
    answer = ask(anybody[0], query_of(**changes))
    status, reasons, said = refusal(answer)
    assert (status, reasons) == ("rejection", {reason})
    assert said
    (tmp_path / "a").write_bytes(answer.content)
    told = openssl(tmp_path, "-reply", "-in", "a", "-text").stdout
    assert b"Status: Rejected." in told
    assert said.encode() in told
    assert b"unspecified" not in told
    assert len(anybody[1].entries()) == size


def test_no_garbage_gets_a_timestamp(anybody: Place) -> None:
    front, made = anybody
    good, size = query_of(), len(made.entries())
    for garbage in (b"", b"\x30\x80", good + b"\0", good[:-1], b"\x1f" * 40, b"\x30" * 4000, good + bytes(3000)):
        assert refusal(ask(front, garbage))[:2] == ("rejection", {"bad_data_format"})
    assert ask(front, bytes(4097)).status_code == 413
    assert ask(front, good, {"content-type": "text/plain"}).status_code == 415
    assert len(made.entries()) == size


def test_the_clock_is_named_and_no_timestamp_is_given_while_it_is_not_synchronised(anybody: Place) -> None:
    front, made = anybody
    good = made.kernel

    def status() -> m.StatusReply:
        reply = front.do(made.call(m.GetStatus()))
        assert isinstance(reply, m.StatusReply)
        return reply

    assert status().timestamps == "given"
    try:
        for kernel in (KernelClock(False), KernelClock(None, why="not permitted"), KernelClock(True, 1_500_000)):
            made.kernel = kernel
            assert refusal(ask(front, query_of()))[:2] == ("rejection", {"time_not_available"})
            assert status().timestamps.startswith("refused")
            assert any("clock" in one or "kernel" in one for one in status().warnings)
    finally:
        made.kernel = good
    info_of(ask(front, query_of()))


def test_anybody_gets_none_while_the_unsealing_is_for_a_number_of_signatures(tmp_path: Path) -> None:
    with place(tmp_path, FOR_ANYBODY) as (front, made):
        front.do(made.keeper.unsealing.seal("test"))
        assert refusal(ask(front, query_of()))[:2] == ("rejection", {"system_failure"})
        front.do(made.unseal(Terms(signatures=5)))
        answer = ask(front, query_of())
        assert (answer.status_code, answer.json()["type"]) == (403, f"urn:hsmpub:rule:{TimestampsNotUnsealed('').rule}")


def test_our_own_client_takes_our_own_timestamps(anybody: Place) -> None:
    pins = tuple(x509.load_pem_x509_certificates(ROOT.encode()))
    stamps = Timestamps([Authority("ours", f"{anybody[0].url}/v1/timestamp", pins)])
    token = stamps.stamp(DATA)
    assert see_token(token.der, lambda name: hashlib.new(name, DATA).digest(), pins).at == token.at


def test_everybody_together_gets_so_many_and_no_more(tmp_path: Path) -> None:
    with place(tmp_path, FOR_ANYBODY, timestamp_rate=0.001, timestamp_burst=2) as (front, _):
        assert [ask(front, query_of()).status_code for _ in range(4)] == [200, 200, 429, 429]


def test_a_service_whose_policy_has_no_authority_says_so(tmp_path: Path) -> None:
    with real(tmp_path, {}, "") as (front, _):
        assert ask(front, query_of()).json()["type"] == "urn:hsmpub:rule:no-timestamp-authority"


@given(st.data())
def test_no_altered_query_brings_the_keeper_down(anybody: Place, data: st.DataObject) -> None:
    front, made = anybody
    good = query_of(nonce=77)
    at = data.draw(st.integers(0, len(good) - 1))
    altered = good[:at] + bytes((good[at] ^ data.draw(st.integers(1, 255)),)) + good[at + 1 :]
    reply = front.do(made.call(m.AskTimestamp(altered)))
    assert isinstance(reply, m.TimestampReply)
    if reply.rule:
        assert reasons_of(reply.answer)[0] == "rejection"
    else:
        assert tsp.TimeStampResp.load(reply.answer, strict=True)["status"]["status"].native == "granted"
