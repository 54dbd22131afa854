"""What the oracle scripts share: the HSB rows, model descriptions as arrays, the call of R, the JSON file."""

import csv
import datetime
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy

HERE = Path(__file__).resolve().parent
DATASETS = HERE.parents[1] / "hlmbayes" / "datasets"


def folder_argument():
    """The folder of hsb1/hsb2 (.csv or .sav): the first argument, or the package's data."""
    return Path(sys.argv[1]) if len(sys.argv) > 1 else DATASETS


def columns(path):
    """A CSV file of numbers as a dict of float arrays."""
    with open(path, newline="") as f:
        rows = list(csv.reader(f))
    return {name: np.array([float(r[k]) for r in rows[1:]]) for k, name in enumerate(rows[0])}


def _read(folder, stem):
    if (folder / f"{stem}.csv").exists():
        return columns(folder / f"{stem}.csv")
    import pyreadstat

    frame, _ = pyreadstat.read_sav(str(folder / f"{stem}.sav"))
    return {name.lower(): frame[name].to_numpy(float) for name in frame}


def hsb(folder):
    """HSB rows as one dict of (7185,) columns, level-2 columns repeated, plus derived ones named in
    DERIVED."""
    one, two = _read(folder, "hsb1"), _read(folder, "hsb2")
    at = np.searchsorted(two["id"], one["id"])
    assert np.all(two["id"][at] == one["id"])
    data = dict(one) | {k: v[at] for k, v in two.items() if k != "id"}
    data["male"] = 1 - data["female"]
    return with_centred(data)


DERIVED = {"male": "1 - female"}


def with_centred(data):
    """Adds group(x) and grand(x) for every column: deviations from the unit's (or all) rows' mean."""
    out = dict(data)
    _, unit = np.unique(data["id"], return_inverse=True)
    n = np.bincount(unit)
    for name, x in data.items():
        if name != "id":
            out[f"group({name})"] = x - (np.bincount(unit, x) / n)[unit]
            out[f"grand({name})"] = x - x.mean()
    return out


def design(data, model):
    """model = {"fixed": {"g01": "ses*sector" ...}, "random": ["1", "group(ses)"]}; terms are products of
    columns, + adds."""

    def product(text):
        out = np.ones(len(data["id"]))
        for factor in text.split("*"):
            if factor.strip() != "1":
                out = out * data[factor.strip()]
        return out

    X = np.column_stack([sum(product(t) for t in text.split(" + ")) for text in model["fixed"].values()])
    return X, np.column_stack([product(t) for t in model["random"]])


def write_rows(path, **cols):
    """Columns at full precision (a matrix becomes name1, name2, ...)."""
    names, arrays = [], []
    for name, a in cols.items():
        a = np.asarray(a)
        for k in range(1 if a.ndim == 1 else a.shape[1]):
            names.append(name if a.ndim == 1 else f"{name}{k + 1}")
            arrays.append(a if a.ndim == 1 else a[:, k])
    with open(path, "w", newline="") as f:
        w = csv.writer(f)
        w.writerow(names)
        w.writerows([repr(float(v)) for v in row] for row in zip(*arrays, strict=True))


def run_r(script, request, **cols):
    """Rscript SCRIPT rows.csv request.json -> parsed JSON of its standard output."""
    with tempfile.TemporaryDirectory() as d:
        write_rows(f"{d}/rows.csv", **cols)
        Path(f"{d}/request.json").write_text(json.dumps(request, default=plain))
        done = subprocess.run(
            ["Rscript", "--vanilla", str(HERE / script), f"{d}/rows.csv", f"{d}/request.json"],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def plain(x):
    if isinstance(x, np.ndarray):
        return x.tolist()
    if isinstance(x, np.generic):
        return x.item()
    raise TypeError(type(x))


def save(name, made_by, content, packages=()):
    """content -> tests/oracles/NAME with a provenance block."""
    versions = {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__}
    if packages:
        show = "cat(R.version.string, sapply(commandArgs(TRUE), v), sep='\\n')"
        code = "v <- function(p) as.character(packageVersion(p))\n" + show
        done = subprocess.run(
            ["Rscript", "--vanilla", "-e", code, *packages], capture_output=True, text=True, check=True
        )
        lines = done.stdout.split("\n")
        versions |= {"R": lines[0]} | dict(zip(packages, lines[1:], strict=False))
    provenance = {"made_by": made_by, "versions": versions, "date": datetime.date.today().isoformat()}
    text = json.dumps({"provenance": provenance} | content, indent=1, default=plain)
    # one number list per line: keeps the files short and the diffs readable
    import re

    text = re.sub(
        r"\[[^\[\]{}\"]*\]",
        lambda m: re.sub(r"\s+", " ", m.group(0)).replace("[ ", "[").replace(" ]", "]"),
        text,
    )
    (HERE / name).write_text(text + "\n")
