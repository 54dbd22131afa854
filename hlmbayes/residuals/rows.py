"""The model's matrices row by row, for what moments cannot give: per-row likelihoods and predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..likelihood.design import Design
from .quantities import level1_values

if TYPE_CHECKING:
    from ..data.two_level import TwoLevelData


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows the design was made of.

    Attributes
    ----------
    row : ndarray of int, shape (N,)
        Their place in the data.
    unit : ndarray of int, shape (N,)
        Index into the design's units.
    y : ndarray, shape (N,)
    d : ndarray, shape (N, p)
        Level-1 columns, centred as the model says.
    x : ndarray, shape (N, F)
    z : ndarray, shape (N, q)
    covariates : ndarray, shape (N, K), or None
        1 and the variables of log(sigma2), where the model has that equation.
    """

    row: np.ndarray
    unit: np.ndarray
    y: np.ndarray
    d: np.ndarray
    x: np.ndarray
    z: np.ndarray
    covariates: np.ndarray | None


def rows_of(design: Design, data: TwoLevelData) -> Rows:
    """Lay out the rows of a design."""
    mask, _ = data.complete_rows(design.moments.columns)
    row = np.arange(data.n_rows) if mask is None else np.flatnonzero(mask)
    unit = np.searchsorted(design.unit_ids, data.unit_ids[data.unit[row]])
    p = design.n_coefficients
    d = np.column_stack([level1_values(design, data, k, row, unit) for k in range(p)])
    x = np.zeros((len(row), design.n_fixed))
    for k, (w, columns) in enumerate(zip(design.w, design.columns, strict=True)):
        for i, column in enumerate(columns):
            x[:, column] += d[:, k] * w[unit, i]
    y = np.asarray(data.level1_column(design.model.outcome), dtype=float)[row]
    return Rows(row, unit, y, d, x, d[:, design.random], _covariates(design, data, row, unit))


def _covariates(design: Design, data: TwoLevelData, row: np.ndarray, unit: np.ndarray) -> np.ndarray | None:
    spec = design.model.log_sigma2
    if spec is None:
        return None
    level2 = {name.lower(): values for name, values in design.moments.level2.items()}
    columns = [np.ones(len(row))]
    for name in spec.variables:
        at_level2 = data.is_level2(name)
        values = level2[name.lower()][unit] if at_level2 else np.asarray(data.level1_column(name))[row]
        columns.append(np.asarray(values, dtype=float))
    return np.column_stack(columns)
