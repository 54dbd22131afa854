"""Moments files: Parquet, one record a unit, described by JSON in the file's metadata.

The format is written down in `docs/moments_file.md`. It holds no row of the data: counts, means,
cross-products and level-2 variables are all, so it can go where the rows may not. Written and read are the
fields of `Moments`, by name.
"""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, OutputError
from ..words import some
from ..writing import write_bytes

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

FORMAT = "hlmbayes.moments"
VERSION = 2  # files of version 1 are read too: names in them are as they are, and there is no checksum
KEY = b"hlmbayes"
MOST_ROWS = 1e9  # of one unit
PACKED = 1000  # times that Parquet's compression makes values smaller, at most
# what other libraries, and what is checked here, make of a damaged file
DAMAGE = (LookupError, TypeError, ValueError, OverflowError, RuntimeError, OSError, MemoryError)
ROUNDING = 1e-12  # of a column's sum of squares over all rows


def write_moments(fields: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write the fields of moments to a Parquet file; `read_moments` reads them back, to the last bit."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns, level2 = fields["columns"], fields["level2"]
    arrays: dict[str, Any] = {"id": fields["unit_ids"], "n": fields["n"], "weight": fields["weight"]}
    arrays |= {f"mean:{name}": fields["mean"][:, k] for k, name in enumerate(columns)}
    for a, b, name in _products(columns, VERSION):
        arrays[name] = fields["sscp"][:, a, b]
    arrays |= {f"level2:{name}": values for name, values in level2.items()}
    if fields["unit_weight"] is not None:
        arrays["unit_weight"] = fields["unit_weight"]
    head = {
        "format": FORMAT, "version": VERSION, "id": fields["id_name"], "columns": list(columns),
        "level2": list(level2), "n_dropped": int(fields["n_dropped"]), "notes": list(fields["notes"]),
    }  # fmt: skip
    try:
        table = pa.table({name: pa.array(np.ascontiguousarray(values)) for name, values in arrays.items()})
        head["sha256"] = _checksum(_whole(table), head)
        table = table.replace_schema_metadata({KEY: json.dumps(head).encode()})
        pq.write_table(table, buffer := io.BytesIO(), compression="zstd")
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise OutputError(f"{os.fspath(path)} cannot be written: {_short(error)}.") from None
    write_bytes(Path(path), buffer.getvalue())


def _products(columns: Sequence[str], version: int) -> list[tuple[int, int, str]]:
    """List the cross-products of the lower triangle, by rows, with their names in the file."""
    if version > 1:  # a colon in a name is not the one between two names
        columns = [name.replace("%", "%25").replace(":", "%3A") for name in columns]
    return [(a, b, f"sscp:{columns[a]}:{columns[b]}") for a in range(len(columns)) for b in range(a + 1)]


Columns = Iterable[tuple[str, Iterable[np.ndarray]]]  # names, and the values in parts


def _checksum(columns: Columns, head: Mapping[str, Any]) -> str:
    """Sum up what a file holds: its description, and the name, type and values of every column."""
    import hashlib  # loads OpenSSL

    digest = hashlib.sha256(json.dumps({**head, "sha256": ""}, sort_keys=True).encode())
    for name, parts in columns:
        digest.update(f"\0{name}\0".encode())
        for piece in _pieces(parts):
            digest.update(piece)
    return digest.hexdigest()


def _pieces(parts: Iterable[np.ndarray]) -> Iterator[bytes]:
    """Give a column's type, then its values: numbers as they lie in memory, text as a JSON list."""
    for k, values in enumerate(parts):
        text = values.dtype.kind == "O"
        if not k:
            yield f"{values.dtype}\0".encode() + b"[" * text
        elif text:
            yield b", "
        yield json.dumps(values.tolist(), default=str).encode()[1:-1] if text else values.tobytes()
    if text:
        yield b"]"


def _whole(table: pa.Table) -> Columns:
    """Give the columns of a table, each in one part."""
    return zip(table.column_names, ([column.to_numpy()] for column in table.columns), strict=True)


def _short(error: BaseException) -> str:
    """What another library says, in one line that is not too long."""
    return " ".join(str(error).split())[:160].rstrip(".")


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[pq.ParquetFile]:
    """Open a moments file; what goes wrong in reading it is a DataError that names it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = Path(path).name
    if not Path(path).exists():
        raise DataError(f"there is no moments file {os.fspath(path)!r}: check the path")
    with ExitStack() as stack:
        try:
            # a name with a colon would be taken for an address
            parquet = pq.ParquetFile(stack.enter_context(open(path, "rb")))
            about = parquet.metadata
            if 8 * about.num_rows * about.num_columns > PACKED * Path(path).stat().st_size + 1e7:
                raise ValueError("it claims more values than it has")
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise DataError(f"{name} is not a Parquet file, as moments files are: {_short(error)}") from None
        try:
            yield parquet
        except (pa.ArrowException, *DAMAGE) as error:
            raise DataError(f"{name} is damaged: {_short(error)}. Make it again from the rows.") from None


def read_moments(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Give the fields of the moments in a file; see `hlmbayes.load_moments`."""
    with reading(path) as parquet:
        table = parquet.read()
        return moments_fields(table, read_head(parquet, _whole(table), Path(path).name))


def read_head(parquet: pq.ParquetFile, columns: Columns | None, name: str) -> dict[str, Any]:
    """Read what the file says of itself; given its columns, they are those it was written with."""
    raw = (parquet.schema_arrow.metadata or {}).get(KEY)
    head = json.loads(raw) if raw else {}
    if not isinstance(head, dict):
        raise ValueError(f"its description is a {type(head).__name__}, wanted a JSON object")
    if head.get("format") != FORMAT:
        raise DataError(
            f"{name} is a Parquet file but not a moments file. To take the moments of a file of rows: "
            f'hlmbayes.moments("{name}", id=..., columns=...).save("{Path(name).stem}.moments.parquet")'
        )
    version = head.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        has = f"version {str(version)[:40]} of the format"
        raise DataError(f"{name} has {has}; this program reads up to {VERSION}. Update hlmbayes.")
    if columns is not None and version > 1 and head.get("sha256") != _checksum(columns, head):
        raise ValueError("its contents are not those that were written (the checksum differs)")
    lists = [head.get(key, 0) for key in ("columns", "level2", "notes")] + [[head.get("id")]]
    texts = all(isinstance(v, list) and all(isinstance(text, str) for text in v) for v in lists)
    if not (texts and type(head.get("n_dropped")) is int and 0 <= head["n_dropped"] < 2**63):
        raise ValueError(
            "columns, level2, notes, id or n_dropped in its description are not what they must be"
        )
    if any(len({text.lower() for text in names}) < len(names) for names in lists[:2]):
        raise ValueError("its description has a name twice")
    return head


def moments_fields(table: pa.Table, head: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of `Moments` from a file's table, or from a part of it."""
    times = Counter(table.column_names)

    def column(name: str) -> np.ndarray:
        if times[name] != 1:
            raise ValueError(f"the column {name} is {'there twice' if times[name] else 'missing'}")
        return np.asarray(table.column(name).to_numpy())

    def numbers(name: str) -> np.ndarray:
        values = column(name)
        if values.dtype.kind not in "iuf":
            raise ValueError(f"the column {name} does not hold numbers")
        return values.astype(float)

    columns = tuple(head["columns"])
    if len(columns) ** 2 > 4 * table.num_columns:
        raise ValueError(
            f"it has {table.num_columns} columns, too few for {len(columns)} variables of level 1"
        )
    products = _products(columns, head["version"])
    if len({name for *_, name in products}) < len(products):
        raise ValueError("colons in the names of its columns make two cross-products one")
    J, p = table.num_rows, len(columns)
    mean, sscp = np.empty((p, J)), np.empty((p, p, J))
    for k, name in enumerate(columns):
        mean[k] = numbers(f"mean:{name}")
    for a, b, name in products:
        sscp[a, b] = sscp[b, a] = numbers(name)
    ids, n, weight = column("id"), numbers("n"), numbers("weight")
    known = ids.dtype.kind != "O" or all(isinstance(value, str) for value in ids)
    if not (J and known and np.all(ids[1:] > ids[:-1]) and np.all(ids == ids)):
        raise ValueError("its ids are not all there, not in ascending order, or a unit is there twice")
    level2 = {name: column(f"level2:{name}") for name in head["level2"]}
    unit_weight = numbers("unit_weight") if "unit_weight" in table.column_names else None
    _check_statistics(ids, n, weight, weight if unit_weight is None else unit_weight, mean, sscp)
    return {
        "id_name": head["id"], "unit_ids": ids, "columns": columns, "n": n, "weight": weight, "mean": mean.T,
        "sscp": sscp.transpose(2, 0, 1), "level2": level2, "n_dropped": head["n_dropped"],
        "notes": tuple(head["notes"]), "unit_weight": unit_weight,
    }  # fmt: skip


@np.errstate(over="ignore", invalid="ignore")
def _check_statistics(
    ids: np.ndarray, n: np.ndarray, weight: np.ndarray, own: np.ndarray, mean: np.ndarray, sscp: np.ndarray
) -> None:
    """Refuse what no rows have, beyond rounding; ``own`` (J,) weigh units; mean (p, J), sscp (p, p, J)."""

    def check(holds: np.ndarray, what: str) -> None:
        if not holds.all():
            raise ValueError(f"it holds {what} (units {some(ids[~holds], 3)})")

    check(n >= 1, "units without rows")
    check((n < MOST_ROWS) & (n == np.floor(n)), f"numbers of rows not whole or not below {MOST_ROWS:g}")
    check((np.minimum(weight, own) > 0) & np.isfinite(weight + own), "weights that are not above 0")
    check(np.isfinite(mean).all(axis=0) & np.isfinite(sscp).all(axis=(0, 1)), "values that are not numbers")
    squares = np.einsum("aaj->aj", sscp)
    check((squares >= 0).all(axis=0), "negative sums of squares")
    away = mean - (mean @ weight / weight.sum())[:, None]
    slack = ROUNDING * (squares + weight * away**2).sum(axis=1, keepdims=True) + np.finfo(float).tiny
    check(((n > 1) | (squares <= slack)).all(axis=0), "variation inside units of one row")
    size = np.sqrt(squares + slack)
    r = np.nan_to_num(sscp / size / size[:, None])
    np.einsum("aaj->aj", r)[:] = 1 + 1e-6 + 1e-10 * n  # a sum of n terms is exact to about n roundings
    r = r.transpose(2, 0, 1)
    try:
        np.linalg.cholesky(r)
    except np.linalg.LinAlgError:
        check(np.linalg.eigvalsh(r)[:, 0] > 0, "cross-products no rows have, as of correlations beyond 1")
