"""Papers of the service to try things on: a key and a project for every family of formats."""

from __future__ import annotations

NAME = "try"
#: Name, kind, formats. Each family has a key of its own; P-256 wherever it will do, for it is made at once.
KEYS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("framed", "p256", ("openpgp", "openpgp-v6", "openpgp-cleartext", "openpgp-v6-cleartext", "sshsig", "dsse",
                        "in-toto", "slsa-provenance", "oci-signature", "oci-bundle")),
    ("bare", "p256", ("sigstore-bundle", "der-signature", "kernel-module")),
    ("apt", "p256", ("apt-inrelease", "apt-release-gpg")),
    ("deb", "p256", ("deb",)),
    ("rpm", "rsa3072", ("rpm",)),
    ("windows", "p256", ("authenticode", "msi", "cab", "cat")),
    ("jar", "p256", ("jar",)),
    ("apk", "p256", ("apk",)),
    ("pdf", "p256", ("pdf",)),
    ("cms", "p256", ("cms",)),
    ("timestamps", "p256", ("timestamp",)),
    ("minisign", "ed25519", ("minisign",)),
    ("signify", "ed25519", ("signify",)),
    ("plain", "ed25519", ("ed25519-signature",)),
    ("commits", "ed25519", ("ssh-agent-git",)),
    ("agent-files", "ed25519", ("ssh-agent-file",)),
    ("ssh-ca", "ed25519", ("ssh-certificate",)),
    ("tokens", "p256", ("jwt",)),
    ("ca", "p256", ("x509-certificate", "x509-crl")),
    ("app-deb", "p256", ("deb",)),
)  # fmt: skip
_TUF = (
    ("tuf-root", "p256", ("tuf-root",)),
    ("tuf-targets", "p256", ("tuf-targets",)),
    ("tuf-online", "ed25519", ("tuf-snapshot", "tuf-timestamp")),
)
#: A ceremony makes sixteen keys at most.
BATCHES = (KEYS[:13], (*KEYS[13:], *_TUF))
#: Keys whose signatures carry a certificate; an openssl CA issues it.
CERTIFIED = ("bare", "windows", "jar", "apk", "pdf", "cms", "timestamps")
#: Their formats go by `hsmpub sign`, in the project `files`.
_FILES = ("framed", "bare", "apt", "deb", "rpm", "windows", "jar", "apk", "pdf", "cms", "minisign", "signify", "plain")
_NOT_OF_FILES = ("oci-signature", "oci-bundle", "in-toto", "slsa-provenance")
_WHO = 'requesters = [{ issuer = "ci", repository = "example/try" }]'


def ceremony_of_keys(keys: tuple[tuple[str, str, tuple[str, ...]], ...]) -> str:
    """The file of `hsmpub-ceremony key-generate`."""
    tables = [f'ceremony = "key-generate"\nservice = "{NAME}"\n']
    for name, kind, formats in keys:
        tables.append(f'[[key]]\nname = "{name}"\nkind = "{kind}"\nformats = [{_listed(formats)}]\n')
        if {"openpgp", "apt-inrelease", "deb", "rpm"}.intersection(formats):
            tables.append(f'openpgp_user_id = "Try {name} <{name}@try.invalid>"\n')
    return "".join(tables)


def first_policy(issuer: str) -> str:
    """What the genesis adopts: only its own keys are there yet."""
    return f"""\
[issuer.ci]
url = "{issuer}"
audience = "{NAME}"
loopback = true
bearer = true   # for the transit API

[project.sdk]
{_WHO}
sign = [{{ key = "release-openpgp", formats = ["openpgp"] }}]
approvals = [{{ group = "managers", count = 1 }}]

[administration.policy]
approvals = [{{ group = "managers", count = 1 }}]
[administration.roster]
approvals = [{{ group = "managers", count = 1 }}]
[administration.credential]
approvals = [{{ group = "managers", count = 1 }}]
[administration.decrypt]
approvals = [{{ group = "managers", count = 1 }}]
"""


def whole_policy(issuer: str) -> str:
    """With every key, adopted when the ceremonies have made them."""
    of = {name: formats for name, _, formats in KEYS}
    files = ",\n".join(
        f'  {{ key = "{name}", formats = [{_listed(tuple(f for f in of[name] if f not in _NOT_OF_FILES))}] }}'
        for name in _FILES
    )
    return first_policy(issuer) + "".join(
        [
            _project("files", f"sign = [\n{files},\n]"),
            _project("images", _sign("framed", *_NOT_OF_FILES[:2]), 'images = ["127.0.0.1:5000/try/*"]'),
            _project("attested", _sign("framed", "in-toto"), 'predicates = ["https://spdx.dev/Document"]'),
            _project("commits", 'sign = [{ key = "commits", formats = ["ssh-agent-git"] }, '
                     '{ key = "agent-files", formats = ["ssh-agent-file"] }]'),
            _project("logins", _sign("ssh-ca", "ssh-certificate"), 'ssh_certificate = { kind = "user", '
                     'principals = ["deploy"], valid = "1h", extensions = ["permit-pty"] }'),
            _project("tokens", _sign("tokens", "jwt"), f'jwt = {{ issuer = "{NAME}", audience = "api.example.org", '
                     'valid = "10m", claims = { scope = ["read", "write"] } }'),
            _project("pki", _sign("ca", "x509-certificate"), 'certificate = { usage = "tls-server", '
                     'names = ["*.internal.example.org"], valid = "30d", keys = ["p256", "rsa2048"] }'),
            _project("revocations", _sign("ca", "x509-crl"), 'crl = { valid = "7d" }'),
            _project("app", 'sign = [\n  { key = "release", formats = ["openpgp"], files = ["*.whl", "*.tar.gz"] },\n'
                     '  { key = "app-deb", formats = ["deb"], files = ["*.deb"] },\n]', people=True),
            _project("tuf-root", _sign("tuf-root", "tuf-root"), people=True),
            _project("tuf-targets", _sign("tuf-targets", "tuf-targets"), people=True),
            _project("tuf-online", _sign("tuf-online", "tuf-snapshot", "tuf-timestamp"), 'tuf_longest = "7d"'),
            '\n[timestamping]\nkey = "timestamps"\npolicy = "1.3.6.1.4.1.99999.1"\nanybody = true\nclock = "trusted"\n',
        ]
    )  # fmt: skip


def _project(name: str, *lines: str, people: bool = False) -> str:
    approvals = '[{ group = "managers", count = 1 }]' if people else "[]"
    return "\n".join(["", f"[project.{name}]", _WHO, *lines, f"approvals = {approvals}", ""])


def _sign(key: str, *formats: str) -> str:
    return f'sign = [{{ key = "{key}", formats = [{_listed(formats)}] }}]'


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f'"{word}"' for word in words)
