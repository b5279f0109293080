"""The unit files: three users, three sandboxes, and nothing that systemd would pass over."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from hsmpub.home import Home

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
HOME = Home(Path("/var/lib/hsmpub"))
SERVICES = ("keeper", "front", "courier")


def settings(service: str) -> dict[str, list[str]]:
    """Key → its values in order, of all sections."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / f"hsmpub-{service}.service").read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            key, sign, value = line.partition("=")
            assert sign, line
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_starts_a_module_with_a_main_isolated_in_the_home(service: str) -> None:
    [command] = settings(service)["ExecStart"]
    words = command.split()
    assert words[1:3] == ["-I", "-m"]
    spec = find_spec(words[3])
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text())
    assert any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)
    assert any(isinstance(node, ast.If) for node in tree.body)  # if __name__ == "__main__"
    assert words[4] == str(HOME.root)


def test_each_has_a_user_of_its_own_and_all_share_one_group() -> None:
    assert len({settings(service)["User"][0] for service in SERVICES}) == 3
    assert {settings(service)["Group"][0] for service in SERVICES} == {"hsmpub"}


@pytest.mark.parametrize("service", SERVICES)
def test_gives_up_what_none_of_them_needs(service: str) -> None:
    found = settings(service)
    for key, value in {
        "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "LimitCORE": "0",
        "CapabilityBoundingSet": "", "RestrictNamespaces": "yes", "SystemCallArchitectures": "native", "UMask": "0027",
    }.items():  # fmt: skip
        assert found[key] == [value], key
    assert {"landlock_restrict_self", "seccomp"} <= set(found["SystemCallFilter"][0].split())


def test_writes_only_what_the_architecture_says() -> None:
    keeper, front, courier = (settings(service) for service in SERVICES)
    assert keeper["ReadWritePaths"] == [f"{HOME.keeper} {HOME.log.parent} {HOME.run} {HOME.ceremonies}"]
    assert front["ReadWritePaths"] == [f"{HOME.artifacts}"]
    assert courier["ReadWritePaths"] == [f"{HOME.courier}"]
    assert f"-{HOME.keeper}" in front["InaccessiblePaths"][0].split()
    assert f"-{HOME.keeper}" in courier["InaccessiblePaths"][0].split()


def test_the_keeper_has_no_network_and_no_swap() -> None:
    found = settings("keeper")
    assert found["PrivateNetwork"] == ["yes"]
    assert found["RestrictAddressFamilies"] == ["AF_UNIX"]
    assert found["MemorySwapMax"] == ["0"]
    assert "memfd_secret" in found["SystemCallFilter"][0].split()
    assert found["LimitMEMLOCK"]


def test_the_folders_of_the_home_have_their_owners() -> None:
    owners = {
        line.split()[1]: line.split()[3]
        for line in (UNITS / "hsmpub.tmpfiles.conf").read_text().splitlines()
        if line and not line.startswith("#")
    }
    assert {path: owners[str(path)] for path in (HOME.keeper, HOME.log.parent, HOME.run)} == dict.fromkeys(
        (HOME.keeper, HOME.log.parent, HOME.run), "hsmpub-keeper"
    )
    assert owners[str(HOME.artifacts)] == "hsmpub-front"
    assert owners[str(HOME.courier)] == "hsmpub-courier"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    """With a program that exists in the place of the installed interpreter."""
    program = shutil.which("true")
    assert program is not None
    for unit in [*UNITS.glob("*.service"), *UNITS.glob("*.target"), *(UNITS.parent / "tuf").iterdir()]:
        (tmp_path / unit.name).write_text(re.sub(r"/opt/hsmpub/bin/\w+", program, unit.read_text()))
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True, text=True, check=False, env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert [line for line in result.stderr.splitlines() if str(tmp_path) in line] == []
