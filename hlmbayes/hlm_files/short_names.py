"""HLM's short names of variables: it keeps the first eight characters of the names in a data file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from ..data.reading import Columns
from ..data.two_level import TwoLevelData
from ..errors import DataError
from ..words import some

LENGTH = 8


def with_short_names(data: TwoLevelData, level1: Iterable[str], level2: Iterable[str]) -> TwoLevelData:
    """Return data whose columns have the names that HLM's files use for them; `notes` say which.

    Parameters
    ----------
    data : TwoLevelData
    level1, level2 : iterable of str
        Names in HLM's files by level. One of eight characters that no column bears is that of the only
        longer one that begins with it.

    Raises
    ------
    DataError
        Several columns begin with a name.
    """
    first = _columns_meant(level1, data.level1, data.sources[0])
    level2_source = data.level1 if data.one_source else data.level2
    second = _columns_meant(level2, level2_source, data.sources[1])
    if data.one_source:
        first, second = first | second, {}
    if not first and not second:
        return data
    labels = {new.lower(): data.labels.get(old.lower(), "") for new, old in (first | second).items()}
    notes = [
        f"{new} is {old} of {source}: HLM's files shorten names to {LENGTH} characters"
        for names, source in zip((first, second), data.sources, strict=True)
        for new, old in names.items()
    ]
    return replace(
        data,
        level1=_renamed(data.level1, first),
        level2=_renamed(data.level2, second),
        labels={**data.labels, **labels},
        notes=(*data.notes, *notes),
    )


def _columns_meant(names: Iterable[str], columns: Mapping[str, np.ndarray], source: str) -> dict[str, str]:
    """Give the column each shortened name stands for."""
    known = {column.lower() for column in columns}
    short = {name.lower(): name for name in names if len(name) == LENGTH}
    found = {}
    for lower, name in short.items():
        longer = [column for column in columns if column.lower().startswith(lower)]
        if lower in known or not longer:
            continue
        if len(longer) > 1:
            raise DataError(
                f"{name} may be each of {some(longer)} of {source}: HLM's files shorten names to {LENGTH} "
                "characters. Rename these columns so that they differ in the first eight."
            )
        found[name] = longer[0]
    return found


def _renamed(columns: Mapping[str, np.ndarray], names: Mapping[str, str]) -> Mapping[str, np.ndarray]:
    if not names:
        return columns
    new = {old: name for name, old in names.items()}
    origin = {new.get(column, column): column for column in columns}
    return Columns(origin, partial(_original, columns, origin))


def _original(columns: Mapping[str, np.ndarray], origin: Mapping[str, str], name: str) -> np.ndarray:
    return columns[origin[name]]
