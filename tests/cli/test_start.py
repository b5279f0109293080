"""How a command starts: it says its version, and imports no more than it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import hsmpub

SEEN = "import sys; {code}; print(*sorted(name for name in sys.modules if name.startswith('hsmpub.')))"


@pytest.mark.parametrize(("module", "name"), [("hsmpub.cli.main", "hsmpub"), ("ceremony.cli", "hsmpub-ceremony")])
def test_both_commands_say_their_version(module: str, name: str) -> None:
    code = f"import sys; from {module} import run; sys.argv[1:] = ['--version']; run()"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == f"{name} {hsmpub.__version__}\n"


def test_before_a_large_file_s_hash_is_begun_almost_nothing_is_imported() -> None:
    code = "import sys; import hsmpub.cli.main; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    ours = {name for name in said if name.startswith("hsmpub")}
    assert ours == {"hsmpub", "hsmpub.cli", "hsmpub.cli.begun", "hsmpub.cli.main"}
    assert not {"typer", "msgspec", "threading"}.intersection(said)


@pytest.mark.parametrize("command", ["status", "sign"])
def test_what_a_command_needs_no_policy_or_receipts_for_at_once_it_imports_later_or_never(command: str) -> None:
    code = SEEN.format(code=f"from hsmpub.cli import {command}")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "hsmpub.client.client" in said
    assert not [name for name in said if name.startswith(("hsmpub.policy", "hsmpub.receipt.verify"))]


def test_a_package_gives_its_names_when_asked_and_no_others() -> None:
    import hsmpub.client
    import hsmpub.receipt

    for package in (hsmpub.client, hsmpub.receipt):
        assert all(getattr(package, name).__name__ for name in package.__all__)
        with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
            package.Nothing  # noqa: B018
