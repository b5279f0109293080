"""`make try`: its papers load, and there is a key and a project for every format."""

from __future__ import annotations

from ceremony.keys import planned_keys
from ceremony.standing.file import load_standing_file
from ceremony.standing.key_files import KeyGenerateFile
from deploy.demo import try_papers as papers
from hsmpub.formats.registry import FORMATS
from hsmpub.model.key import KeyRecord
from hsmpub.policy import Policy, load_policy

ISSUER = "http://127.0.0.1:1"
GROUPS = {"managers": frozenset({"release-manager", "sdk-lead"})}


def adopted() -> Policy:
    made = {name: KeyRecord(name, kind, "", 0, formats) for batch in papers.BATCHES for name, kind, formats in batch}
    return load_policy(papers.whole_policy(ISSUER), keys={**planned_keys(), **made}, groups=GROUPS)


def test_the_first_policy_needs_no_key_but_those_of_the_genesis() -> None:
    assert set(load_policy(papers.first_policy(ISSUER), keys=planned_keys(), groups=GROUPS).projects) == {"sdk"}


def test_each_ceremony_file_loads() -> None:
    for keys in papers.BATCHES:
        load_standing_file(papers.ceremony_of_keys(keys), "key-generate", KeyGenerateFile)


def test_every_format_can_be_tried() -> None:
    granted = {name for project in adopted().projects.values() for grant in project.sign for name in grant.formats}
    assert granted | {"slsa-provenance", "timestamp"} == set(FORMATS)
