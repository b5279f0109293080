#!/bin/sh
# Makes .venv with everything locked by hash, and sees that the system's packages are there.
# Installs what lacks when it may (root, or sudo without a password); otherwise says the one line that does.
set -eu

venv=${VENV:-.venv}
missing=""
need() { # need COMMAND-OR-FILE PACKAGE
    if [ -e "$1" ] || command -v "$1" >/dev/null 2>&1; then :; else missing="$missing $2"; fi
}
softhsm=""
for file in "${HSMPUB_SOFTHSM:-}" /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so \
    /usr/lib64/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so; do
    [ -n "$file" ] && [ -e "$file" ] && softhsm=$file && break
done
[ -n "$softhsm" ] || missing="$missing softhsm2"
need git git
need gpg gnupg
need ssh-keygen openssh-client
need openssl openssl

python=""
for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || missing="$missing python3"
if [ -n "$python" ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then missing="$missing python3-venv"; fi

if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo"
    else
        echo "Missing system packages. Run this line, then try again:" >&2
        echo "    sudo apt-get install -y$missing" >&2
        exit 1
    fi
    echo "installing$missing"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    python=${python:-python3}
fi

stamp=$venv/.ready
if [ ! -e "$stamp" ] || [ requirements-dev.txt -nt "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
    echo "making $venv (about a minute, once)"
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
    touch "$stamp"
fi
