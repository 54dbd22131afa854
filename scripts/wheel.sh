#!/bin/sh
# Build the wheel, install it into an empty environment outside the checkout and run its demo there: what a user gets.
# The wheel stays in dist/.
set -eu
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never
uv=$PWD/.venv/bin/uv
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

rm -rf dist
"$uv" build --quiet --wheel --python .venv/bin/python --out-dir dist
"$uv" venv --quiet --python .venv/bin/python "$place/env"
"$uv" pip install --quiet --python "$place/env/bin/python" --constraint constraints.txt "$(echo dist/*.whl)[app]"
cd "$place"
unset PYTHONPATH
env/bin/hlmbayes demo >demo.txt
tail -n 5 demo.txt
env/bin/python - <<'CHECK'
from importlib.metadata import distribution
from pathlib import Path

import hlmbayes

home = Path(hlmbayes.__file__).resolve()
assert Path.cwd().resolve() in home.parents, f"hlmbayes was imported from {home}, not from the wheel"
tops = {str(path).split("/")[0] for path in distribution("hlmbayes").files or ()}
tops = {top for top in tops if top not in ("..", "hlmbayes") and not top.endswith(".dist-info")}
assert not tops, f"the wheel holds more than the package: {sorted(tops)}"
data = hlmbayes.datasets.hsb()
assert (data.n_units, data.n_rows) == (160, 7185), "the data did not come with the wheel"
assert "Sigma_squared" in Path("demo.txt").read_text(encoding="utf-8"), "the demo printed no listing"
window = Path(hlmbayes.__file__).parent / "app"
parts = ("static/htmx.min.js", "static/app.css", "templates/index.html", "templates/tabs/report.html")
assert all((window / part).is_file() for part in parts), "the window did not come with the wheel"
import hlmbayes.app.launch  # noqa: F401
print(f"hlmbayes {hlmbayes.__version__}: the wheel has the package and its data, {data.n_rows} students in {data.n_units} schools")
CHECK
