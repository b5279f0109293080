"""The demo's papers: the ceremony file that everybody reviews, the policy and the roster."""

from __future__ import annotations

from pathlib import Path

from deploy.demo.people import People, Person
from deploy.demo.servers.devpi import Devpi
from deploy.demo.servers.git_http import GitServer
from deploy.demo.servers.issuer import Issuer

POLICY = """\
# Who may ask for what, and whose approvals it takes.
[issuer.ci]
url = "{issuer}"
audience = "hsmpub-demo"
loopback = true

[target.index]
kind = "pypi"
url = "{upload}"
index = "{simple}"
files = ["*.whl", "*.tar.gz"]
username = "{index_user}"
credential = "index"
loopback = true

[target.git]
kind = "git"
url = "{git}"
username = "{git_user}"
credential = "git"
tag = "v{{version}}"
key = "release-openpgp"
loopback = true

[project.hsmpub]
requesters = [{{ issuer = "ci", repository = "example/hsmpub", ref = "refs/heads/release/*" }}]
sign = [
    {{ key = "release-openpgp", formats = ["openpgp"] }},
    {{ key = "release", formats = ["sshsig", "dsse"] }},
    {{ key = "release-bundle", formats = ["sigstore-bundle"] }},
]
publish = ["index", "git"]
approvals = [{{ group = "managers", count = 1 }}, {{ group = "sdk-leads", count = 1 }}]
expires = "72h"
versions = "pep440"

[project.notes]
requesters = [{{ issuer = "ci", repository = "example/notes" }}]
sign = [{{ key = "release-openpgp", formats = ["openpgp"] }}]
approvals = [{{ group = "managers", count = 1 }}]

[project.nightly]
requesters = [{{ issuer = "ci", repository = "example/nightly" }}]
sign = [{{ key = "routine", formats = ["sshsig", "openpgp"] }}]
approvals = []

[administration.policy]
approvals = [{{ group = "managers", count = 1 }}, {{ group = "security", count = 1 }}]

[administration.roster]
approvals = [{{ group = "security", count = 1 }}]

[administration.credential]
approvals = [{{ group = "security", count = 1 }}]

[administration.decrypt]
approvals = [{{ group = "managers", count = 1 }}, {{ group = "security", count = 1 }}]
"""


def write_policy(path: Path, issuer: Issuer, index: Devpi, git: GitServer) -> None:
    path.write_text(
        POLICY.format(
            issuer=issuer.url,
            upload=index.upload_url,
            simple=index.simple_url,
            index_user=index.user,
            git=git.url,
            git_user="git",
        )
    )


def write_roster(path: Path, people: People) -> None:
    enrolled = ((people.manager, "managers"), (people.lead, "sdk-leads"), (people.officer, "security"))
    path.write_text(
        "\n".join(
            f'[person.{person.name}]\ngroups = ["{group}"]\nkeys = ["{person.public}"]\n' for person, group in enrolled
        )
    )


def write_ceremony(path: Path, people: People) -> None:
    path.write_text(
        f"""\
# Reviewed by everybody who takes part, before the ceremony.
[service]
name = "hsmpub-demo"
openpgp_user_id = "hsmpub demo <releases@demo.invalid>"

[hsm]
token = "hsmpub-demo"

[unseal]
threshold = 3
holders = [
{_holders(people.holders)}
]

[recovery]
threshold = 2
holders = [
{_holders(people.recovery)}
]

[log]
origin = "hsmpub-demo.example/log"

[files]
policy = "policy.toml"
roster = "roster.toml"
"""
    )


def _holders(holders: tuple[Person, ...]) -> str:
    return ",\n".join(f'    {{ name = "{holder.name}", key = "{holder.public}" }}' for holder in holders)
