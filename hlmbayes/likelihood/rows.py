"""The model's matrices row by row, for what moments cannot give: residuals, predictions, likelihoods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..data.two_level import TwoLevelData
from .design import Design


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows the design was made of."""

    row: np.ndarray  # (N,): their place in the data
    unit: np.ndarray  # (N,): index into the design's units
    y: np.ndarray  # (N,)
    d: np.ndarray  # (N, p): level-1 columns, centred as the model says
    x: np.ndarray  # (N, F)
    z: np.ndarray  # (N, q)
    covariates: np.ndarray  # (N, K): 1 and the variables of log(sigma2), where the model has that equation


def analysed_rows(
    design: Design, data: TwoLevelData, also: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Say which rows of the data a design has: their places and their units in the design, (N,) each.

    ``also`` names columns, beside the design's own, in which a row must be complete.
    """
    mask, _ = data.complete_rows((*design.moments.columns, *also))
    row = np.arange(data.n_rows) if mask is None else np.flatnonzero(mask)
    return row, np.searchsorted(design.unit_ids, data.unit_ids)[data.unit[row]]


def outcome_values(design: Design, data: TwoLevelData, row: np.ndarray) -> np.ndarray:
    """Give the outcome on the given rows, (N,)."""
    return np.asarray(np.asarray(data.level1_column(design.model.outcome), dtype=float)[row])


def rows_of(design: Design, data: TwoLevelData) -> Rows:
    """Lay out the rows of a design."""
    row, unit = analysed_rows(design, data)
    p = design.n_coefficients
    d = np.column_stack([level1_values(design, data, k, row, unit) for k in range(p)])
    x = np.zeros((len(row), design.n_fixed))
    for k, (w, columns) in enumerate(zip(design.w, design.columns, strict=True)):
        for i, column in enumerate(columns):
            x[:, column] += d[:, k] * w[unit, i]
    covariates = rows_covariates(design, data, row, unit, design.model.variance_variables)
    return Rows(row, unit, outcome_values(design, data, row), d, x, d[:, design.random], covariates)


def level1_values(
    design: Design, data: TwoLevelData, k: int, row: np.ndarray, unit: np.ndarray
) -> np.ndarray:
    """Give column k of D, centred as the model says, on the given rows."""
    predictor = design.model.coefficients[k].predictor
    if predictor.variable is None:
        return np.ones(len(row))
    x = np.asarray(data.level1_column(predictor.variable), dtype=float)[row]
    if predictor.centering == "group":
        return np.asarray(x - design.moments.mean[unit, design.moments.column(predictor.variable)])
    if predictor.centering == "grand":
        return np.asarray(x - design.centers[predictor.variable.lower()])
    return np.asarray(x)


def rows_covariates(
    design: Design, data: TwoLevelData, row: np.ndarray, unit: np.ndarray, variables: Sequence[str]
) -> np.ndarray:
    """Give 1 and the variables of log(sigma2), of either level, on the given rows, (N, K)."""
    own = {name: np.asarray(data.level1_column(name))[row] for name in variables if not data.is_level2(name)}
    return covariates_of(design, unit, variables, own)


def covariates_of(
    design: Design, unit: np.ndarray, variables: Sequence[str], level1: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Give 1 and the variables of log(sigma2): as ``level1`` has them, else the units' values; (N, K)."""
    columns = [np.ones(len(unit))]
    for name in variables:
        values = level1[name] if name in level1 else design.moments.level2_values(name)[unit]
        columns.append(np.asarray(values, dtype=float))
    return np.column_stack(columns)
