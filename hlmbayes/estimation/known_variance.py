"""Level-1 variances that are known, altogether (`variance_known`) or up to sigma2 (`precision`).

A row with level-1 variance sigma2 / w_i contributes what a row weighted by w_i does, apart from the
determinant: the cross-products are weighted, n_j stays the number of rows, and sum_i log(w_i) is added
to twice the log-likelihood. With w_i = 1 / v_i and sigma2 = 1 the model is that of meta-analysis, where
the variances v_i come with the effect sizes (Raudenbush & Bryk 2002, ch. 7). Group and grand means for
centering are those of the rows, not weighted by their precision. REML and ML.

A sigma2 that is held at a value (`sigma2`, HLM's fixsigma2) needs no weights: tau is estimated at it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..data.weights import row_weights
from ..equations.model import Model
from ..errors import EstimationError
from ..likelihood.criterion import criterion
from ..likelihood.design import Design, build_design, with_products
from ..likelihood.evaluate import Evaluation, System, standardise
from ..unit_moments.record import Moments, moments_of, unit_moments
from .estimate import check_size, columns_for, exact_fit, moments_for
from .fit import Components, Fit
from .heterogeneous import group_products
from .hlm_path import Iteration, data_scale, to_data
from .optimum import evaluation, optimum
from .weights import Weighting
from .zero_variance import describe_boundary


def fit_precision(model: Model, data: Any, name: str, reml: bool) -> Fit:
    """Fit with level-1 variances sigma2 / w, w a level-1 variable."""
    design, weighting = _weighted_design(model, data, name, "precision")
    check_size(design)
    fitted = exact_fit(design, standardise(design), reml, data)
    half = 0.5 * weighting.log_weights
    log = tuple(replace(i, loglik=i.loglik + half) for i in fitted.log)
    return replace(fitted, loglik=fitted.loglik + half, log=log, weighting=weighting)


def fit_known_variance(model: Model, data: Any, name: str, reml: bool) -> Fit:
    """Fit with level-1 variances that a level-1 variable gives; a unit may have a single row."""
    design, weighting = _weighted_design(model, data, name, "variance known")
    return _fit_given(design, weighting, 1.0, reml, data)


def fit_fixed_sigma2(model: Model, data: Any, sigma2: float, reml: bool) -> Fit:
    """Fit with sigma2 held at a value; a unit may have a single row.

    Raises
    ------
    EstimationError
        A value that is no variance.
    """
    number = isinstance(sigma2, int | float | np.number) and not isinstance(sigma2, bool)
    if not (number and 0 < float(sigma2) < np.inf):
        raise EstimationError(f"sigma2= wants the level-1 variance, a number above 0, got {sigma2!r}")
    design = build_design(model, moments_for(model, data))
    rows = None if isinstance(data, Moments) else data
    return _fit_given(design, Weighting("variance known", fixed=float(sigma2)), float(sigma2), reml, rows)


def _fit_given(design: Design, weighting: Weighting, sigma2: float, reml: bool, rows: Any) -> Fit:
    """Find the optimum over tau at a level-1 variance, in units of the design."""
    _check_units(design)
    system = standardise(design)
    found = optimum(system, reml, sigma2=sigma2 / system.e_scale**2)
    at = evaluation(found.point)
    log = tuple(
        _iteration(design, system, evaluation(point), reml, number, sigma2, weighting.log_weights)
        for number, point in enumerate(found.path, 1)
    )
    last = log[-1]
    components = Components(last.tau, sigma2)
    return Fit(
        model=design.model, design=design, system=system, at=at, method="REML" if reml else "ML",
        algorithm="exact", gamma_free=last.gamma, components=components, entering=components,
        loglik=last.loglik, iterations=len(log), converged=found.converged, stop_reason=found.reason,
        start=None, log=log, boundary=describe_boundary(design, system, at), data=rows, weighting=weighting,
    )  # fmt: skip


def _check_units(design: Design) -> None:
    if design.n_random and design.n_units <= design.n_random:
        raise EstimationError(
            f"{design.n_units} units cannot carry {design.n_random} random coefficients: "
            "make some of them nonrandom"
        )


def _iteration(
    design: Design, system: System, at: Evaluation, reml: bool, number: int, sigma2: float, log_weights: float
) -> Iteration:
    s2 = sigma2 / system.e_scale**2
    tau, _ = to_data(system, at.theta * s2, s2)
    minus2 = criterion(system, at, reml, sigma2=s2).value + data_scale(system, reml) - log_weights
    return Iteration(number, -0.5 * minus2, at.delta * system.gamma_scale + design.gamma_ols, tau, sigma2)


def _weighted_design(model: Model, data: Any, name: str, kind: str) -> tuple[Design, Weighting]:
    """Build the design whose rows are divided by the root of their variance (up to sigma2)."""
    known = kind == "variance known"
    level1, level2 = columns_for(model, data)
    kept = data.drop_incomplete([data.find(column) for column in level1])
    found = kept.find(name)
    values = row_weights(kept, found, "the known variance" if known else "the precision weight")
    weight = 1.0 / values if known else values
    plain = replace(moments_of(kept, level1, level2=level2), n_dropped=data.n_rows - kept.n_rows)
    design = build_design(model, plain)
    _, total, mean, sscp = unit_moments(kept.unit, kept.n_units, kept.level1_columns(plain.columns), weight)
    rows = replace(plain, n=total, weight=total, mean=mean, sscp=sscp)
    products, de, ee = group_products(design, rows, np.arange(plain.n_units))
    weighting = Weighting(
        "variance known" if known else "precision", found, log_weights=float(np.log(weight).sum())
    )
    return with_products(design, products, de, ee), weighting
