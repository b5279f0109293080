"""The GitHub Action as linters see it: shellcheck its scripts, actionlint its example against its declaration."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ACTION = Path(__file__).parents[2] / "deploy" / "github-action"
#: What GitHub's "Metadata syntax for GitHub Actions" knows of a composite action.
INPUT = {"description", "required", "default"}
STEP = {"id", "shell", "env", "run"}


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def test_the_declaration_has_only_what_github_knows() -> None:
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    assert action.keys() == {"name", "description", "inputs", "outputs", "runs"}
    assert all(one.keys() <= INPUT and one["description"] for one in action["inputs"].values())
    assert all(one.keys() == {"description", "value"} for one in action["outputs"].values())
    assert action["runs"].keys() == {"using", "steps"}
    assert all(step.keys() == STEP and step["shell"] == "bash" for step in action["runs"]["steps"])
    used = set(re.findall(r"inputs\.([a-z-]+)", str(action["runs"])))
    assert used == set(action["inputs"])


@pytest.mark.parametrize("script", sorted(ACTION.glob("*.sh")), ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    needs("shellcheck")
    told = subprocess.run(["shellcheck", script], capture_output=True, text=True)
    assert told.returncode == 0, told.stdout


def test_actionlint_finds_nothing_in_the_example_and_a_misspelt_input(tmp_path: Path) -> None:
    needs("actionlint")
    shutil.copytree(ACTION, tmp_path / "deploy" / "github-action")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    workflow = tmp_path / ".github" / "workflows" / "release.yml"
    workflow.parent.mkdir(parents=True)
    text = (ACTION / "example.yml").read_text()

    def lint(content: str) -> subprocess.CompletedProcess[str]:
        workflow.write_text(content)
        return subprocess.run(["actionlint"], cwd=tmp_path, capture_output=True, text=True)

    assert lint(text).returncode == 0
    assert 'input "timeouts" is not defined' in lint(text.replace("timeout: ", "timeouts: ")).stdout
