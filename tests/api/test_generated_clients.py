"""Clients that foreign generators make of the OpenAPI document, used against a running front."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Running

from hsmpub.client import Client, SessionAuth
from hsmpub.model.trust import Trust

TYPESCRIPT = Path(__file__).parent / "generated_ts"
#: Media types that the generator does not know, by those that it does.
CONFIG = """
package_name_override: generated_hsmpub
post_hooks: []
content_type_overrides:
  application/jsonl: text/plain
  application/timestamp-query: application/octet-stream
  application/timestamp-reply: application/octet-stream
"""


class Source:
    def token(self, audience: str) -> str:
        return "header.claims.signature"


def document(front: Running, folder: Path) -> Path:
    path = folder / "openapi.json"
    path.write_bytes(httpx.get(f"{front.url}/openapi.json", trust_env=False).content)
    return path


@pytest.fixture(scope="module")
def generated(front: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Imports modules of the package that openapi-python-client made."""
    generator = shutil.which("openapi-python-client")
    if generator is None:
        pytest.skip("openapi-python-client is not installed: generated_python/requirements.txt has it")
    folder = tmp_path_factory.mktemp("generated")
    (folder / "config.yml").write_text(CONFIG)
    told = subprocess.run(
        [generator, "generate", "--path", document(front, folder), "--output-path",
         folder / "generated_hsmpub", "--meta", "none", "--config", folder / "config.yml", "--fail-on-warning"],
        capture_output=True, text=True, timeout=100, cwd=folder,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    sys.path.insert(0, str(folder))
    yield lambda name: importlib.import_module(f"generated_hsmpub.{name}")
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.startswith("generated_hsmpub")]:
        del sys.modules[name]


def test_python_asks_signs_uploads_and_reads_refusals(front: Running, generated: Any) -> None:
    with Client(front.url, Trust("hsmpub-test", "log-key", front.keeper.keeper_key, ())) as ours:
        session = ours.open_session(Source())
    models = generated("models")
    with generated("client").Client(front.url) as client:
        assert generated("api.operation.get_status").sync(client=client).state in ("sealed", "unsealed")
        missing = generated("api.people.get_request").sync("r-404", client=client)
        assert isinstance(missing, models.ProblemDocument)
        assert missing.type_ == "urn:hsmpub:rule:unknown-request"
        [view] = generated("api.people.list_requests").sync(client=client).requests
        assert view.missing.additional_properties == {"managers": 1}
    own = {"httpx_args": {"auth": SessionAuth(session)}}
    with generated("client").AuthenticatedClient(front.url, "unused", **own) as job:
        state = models.HashState(name="sdk-1.0.whl", h="6a09e667" * 8, tail="", size=64)
        body = models.AskSign(ask=models.AskSignAsk.SIGN, project="sdk", formats=["openpgp"], states=[state])
        for _ in range(2):
            reply = generated("api.ci.sign").sync(client=job, body=body)
            assert isinstance(reply, models.SignReply)
            assert reply.made[0].artifact == "sdk-1.0.whl"
    upload = generated("client").AuthenticatedClient(front.url, session.id, "", auth_header_name="Hsmpub-Session")
    with upload as job:
        file = generated("types").File(payload=BytesIO(b"content"))
        assert generated("api.ci.upload_artifact").sync(client=job, body=file).size == 7


def test_python_reads_vault_s_errors(front: Running, generated: Any) -> None:
    models = generated("models")
    with generated("client").AuthenticatedClient(front.url, "x", "", auth_header_name="X-Vault-Token") as client:
        refused = generated("api.transit.sign_with_transit_key").sync(
            "k", client=client, body=models.TransitBody(input_="eA==")
        )
    assert isinstance(refused, models.VaultErrors)
    assert refused.errors[0].startswith("bearer-missing: ")


def test_typescript_types_fit_what_the_front_answers(front: Running, tmp_path: Path) -> None:
    """Its packages are pinned by digest in generated_ts/package-lock.json."""
    if "HSMPUB_EVERY_MODULE" not in os.environ:
        pytest.skip("it installs a compiler: set HSMPUB_EVERY_MODULE=1")
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    folder = tmp_path / "ts"
    shutil.copytree(TYPESCRIPT, folder)

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)

    if run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund").returncode:
        pytest.skip("npm could not install openapi-typescript")
    bin_ = folder / "node_modules" / ".bin"
    made = run(str(bin_ / "openapi-typescript"), str(document(front, folder)), "-o", "schema.d.ts",
               "--default-non-nullable=false")  # fmt: skip
    assert made.returncode == 0, made.stderr
    options = ("--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom",
               "--skipDefaultLibCheck")  # fmt: skip
    compiled = run(str(bin_ / "tsc"), *options, "use.ts")
    assert compiled.returncode == 0, compiled.stdout
    ran = run("node", "use.js", front.url)
    assert ran.returncode == 0, ran.stderr
    state, missing, unsigned, vault = json.loads(ran.stdout)
    assert state in ("sealed", "unsealed")
    rules = (missing, unsigned, vault)
    assert rules == ("urn:hsmpub:rule:unknown-request", "urn:hsmpub:rule:header-refused", "bearer-missing")
