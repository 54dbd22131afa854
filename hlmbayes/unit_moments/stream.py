"""Moments files larger than memory: a part of their units at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import in_words
from ..data.columns import find_column
from ..errors import DataError
from .moments_file import Columns, moments_fields, read_head, reading
from .record import Moments

if TYPE_CHECKING:
    import pyarrow.parquet as pq

PART = 250_000  # units in memory at a time


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MomentsStream:
    """Moments files, of which a part is in memory at a time; `hlmbayes.Model.fit` takes it.

    Attributes
    ----------
    paths : tuple of Path
        The files, in ascending order of their units, of which each is in one file only.
    id_name : str
        Name of the unit identifier.
    columns, level2 : tuple of str
        Level-1 columns, the outcome among them, and level-2 variables, as the first file names them.
    n_units : int
        Units of all files.
    size : int
        Units of a part.
    """

    paths: tuple[Path, ...]
    id_name: str
    columns: tuple[str, ...]
    level2: tuple[str, ...]
    n_units: int
    size: int = PART

    def __repr__(self) -> str:
        return (
            f"MomentsStream({self.n_units} units of {self.id_name} in {len(self.paths)} files; "
            f"level 1: {', '.join(self.columns)}; level 2: {', '.join(self.level2) or 'none'})"
        )

    def parts(self, columns: Sequence[str], level2: Sequence[str]) -> Iterator[Moments]:
        """Give the moments of these columns and level-2 variables, in any case, a part at a time.

        Raises
        ------
        DataError
            A column that is not there, a damaged file, or a unit twice.
        """
        wanted = {"columns": _named(columns, self.columns), "level2": _named(level2, self.level2)}
        last = None
        for path in self.paths:
            for part in _read(path, wanted, self.size):
                if last is not None and not part.unit_ids[0] > last:
                    raise DataError(
                        f"{path.name} has the unit {part.unit_ids[0]} after {last}: each unit is to be in "
                        "one file only, and the ids are to ascend over the files. Merge files of parts of "
                        "the same units with load_moments(...) + load_moments(...)"
                    )
                last = part.unit_ids[-1]
                yield part


@in_words
def stream_moments(paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> MomentsStream:
    """Open moments files without reading them into memory.

    Parameters
    ----------
    paths : path or paths
        What `Moments.save` wrote, each of other units. Each file is read once now, for its checksum.

    Returns
    -------
    MomentsStream
        What `Model.fit` takes, as it takes `Moments`.

    Raises
    ------
    DataError
        No such file, not a moments file, a damaged one, one with sampling weights, or files of different
        columns.
    """
    several = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not several:
        raise DataError("there are no moments files to read: give at least one path")
    opened = [(Path(path), *_opened(Path(path))) for path in several]
    opened.sort(key=lambda one: one[3])
    head = opened[0][1]
    for path, other, *_ in opened[1:]:
        if any(_lower(head[key]) != _lower(other[key]) for key in ("columns", "level2")):
            raise DataError(
                f"{path.name} has other columns than {opened[0][0].name}: {', '.join(other['columns'])}; "
                f"{', '.join(other['level2']) or 'none'}. Compute both with the same columns"
            )
    n_units = sum(one[2] for one in opened)
    files = tuple(one[0] for one in opened)
    return MomentsStream(files, head["id"], tuple(head["columns"]), tuple(head["level2"]), n_units)


def _lower(names: Sequence[str]) -> list[str]:
    return [name.lower() for name in names]


def _opened(path: Path) -> tuple[dict[str, Any], int, Any]:
    """Give a file's description, its number of units and its first unit."""
    with reading(path) as parquet:
        head = read_head(parquet, _by_column(parquet), path.name)
        if "unit_weight" in parquet.schema_arrow.names:
            raise DataError(f"{path.name} has sampling weights of units: read it with load_moments")
        first = next(_tables(parquet, ["id"], 1)).column("id").to_numpy()
        return head, int(parquet.metadata.num_rows), first[0]


def _by_column(parquet: pq.ParquetFile) -> Columns:
    """Give each column's values in parts."""
    for name in parquet.schema_arrow.names:
        yield name, (part.column(name).to_numpy() for part in _tables(parquet, [name], 4 * PART))


def _tables(parquet: pq.ParquetFile, columns: list[str] | None, size: int) -> Iterator[Any]:
    """Give tables of so many records."""
    import pyarrow as pa

    for batch in parquet.iter_batches(size, columns=columns):
        yield pa.Table.from_batches([batch])


def _named(wanted: Sequence[str], there: Sequence[str]) -> list[str]:
    """Find names in any case, and give them in the order in which they are there."""
    found = {find_column(name, there, "the moments") or name for name in wanted}
    if missing := sorted(found - set(there)):
        raise DataError(
            f"{', '.join(missing)}: not among {', '.join(there) or 'the variables'} of the moments"
        )
    return [name for name in there if name in found]


def _read(path: Path, wanted: dict[str, list[str]], size: int) -> Iterator[Moments]:
    """Read a file's units, so many at a time; its own spelling of names gives way to the first file's."""
    with reading(path) as parquet:
        head = read_head(parquet, None, path.name)
        own = {key: _named(names, head[key]) for key, names in wanted.items()}
        for table in _tables(parquet, None, size):
            fields = moments_fields(table, head | own)
            spelled = dict(zip(map(str.lower, wanted["level2"]), wanted["level2"], strict=True))
            level2 = {spelled[name.lower()]: values for name, values in fields["level2"].items()}
            part = Moments(**fields | {"level2": level2})
            if not np.array_equal(part.n, part.weight):
                raise DataError(f"{path.name} has sampling weights of rows: read it with load_moments")
            yield part
