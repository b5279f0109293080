#!/usr/bin/env bash
# hsmpub of this very commit of the repository, with dependencies pinned by digest, in an environment of its own.
set -euo pipefail

if [[ -n ${INPUT_COMMAND:-} ]]; then
    if [[ $INPUT_COMMAND == *$'\n'* || ! -x $(command -v -- "$INPUT_COMMAND") ]]; then
        echo "::error title=hsmpub::The input 'command' names no program."
        exit 2
    fi
    echo "command=$INPUT_COMMAND" >>"$GITHUB_OUTPUT"
    exit 0
fi
source=$(cd "$GITHUB_ACTION_PATH/../.." && pwd)
venv="$RUNNER_TEMP/hsmpub"
if [[ ! -x $venv/bin/hsmpub ]]; then
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$source/requirements.txt"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$source"
fi
echo "command=$venv/bin/hsmpub" >>"$GITHUB_OUTPUT"
