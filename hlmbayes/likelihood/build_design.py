"""A model and the moments of its level-1 columns joined: from names to the matrices of a `Design`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..data.columns import numeric
from ..equations.model import TwoLevelModel
from ..errors import DataError, EquationError, EstimationError
from ..unit_moments.record import Moments
from ..words import some
from .design import Design, Scaling, level1_products, random_first
from .orthonormal import CollinearError, Orthonormal, Products, level2_sums, orthonormal

HUGE = 1e300  # sums of squares above this leave no room for products of two columns
EXACT_FIT = 1e-14  # residual sum of squares relative to the outcome's: below this no digit of it is left


def build_design(model: TwoLevelModel, moments: Moments, means: Mapping[str, float] | None = None) -> Design:
    """Join a model with the moments of its level-1 columns.

    ``means`` are the grand means, by variable in lower case, where the units are a part of all. Raise
    DataError where a variable is missing or constant or a level-2 variable has missing values, EquationError
    where one is used at the wrong level, EstimationError where fixed effects or random coefficients are
    collinear.
    """
    _refuse_huge(moments)
    y = moments.column(model.outcome, "the outcome")
    constant = not np.any(moments.sscp[:, y, y] > 0) and np.ptp(moments.mean[:, y]) == 0
    if constant and model.outcome_law.is_normal:  # other outcomes have exposure, or words of their own
        raise DataError(f"the outcome {model.outcome} is constant: there is nothing to explain")
    centers = dict(means or {})
    level1 = level1_products(model, moments, centers, moments.mean)
    products, mean = level1.products, level1.products.mean
    free, n_free = free_gammas(model)
    level2, loading, columns, scaling = _level2_planes(model, moments, free, n_free, centers)
    random = np.array([p for p, c in enumerate(model.coefficients) if c.random], dtype=np.intp)
    bases = _bases(model, free, products, level2, loading, random, moments.unit_weight)
    order = random_first(random, len(mean))
    gamma = _ols(bases, (level1.cross_y + moments.weight * mean * level1.y_mean)[order], level2, moments)
    b = (gamma @ loading.reshape(n_free, len(mean) * len(level2))).reshape(len(mean), -1) @ level2
    de, ee = level1.residual(b)
    if model.outcome_law.is_normal:
        _refuse_exact_fit(moments, y, float(ee.sum()))
    return Design(
        model, moments.unit_ids, moments.weight, moments.n_rows, products, bases, de, ee, level2, loading,
        columns, random, gamma, free, centers, scaling, moments,
    )  # fmt: skip


def in_columns_of(design: Design, moments: Moments) -> Design:
    """Give the design of other units in the columns of one: centred, scaled and turned as they are there."""
    level1 = level1_products(design.model, moments, design.centers, moments.mean)
    products, p, u = level1.products, design.n_coefficients, len(design.level2)
    level2 = _scaled(moments, design.scaling)
    de, ee = level1.residual((design.gamma_ols @ design.loading.reshape(-1, p * u)).reshape(p, u) @ level2)
    dd, root, rest = products.factored(design.bases.basis, design.order, design.n_random)
    flat, sums = design.bases.loading.reshape(-1, p * u), level2_sums(dd, level2)
    bases = replace(design.bases, dd=dd, root=root, rest=rest, sums=sums, xx=flat @ sums @ flat.T)
    return replace(
        design, unit_ids=moments.unit_ids, n=moments.weight, n_rows=moments.n_rows, products=products,
        bases=bases, de=de, ee=ee, level2=level2, moments=moments,
    )  # fmt: skip


def _refuse_huge(moments: Moments) -> None:
    """Raise where sums of squares overflow: some programs leave such numbers where a value is missing."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("jkk->k", moments.sscp) + moments.weight @ moments.mean**2
    _refuse_above(HUGE, moments.columns, squares.tolist())


def _refuse_above(limit: float, names: Iterable[str], sizes: Iterable[float]) -> None:
    huge = [name for name, size in zip(names, sizes, strict=True) if not size < limit]
    if huge:
        raise DataError(
            f"{', '.join(huge)}: there are values too large to be squared. Is this how a missing value is "
            "stored? Set such values to missing, or rescale the variable"
        )


def _refuse_exact_fit(moments: Moments, y: int, ee: float) -> None:
    """Raise where the fixed effects leave nothing but rounding of the outcome's own variation."""
    mean = moments.mean[:, y]
    center = moments.weight @ mean / moments.weight.sum()
    total = moments.sscp[:, y, y].sum() + moments.weight @ (mean - center) ** 2
    if ee <= EXACT_FIT * total:
        raise EstimationError(
            f"the fixed effects fit {moments.columns[y]} exactly in every row: "
            "no variance is left to estimate. Is a predictor a copy of the outcome?"
        )


def free_gammas(model: TwoLevelModel) -> tuple[np.ndarray, int]:
    """Number the free fixed effects: gammas held equal share the number of the first of them."""
    names = model.gamma_names
    if not model.constraints:
        return np.arange(len(names)), len(names)
    leader = {name: name for name in names}
    for group in model.constraints:
        first = min(group, key=names.index)
        leader.update(dict.fromkeys(group, first))
    order = [name for name in names if leader[name] == name]
    return np.array([order.index(leader[name]) for name in names], dtype=np.intp), len(order)


def _level2_planes(
    model: TwoLevelModel, moments: Moments, free: np.ndarray, n_free: int, centers: dict[str, float]
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...], Scaling]:
    """Give the level-2 columns (u, J), W's loading on them (F, p, u) and each coefficient's effects."""
    names = {name.lower(): name for name in moments.level2}
    for gamma in model.gammas:
        if gamma.predictor.variable is not None and gamma.predictor.variable.lower() not in names:
            raise EquationError(
                f"{gamma.where}: {gamma.predictor.variable} is not a level-2 variable of these data"
            )
    used = [variable.lower() for variable in model.level2_variables]
    spelled = [name if name in moments.level2 else names[name.lower()] for name in model.level2_variables]
    level2, scaling = _centred(moments, spelled, centers)
    loading = np.zeros((n_free, len(model.coefficients), len(level2)))
    columns, at = [], 0
    for c, coefficient in enumerate(model.coefficients):
        own = free[at : at + len(coefficient.gammas)]
        at += len(coefficient.gammas)
        columns.append(own)
        for f, gamma in zip(own.tolist(), coefficient.gammas, strict=True):
            if gamma.predictor.variable is None:
                loading[f, c, 0] += 1.0
                continue
            key = gamma.predictor.variable.lower()
            k = used.index(key)
            loading[f, c, k + 1] += scaling.scale[k]
            if gamma.predictor.centering == "grand":
                centers[key] = scaling.center[k]
            else:
                loading[f, c, 0] += scaling.center[k]
    return level2, loading, tuple(columns), scaling


def _centred(
    moments: Moments, names: Sequence[str], means: Mapping[str, float]
) -> tuple[np.ndarray, Scaling]:
    """Give ones and the level-2 variables centred and scaled, (u, J), about given means or their own."""
    level2, weight = level2_values(moments, names), moments.unit_weight
    own = level2[1:]
    found = own.mean(axis=1) if weight is None else own @ weight / weight.sum()
    center = [means.get(name.lower(), mean) for name, mean in zip(names, found.tolist(), strict=True)]
    own -= np.reshape(center, (-1, 1))
    scale = np.sqrt(np.einsum("vj,vj->v", own, own) / moments.n_units)
    scale[scale == 0] = 1.0
    own /= scale[:, None]
    return level2, Scaling(tuple(names), tuple(center), tuple(scale.tolist()))


def _scaled(moments: Moments, scaling: Scaling) -> np.ndarray:
    """Give ones and the level-2 variables of other units, centred and scaled as those of a design."""
    level2 = level2_values(moments, scaling.names)
    own = level2[1:]
    own -= np.reshape(scaling.center, (-1, 1))
    own /= np.reshape(scaling.scale, (-1, 1))
    return level2


def level2_values(moments: Moments, names: Sequence[str]) -> np.ndarray:
    """Give ones and level-2 variables, (u, J); refuse missing values, and those too large to be squared."""
    level2 = np.ones((len(names) + 1, moments.n_units))
    own = level2[1:]
    for k, name in enumerate(names):
        own[k] = numeric(moments.level2[name], name, "the moments")
    largest = np.maximum(own.max(axis=1), -own.min(axis=1))
    if np.isnan(largest).any():
        k = int(np.flatnonzero(np.isnan(largest))[0])
        gone = np.isnan(own[k])
        raise DataError(
            f"the level-2 variable {names[k]} is missing in {gone.sum()} of {len(gone)} units, "
            f"{some(moments.unit_ids[gone])}: complete it, or leave these units out"
        )
    _refuse_above(HUGE**0.5, names, largest.tolist())
    return level2


def _bases(
    model: TwoLevelModel, free: np.ndarray, products: Products, level2: np.ndarray, loading: np.ndarray,
    random: np.ndarray, unit_weight: np.ndarray | None,
) -> Orthonormal:  # fmt: skip
    """Find the orthonormal bases; where there are none, name the fixed effects that are to blame."""
    own = products if unit_weight is None else products.weighted(unit_weight)
    order = random_first(random, len(model.coefficients))
    try:
        return orthonormal(own, level2, loading, order, len(random), float(own.mass.sum()))
    except CollinearError as error:
        codes = [model.gamma_names[int(np.flatnonzero(free == f)[0])] for f in error.columns]
        names = model.fixed_parameters.shown(codes)
        if error.zero:
            raise EstimationError(
                f"the column of {names[0]} is zero in every row, so its effect cannot be estimated: "
                "take it out"
            ) from None
        raise EstimationError(
            f"the fixed effects {', '.join(names)} cannot be told apart: their columns are collinear. "
            "Take one of them out, or centre variables that vary little about a large mean, grand(x)"
        ) from None


def _ols(bases: Orthonormal, dy: np.ndarray, level2: np.ndarray, moments: Moments) -> np.ndarray:
    """Fit all rows by ordinary least squares, (F,), from D'y, (p, J) in the order of the bases."""
    own = dy if moments.unit_weight is None else dy * moments.unit_weight
    n = float(moments.total_weight.sum())
    turned = bases.basis.T @ (own @ level2.T)
    return np.asarray(bases.scale * (bases.whitener.T @ (bases.white @ turned.reshape(-1))) / n)
