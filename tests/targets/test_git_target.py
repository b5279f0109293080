"""Tags on a real git server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from raw_server import RawServer

from deploy.demo.servers.git_http import GitServer
from hsmpub.errors import HsmpubError
from hsmpub.targets.git import GitTarget, TagMismatch, object_id, pack_of
from hsmpub.targets.pinned import TargetRedirects
from hsmpub.targets.target import ArtifactChanged, CredentialRefused, Item, PublishRefused

TOKEN = b"canary-git-token"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "README").write_text("one")
    server = GitServer(tmp_path / "git", password=TOKEN.decode())
    server.create(tree)
    with server:
        yield server


def head(server: GitServer) -> str:
    return (server.repository / "refs/heads/main").read_text().strip()


def item(commit: str, name: str = "v1.0", text: str = "Release", **changes: str) -> Item:
    tagger = "release-manager <release-manager@example.org> 1795000000 +0000"
    inner = changes.get("inner", name)
    content = f"object {commit}\ntype commit\ntag {inner}\ntagger {tagger}\n\n{text}\n".encode()
    return Item(name, hashlib.sha256(content).hexdigest(), len(content), content=content,
                commit=changes.get("released", commit))  # fmt: skip


def target(url: str, work: Path) -> GitTarget:
    return GitTarget({"url": url, "loopback": True}, timeout=10, lifetime=20, work=work)


def test_makes_a_tag_at_a_commit_that_is_no_branchs_tip_any_more(server: GitServer, tmp_path: Path) -> None:
    released = head(server)
    (tmp_path / "tree" / "README").write_text("two")
    server.commit(tmp_path / "tree", "Later")
    git = target(server.url, tmp_path)
    tag = item(released)
    assert git.observe(tag).state == "absent"
    git.publish(tag, bytearray(TOKEN))
    seen = git.observe(tag)
    assert (seen.state, seen.observed) == ("same", object_id(tag.content))


def test_never_moves_a_tag_even_when_it_did_not_see_it(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git, first, second = target(server.url, tmp_path), item(head(server)), item(head(server), text="Other")
    git.publish(first, bytearray(TOKEN))
    with pytest.raises(PublishRefused, match="already"):
        git.publish(second, bytearray(TOKEN))
    shown = git._advertised("git-receive-pack", bytearray(TOKEN))
    shown.refs.clear()  # somebody was quicker, after we looked
    monkeypatch.setattr(git, "_advertised", lambda *_: shown)
    with pytest.raises(PublishRefused):
        git.publish(second, bytearray(TOKEN))
    monkeypatch.undo()
    assert git.observe(first).state == "same"
    assert git.observe(second).state == "different"


def test_a_commit_that_the_server_lacks_is_refused_by_the_server(server: GitServer, tmp_path: Path) -> None:
    git = target(server.url, tmp_path)
    with pytest.raises(PublishRefused):
        git.publish(item("1" * 40), bytearray(TOKEN))
    assert git.observe(item("1" * 40)).state == "absent"


def test_a_wrong_credential_is_tried_once(server: GitServer, tmp_path: Path) -> None:
    with pytest.raises(CredentialRefused):
        target(server.url, tmp_path).publish(item(head(server)), bytearray(b"wrong"))
    assert len(server.requests) == 1


def test_a_private_repository_is_hidden_from_strangers(server: GitServer, tmp_path: Path) -> None:
    server.private = True
    git = target(server.url, tmp_path)
    seen = git.observe(item(head(server)))
    assert (seen.state, seen.hidden) == ("unknown", True)
    assert git.observe(item(head(server)), bytearray(TOKEN)).state == "absent"
    refused = git.observe(item(head(server)), bytearray(b"wrong"))
    assert (refused.state, refused.hidden) == ("unknown", False)


def test_the_credential_does_not_follow_a_redirecting_git_server(server: GitServer, tmp_path: Path) -> None:
    answer = f"HTTP/1.1 301 Moved\r\nLocation: {server.url}/info/refs\r\nContent-Length: 0\r\n\r\n".encode()
    with RawServer(answer) as redirecting, pytest.raises(TargetRedirects):
        target(redirecting.url("/project.git"), tmp_path).publish(item(head(server)), bytearray(TOKEN))
    assert server.requests == []


@pytest.mark.parametrize(
    ("tag", "rule"),
    [(item("1" * 40, inner="v2.0"), TagMismatch), (item("1" * 40, released="2" * 40), TagMismatch),
     (Item("v1.0", "0" * 64, 3, content=b"tag"), ArtifactChanged)],
    ids=["another tag", "another commit", "other bytes"],
)  # fmt: skip
def test_refuses_a_tag_object_that_is_not_of_this_release(tag: Item, rule: type[HsmpubError], tmp_path: Path) -> None:
    with pytest.raises(rule):
        target("http://127.0.0.1:1/x", tmp_path).check(tag)


def test_refuses_bytes_that_git_does_not_read_as_a_tag(tmp_path: Path) -> None:
    with pytest.raises(TagMismatch):
        pack_of(b"object nonsense\n", tmp_path)
