"""CI runners as far as the templates of deploy/ need them: steps of a composite action, script lines of a job."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
ACTION = DEPLOY / "github-action"
#: The one default that is an expression; what is given is never read as one.
_COMMIT = "${{ github.sha }}"
_EXPRESSION = re.compile(r"\$\{\{ (inputs|steps|github)\.([a-z.-]+(?:\.[A-Z_]+)?) \}\}")


@dataclass
class Ran:
    """status: of the first step that failed, or 0. log: all that was printed. outputs: of the action."""

    status: int
    log: str
    outputs: dict[str, str]
    summary: str


class Runner:
    """Runs the action in a workspace as GitHub's runner does: one bash a step, expressions in `env` only."""

    def __init__(self, workspace: Path, environment: dict[str, str]) -> None:
        self.workspace = workspace
        self.action = yaml.safe_load((ACTION / "action.yml").read_text())
        self._runs = 0
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(workspace), "GITHUB_ACTION_PATH": str(ACTION),
            "GITHUB_WORKSPACE": str(workspace), "RUNNER_TEMP": str(workspace), **environment,
        }  # fmt: skip

    def start(self, **inputs: str) -> Run:
        self._runs += 1
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        return Run(self, self.workspace / f"run-{self._runs}", given)

    def run(self, **inputs: str) -> Ran:
        return self.start(**inputs).finish()


class Run:
    """One run of the action, step by step."""

    def __init__(self, runner: Runner, folder: Path, given: dict[str, str]) -> None:
        folder.mkdir()
        self.folder = folder
        self._runner = runner
        declared = runner.action["inputs"]
        assert given.keys() <= declared.keys()
        self._inputs = {name: given.get(name, str(one.get("default", ""))) for name, one in declared.items()}
        self._outputs: dict[str, dict[str, str]] = {}

    def finish(self) -> Ran:
        log, status = "", 0
        for step in self._runner.action["runs"]["steps"]:
            process = self.begin(step)
            log += process.communicate(timeout=90)[0].decode()
            self._outputs[step["id"]] = self._written(step["id"])
            status = process.returncode
            if status:
                break
        return self._ran(status, log)

    def finish_last(self, process: subprocess.Popen[bytes]) -> Ran:
        """After the last step was begun by itself, and ended somehow."""
        log = process.communicate(timeout=90)[0].decode()
        self._outputs["run"] = self._written("run")
        return self._ran(process.returncode, log)

    def begin(self, step: dict[str, Any]) -> subprocess.Popen[bytes]:
        """A step's process, in a group of its own."""
        assert step["shell"] == "bash"
        env = {name: _EXPRESSION.sub(self._value, str(value)) for name, value in step["env"].items()}
        own = {
            "GITHUB_OUTPUT": str(self.folder / f"{step['id']}.outputs"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
        }
        return subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=self._runner.workspace, env={**self._runner.environment, **env, **own}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def install(self) -> None:
        """All steps but the last."""
        for step in self._runner.action["runs"]["steps"][:-1]:
            process = self.begin(step)
            process.communicate(timeout=60)
            assert process.returncode == 0
            self._outputs[step["id"]] = self._written(step["id"])

    def _ran(self, status: int, log: str) -> Ran:
        outputs = {
            name: _EXPRESSION.sub(self._value, one["value"]) for name, one in self._runner.action["outputs"].items()
        }
        summary = self.folder / "summary.md"
        return Ran(status, log, outputs, summary.read_text() if summary.exists() else "")

    def _written(self, step: str) -> dict[str, str]:
        path = self.folder / f"{step}.outputs"
        lines = path.read_text().splitlines() if path.exists() else []
        assert not any("<<" in line for line in lines)
        return dict(line.split("=", 1) for line in lines)

    def _value(self, found: re.Match[str]) -> str:
        kind, name = found.groups()
        if kind == "inputs":
            value = self._inputs[name]
            return _EXPRESSION.sub(self._value, value) if value == _COMMIT else value
        if kind == "github":
            return "c" * 40
        step, _, output = name.partition(".outputs.")
        return self._outputs.get(step, {}).get(output, "")


def gitlab_script(job: str) -> str:
    """The script of a job of the template, with what it extends, as the runner gives it to a shell."""
    template = yaml.safe_load((DEPLOY / "gitlab" / "hsmpub.yml").read_text())
    return "\n".join(["set -eo pipefail", *template[job]["script"]])


def gitlab_variables(job: str) -> dict[str, str]:
    template = yaml.safe_load((DEPLOY / "gitlab" / "hsmpub.yml").read_text())
    above = gitlab_variables(template[job]["extends"]) if "extends" in template[job] else {}
    return {**above, **template[job].get("variables", {})}
