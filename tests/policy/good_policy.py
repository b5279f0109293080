"""A policy without mistakes, with the keys and groups that it speaks of."""

from __future__ import annotations

from hsmpub.model.key import KeyRecord
from hsmpub.policy import Policy, load_policy

KEYS = {
    key.name: key
    for key in (
        KeyRecord("release-p256", "p256", "", 0, ("openpgp", "dsse", "sshsig")),
        KeyRecord("bundle-p256", "p256", "", 0, ("sigstore-bundle", "der-signature")),
        KeyRecord("routine-p256", "p256", "", 0, ("sshsig", "dsse")),
        KeyRecord("mixed", "p256", "", 0, ("sshsig", "sigstore-bundle")),
        KeyRecord("release-openpgp", "rsa3072", "", 0, ("openpgp",)),
        KeyRecord("routine-openpgp", "rsa3072", "", 0, ("openpgp",)),
        KeyRecord("log", "ed25519", "", 0),
        KeyRecord("pinned-too-wide", "ed25519", "", 0, ("openpgp",)),
        KeyRecord("sealing", "aes256", "", 0),
    )
}
GROUPS = {"managers": {"a", "b", "c"}, "leads": {"d"}, "nobody-left": set[str]()}

GOOD = """\
[issuer.ci]
url = "https://ci.example.test"
audience = "https://signing.example.test"

[target.pypi]
kind = "pypi"
url = "https://index.example.test/legacy/"
index = "https://index.example.test/simple/"
credential = "pypi-token"

[target.repo]
kind = "git"
url = "https://git.example.test/acme/sdk.git"
credential = "repo-token"
key = "release-openpgp"

[project.sdk]
requesters = [
  { issuer = "ci", repository = "acme/sdk", ref = "refs/heads/release/*" },
]
sign = [
  { key = "release-p256", formats = ["sshsig", "dsse"] },
  { key = "release-openpgp", formats = ["openpgp"] },
]
publish = ["pypi", "repo"]
approvals = [{ group = "managers", count = 1 }, { group = "leads", count = 1 }]
expires = "48h"
versions = "pep440"

[project.site]
requesters = [{ issuer = "ci", repository = "acme/site" }]
sign = [{ key = "routine-p256", formats = ["sshsig"] }]
approvals = []

[administration.policy]
approvals = [{ group = "managers", count = 2 }]
expires = "7d"
"""


def load(text: str = GOOD, **options: object) -> Policy:
    return load_policy(text, **{"keys": KEYS, "groups": GROUPS, **options})  # type: ignore[arg-type]
