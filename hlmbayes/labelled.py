"""Arrays with labels: tables, and xarray datasets and trees made without what xarray imports to guess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def text_or_numbers(values: Any) -> np.ndarray:
    """Give ids as an array a file can hold: numbers stay numbers, everything else becomes text."""
    values = np.asarray(values)
    return np.asarray(values if values.dtype.kind in "iuf" else values.astype(str))


def table(columns: Mapping[str, Any], index: Iterable[Any], name: str | None = None) -> pd.DataFrame:
    """Tabulate columns under an index, which may have a name; the frame prints with all its columns."""
    import pandas as pd

    from .printed import Table

    return Table(dict(columns), index=pd.Index(list(index), name=name))


def parameter_table(
    columns: Mapping[str, Any], codes: Iterable[str], names: Mapping[str, str], index: str = "parameter",
    labels: Mapping[str, str] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Tabulate columns by the codes of parameters, a column ``name`` first; ``labels`` are of variables."""
    codes = list(codes)
    found = table({"name": [names.get(code, "") for code in codes], **columns}, codes, index)
    if labels:
        found.attrs["labels"] = dict(labels)
    return found


def numbers_table(
    rows: Mapping[str, Mapping[str, Any]], names: Mapping[str, str], labels: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Tabulate rows of the same columns, by the codes of parameters, as a `parameter_table`."""
    columns = {column: [row[column] for row in rows.values()] for column in next(iter(rows.values()))}
    return parameter_table(columns, rows, names, labels=labels)


def records_table(
    rows: Sequence[Any], kind: type, index_name: str, names: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Lay records of a kind out as a table, one row each, indexed by their first attribute.

    With ``names`` by it, and ``labels``, it is a `parameter_table`.
    """
    index, *columns = (field.name for field in fields(kind))
    values = {column: [getattr(row, column) for row in rows] for column in columns}
    codes = [getattr(row, index) for row in rows]
    if names is None:
        return table(values, codes, index_name)
    return parameter_table(values, codes, names, index_name, labels)


def coordinates(known: Mapping[str, Any]) -> xr.Coordinates:
    """Make index coordinates by hand: left to guess what they are, xarray first imports dask and sparse."""
    import pandas as pd
    import xarray as xr
    from xarray.indexes import PandasIndex

    indexes = {}
    for dim, value in known.items():
        array = np.asarray(value)
        index = pd.Index(array, dtype=object if array.dtype.kind == "U" else None, name=dim)
        indexes[dim] = PandasIndex(index, dim, coord_dtype=array.dtype)
    variables = {dim: index.create_variables()[dim] for dim, index in indexes.items()}
    return xr.Coordinates(variables, indexes=indexes)


def labelled(variables: Mapping[str, Any], known: Mapping[str, Any], attrs: Mapping[str, Any]) -> xr.Dataset:
    """Label arrays that bring their dimensions, and perhaps attributes: name -> (dims, array, attributes).

    ``known`` has coordinates by dimension, and those along another one as (dimension, values); what no
    variable uses is left out.
    """
    import xarray as xr

    used = {dim for value in variables.values() for dim in value[0]}
    own = {k: v for k, v in known.items() if not isinstance(v, tuple) and k in used}
    along = {k: _variable(*v) for k, v in known.items() if isinstance(v, tuple) and v[0] in used}
    made = {name: _variable(*value) for name, value in variables.items()}
    return xr.Dataset(made, coords=coordinates(own).assign(along), attrs=dict(attrs))


def _variable(dims: str | Sequence[str], values: Any, attrs: Mapping[str, Any] | None = None) -> xr.Variable:
    """Label an array that is one, for the reason of `coordinates`."""
    import xarray as xr

    return xr.Variable(dims, np.asarray(values), attrs, fastpath=True)


def tree(groups: Mapping[str, Any], attrs: Mapping[str, Any]) -> xr.DataTree:
    """Join datasets to a DataTree."""
    import xarray as xr

    result = xr.DataTree.from_dict(dict(groups))
    result.attrs.update(attrs)
    return result
