#!/bin/sh
# Makes .venv with everything locked by hash, and sees that the system's packages are there.
# Installs what lacks when it may (root, or sudo without a password); otherwise says the one line that does.
set -eu

venv=${VENV:-.venv}
missing=""
need() { # need COMMAND PACKAGE
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
find_softhsm() { # SOFTHSM2_MODULE, or where distributions put it
    for file in "${SOFTHSM2_MODULE:-}" /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so \
        /usr/lib64/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so /usr/lib64/libsofthsm2.so \
        /usr/local/lib/softhsm/libsofthsm2.so; do
        if [ -n "$file" ] && [ -e "$file" ]; then return 0; fi
    done
    return 1
}
find_python() { # sets python to the first of 3.11 or newer, or to nothing
    for python in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        if [ -n "$python" ] && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            return 0
        fi
    done
    python=""
}
can_make_venvs() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }

find_softhsm || missing="$missing softhsm2"
need git git
need gpg gnupg
need ssh-keygen openssh-client
need openssl openssl
find_python
if [ -z "$python" ]; then
    missing="$missing python3 python3-venv"
elif ! can_make_venvs; then
    missing="$missing $("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
fi

if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "Missing, under the names that Debian gives them:$missing" >&2
        echo "Install them with this system's package manager, then try again." >&2
        exit 1
    elif [ "$(id -u)" = 0 ]; then
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
    find_python
fi
if [ -z "$python" ]; then
    echo "Python 3.11 or newer is needed, and this system's own is older." >&2
    echo "Install one beside it and name it: PYTHON=/path/to/python3.11 make …" >&2
    exit 1
fi

stamp=$venv/.ready
if [ ! -e "$stamp" ] || [ requirements-dev.txt -nt "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
    echo "making $venv (about a minute, once)"
    # an environment that was cut off in the making has no pip
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
    touch "$stamp"
fi
