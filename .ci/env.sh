#!/bin/sh
# .ci/env.sh base   a new .venv with what the autopilot needs to run
# .ci/env.sh dev    adds what its tests and checks need
# .ci/env.sh lock   writes requirements.lock
# With uv where it is on the path, with venv and pip where not.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "$1" >&2
    exit 1
}

# uv chooses like pip does: the best release of all the indexes that pip was given.
ask_pip() {
    settings=$("$1" .ci/pip_settings.py)
    eval "$settings"
    export UV_INDEX_STRATEGY=unsafe-best-match
}

has_uv() {
    command -v uv >/dev/null
}

# The first Python that is new enough and can make a virtual environment.
find_python() {
    lacking=
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
            return
        fi
        lacking=${lacking:-$python}
    done
    [ -z "$lacking" ] || fail "$lacking cannot make a virtual environment: its venv module is missing. Install it: apt install $lacking-venv"
    fail "Python 3.11 or newer is needed and was not found. Install it: apt install python3 python3-venv"
}

make_venv() {
    rm -rf .venv
    if has_uv; then
        uv venv --quiet .venv
    else
        find_python
        "$python" -m venv .venv
    fi
}

install() {
    if has_uv; then
        ask_pip .venv/bin/python
        uv pip install --quiet --python .venv/bin/python "$@"
    else
        .venv/bin/python -m pip install -qq --no-compile --disable-pip-version-check "$@"
    fi
}

case "$1" in
base)
    echo "Setting up .venv, once: this takes about a minute." >&2
    make_venv
    install --editable .
    ;;
dev)
    echo "Adding the tools of the tests and checks to .venv." >&2
    .venv/bin/python -c 'import tomllib
with open("pyproject.toml", "rb") as file:
    print(*tomllib.load(file)["dependency-groups"]["dev"], sep="\n")' >.venv/dev.txt
    install --requirement .venv/dev.txt
    ;;
lock)
    has_uv || fail "make lock needs uv. Install it: pip install uv"
    python=python3
    ask_pip "$python"
    # One index only: a second one that holds fewer files of a release would leave their hashes out.
    unset UV_INDEX UV_FIND_LINKS
    uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --output-file requirements.lock pyproject.toml
    if grep -n '://' requirements.lock; then
        fail "requirements.lock names a host: remove the line above"
    fi
    exit
    ;;
*)
    fail "say base, dev or lock"
    ;;
esac
touch ".venv/$1"
