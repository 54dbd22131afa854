"""Moments files: Parquet, one record a unit, described by JSON in the file's metadata.

The format is written down in `docs/moments_file.md`. It holds no row of the data: counts, means,
cross-products and level-2 variables are all, so it can go where the rows may not.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from .record import Moments

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "hlmbayes.moments"
VERSION = 1
KEY = b"hlmbayes"


def save_moments(moments: Moments, path: str | os.PathLike[str]) -> None:
    """Write moments to a Parquet file; `load_moments` reads it back, to the last bit."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays: dict[str, Any] = {"id": moments.unit_ids, "n": moments.n, "weight": moments.weight}
    arrays |= {f"mean:{name}": moments.mean[:, k] for k, name in enumerate(moments.columns)}
    for a, b, name in _products(moments.columns):
        arrays[name] = moments.sscp[:, a, b]
    arrays |= {f"level2:{name}": values for name, values in moments.level2.items()}
    if moments.unit_weight is not None:
        arrays["unit_weight"] = moments.unit_weight
    head = {
        "format": FORMAT,
        "version": VERSION,
        "id": moments.id_name,
        "columns": list(moments.columns),
        "level2": list(moments.level2),
        "n_dropped": int(moments.n_dropped),
        "notes": list(moments.notes),
    }
    table = pa.table({name: pa.array(_plain(values)) for name, values in arrays.items()})
    table = table.replace_schema_metadata({KEY: json.dumps(head).encode()})
    pq.write_table(table, os.fspath(path), compression="zstd")


def _products(columns: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """List the cross-products of the lower triangle, by rows, with their names in the file."""
    return [(a, b, f"sscp:{columns[a]}:{columns[b]}") for a in range(len(columns)) for b in range(a + 1)]


def _plain(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values)


def load_moments(path: str | os.PathLike[str]) -> Moments:
    """Read a moments file.

    Parameters
    ----------
    path : path
        What `Moments.save` wrote.

    Raises
    ------
    DataError
        No such file, not a moments file, a newer version, or a damaged one.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = Path(path).name
    if not Path(path).exists():
        raise DataError(f"there is no moments file {os.fspath(path)!r}: check the path")
    try:
        table = pq.read_table(os.fspath(path), partitioning=None)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{name} is not a Parquet file, so it is not a moments file: {error}") from None
    head = _head(table, name)
    try:
        return _from_table(table, head)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{name} is damaged: {error}. Make it again from the rows.") from None


def _head(table: pa.Table, name: str) -> dict[str, Any]:
    """Read what the file says of itself."""
    raw = (table.schema.metadata or {}).get(KEY)
    head = json.loads(raw) if raw else {}
    if head.get("format") != FORMAT:
        raise DataError(
            f"{name} is a Parquet file but not a moments file. To take the moments of a file of rows: "
            f'hlmbayes.moments("{name}", id=..., columns=...).save("{Path(name).stem}.moments.parquet")'
        )
    if head["version"] > VERSION:
        raise DataError(
            f"{name} has version {head['version']} of the format; this program reads up to {VERSION}. "
            "Update hlmbayes."
        )
    return head


def _from_table(table: pa.Table, head: dict[str, Any]) -> Moments:
    def column(name: str) -> np.ndarray:
        if name not in table.column_names:
            raise KeyError(f"the column {name} is missing")
        return np.asarray(table.column(name).to_numpy())

    columns = tuple(head["columns"])
    J, p = table.num_rows, len(columns)
    mean, sscp = np.empty((p, J)), np.empty((p, p, J))
    for k, name in enumerate(columns):
        mean[k] = column(f"mean:{name}")
    for a, b, name in _products(columns):
        sscp[a, b] = sscp[b, a] = column(name)
    ids, n, weight = column("id"), column("n").astype(float), column("weight").astype(float)
    if not (np.all(n > 0) and np.isfinite(mean).all() and np.isfinite(sscp).all()):
        raise ValueError("it holds values that are not numbers, or units without rows")
    if J > 1 and not bool(np.all(ids[1:] > ids[:-1])):
        raise ValueError("its ids are not in ascending order, or a unit is there twice")
    level2 = {name: column(f"level2:{name}") for name in head["level2"]}
    unit_weight = column("unit_weight") if "unit_weight" in table.column_names else None
    return Moments(
        head["id"], ids, columns, n, weight, mean.T, sscp.transpose(2, 0, 1), level2,
        int(head["n_dropped"]), tuple(head["notes"]), unit_weight,
    )  # fmt: skip
