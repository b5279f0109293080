"""One real service for all tests of this folder that run in the same process: ceremony, keeper, front, courier."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.demo.servers.devpi import Devpi
from deploy.demo.servers.issuer import Issuer
from deploy.demo.world import World
from tests.box import genesis, make_world, running
from tests.courier.gate import Gate
from tests.service.hands import eventually, issuers_known, seal_credential

#: A project that is published to the index alone, and one whose credential nobody has sealed.
PUBLISHED = """
[target.later]
kind = "pypi"
url = "{url}"
index = "{url}+simple/"
credential = "later"
loopback = true

[project.sdk]
requesters = [{{ issuer = "ci", repository = "example/hsmpub", ref = "refs/heads/release/*" }}]
sign = [{{ key = "release", formats = ["sshsig"] }}]
publish = ["index"]
approvals = [{{ group = "managers", count = 1 }}, {{ group = "sdk-leads", count = 1 }}]

[project.later]
requesters = [{{ issuer = "ci", repository = "example/hsmpub", ref = "refs/heads/release/*" }}]
sign = [{{ key = "release", formats = ["sshsig"] }}]
publish = ["later"]
approvals = [{{ group = "managers", count = 1 }}, {{ group = "sdk-leads", count = 1 }}]
"""


#: A project whose jobs bring tokens that cannot be bound to a session.
FROM_GITLAB = """
[issuer.gitlab]
url = "{issuer}"
audience = "hsmpub-demo"
bearer = true
loopback = true

[project.site]
requesters = [{{ issuer = "gitlab", project_path = "example/site" }}]
sign = [{{ key = "release", formats = ["sshsig"] }}]
approvals = [{{ group = "managers", count = 1 }}]
"""


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    with Issuer.start() as issuer:
        yield issuer


@pytest.fixture(scope="session")
def gitlab_issuer() -> Iterator[Issuer]:
    with Issuer.start() as issuer:
        yield issuer


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer, gitlab_issuer: Issuer) -> Iterator[World]:
    """Unsealed, with the demo's policy and people. Tests share it, so each uses versions of its own."""
    world = make_world(Path(tmp_path_factory.mktemp("service")) / "world", issuer)
    try:
        genesis(world, added=FROM_GITLAB.format(issuer=gitlab_issuer.url))
        with running(world):
            eventually(lambda: issuers_known(world) >= {"ci", "gitlab"}, "no keys of the issuers came")
            yield world
    finally:
        world.stage.close()


@dataclass(frozen=True)
class _Index:
    """The index as the policy names it: through the gate."""

    upload_url: str
    simple_url: str
    user: str


@pytest.fixture(scope="session")
def devpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devpi]:
    with Devpi(tmp_path_factory.mktemp("devpi"), password=f"canary-{secrets.token_hex(16)}") as server:
        yield server


@pytest.fixture(scope="session")
def gate(devpi: Devpi) -> Iterator[Gate]:
    with Gate(devpi.port) as proxy:
        yield proxy


@pytest.fixture
def open_gate(gate: Gate) -> Iterator[Gate]:
    """The gate with nothing in the way, before and after."""
    yield gate
    gate.before = gate.after = lambda *_: None


@pytest.fixture(scope="session")
def publishing(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer, devpi: Devpi, gate: Gate) -> Iterator[World]:
    """Unsealed, with a real index behind a gate and its credential sealed. May be killed, and started again."""
    below = gate.url(f"/{devpi.user}/{devpi.index}/")
    index = _Index(below, f"{below}+simple/", devpi.user)
    world = make_world(Path(tmp_path_factory.mktemp("publishing")) / "world", issuer, index=index)  # type: ignore[arg-type]
    world.index_password = devpi._password.encode()
    try:
        genesis(world, added=PUBLISHED.format(url=gate.url("/nobody/later/")))
        with running(world):
            eventually(lambda: "ci" in issuers_known(world), "no keys of the issuer came")
            seal_credential(world, "index", world.index_password)
            yield world
    finally:
        world.stage.close()
