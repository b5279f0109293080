"""The demo's issuer as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from deploy.demo.servers.issuer import Issuer
from hsmpub.identity import parse_jwks

REPOSITORY = Path(__file__).parents[2]


def test_runs_as_a_command_and_says_where() -> None:
    command = [sys.executable, "-m", "deploy.demo.servers.issuer", "--algorithm", "EdDSA"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            with urllib.request.urlopen(f"{url}/jwks") as reply:
                assert len(parse_jwks(reply.read())) == 1
        finally:
            server.terminate()


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"audience": "a"}', b"{", b'{"audience": "a", "claims": 7}'])
def test_refuses_what_it_does_not_understand(body: bytes) -> None:
    with Issuer.start() as issuer:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(f"{issuer.url}/token", body, method="POST"))
        refused.value.close()
        assert refused.value.code == 400
        with urllib.request.urlopen(f"{issuer.url}/jwks") as reply:
            assert json.load(reply) == issuer.jwks()


def test_stops_twice_without_complaint() -> None:
    with Issuer.start() as issuer:
        issuer.stop()
