"""Moments files: Parquet, one record a unit, described by JSON in the file's metadata.

The format is written down in `docs/moments_file.md`. It holds no row of the data: counts, means,
cross-products and level-2 variables are all, so it can go where the rows may not. Written and read are the
fields of `Moments`, by name.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from ..writing import write_bytes

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "hlmbayes.moments"
VERSION = 1
KEY = b"hlmbayes"


def write_moments(fields: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write the fields of moments to a Parquet file; `read_moments` reads them back, to the last bit."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns, level2 = fields["columns"], fields["level2"]
    arrays: dict[str, Any] = {"id": fields["unit_ids"], "n": fields["n"], "weight": fields["weight"]}
    arrays |= {f"mean:{name}": fields["mean"][:, k] for k, name in enumerate(columns)}
    for a, b, name in _products(columns):
        arrays[name] = fields["sscp"][:, a, b]
    arrays |= {f"level2:{name}": values for name, values in level2.items()}
    if fields["unit_weight"] is not None:
        arrays["unit_weight"] = fields["unit_weight"]
    head = {
        "format": FORMAT, "version": VERSION, "id": fields["id_name"], "columns": list(columns),
        "level2": list(level2), "n_dropped": int(fields["n_dropped"]), "notes": list(fields["notes"]),
    }  # fmt: skip
    table = pa.table({name: pa.array(np.ascontiguousarray(values)) for name, values in arrays.items()})
    table = table.replace_schema_metadata({KEY: json.dumps(head).encode()})
    pq.write_table(table, buffer := io.BytesIO(), compression="zstd")
    write_bytes(Path(path), buffer.getbuffer())


def _products(columns: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """List the cross-products of the lower triangle, by rows, with their names in the file."""
    return [(a, b, f"sscp:{columns[a]}:{columns[b]}") for a in range(len(columns)) for b in range(a + 1)]


def read_moments(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Give the fields of the moments in a file; see `hlmbayes.load_moments`."""
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


def _from_table(table: pa.Table, head: dict[str, Any]) -> dict[str, Any]:
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
    return {
        "id_name": head["id"], "unit_ids": ids, "columns": columns, "n": n, "weight": weight, "mean": mean.T,
        "sscp": sscp.transpose(2, 0, 1), "level2": level2, "n_dropped": int(head["n_dropped"]),
        "notes": tuple(head["notes"]), "unit_weight": unit_weight,
    }  # fmt: skip
