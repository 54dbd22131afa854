"""Checks of a fit whose outcome is not normal, each against data simulated from it.

What binary rows, small counts and shrunken random effects are like under a model that holds has no table. So
every statistic is compared with those of data drawn from the fit, with new random effects, and estimated
again by one step of Newton (parametric bootstrap; Davison & Hinkley 1997, ch. 4). Whether u is normal is
asked of its predictions, each divided by its own standard deviation, sqrt(tau - var(u | y)), because
predictions are drawn in towards zero and the more the fewer rows a unit has.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..arguments import seed_or_none, whole
from ..equations.names import component_names
from ..errors import HypothesisError
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.fitted_rows import PlainRows, plain_rows
from ..hglm.replicas import near_fits
from ..labelled import table
from ..laws.law import Need
from ..laws.outcomes import Binomial
from ..likelihood.rows import outcome_values
from ..residuals.generalized_frames import quantile_residuals, rows_fitted
from ..residuals.quantities import refuse_repeated
from ..words import p_text
from .calibration import calibration
from .checks import ALPHA, Check, Checks, influence
from .predictive_checks import compared, statistics

FEWEST = 100  # simulated data sets: a p-value has to come below ALPHA
FAR = 3.0  # of a quantile residual
MOST_SHOWN = 10
DISPERSION, BEYOND = "dispersion", "quantile residuals beyond 3"
UNEVEN = (
    " Rows of a unit differ more than their law lets them, or less: a predictor that is not there, rows that "
    'influence each other, or overdispersion (overdispersed=yes, algorithm="hlm"). Robust standard errors '
    "are the safer ones."
)
ZEROS = " More or fewer of them than the law has do this, or random effects that are not normal."
NOT_NORMAL = (
    " Fixed effects stand this better than tau and predictions of single units do; see whether a predictor "
    "of level 2 or a few units make it."
)
BENT = " A predictor that is not there or whose effect is not straight, or another link, does this."
LITTLE = 0.5  # of the reliability, below which little can be seen of u


class Looked(NamedTuple):
    """Statistics of one data set by name, and each unit's standardised predictions of u, (J, q)."""

    of_rows: dict[str, float]
    units: np.ndarray


def check_generalized(fit: GeneralizedEstimates, *, n: int = 199, seed: int | None = 1) -> Checks:
    """Check rows, random effects, calibration and influence against data simulated from the fit.

    Of counts and shares: dispersion given u (the mean squared Pearson residual), quantile residuals beyond 3;
    zeros, largest counts, units without a success, spread of the units; skewness and kurtosis of predicted
    random effects; outlying units; observed against expected outcomes; influence of single units.

    Parameters
    ----------
    n : int
        Data sets to simulate.
    seed : int, optional
        Of the simulation.

    Returns
    -------
    Checks
        A check is not ok where the data lie beyond 99 of 100 simulated sets.

    Raises
    ------
    HypothesisError
        Fewer than 100 data sets, or hardly any that could be estimated.
    OutputError
        Frequencies or sampling weights.
    """
    whole("n, the number of simulated data sets,", n, FEWEST, HypothesisError)
    refuse_repeated(fit)
    rows = plain_rows(fit)
    others = [_looked(each, rows) for each in near_fits(fit, n, seed_or_none(seed, HypothesisError))]
    if len(others) < FEWEST:
        raise HypothesisError("hardly any simulated data set could be estimated: simplify the model")
    own = _looked(fit, rows)
    found = [_of_rows(name, own, others) for name in own.of_rows]
    if (fit.tau_values > 0).any():
        found += _of_effects(fit, own, others)
    found.append(_calibrated(fit, n, seed))
    if fit.has(Need.ONE_EQUATION):
        found += [influence(fit)] if fit.design.n_fixed else []
    return Checks(tuple(found))


def _looked(fit: GeneralizedEstimates, rows: PlainRows) -> Looked:
    """Look at a fit's data; ``rows`` are those of any fit to the same rows."""
    y = outcome_values(fit.design, fit.data, rows.row)
    found = {name: float(of(y, rows)) for name, of in statistics(fit.law).items()}
    if fit.has(Need.ONE_MEAN) and not (isinstance(fit.law, Binomial) and fit.law.size is None):
        at = rows_fitted(fit)
        there = at.variance > 0
        found[DISPERSION] = float(np.mean((at.y - at.mean)[there] ** 2 / at.variance[there]))
        found[BEYOND] = float((np.abs(quantile_residuals(fit)) > FAR).sum())
    known = np.diag(fit.tau_values) - np.einsum("jaa->ja", fit.var_u)
    spread = np.sqrt(np.maximum(known, 0.0))
    units = np.divide(fit.u, spread, out=np.zeros_like(fit.u), where=spread > 1e-6)
    return Looked(found, units)


def _of_rows(name: str, own: Looked, others: list[Looked]) -> Check:
    found = compared(name, own.of_rows[name], np.array([each.of_rows[name] for each in others]), ALPHA / 2)
    if found.ok:
        return found
    uneven = name in (DISPERSION, BEYOND, "variance over mean", "variance of rows' shares")
    advice = UNEVEN if uneven else ZEROS if "zeros" in name or name.startswith("units with") else ""
    return replace(found, verdict=found.verdict + "." + advice, figure="level1_qq" if uneven else "")


def _of_effects(fit: GeneralizedEstimates, own: Looked, others: list[Looked]) -> list[Check]:
    """Check that random effects are normal, one by one, and that no unit is too far out."""
    names, found = component_names(fit.model.coefficients), []
    for k, effect in enumerate(fit.effect_names):
        if fit.tau_values[k, k] <= 0:
            continue
        shapes = np.array([_shape(each.units[:, k]) for each in others])
        found.append(_normality(fit, k, f"{effect} ({names[effect]})", _shape(own.units[:, k]), shapes))
    farthest = np.array([np.abs(each.units).max() for each in others])
    return [*found, _outliers(fit, own.units, farthest)]


def _shape(values: np.ndarray) -> tuple[float, float]:
    """Give skewness and excess kurtosis; 0 of values that are all the same."""
    sd = float(values.std())
    z = (values - values.mean()) / (sd or 1.0)
    return float(np.mean(z**3)), float(np.mean(z**4) - 3.0) if sd else 0.0


def _normality(
    fit: GeneralizedEstimates, k: int, name: str, own: tuple[float, float], others: np.ndarray
) -> Check:
    ok = all(compared("", value, others[:, m], ALPHA / 4).ok for m, value in enumerate(own))
    reliability = float(np.mean(1.0 - fit.var_u[:, k, k] / fit.tau_values[k, k]))
    (low, high), (least, most) = np.quantile(others, [0.025, 0.975], axis=0).T
    verdict = (
        f"predictions, each in units of its own s.d., have skewness {own[0]:.2f} (in 95 % of data with "
        f"normal u {low:.2f} to {high:.2f}) and excess kurtosis {own[1]:.2f} ({least:.2f} to {most:.2f}): "
        + ("much like normal random effects." if ok else f"unlike normal random effects.{NOT_NORMAL}")
    )
    if reliability < LITTLE:
        verdict += f" Units' rows tell little of it (reliability {reliability:.2f}), and so does this check."
    figures = {"skewness": [own[0]], "kurtosis": [own[1]], "reliability": [reliability]}
    return Check(f"normality of {name}", ok, verdict, table(figures, [name], "effect"), "effects_qq")


def _outliers(fit: GeneralizedEstimates, units: np.ndarray, farthest: np.ndarray) -> Check:
    """Compare the farthest prediction of u, in units of its own s.d., with the farthest of simulated data."""
    size, ids = np.abs(units).max(axis=1), fit.design.unit_ids
    worst = np.argsort(-size, kind="stable")[:MOST_SHOWN]
    p = [float((1 + np.sum(farthest >= value)) / (1 + len(farthest))) for value in size[worst]]
    far = [str(ids[j]) for j, share in zip(worst, p, strict=True) if share <= ALPHA]
    first = f"{ids[worst[0]]} ({size[worst[0]]:.2f} s.d. of its predictions, {p_text(p[0])} of the farthest)"
    verdict = (
        f"no unit is farther from the others than chance allows; the farthest is {first}."
        if not far
        else f"farther out than chance allows: {', '.join(far)}; the farthest is {first}. Look at the data "
        "of each before anything else."
    )
    rows = {"farthest": size[worst], "p_of_the_farthest": p, "nj": fit.design.moments.n[worst]}
    by_unit = table(rows, ids[worst].tolist(), fit.design.moments.id_name)
    return Check("outlying units", not far, verdict, by_unit, "caterpillar")


def _calibrated(fit: GeneralizedEstimates, n: int, seed: int | None) -> Check:
    found = calibration(fit, n=n, seed=seed)
    ok = min(found.p_value.values()) >= ALPHA
    verdict = " ".join(str(found).splitlines()) + ("" if ok else BENT)
    return Check("expected outcomes", ok, verdict, found.frame(), "calibration")
