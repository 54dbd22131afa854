"""What default priors are made of: the spread of the outcome and of the predictors over all rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..data.two_level import TwoLevelData
from ..laws.law import Need
from ..laws.outcomes import Outcome
from ..likelihood.design import Design
from ..likelihood.rows import analysed_rows, outcome_values

FAR = 3.0  # sds between a predictor's mean and its zero: beyond, priors at that zero say much about its slope


@dataclass(frozen=True, slots=True, eq=False)
class Scales:
    """What the defaults are made of.

    Attributes
    ----------
    y_mean, y_sd : float
        Of the outcome over all rows.
    x_mean, x_spread : ndarray, shape (F,)
        Mean and sd of the columns of X; of a constant one the root mean square.
    constant : ndarray of bool, shape (F,)
    level : ndarray, shape (F,), or None
        Coefficients with which X gives 1: an intercept, or one each of a full set of dummies. None where
        the fit at the predictors' zero is 0 (a regression through the origin).
    z_spread : ndarray, shape (q,)
    words : str
        What the outcome's sd is, where it is not that of its rows.
    """

    y_mean: float
    y_sd: float
    x_mean: np.ndarray
    x_spread: np.ndarray
    constant: np.ndarray
    level: np.ndarray | None
    z_spread: np.ndarray
    words: str = ""
    gaps: np.ndarray = field(default_factory=lambda: np.zeros(0))  # between cuts of an ordinal outcome
    levels: tuple[float, ...] = ()  # ``y_mean`` of each set of equations, where categories have their own
    cautions: tuple[str, ...] = ()


def data_scales(design: Design) -> Scales:
    """Measure the outcome and the columns of X (F,) and Z (q,) over all rows.

    The spread of a column is its sd, or its root mean square where it is constant.
    """
    n, moments = design.n, design.moments
    total = float(n.sum())
    y = moments.column(design.model.outcome)
    y_mean = float(n @ moments.mean[:, y]) / total
    y_ss = float(moments.sscp[:, y, y].sum() + n @ (moments.mean[:, y] - y_mean) ** 2)
    xx = design.bases.xx / (np.outer(design.bases.scale, design.bases.scale) * total)
    by_level2 = (n * design.products.mean) @ design.level2.T / total
    mean = np.einsum("fpu,pu->f", design.loading, by_level2)
    z = design.random
    z_square = np.einsum("jaa->a", design.dd)[z] / total
    z_mean = design.products.mean[z] @ n / total
    spread, constant = spread_of(np.diag(xx), mean)
    return Scales(
        y_mean, float(np.sqrt(y_ss / total)), mean, spread, constant, _level(xx, mean, spread, constant),
        spread_of(z_square, z_mean)[0], cautions=far_zeros(design),
    )  # fmt: skip


def link_scales(design: Design, data: TwoLevelData, law: Outcome) -> Scales:
    """Measure columns, and the outcome on the scale of its link: the link of its mean, and a row's sd there.

    The mean is that of one trial or one unit of exposure. Where categories have equations of their own
    ``design`` is that of one set. Refuses outcomes that the law cannot give.
    """
    row, _ = analysed_rows(design, data, law.columns)
    y, size = outcome_values(design, data, row), law.row_sizes(data, row)
    law.check_rows(y, size, design.model.outcome)
    sd, written = law.unit_of_link
    levels = law.levels(y, size)
    several = Need.ONE_EQUATION in law.lacks
    said = ", ".join(f"{level:.4g}" for level in (levels if several else levels[:1]))
    shown = written if written == f"{sd:g}" else f"{written} = {sd:.4g}"
    words = (
        f"Priors are on the scale of the {law.link_name} link: a row's sd there is taken as {shown}, and "
        f"{law.level_in_words} {said}."
    )
    found = replace(data_scales(design), y_mean=float(levels[0]), y_sd=sd, words=words)
    return replace(found, levels=tuple(levels)) if several else replace(found, gaps=np.diff(levels))


def _level(xx: np.ndarray, mean: np.ndarray, spread: np.ndarray, constant: np.ndarray) -> np.ndarray | None:
    """Give the coefficients with which X comes to 1 in every row."""
    if constant.any():
        return np.where(constant, 1.0 / np.where(constant, mean, 1.0), 0.0)
    scaled = xx / np.outer(spread, spread)
    found = np.linalg.pinv(scaled, rcond=1e-10, hermitian=True) @ (mean / spread)
    missed = 1.0 - float(found @ (mean / spread))  # mean square of 1 - X found
    return found / spread if missed < 1e-8 else None


def spread_of(square: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give sds, root mean squares where a column is constant, and where that is."""
    variance = square - mean**2
    constant = variance <= 1e-12 * square
    return np.sqrt(np.where(constant, square, variance)), constant


def far_zeros(design: Design) -> tuple[str, ...]:
    """Name the random slopes whose predictor has its zero far from its values, beside a random level.

    Units whose slopes differ then differ in level by far more at that zero than among the rows, with a
    correlation near -1 or 1. Priors of sds and correlations there hardly allow that, unless slopes are alike.
    """
    z, total = design.random, float(design.n.sum())
    mean = design.products.mean[z] @ design.n / total
    zz = design.products.dd.sum(axis=2)[z[:, None], z] / total
    spread, constant = spread_of(np.diag(zz), mean)
    if not constant.any():
        return ()
    found = []
    for r, m, s in zip(z[~constant], mean[~constant], spread[~constant], strict=True):
        coefficient = design.model.coefficients[r]
        if abs(m) > FAR * s:
            name = coefficient.predictor.variable
            found.append(
                f"{name} has its zero {abs(m) / s:.1f} standard deviations from its mean, and priors of "
                "standard deviations and correlations at that zero speak against a variance of "
                f"{coefficient.name} : centre it, grand({name}) or group({name})."
            )
    return tuple(found)
