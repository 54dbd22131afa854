#!/bin/sh
# Run a part of the tests with the oldest releases pyproject.toml allows, in .venv-oldest: whoever has an older pandas
# should meet in the first minute what a test can say today.  The parts are those that lean on other packages:
# readers and engines, tables and figures, containers and the compiled kernel.
#   scripts/oldest.sh            that part
#   scripts/oldest.sh tests/cli  what you name
set -eu
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never OMP_NUM_THREADS=1
uv=.venv/bin/uv
python=.venv-oldest/bin/python
stamp=.venv-oldest/.installed

oldest_python() { # 3.12 if there is one, else the Python of .venv
    for name in python3.12 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12*/bin/python; do
        if "$name" -c 'import sys; raise SystemExit(sys.version_info[:2] != (3, 12))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    echo .venv/bin/python
}

if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
    echo "Installing the oldest releases allowed into .venv-oldest ..." >&2
    "$uv" venv --quiet --clear --python "$(oldest_python)" .venv-oldest
    "$uv" pip install --quiet --python "$python" --resolution lowest-direct --editable ".[app,dev,engines]" \
        "httpx>=0.28"  # what the test client of old releases of Starlette wants
    touch "$stamp"
fi
[ $# -gt 0 ] || set -- tests/data tests/unit_moments tests/estimation/test_estimate.py tests/residuals tests/diagnostics \
    tests/figures/test_plots.py tests/terms tests/report/test_text_golden.py tests/posterior/test_posterior.py tests/app
# what old releases say of each other is no concern of ours
"$python" -m pytest -q -m "not slow" -p no:cacheprovider -W ignore::DeprecationWarning "$@"
