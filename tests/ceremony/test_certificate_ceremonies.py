"""A code-signing certificate for a key in the HSM, from the request to the chain in everybody's pins."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from ceremony_stage import Born, run_command
from standing_stage import copy_home, entries, files, hold_file, now, quorum, write_papers

from ceremony.file_rules import WrongCeremonyValue
from ceremony.standing.certificates import CERTIFICATE_IMPORT, CSR, NotForAnAuthority
from ceremony.standing.hold import Done
from ceremony.standing.key_announce import KeyOfTheService, NoSuchKey
from ceremony.standing.key_birth import KEY_GENERATE
from ceremony.standing.kind import AnyKind
from hsmpub.errors import HsmpubError
from hsmpub.formats.certificate_chain import CertificateForAnotherKey
from hsmpub.formats.certificate_usage import CertificateUsageUnfit
from hsmpub.formats.x509.authority import load_authority
from hsmpub.home import Home
from hsmpub.model import entry as e
from hsmpub.model.trust import known_keys, load_trust
from hsmpub.transcript.check import check_transcript
from tests.formats.code_signing_ca import CodeSigningCa, chain_of

REQUEST = """\
ceremony = "csr"
service = "releases"
[[request]]
key = "release-openpgp"
common_name = "Example Ltd"
country = "DE"
"""
IMPORT = """\
ceremony = "certificate-import"
service = "releases"
[[certificate]]
key = "release-openpgp"
chain = "chain.toml"
"""


@dataclass(frozen=True)
class Certified:
    home: Home
    ca: CodeSigningCa
    request: bytes
    chain: str
    asked: Done
    taken: Done


def hold(kind: AnyKind, born: Born, home: Home, papers: Path, **texts: str) -> Done:
    return hold_file(kind, write_papers(papers, **texts), home, quorum(born, recovery=()))


@pytest.fixture(scope="module")
def certified(born: Born, tmp_path_factory: pytest.TempPathFactory) -> Certified:
    folder = tmp_path_factory.mktemp("certificates")
    home, ca = copy_home(born.home, folder / "home"), CodeSigningCa(now())
    asked = hold(CSR, born, home, folder / "asked", ceremony=REQUEST)
    request = (asked.folder / "release-openpgp.csr").read_bytes()
    chain = chain_of(ca.issue(request), ca.intermediate, ca.root)
    taken = hold(CERTIFICATE_IMPORT, born, home, folder / "taken", ceremony=IMPORT, chain=chain)
    return Certified(home, ca, request, chain, asked, taken)


def test_openssl_verifies_the_request_that_the_hsm_signed(certified: Certified) -> None:
    said = subprocess.run(["openssl", "req", "-verify", "-noout"], input=certified.request, capture_output=True,
                          check=True)  # fmt: skip
    assert b"verify OK" in said.stdout + said.stderr


def test_the_chain_is_in_the_log_and_in_the_pins(born: Born, certified: Certified) -> None:
    changes = [one for one in entries(certified.home, born.done.trust.log_key) if isinstance(one, e.KeysChanged)]
    assert [change.certified for change in changes] == [{"release-openpgp": certified.chain}]
    key = known_keys(load_trust(certified.home.trust.read_bytes())).active["release-openpgp"]
    assert key.certificates == certified.chain
    assert (certified.taken.folder / "release-openpgp.chain.pem").read_text() == certified.chain
    facts = check_transcript(certified.taken.transcript, born.done.trust).facts("certificate")
    assert (facts["key"], facts["subject"]) == ("release-openpgp", "CN=Example Ltd,C=DE")


GENERATE = """\
ceremony = "key-generate"
service = "releases"
[[key]]
name = "ca"
kind = "p256"
formats = ["x509-certificate", "x509-crl"]
"""
ROOT = """\
ceremony = "csr"
service = "releases"
[[request]]
key = "ca"
common_name = "Example CA"
root_days = 3650
hosts = ["example.org"]
"""


def test_a_ca_of_one_s_own_signs_its_certificate_in_a_ceremony(born: Born, tmp_path: Path) -> None:
    """Key, root and import; openssl takes the root."""
    home = copy_home(born.home, tmp_path / "home")
    hold(KEY_GENERATE, born, home, tmp_path / "born", ceremony=GENERATE)
    for wrong in (ROOT.replace("root_days = 3650\n", ""), ROOT.replace('"ca"', '"release-openpgp"')):
        with pytest.raises(NotForAnAuthority):
            hold(CSR, born, home, tmp_path / "wrong", ceremony=wrong)
    with pytest.raises(WrongCeremonyValue):
        hold(CSR, born, home, tmp_path / "wrong", ceremony=ROOT.replace('"example.org"', '"*.example.org"'))
    done = hold(CSR, born, home, tmp_path / "root", ceremony=ROOT)
    root = (done.folder / "ca.root.pem").read_text()
    (tmp_path / "root.pem").write_text(root)
    said = subprocess.run(["openssl", "verify", "-x509_strict", "-check_ss_sig", "-CAfile", tmp_path / "root.pem",
                           tmp_path / "root.pem"], capture_output=True)  # fmt: skip
    assert said.returncode == 0, said.stderr
    text = IMPORT.replace("release-openpgp", "ca")
    hold(CERTIFICATE_IMPORT, born, home, tmp_path / "good", ceremony=text, chain=root)
    key = known_keys(load_trust(home.trust.read_bytes())).active["ca"]
    assert key.certificates == root
    assert load_authority(key, now()).hosts == ("example.org",)


REFUSED: dict[str, tuple[AnyKind, str, type[HsmpubError]]] = {
    "a key that is none": (CSR, REQUEST.replace("release-openpgp", "stranger"), NoSuchKey),
    "the log key": (CSR, REQUEST.replace("release-openpgp", "log"), KeyOfTheService),
    "a country in words": (CSR, REQUEST.replace('"DE"', '"Germany"'), WrongCeremonyValue),
    "another key's chain": (CERTIFICATE_IMPORT, IMPORT.replace("release-openpgp", "release"), CertificateForAnotherKey),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_and_leaves_the_home_as_it_was(
    name: str, born: Born, certified: Certified, tmp_path: Path
) -> None:  # fmt: skip
    kind, text, rule = REFUSED[name]
    before = files(born.home)
    with pytest.raises(rule):
        hold(kind, born, born.home, tmp_path / "papers", ceremony=text, chain=certified.chain)
    assert files(born.home) == before


def test_a_rehearsal_checks_the_chain_as_far_as_it_can(certified: Certified, tmp_path: Path) -> None:
    file = write_papers(tmp_path / "good", ceremony=IMPORT, chain=certified.chain)
    said = run_command("certificate-import", file, "--home", certified.home.root, "--dry-run")
    assert said.returncode == 0, said.stderr
    assert b'"rehearsal":true' in said.stdout
    server = chain_of(certified.ca.issue(certified.request, usage="server"), certified.ca.intermediate)
    file = write_papers(tmp_path / "bad", ceremony=IMPORT, chain=server)
    said = run_command("certificate-import", file, "--home", certified.home.root, "--dry-run")
    assert said.returncode == 1
    assert CertificateUsageUnfit.advice.encode() in said.stderr
