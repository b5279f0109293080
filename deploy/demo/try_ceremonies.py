"""The ceremonies of the service to try things on: genesis, keys for every format, certificates from an openssl CA."""

from __future__ import annotations

from pathlib import Path

from deploy.demo import try_papers as papers
from deploy.demo.people import age_person, ssh_person
from deploy.demo.servers.issuer import Issuer
from deploy.demo.stage import Stage

HOLDERS, RECOVERY, PEOPLE = ("holder-1", "holder-2"), ("recovery-1", "recovery-2"), ("release-manager", "sdk-lead")
_EXTENSIONS = "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage={}\n"


def hold_ceremonies(stage: Stage, issuer: Issuer) -> None:
    """Genesis, a key for every format, certificates from an openssl CA."""
    root, ceremony = stage.root, stage.bin / "hsmpub-ceremony"
    (root / "issuer").write_text(issuer.url)
    (root / "policy.toml").write_text(papers.first_policy(issuer.url))
    people = [ssh_person(stage, name) for name in PEOPLE]
    (root / "roster.toml").write_text(
        "".join(f'[person.{one.name}]\ngroups = ["managers"]\nkeys = ["{one.public}"]\n' for one in people)
    )
    (root / "ceremony.toml").write_text(_genesis(stage))
    stage.run(ceremony, "genesis", root / "ceremony.toml", "--home", root / "home")
    stage.say("genesis: two of two holders unseal")
    for number, keys in enumerate(papers.BATCHES, 1):
        _hold(stage, "key-generate", f"keys-{number}.toml", papers.ceremony_of_keys(keys))
    stage.say("keys for every format")
    _certify(stage)
    stage.say("certificates, from a CA in .try/ca")


def _genesis(stage: Stage) -> str:
    def quorum(names: tuple[str, ...]) -> str:
        people = [age_person(stage, name) for name in names]
        listed = ", ".join(f'{{ name = "{one.name}", key = "{one.public}" }}' for one in people)
        return f"threshold = 2\nholders = [{listed}]"

    return f"""\
[service]
name = "{papers.NAME}"
openpgp_user_id = "Try <releases@try.invalid>"
[unseal]
{quorum(HOLDERS)}
[recovery]
{quorum(RECOVERY)}
[log]
origin = "try.invalid/log"
[files]
policy = "policy.toml"
roster = "roster.toml"
"""


def _hold(stage: Stage, ceremony: str, name: str, text: str) -> Path:
    """A ceremony with the holders' shares; the folder with its outputs."""
    root = stage.root
    (root / name).write_text(text)
    shares: list[str] = []
    for holder in HOLDERS:
        shares += ["--share", f"{holder}={root}/home/genesis/shares/{holder}.age"]
        shares += ["--identity", f"{holder}={root}/people/{holder}.age-identity"]
    stage.run(stage.bin / "hsmpub-ceremony", ceremony, root / name, "--home", root / "home", *shares)
    return max((root / "home/ceremonies").glob(f"*-{ceremony}"), key=lambda path: int(path.name.partition("-")[0]))


def _certify(stage: Stage) -> None:
    """Requests out of the HSM, certificates by openssl, and the CA key's own."""
    ca = stage.root / "ca"
    ca.mkdir()
    requests = [f'[[request]]\nkey = "{key}"\ncommon_name = "Try {key}"\n' for key in papers.CERTIFIED]
    own = '[[request]]\nkey = "ca"\ncommon_name = "Try CA"\nroot_days = 3650\nhosts = ["internal.example.org"]\n'
    made = _hold(stage, "csr", "csr.toml", f'ceremony = "csr"\nservice = "{papers.NAME}"\n' + "".join(requests) + own)
    stage.run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
        ca / "root.key", "-out", ca / "root.pem", "-days", "3650", "-subj", "/CN=Try Root",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    imports = [f'ceremony = "certificate-import"\nservice = "{papers.NAME}"\n']
    for key in papers.CERTIFIED:
        (ca / "extensions").write_text(
            _EXTENSIONS.format("critical,timeStamping" if key == "timestamps" else "codeSigning")
        )
        issued = stage.run(
            "openssl", "x509", "-req", "-in", made / f"{key}.csr", "-CA", ca / "root.pem", "-CAkey", ca / "root.key",
            "-days", "700", "-extfile", ca / "extensions",
        )  # fmt: skip
        (ca / f"{key}.pem").write_text(issued + (ca / "root.pem").read_text())
        imports.append(f'[[certificate]]\nkey = "{key}"\nchain = "ca/{key}.pem"\n')
    (ca / "ca.pem").write_text((made / "ca.root.pem").read_text())
    imports.append('[[certificate]]\nkey = "ca"\nchain = "ca/ca.pem"\n')
    _hold(stage, "certificate-import", "import.toml", "".join(imports))
