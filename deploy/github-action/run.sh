#!/usr/bin/env bash
# What the inputs ask for, done by hsmpub. Inputs come as variables and reach it as arguments, one each: nothing of them
# is ever read as shell. The identity token goes from the runner to hsmpub alone; it is in no variable and no file here.
set -euo pipefail

fail() {
    echo "::error title=hsmpub::$1"
    exit 2
}

lines_of() { # a list of one item a line, without blank ones, into the array `lines`
    lines=()
    local line
    while IFS= read -r line || [[ -n $line ]]; do
        [[ -z ${line//[[:space:]]/} ]] || lines+=("$line")
    done <<<"$1"
}

files=()
lines_of "$INPUT_FILES"
for pattern in "${lines[@]}"; do
    mapfile -t found < <(compgen -G "$pattern" || true)
    [[ ${#found[@]} -gt 0 ]] || fail "The pattern '$pattern' of the input 'files' fits no file."
    files+=("${found[@]}")
done

wait_at_most=$INPUT_TIMEOUT
case $INPUT_DO in
ask) wait_at_most=0 INPUT_ON_TIMEOUT=continue ;& # goes on below
release)
    [[ $wait_at_most =~ ^[0-9]{1,6}$ ]] || fail "The input 'timeout' is no number of seconds."
    command=(release run --project="$INPUT_PROJECT" --version="$INPUT_VERSION" --commit="$INPUT_COMMIT"
        --request="$INPUT_REQUEST" --timeout="$wait_at_most" --to="$INPUT_OUTPUT" --variables="$GITHUB_OUTPUT")
    ;;
sign)
    command=(sign --project="$INPUT_PROJECT" --output="$INPUT_OUTPUT")
    lines_of "$INPUT_FORMATS"
    for format in "${lines[@]}"; do command+=(--format="$format"); done
    mkdir -p -- "$INPUT_OUTPUT"
    ;;
*) fail "The input 'do' is release, ask or sign." ;;
esac
[[ $INPUT_ON_TIMEOUT == fail || $INPUT_ON_TIMEOUT == continue ]] || fail "The input 'on-timeout' is fail or continue."

# Whatever is printed in between is shown, and is no command to the runner.
guard=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "::stop-commands::$guard"
status=0
"$HSMPUB_COMMAND" "${command[@]}" -- "${files[@]}" || status=$?
echo "::$guard::"

if [[ $status == 4 ]]; then
    request=$(sed -n 's/^HSMPUB_REQUEST=\([A-Za-z0-9_-]*\)$/\1/p' "$GITHUB_OUTPUT" | tail -n 1)
    state=$(sed -n 's/^HSMPUB_STATE=\([a-z]*\)$/\1/p' "$GITHUB_OUTPUT" | tail -n 1)
    title="Waiting for approval" waits="waits for people" next="hsmpub approve $request"
    if [[ $state == signed ]]; then # people have approved, and a target has not taken it
        title="Waiting for a target" waits="is signed and not published everywhere" next="hsmpub release show $request"
    fi
    echo "::notice title=hsmpub::Request $request $waits. Run the job again, or go on with the input 'request'."
    {
        echo "### $title"
        echo
        echo "Request \`$request\`: \`$next\`. Then run this job again; it goes on with the request."
    } >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
    [[ $INPUT_ON_TIMEOUT == fail ]] || status=0
fi
exit "$status"
