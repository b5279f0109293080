"""Programs and files shown in the documents work as they stand there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from documents import PAGES, PROJECT, name_of

from ceremony.file import load_ceremony_file
from ceremony.keys import planned_keys
from hsmpub.approval import load_roster
from hsmpub.config import Config
from hsmpub.identity import CiIdentity
from hsmpub.model.key import KeyRecord
from hsmpub.model.predicate import Signing
from hsmpub.policy import load_policy
from hsmpub.wire.session import request_mac, session_mac_key
from tests.receipt import story

EXAMPLE = PROJECT / "deploy" / "example"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (PROJECT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def verify() -> Callable[[Path, int], None]:
    """The function of docs/receipt.md."""
    names: dict[str, Callable[[Path, int], None]] = {}
    exec(blocks("docs/receipt.md", "python")[0], names)
    return names["verify"]


def test_the_foreign_proof_check_accepts_every_entry_and_no_other(
    tmp_path: Path, verify: Callable[[Path, int], None]
) -> None:
    receipt = tmp_path / "x.receipt.json"
    receipt.write_bytes(story.told(tmp_path, story.release()))
    parsed = json.loads(receipt.read_bytes())
    for number in range(len(parsed["entries"])):
        verify(receipt, number)
    parsed["entries"][2]["text"] += " "
    receipt.write_text(json.dumps(parsed))
    with pytest.raises(AssertionError):
        verify(receipt, 2)


def test_the_foreign_session_makes_the_mac_of_the_keeper() -> None:
    own, keeper = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    client_key, keeper_key = (key.public_key().public_bytes_raw() for key in (own, keeper))
    names: dict[str, object] = {
        "own": own, "client_key": client_key, "keeper_key": keeper_key, "session": b"s" * 16, "counter": 7,
        "body": b"{}", "X25519PublicKey": X25519PublicKey,
    }  # fmt: skip
    imports = (
        "import hmac\nfrom cryptography.hazmat.primitives.hashes import SHA256\n"
        "from cryptography.hazmat.primitives.kdf.hkdf import HKDF\n"
    )
    exec(imports + blocks("docs/api.md", "python")[0], names)
    key = session_mac_key(keeper, client_key, session=b"s" * 16, client_key=client_key, keeper_key=keeper_key)
    assert names["mac"] == request_mac(key, 7, b"{}")


def test_the_projects_of_the_policy_page_load_together_and_grant_what_it_says() -> None:
    head, _, rest = (EXAMPLE / "policy.toml").read_text().partition("[project.")
    administration = rest[rest.index("[administration.") :]
    text = "\n".join([head, *blocks("docs/policy.md", "toml"), administration])
    groups = load_roster((EXAMPLE / "roster.toml").read_text()).groups
    made = (("debian", "deb"), ("redhat", "rpm"), ("java", "jar"), ("windows", "authenticode"))
    keys = {**planned_keys(), **{name: KeyRecord(name, "p256", "", 0, (form,)) for name, form in made}}
    policy = load_policy(text, keys=keys, groups=groups)
    job = CiIdentity(
        "github", "repo:acme/website", {"repository": "acme/website", "ref": "refs/heads/main"}, "", 0, 0
    )  # fmt: skip
    assert policy.decide_sign(job, "website", "", ("sshsig",)).key == "release"
    app = CiIdentity("github", "repo:acme/app", {
        "repository": "acme/app", "repository_id": "417000456", "ref": "refs/tags/v1",
    }, "", 0, 0)  # fmt: skip
    grant = policy.decide_release(app, "app", "1", ["a.deb", "a.whl"])
    assert grant.of("a.deb") == (Signing("debian", ("deb",)),)
    assert grant.targets == {"a.deb": ()}
    assert policy.decide_release(job, "website", "2026.11", ["site.tar.gz"]).approvals == ()


def test_the_examples_make_a_ceremony() -> None:
    file = load_ceremony_file((EXAMPLE / "ceremony.toml").read_text())
    groups = load_roster((EXAMPLE / file.files.roster).read_text()).groups
    load_policy((EXAMPLE / file.files.policy).read_text(), keys=planned_keys(), groups=groups)


def test_every_key_of_the_configuration_is_described_with_its_default() -> None:
    text = (PROJECT / "docs" / "operations.md").read_text()
    section = text[text.index("## config.toml") : text.index("## Processes")]
    for table, field in Config.model_fields.items():
        assert f"`[{table}]`" in section
        inner = field.annotation
        assert inner is not None
        for name, key in inner.model_fields.items():
            assert f"`{name}`" in section, f"{table}.{name}"
            if not key.is_required() and key.default != ():
                default = str(key.default).lower() if isinstance(key.default, bool) else key.default  # as TOML has it
                shown = default if default != "" else '""'
                assert f"`{shown}`" in section, f"default of {table}.{name}: {default}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_json_shown_is_json(page: Path) -> None:
    for block in blocks(name_of(page), "json"):
        json.loads(block)
