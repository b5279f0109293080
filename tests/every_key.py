"""A whole service whose ceremonies made a key for each family of formats, in SoftHSM: for tests and benchmarks.

After the genesis, in this process: keys are generated, certificates requested and imported, and a policy adopted that
gives one project all of them. Every ceremony takes three holders' shares.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ceremony.gather import ShareAtHand
from ceremony.standing.break_glass import BREAK_GLASS
from ceremony.standing.certificates import CERTIFICATE_IMPORT, CSR
from ceremony.standing.hold import Done, hold, read_papers
from ceremony.standing.key_birth import KEY_GENERATE
from ceremony.standing.kind import AnyKind
from ceremony.standing.quorum import AtHand
from deploy.demo import acts
from deploy.demo.servers.issuer import Issuer
from deploy.demo.stage import Stage
from hsmpub.home import Home
from hsmpub.model.key import KeyRecord
from hsmpub.model.trust import known_keys, load_trust
from tests.box import ForkedStage, genesis, make_world

PROJECT = "everything"
REPOSITORY = "example/everything"
#: name → kind and formats: one key for each family, each of the cheapest kind that its verifiers take.
KEYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "texts": ("p256", ("openpgp-cleartext",)),
    "notes": ("p256", ("ssh-agent-file",)),
    "bare": ("p256", ("sigstore-bundle", "der-signature")),
    "module": ("p256", ("kernel-module",)),
    "apt": ("p256", ("apt-inrelease", "apt-release-gpg")),
    "debian": ("p256", ("deb",)),
    "redhat": ("rsa3072", ("rpm",)),
    "documents": ("p256", ("cms",)),
    "windows": ("p256", ("authenticode", "msi", "cab", "cat")),
    "java": ("p256", ("jar",)),
    "android": ("p256", ("apk",)),
    "papers": ("p256", ("pdf",)),
    "time": ("p256", ("timestamp",)),
    "mini": ("ed25519", ("minisign",)),
    "lists": ("ed25519", ("signify",)),
    "raw": ("ed25519", ("ed25519-signature",)),
    "six": ("ed25519", ("openpgp-v6", "openpgp-v6-cleartext")),
    "commits": ("ed25519", ("ssh-agent-git",)),
    "logins": ("p256", ("ssh-certificate",)),
}
#: Keys that one ceremony makes.
AT_ONCE = 16
#: One of the genesis makes the rest.
BORN = {"routine": ("openpgp", "sshsig", "dsse")}
CERTIFIED = ("module", "documents", "windows", "java", "android", "papers", "time")
_OPENPGP = frozenset({"openpgp", "openpgp-cleartext", "apt-inrelease", "apt-release-gpg", "deb", "rpm", "openpgp-v6"})
_POLICY = """
[project.{project}]
requesters = [{{ issuer = "ci", repository = "{repository}" }}]
sign = [{sign}]
approvals = []
[project.{project}.ssh_certificate]
kind = "user"
principals = ["deploy"]
valid = "1h"
"""


class EveryKey:
    """keys: by name, as the pins have them; root: the CA's own certificate, PEM. without: keys to do without.

    more: other keys, as KEYS; projects: theirs, added to the policy; authority: one of them, of a CA of one's own.
    staged: how commands start.
    """

    def __init__(self, root: Path, issuer: Issuer, without: tuple[str, ...] = (), *,
                 more: Mapping[str, tuple[str, tuple[str, ...]]] | None = None, projects: str = "",
                 authority: str = "", staged: type[Stage] = ForkedStage) -> None:  # fmt: skip
        wanted = {name: what for name, what in KEYS.items() if name not in without}
        self.world = make_world(root / "world", issuer, staged=staged)
        self._held = 0
        genesis(self.world)
        texts = [_key(name, *what) for name, what in {**wanted, **(more or {})}.items()]
        for at in range(0, len(texts), AT_ONCE):
            self._hold(KEY_GENERATE, "".join(texts[at : at + AT_ONCE]))
        requests = [f'[[request]]\nkey = "{name}"\ncommon_name = "Acme {name}"\n' for name in CERTIFIED]
        if authority:
            requests.append(f'[[request]]\nkey = "{authority}"\ncommon_name = "Acme {authority}"\nroot_days = 3650\n')
        asked = self._hold(CSR, "".join(requests))
        chains, self.root = certified({name: (asked.folder / f"{name}.csr").read_bytes() for name in CERTIFIED})
        papers = {f"{name}.pem": chain for name, chain in chains.items()}
        if authority:
            papers[f"{authority}.pem"] = (asked.folder / f"{authority}.root.pem").read_text()
        imports = (f'[[certificate]]\nkey = "{name.removesuffix(".pem")}"\nchain = "{name}"\n' for name in papers)
        self._hold(CERTIFICATE_IMPORT, "".join(imports), **papers)
        policy = self.world.stage.root / "ceremony" / "policy.toml"
        makes = {**{name: formats for name, (_, formats) in wanted.items()}, **BORN}
        sign = ", ".join(f'{{ key = "{name}", formats = {list(formats)} }}' for name, formats in makes.items())
        added = _POLICY.format(project=PROJECT, repository=REPOSITORY, sign=sign.replace("'", '"'))
        self._hold(BREAK_GLASS, 'reason = "a key for each family"\npolicy = "policy.toml"\n',
                   **{"policy.toml": policy.read_text() + added + projects})  # fmt: skip

    @property
    def keys(self) -> dict[str, KeyRecord]:
        return dict(known_keys(load_trust(self.world.trust.read_bytes())).active)

    def sign(self, *words: str | Path) -> str:
        return self.world.hsmpub("sign", "--project", PROJECT, *words, env=self.world.ci(repository=REPOSITORY))

    def sign_refused(self, *words: str | Path) -> str:
        return self.world.hsmpub_refused("sign", "--project", PROJECT, *words, env=self.world.ci(repository=REPOSITORY))

    def close(self) -> None:
        self.world.stage.close()

    def _hold(self, kind: AnyKind, text: str, **papers: str) -> Done:
        self._held += 1
        folder = self.world.stage.root / "papers" / f"{self._held}-{kind.name}"
        folder.mkdir(parents=True)
        file = folder / "ceremony.toml"
        file.write_text(f'ceremony = "{kind.name}"\nservice = "hsmpub-demo"\n{text}')
        for name, paper in papers.items():
            (folder / name).write_text(paper)
        shares = [
            ShareAtHand(
                one.name, acts.share_of(self.world.home, one).read_bytes(), bytearray(one.identity.read_bytes())
            )
            for one in self.world.people.holders[:3]
        ]
        home = Home(self.world.home)
        return hold(kind, read_papers(file, kind), home, AtHand(shares, []), now=lambda: int(time.time()))


def _key(name: str, kind: str, formats: tuple[str, ...]) -> str:
    listed = ", ".join(f'"{form}"' for form in formats)
    user_id = 'openpgp_user_id = "Acme <releases@acme.example>"\n' if _OPENPGP.intersection(formats) else ""
    return f'[[key]]\nname = "{name}"\nkind = "{kind}"\nformats = [{listed}]\n{user_id}'


def certified(requests: dict[str, bytes]) -> tuple[dict[str, str], str]:
    """A chain for each request, by a CA that exists for this call, and the CA's own certificate, PEM. The key that
    makes timestamps gets a certificate for nothing else."""
    private, day = ec.generate_private_key(ec.SECP256R1()), timedelta(days=1)
    now, name = datetime.now(UTC), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Acme Root")])

    def issue(subject: x509.Name, public: object, number: int) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().issuer_name(name).subject_name(subject).serial_number(number)
        return builder.public_key(public).not_valid_before(now - day).not_valid_after(now + 300 * day)  # type: ignore[arg-type]

    basic = x509.BasicConstraints(ca=True, path_length=None)
    root = issue(name, private.public_key(), 1).add_extension(basic, critical=True).sign(private, SHA256())
    pem = root.public_bytes(Encoding.PEM).decode()
    chains = {}
    for number, (one, request) in enumerate(requests.items(), 2):
        asked, time_ = x509.load_pem_x509_csr(request), one == "time"
        usage = ExtendedKeyUsageOID.TIME_STAMPING if time_ else ExtendedKeyUsageOID.CODE_SIGNING
        begun = issue(asked.subject, asked.public_key(), number)
        leaf = begun.add_extension(x509.ExtendedKeyUsage([usage]), critical=time_).sign(private, SHA256())
        chains[one] = leaf.public_bytes(Encoding.PEM).decode() + pem
    return chains, pem
