"""Level-2 variables of moments an engine takes: columns of the rows, or a source with one record a unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..data.read_options import EVERY, ReadOptions
from ..data.rows import LEFT_OUT
from ..data.two_level import load
from ..data.unit_columns import dropped, is_rounding
from ..errors import DataError
from ..words import some
from .record import Moments

DIFFERS = "differs between rows of the same unit"


def level2_values(
    sums: Mapping[str, np.ndarray],
    constant: Sequence[str],
    keys: np.ndarray,
    id_name: str,
    options: ReadOptions,
) -> tuple[dict[str, np.ndarray], np.ndarray, tuple[str, ...]]:
    """Give level-2 variables that are columns of the rows, which units, (J,) bool, stay, and notes.

    Raise DataError for a variable that varies in a unit, or is missing where the user does not let units go.
    """
    values: dict[str, np.ndarray] = {}
    gone: dict[str, np.ndarray] = {}
    for k, name in enumerate(constant):
        low, high, missing = sums[f"low{k}"], sums[f"high{k}"], sums[f"gone{k}"] > 0
        if missing.any() and options.level2_missing == "refuse":
            refuse_level2(missing, "is missing on some rows", name, keys, LEFT_OUT)
        gone |= {name: missing} if missing.any() else {}
        refuse_level2(~missing & (low != high) & ~is_rounding(low, high), DIFFERS, name, keys)
        values[name] = low + (high - low) / 2
    if not gone:
        return values, np.ones(len(keys), dtype=bool), ()
    drop, note = dropped(gone, keys, id_name, sums["n_all"])
    return values, ~drop, (note,)


def refuse_level2(bad: np.ndarray, what: str, name: str, keys: np.ndarray, way_out: str = "") -> None:
    """Refuse a level-2 variable that has no one value in some units."""
    if bad.any():
        raise DataError(
            f"Level-2 variable {name!r} of the data {what} in {bad.sum()} of {len(keys)} units: "
            f"{some(keys[bad])}. A level-2 variable needs one value for every unit: complete it{way_out}."
        )


def join_level2(
    taken: Moments, source: Any, ids: tuple[str, str], names: Sequence[str], options: ReadOptions
) -> Moments:
    """Give moments the level-2 variables of a source with one record a unit."""
    known = {EVERY, *(name.lower() for name in names)}
    codes = {name: own for name, own in options.missing[1].items() if name in known}
    options = replace(options, missing=(codes, codes))
    units = load({ids[0]: taken.unit_ids}, source, id=ids, options=options)
    notes = (*taken.notes, *units.notes)
    gone = units.missing_level2(names) if options.level2_missing == "drop" else {}
    if gone:
        drop, note = dropped(gone, taken.unit_ids, ids[0], taken.n)
        units, notes = units.with_level2(names), (*notes, note)
        taken = replace(
            taken, unit_ids=taken.unit_ids[~drop], n=taken.n[~drop], weight=taken.weight[~drop],
            mean=taken.mean[~drop], sscp=taken.sscp[~drop],
        )  # fmt: skip
    values = dict(units.level2_values(name) for name in names)
    return replace(taken, level2=values, notes=notes)
