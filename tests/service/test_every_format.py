"""Each family of formats from the ceremony to the verifier of others: keys in SoftHSM, one artifact of each kind built
by its own tool, `hsmpub sign` for all of them in one command, and what the world checks signatures with."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from deploy.demo.servers.issuer import Issuer
from hsmpub.client.public_key import public_form
from hsmpub.formats.openpgp.certificate import openpgp_fingerprint
from hsmpub.model.key import KeyRecord
from tests.box import running
from tests.every_key import EveryKey
from tests.formats.foreign_tool import accepts, needs, run
from tests.service import built

DETACHED = ("cms", "minisign", "timestamp", "openpgp", "sshsig", "der-signature", "signify", "openpgp-v6")
_DEBSIG = """<?xml version="1.0"?>
<!DOCTYPE Policy SYSTEM "https://www.debian.org/debsig/1.0/policy.dtd">
<Policy xmlns="https://www.debian.org/debsig/1.0/"><Origin Name="Acme" id="{id}" Description="Acme"/>
<Selection><Required Type="origin" File="keys.gpg" id="{id}"/></Selection>
<Verification MinOptional="0"><Required Type="origin" File="keys.gpg" id="{id}"/></Verification></Policy>
"""


@dataclass(frozen=True)
class Signed:
    """folder: with every file and its signature; said: by the command that signed them; home: for gpg, a short path;
    verified: what was said of an uploaded file by its receipt."""

    folder: Path
    keys: dict[str, KeyRecord]
    said: str
    home: Path
    verified: str

    def accepts(self, *words: object) -> bool:
        return accepts(*words, cwd=self.folder, env={"HOME": str(self.home)})

    def public(self, key: str, form: str) -> Path:
        path = self.folder / f"{key}.{form}"
        path.write_text(public_form(self.keys[key], form))
        return path

    def keyring(self, key: str) -> tuple[str, ...]:
        """gpg with this key alone."""
        needs("gpgv")
        self.accepts("gpg", "--batch", "--yes", "--dearmor", "-o", f"{key}.gpg", self.public(key, "openpgp"))
        return ("gpgv", "--keyring", str(self.folder / f"{key}.gpg"))


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signed]:
    pytest.importorskip("pyhanko")
    folder = Path(tmp_path_factory.mktemp("files"))
    files = built.everything(folder)
    (folder / "broken.deb").write_bytes((folder / "thing.deb").read_bytes()[:300])
    home = Path(tempfile.mkdtemp(prefix="pgp"))
    with Issuer.start() as issuer:
        place = EveryKey(Path(tmp_path_factory.mktemp("every")), issuer, without=("raw", "commits", "texts", "notes"))
        try:
            with running(place.world):
                said = place.sign_refused("--keep-going", *files, folder / "broken.deb")
                place.sign("--upload", "--format", "openpgp-v6", folder / "thing.whl")
                named = (folder / f"thing.whl{end}" for end in (".receipt.json", "", ".v6.asc"))
                verified = place.world.hsmpub("verify", *named, "--json")
                place.sign(*(word for name in DETACHED for word in ("--format", name)), folder / "thing.whl")
                place.sign("--format", "ssh-certificate", folder / "id.pub")
                (folder / "thing.txt").write_text("A thing.\n- It is signed.\n")
                place.sign("--format", "openpgp-v6-cleartext", folder / "thing.txt")
                place.world.hsmpub("verify", folder / "thing.txt")
            (folder / "root.pem").write_text(place.root)
            yield Signed(folder, place.keys, said, home, verified)
        finally:
            place.close()
            shutil.rmtree(home, ignore_errors=True)


def test_one_bad_file_of_a_mixed_command_fails_alone(signed: Signed) -> None:
    assert signed.said.count("Not signed:") == 1
    assert signed.said.partition("Not signed:")[2].split()[0] == f"{signed.folder}/broken.deb."
    assert "broken.deb: The package is cut short." in signed.said
    assert not (signed.folder / "broken.deb.receipt.json").exists()
    receipts = {path.name.removesuffix(".receipt.json") for path in signed.folder.glob("*.receipt.json")}
    assert receipts == {"Release", "id.pub", *(f"thing.{end}" for end in (
        "apk", "cab", "deb", "exe", "jar", "ko", "pdf", "rpm", "txt", "whl"))}  # fmt: skip
    together = receipts - {"thing.whl", "thing.txt", "id.pub"}  # which were signed by commands of their own
    assert len({(signed.folder / f"{name}.receipt.json").read_bytes() for name in together}) == 1


def test_what_was_signed_of_an_upload_after_the_service_s_salt_verifies_by_receipt_and_pins(signed: Signed) -> None:
    told = json.loads(signed.verified)
    [seen], [judged] = told["signatures"], told["judged"]
    assert (seen["name"], seen["key"], seen["checked"], seen["given"]) == ("thing.whl.v6.asc", "six", True, True)
    assert (judged["format"], judged["key"], judged["sha256"]) == ("openpgp-v6", "six", seen["sha256"])


def deb(it: Signed) -> bool:
    number = openpgp_fingerprint(it.keys["debian"])[-16:]
    for place in ("policies", "keyrings"):
        (it.folder / place / number).mkdir(parents=True, exist_ok=True)
    (it.folder / "policies" / number / "acme.pol").write_text(_DEBSIG.format(id=number))
    it.keyring("debian")
    shutil.copy(it.folder / "debian.gpg", it.folder / "keyrings" / number / "keys.gpg")
    return it.accepts("debsig-verify", "--policies-dir", "policies", "--keyrings-dir", "keyrings", "thing.deb")


def rpm(it: Signed) -> bool:
    database = ("rpm", "--dbpath", it.folder / "db", "--define", "_pkgverify_level all")
    it.accepts(*database, "--import", it.public("redhat", "openpgp"))
    return it.accepts(*database, "-Kv", "thing.rpm")


def release(it: Signed) -> bool:
    return it.accepts(*it.keyring("apt"), "InRelease") and it.accepts(*it.keyring("apt"), "Release.gpg", "Release")


def program(it: Signed) -> bool:
    uefi = it.accepts("sbverify", "--cert", "root.pem", "thing.exe")
    return uefi and it.accepts("osslsigncode", "verify", "-in", "thing.exe", "-CAfile", "root.pem")


def cabinet(it: Signed) -> bool:
    return it.accepts("osslsigncode", "verify", "-in", "thing.cab", "-CAfile", "root.pem")


def module(it: Signed) -> bool:
    return b"sig_id:         PKCS#7" in run("modinfo", "./thing.ko", cwd=it.folder).stdout


def jar(it: Signed) -> bool:
    root = x509.load_pem_x509_certificate((it.folder / "root.pem").read_bytes())
    named = [pkcs12.PKCS12Certificate(root, b"root")]
    (it.folder / "trusted").write_bytes(pkcs12.serialize_java_truststore(named, BestAvailableEncryption(b"none")))
    java = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-keystore", "trusted", "-storepass", "none")
    return it.accepts("jarsigner", "-verify", "-strict", *java, "thing.jar")


def apk(it: Signed) -> bool:
    env = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
    return accepts("apksigner", "verify", "--min-sdk-version", "24", "thing.apk", cwd=it.folder, env=env)


def pdf(it: Signed) -> bool:
    needs("certutil")
    (it.folder / "nss").mkdir()
    it.accepts("certutil", "-N", "-d", "sql:nss", "--empty-password")
    it.accepts("certutil", "-A", "-d", "sql:nss", "-n", "r", "-t", "C,C,C", "-i", "root.pem")
    return b"Signature is Valid" in run("pdfsig", "-nssdir", it.folder / "nss", "thing.pdf", cwd=it.folder).stdout


def cms(it: Signed) -> bool:
    verify = ("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "thing.whl.p7s", "-content", "thing.whl")
    return it.accepts(*verify, "-CAfile", "root.pem", "-purpose", "any")


def timestamp(it: Signed) -> bool:
    return it.accepts("openssl", "ts", "-verify", "-in", "thing.whl.tsr", "-data", "thing.whl", "-CAfile", "root.pem")


def der(it: Signed) -> bool:
    key = it.public("bare", "pem")
    return it.accepts("openssl", "dgst", "-sha256", "-verify", key, "-signature", "thing.whl.sig.der", "thing.whl")


def openpgp(it: Signed) -> bool:
    return it.accepts(*it.keyring("routine"), "thing.whl.asc", "thing.whl")


def openpgp_v6(it: Signed) -> bool:
    sequoia = pytest.importorskip("pysequoia")
    certificate = sequoia.Cert.from_bytes(it.public("six", "openpgp-v6").read_bytes())
    signature = sequoia.Sig.from_bytes((it.folder / "thing.whl.v6.asc").read_bytes())
    data = (it.folder / "thing.whl").read_bytes()
    return len(sequoia.verify(bytes=data, store=lambda _: [certificate], signature=signature).valid_sigs) == 1


def openpgp_v6_cleartext(it: Signed) -> bool:
    sequoia = pytest.importorskip("pysequoia")
    certificate = sequoia.Cert.from_bytes(it.public("six", "openpgp-v6").read_bytes())
    found = sequoia.verify(bytes=(it.folder / "thing.txt").read_bytes(), store=lambda _: [certificate])
    return len(found.valid_sigs) == 1


def sshsig(it: Signed) -> bool:
    (it.folder / "signers").write_text(f"acme {public_form(it.keys['routine'], 'ssh')}")
    verify = ("ssh-keygen", "-Y", "verify", "-f", "signers", "-I", "acme", "-n", "file", "-s", "thing.whl.sig")
    return accepts(*verify, stdin=(it.folder / "thing.whl").read_bytes(), cwd=it.folder)


def minisign(it: Signed) -> bool:
    return it.accepts("minisign", "-V", "-q", "-p", it.public("mini", "minisign"), "-m", "thing.whl")


def signify(it: Signed) -> bool:
    key = it.public("lists", "signify")
    return it.accepts("signify-openbsd", "-V", "-q", "-p", key, "-x", "thing.whl.signify", "-m", "thing.whl")


def ssh_certificate(it: Signed) -> bool:
    said = run("ssh-keygen", "-L", "-f", "id.pub-cert.pub", cwd=it.folder)
    return said.returncode == 0 and b"deploy" in said.stdout


VERIFIERS: tuple[Callable[[Signed], bool], ...] = (
    deb, rpm, release, program, cabinet, module, jar, apk, pdf, cms, timestamp, der, openpgp, openpgp_v6,
    openpgp_v6_cleartext, sshsig, minisign, signify, ssh_certificate,
)  # fmt: skip


@pytest.mark.parametrize("takes", VERIFIERS, ids=lambda verifier: verifier.__name__)
def test_the_world_s_own_verifier_takes_it(signed: Signed, takes: Callable[[Signed], bool]) -> None:
    assert takes(signed)
