"""Moments of rows that do not fit in memory: write Parquet files, aggregate them by an engine, measure.

    python -m tests.bench.out_of_core write FOLDER --rows 2e8
    python -m tests.bench.out_of_core run FOLDER duckdb --memory 1GB
    python -m tests.bench.out_of_core check FOLDER duckdb polars

`run` prints one line of JSON: rows, bytes read, seconds, rows a second, the process's peak memory, and the
estimates. `check` compares engines on the first file with the in-memory pass.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

FILE_ROWS = 5_000_000
MODEL = "y = b0 + b1*group(x) + r\nb0 = g00 + g01*w + u0\nb1 = g10 + g11*w + u1"


def write(folder: Path, rows: int, per_unit: int) -> None:
    """Simulate rows of MODEL, a file at a time: id int32, y and x float32, w int8 on every row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    rng, units = np.random.default_rng(6), FILE_ROWS // per_unit
    for part in range(rows // FILE_ROWS):
        w = (rng.random(units) < 0.5).astype(np.int8)
        x = rng.standard_normal((units, per_unit), dtype=np.float32) + rng.standard_normal((units, 1))
        u = rng.standard_normal((units, 2)) * [1.5, 0.5]
        y = 12 + w + u[:, 0]
        y = y[:, None] + (2 + 0.5 * w + u[:, 1])[:, None] * (x - x.mean(axis=1, keepdims=True))
        y += 6 * rng.standard_normal(x.shape, dtype=np.float32)
        table = pa.table(
            {
                "id": np.repeat(np.arange(part * units, (part + 1) * units, dtype=np.int32), per_unit),
                "y": y.astype(np.float32).reshape(-1),
                "x": x.astype(np.float32).reshape(-1),
                "w": np.repeat(w, per_unit),
            }
        )
        pq.write_table(table, folder / f"part{part:04d}.parquet", compression="snappy")


def source(paths: list[Path], engine: str, memory: str | None) -> Any:
    """What `hlmbayes.moments` is given: paths, or a DuckDB relation with a memory limit."""
    files = [str(path) for path in paths]
    if engine == "duckdb" and memory:
        import duckdb

        connection = duckdb.connect()
        connection.execute(f"SET memory_limit = '{memory}'; SET preserve_insertion_order = false")
        return connection.read_parquet(files)
    return files


def run(folder: Path, engine: str, memory: str | None, files: int | None) -> dict[str, Any]:
    """Take the moments of every file of the folder with one engine, and fit."""
    import hlmbayes as hlm

    paths, model = sorted(folder.glob("*.parquet"))[:files], hlm.Model(MODEL)
    start = time.perf_counter()
    moments = hlm.moments(source(paths, engine, memory), id="id", model=model, engine=engine)
    taken = time.perf_counter() - start
    fit = model.fit(moments)
    size = sum(path.stat().st_size for path in paths)
    return {
        "engine": engine,
        "rows": moments.n_rows,
        "units": moments.n_units,
        "gigabytes": round(size / 1e9, 3),
        "seconds": round(taken, 1),
        "rows_per_second": round(moments.n_rows / taken),
        "fit_seconds": round(time.perf_counter() - start - taken, 2),
        "peak_gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "gamma": [float(value) for value in fit.gamma],
        "tau": np.asarray(fit.tau).tolist(),
        "sigma2": fit.sigma2,
        "converged": fit.converged,
    }


def check(folder: Path, engines: list[str]) -> dict[str, float]:
    """Give the largest relative difference of an engine's estimates from the in-memory pass, first file."""
    import pyarrow.parquet as pq

    import hlmbayes as hlm

    first, model = sorted(folder.glob("*.parquet"))[0], hlm.Model(MODEL)
    table = pq.read_table(first)
    rows = hlm.read({name: table[name].to_numpy() for name in table.column_names}, id="id")
    wanted = model.fit(rows)
    differences = {}
    for engine in engines:
        got = model.fit(hlm.moments([str(first)], id="id", model=model, engine=engine))
        differences[engine] = max(
            float(np.max(np.abs(np.asarray(getattr(got, name)) / np.asarray(getattr(wanted, name)) - 1)))
            for name in ("gamma", "tau", "sigma2", "vcov", "se_tau", "se_sigma2")
        )
    return differences


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("write", "run", "check"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("engines", nargs="*")
    parser.add_argument("--rows", type=float, default=2e8)
    parser.add_argument("--per-unit", type=int, default=200)
    parser.add_argument("--files", type=int, help="use the first FILES files only")
    parser.add_argument("--memory")
    args = parser.parse_args()
    if args.command == "write":
        write(args.folder, int(args.rows), args.per_unit)
    elif args.command == "run":
        print(json.dumps(run(args.folder, args.engines[0], args.memory, args.files)))
    else:
        print(json.dumps(check(args.folder, args.engines)))


if __name__ == "__main__":
    main()
