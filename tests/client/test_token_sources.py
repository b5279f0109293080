"""Where a CI job's identity token comes from, and what is refused on the way."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from hsmpub.client.token import GitHubActions, NoTokenSource, TokenCommand, TokenFile, TokenNotMade, token_source

ECHO = f"{sys.executable} -c 'import sys; print(sys.argv[1])' "


class _Forge(BaseHTTPRequestHandler):
    """A forge's token service: gives the audience back as the token."""

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        good = self.headers["authorization"] == "bearer job-secret"
        self.send_response(200 if good else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"value": f"token-for:{asked['audience'][0]}"}).encode() if good else b"{}")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def forge() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Forge)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/token?api-version=2"
    server.shutdown()
    thread.join()
    server.server_close()


def test_github_gives_a_token_for_the_bound_audience(forge: str) -> None:
    assert GitHubActions(forge, "job-secret").token("svc#a/b+c=") == "token-for:svc#a/b+c="


def test_a_forge_that_refuses_is_named_without_its_answer(forge: str) -> None:
    with pytest.raises(TokenNotMade) as refused:
        GitHubActions(forge, "wrong").token("svc")
    assert "wrong" not in str(refused.value)


def test_the_environment_of_a_job_is_found(forge: str) -> None:
    environ = {"ACTIONS_ID_TOKEN_REQUEST_URL": forge, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "job-secret"}
    assert token_source(environ=environ).token("svc#x") == "token-for:svc#x"


def test_without_a_source_it_says_what_to_do() -> None:
    with pytest.raises(NoTokenSource, match="--token-command"):
        token_source(environ={})


def test_two_sources_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(NoTokenSource):
        token_source("cmd", tmp_path / "token")


def test_a_command_gets_the_audience_as_one_word() -> None:
    assert TokenCommand(ECHO + "x-{audience}-y").token("svc#$(id);`id`") == "x-svc#$(id);`id`-y"


@pytest.mark.parametrize("command", ["false", "/no/such/command", ECHO + "''", ECHO + "'two words'", "true"])
def test_a_command_that_gives_no_token_is_refused(command: str) -> None:
    with pytest.raises(TokenNotMade):
        TokenCommand(command).token("svc")


@pytest.mark.parametrize("command", ["", "echo 'open"])
def test_a_command_that_is_none_is_refused(command: str) -> None:
    with pytest.raises(NoTokenSource):
        TokenCommand(command)


def test_a_file_holds_a_bearer_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a.b.c\n")
    assert TokenFile(file).token("svc#ignored") == "a.b.c"
    with pytest.raises(TokenNotMade):
        TokenFile(tmp_path / "missing").token("svc")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(TokenNotMade):
        TokenFile(file).token("svc")
