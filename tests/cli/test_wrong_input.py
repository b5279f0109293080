"""What people get wrong at the terminal: each time one sentence with the next step, and no traceback."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyrage
import pytest
from command import Command
from running import Running

from hsmpub.artifact.plain_file import NotAPlainFile
from hsmpub.cli.own_outputs import part_outputs
from hsmpub.cli.text_file import TextUnreadable, read_text
from hsmpub.client.upload import refer_to
from hsmpub.config import ConfigMalformed, HomeMissing, load_config
from hsmpub.errors import Sealed
from hsmpub.home import Home
from hsmpub.listening import AddressMalformed
from hsmpub.shares.identity import IdentityMissing, open_share_file
from hsmpub.supervisor import Supervisor
from hsmpub.wire import messages as m


@pytest.mark.parametrize("listen", ["8700", "host", ":8700", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:-1", "a:²"])
def test_an_address_to_listen_at_has_a_host_and_a_port(tmp_path: Path, listen: str) -> None:
    with pytest.raises(AddressMalformed):
        Supervisor(Home(tmp_path), listen)


def test_a_home_that_is_a_file_is_no_home(tmp_path: Path) -> None:
    file = tmp_path / "home"
    file.write_text("")
    with pytest.raises(HomeMissing):
        load_config(Home(file))


def test_a_configuration_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigMalformed, match="UTF-8"):
        load_config(Home(tmp_path))


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_certificates_that_cannot_be_used_are_named(hsmpub: Command, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    said = hsmpub("status", "--ca-file", file)
    assert said.status == 1
    assert said.err.startswith(f"{file} cannot be used: ")
    assert "--ca-file" in said.err


def test_a_file_where_a_folder_is_wanted(hsmpub: Command, tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("")
    said = hsmpub("release", "fetch", "r-1", "--to", file)
    assert said.status == 1
    assert said.err.startswith(f"{file}: File exists.\nNext: Check the path")


def test_pins_that_are_something_else_are_named(hsmpub: Command, tmp_path: Path) -> None:
    file = tmp_path / "ceremony.toml"
    file.write_text("[service]\n")
    said = hsmpub("status", "--trust", file)
    assert (said.status, said.err.splitlines()[0]) == (1, f"{file} is no trust file.")


def test_an_encrypted_share_asks_for_the_private_key() -> None:
    share = pyrage.encrypt(b"words", [pyrage.x25519.Identity.generate().to_public()])
    with pytest.raises(IdentityMissing) as refusal:
        open_share_file(share, b"")
    assert "--identity" in refusal.value.next_step


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_policy_is_a_mistake(tmp_path: Path, content: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(content)
    with pytest.raises(TextUnreadable, match="is empty"):
        read_text(file)


def test_a_pipe_is_no_file_of_a_release(tmp_path: Path) -> None:
    pipe = tmp_path / "x.whl"
    os.mkfifo(pipe)
    with pytest.raises(NotAPlainFile):
        refer_to(pipe)


def test_a_pipe_among_the_files_to_verify_is_refused_without_waiting(hsmpub: Command, tmp_path: Path) -> None:
    pipe = tmp_path / "x.whl"
    os.mkfifo(pipe)
    said = hsmpub("verify", pipe)
    assert said.status == 1
    assert "'x.whl' is not a regular file: it is a pipe." in said.out + said.err


def test_a_receipt_that_is_a_pipe_is_refused_without_waiting(hsmpub: Command, tmp_path: Path) -> None:
    pipe = tmp_path / "x.receipt.json"
    os.mkfifo(pipe)
    said = hsmpub("verify", pipe)
    assert (said.status, said.err.splitlines()[0]) == (1, "'x.receipt.json' is not a regular file: it is a pipe.")


def test_the_second_run_signs_no_signatures() -> None:
    signed = ["a.whl", "a.whl.asc", "a.whl.asc.sig", "a.whl.sig", "a.whl.sigstore.json", "a.whl.receipt.json"]
    others = ["b.sig", "dist/a.whl.sig", "A.whl.sig"]
    sources, left_out = part_outputs([Path(name) for name in (*signed, *others)])
    assert sources == [Path("a.whl"), *map(Path, others)]
    assert left_out == [Path(name) for name in signed[1:]]


def test_one_reason_for_many_files_is_said_once(
    hsmpub: Command, service: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script: dict[type, Any] = service.keeper.script
    monkeypatch.setitem(script, m.Submit, Sealed("The service is sealed."))
    names = ["a.bin", "b.bin", "a.bin.sig"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    said = hsmpub("sign", *(tmp_path / name for name in names), "--project", "p", "--format", "sshsig",
                  "--token-command", "echo a.b.c")  # fmt: skip
    assert said.status == 1
    assert said.err.count("The service is sealed.") == 1
    assert f"{tmp_path / 'a.bin'}, {tmp_path / 'b.bin'}: The service is sealed." in said.err
    assert f"Left out, for they belong to other files named here: {tmp_path / 'a.bin.sig'}." in said.err
    assert f"Not signed: {tmp_path / 'a.bin'}, {tmp_path / 'b.bin'}." in said.err


@pytest.mark.parametrize("how", ["submit", "run"])
def test_all_signatures_among_the_files_of_a_release_are_named_before_anything_is_sent(
    hsmpub: Command, service: Running, tmp_path: Path, how: str
) -> None:
    names = ["a.whl", "a.whl.asc", "a.whl.receipt.json", "b.whl", "b.whl.sig"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    words = ("release", how, *(tmp_path / name for name in names), "--project", "sdk", "--version", "9.9",
             "--commit", "a" * 40, "--token-command", "echo a.b.c")  # fmt: skip
    before = len(service.keeper.seen)
    said = hsmpub(*words)
    assert said.status == 1
    listed = ", ".join(str(tmp_path / name) for name in ("a.whl.asc", "a.whl.receipt.json", "b.whl.sig"))
    assert f"are named: {listed}." in said.err
    assert len(service.keeper.seen) == before
    hsmpub(*words, "--with-signatures", *(("--timeout", "0") if how == "run" else ()))
    assert any(isinstance(one, m.Submit) for one in service.keeper.seen[before:])


def test_an_unknown_format_is_told_once_and_before_a_token_is_asked_for(hsmpub: Command, tmp_path: Path) -> None:
    for name in ("a.bin", "b.bin"):
        (tmp_path / name).write_bytes(b"x")
    said = hsmpub("sign", tmp_path / "a.bin", tmp_path / "b.bin", "--project", "p", "--format", "opnpgp")
    assert said.err.count("There is no format 'opnpgp'. Did you mean 'openpgp'?") == 1
    assert "token" not in said.err


def test_equal_reasons_are_one_sentence_with_the_names(hsmpub: Command, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.bin" for number in range(12)]
    for file in files:
        file.write_bytes(b"x")
    said = hsmpub("sign", *files, "--project", "p")
    assert said.err.count("No format is made for files of this kind.") == 1
    assert ", ".join(map(str, files[:8])) + " and 4 more: No format is made" in said.err
    assert f"Not signed: {', '.join(map(str, files))}." in said.err


def test_a_missing_output_folder_is_named_before_anything_is_asked(hsmpub: Command, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"x")
    hsmpub.env["HSMPUB_URL"] = "http://127.0.0.1:1"  # who asked there would say so
    said = hsmpub("sign", tmp_path / "x.bin", "--project", "p", "--format", "sshsig", "--output", tmp_path / "none")
    assert said.status != 0
    assert f"{tmp_path / 'none'} is no folder." in said.err
    assert "nothing was signed" in said.err
