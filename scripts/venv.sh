#!/bin/sh
# Make .venv beside this checkout with a Python >= 3.12 and install the package into it.
#   scripts/venv.sh            what a user needs, the window with it
#   scripts/venv.sh dev,engines   also the named extras
# Does nothing when .venv already holds what pyproject.toml and constraints.txt ask for.
set -eu
cd "$(dirname "$0")/.."
extras=app${1:+,$1}
stamp=.venv/.installed-$extras

fresh_enough() {
    "$1" -c 'import sys; raise SystemExit(sys.version_info < (3, 12))' 2>/dev/null
}

find_python() {
    for name in python3.13 python3.14 python3.12 python3 python; do
        if command -v "$name" >/dev/null 2>&1 && fresh_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    echo "hlmbayes needs Python 3.12 or newer; found none (python3 is $(python3 --version 2>&1 || echo missing))." >&2
    echo "Install one from python.org or your system's packages, then run the command again." >&2
    exit 1
}

if [ ! -x .venv/bin/python ] || ! fresh_enough .venv/bin/python; then
    rm -rf .venv
    "$(find_python)" -m venv .venv
fi
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ constraints.txt -nt "$stamp" ]; then
    echo "Installing into .venv (a few minutes the first time) ..." >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt --editable ".[$extras]"
    touch "$stamp"
fi
