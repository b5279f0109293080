"""A module is looked at before a ceremony does anything with it."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ceremony_stage import Stage
from pydantic import ValidationError

from ceremony.file import HsmTable
from ceremony.genesis import run_genesis
from ceremony.home_files import config_toml
from ceremony.module_check import FirstSoPinMissing, first_so_pin
from ceremony.softhsm import find_softhsm
from hsmpub.config import load_config
from hsmpub.home import Home
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.configured import hsm_of
from hsmpub.hsm.functions import TokenInfo
from hsmpub.hsm.returned import check_pin_length
from hsmpub.hsm.rules import HsmFailed, ModuleUnfit, PinLengthUnfit
from hsmpub.hsm.softhsm import softhsm_conf_text
from hsmpub.hsm.token import init_token, new_pin


@pytest.fixture
def hsm(tmp_path: Path) -> HsmConfig:
    """SoftHSM as a module of its own, with its tokens in a folder of the test."""
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(softhsm_conf_text(tmp_path / "tokens"))
    variables = (("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf")),)
    return HsmConfig(find_softhsm(), "taken", environment=variables)


def options(hsm: HsmConfig) -> list[str]:
    [(name, value)] = hsm.environment
    return ["--module", hsm.module, "--set", f"{name}={value}"]


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ceremony.cli", "hsm", "check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def genesis(stage: Stage, table: HsmTable, home: Path) -> None:
    plan = stage.plan()
    file = plan.file.model_copy(update={"hsm": table})
    run_genesis(replace(plan, file=file), home, now=lambda: int(time.time()))


def test_says_row_by_row_what_a_module_can_do_and_changes_nothing(hsm: HsmConfig, tmp_path: Path) -> None:
    done = check(*options(hsm))
    assert done.returncode == 0, done.stderr
    assert "ok     key ed25519" in done.stdout
    assert "can run with this module" in done.stdout
    assert not list((tmp_path / "tokens").iterdir())


def test_names_what_is_missing_and_ends_with_status_1(hsm: HsmConfig) -> None:
    init_token(hsm, so_pin=new_pin(), pin=new_pin())
    done = check(*options(hsm), "--token", "taken")
    assert done.returncode == 1
    assert "lacks  a free token" in done.stdout
    assert "It lacks: a free token" in done.stderr


def test_asks_for_a_module(stage: Stage) -> None:
    for arguments in ((), (str(stage.file),)):
        assert "No module is named" in check(*arguments).stderr


def test_genesis_refuses_an_unfit_module_before_anything_is_done(
    stage: Stage, hsm: HsmConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ceremony.genesis.bear_keys", lambda *_: pytest.fail("keys were born"))
    init_token(hsm, so_pin=new_pin(), pin=new_pin())
    with pytest.raises(ModuleUnfit, match="a free token: there is a token named 'taken' already"):
        genesis(stage, HsmTable(module=hsm.module, token="taken", environment=dict(hsm.environment)), tmp_path / "home")
    with pytest.raises(HsmFailed, match="cannot be loaded"):
        genesis(stage, HsmTable(module=str(tmp_path / "none.so")), tmp_path / "home")
    assert not (tmp_path / "home").exists()
    assert not (tmp_path / "home.incomplete").exists()


def test_the_first_so_pin_comes_from_a_file_without_the_end_of_its_line(tmp_path: Path) -> None:
    file = tmp_path / "so-pin"
    file.write_bytes(b"87654321\r\n")
    with first_so_pin(HsmTable(first_so_pin=str(file))) as page:
        assert page is not None
        assert page.view == b"87654321"
    with first_so_pin(HsmTable()) as page:
        assert page is None


@pytest.mark.parametrize("content", [None, b"", b"\n"])
def test_refuses_a_first_so_pin_that_is_not_there(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "so-pin"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(FirstSoPinMissing), first_so_pin(HsmTable(first_so_pin=str(file))):
        pass


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PYTHONPATH", "HSMPUB_HSM", "with space", ""])
def test_refuses_variables_that_would_change_the_program(name: str) -> None:
    with pytest.raises(ValidationError):
        HsmTable(environment={name: "value"})


def test_refuses_a_pin_that_the_token_does_not_take() -> None:
    token = TokenInfo(min_pin=4, max_pin=8)
    check_pin_length(token, 8)
    with pytest.raises(PinLengthUnfit, match="4 to 8 characters, not 40"):
        check_pin_length(token, 40)
    check_pin_length(TokenInfo(), 40)  # a module that names no limits


def test_the_service_and_later_ceremonies_see_the_hsm_of_the_ceremony(tmp_path: Path) -> None:
    home = Home(tmp_path)
    variables = (("VENDOR_CONF", '/etc/"vendor".conf'), ("VENDOR_SLOT", "1"))
    hsm = HsmConfig("/lib/vendor.so", "releases", lock=str(home.hsm_lock), network=True, environment=variables)
    home.config.write_bytes(config_toml(hsm, "127.0.0.1:8700"))
    assert hsm_of(home, load_config(home)) == hsm
