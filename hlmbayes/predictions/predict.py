"""Predictions of rows, with their uncertainty.

At level 2 a row is predicted by the equations alone, as one of a unit nobody knows; at level 1 with its own
unit's random effects u*, empirical Bayes. The error of x'gamma + z'u* has two independent parts: that of
gamma, which u* makes up for in part, (x - X'K'z)'(gamma* - gamma), and that of u given gamma, sigma2 z'K z
(Henderson 1975; Raudenbush & Bryk 2002, ch. 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import ndtri

from ..arguments import check_prob, seed_or_none
from ..errors import HypothesisError, SamplingError
from ..estimation.estimates import Estimates
from ..inference.covariances import table_kind
from ..inference.scores import residuals_u
from ..laws.law import Need, refuse
from ..likelihood.symmetric import semidefinite_roots
from ..likelihood.system import to_standard
from ..posterior.record import PosteriorSample
from ..residuals.quantities import data_of, shrinkage
from .new_rows import NewRows, asked_rows

if TYPE_CHECKING:
    import pandas as pd

type Kind = Literal["confidence", "prediction"]
CELLS = 4_000_000  # draws times rows at a time
NO_ONE = "an interval for new outcomes"


def predict(
    fit: Estimates, data: Any = None, *, level: int = 1, interval: Kind | None = None, prob: float = 0.95,
    robust: bool | str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Predict the outcome of rows: those of the data, or others.

    Parameters
    ----------
    data : frame, file, mapping of arrays or TwoLevelData, optional
        Rows with the variables of the model, and the id where their units are known. By default the rows of
        the fit's data; one without a value of a predictor has no prediction. Terms, centring and factors are
        those of the fit; a group-mean centred variable of a unit the fit does not know is centred about the
        mean of its rows here.
    level : 1 or 2
        1: with the random effects of each row's unit (EB; zero of units the fit does not know). 2: by the
        equations alone, as for a unit nobody knows.
    interval : "confidence" or "prediction", optional
        Of the expected outcome, or of an outcome. Of a unit the fit does not know the second has the variance
        between units in it, at level 1 the first, too.
    prob : float
        Probability of the interval, from the normal distribution.
    robust : bool or str, optional
        Kind of standard errors of the fixed effects at level 2, as for `Fit.fixed_effects`.

    Returns
    -------
    DataFrame
        ``predicted``, ``se`` (of the expected outcome), with an interval ``low``, ``high``; one line a row,
        with the index of ``data`` where that is a pandas frame.

    Raises
    ------
    DataError
        A variable of the model that is not there, or a value the model does not know.
    HypothesisError
        Another level or interval; no one level-1 variance for a prediction interval.
    """
    _check(level, interval, prob)
    rows = asked_rows(fit.design, data, data_of(fit) if data is None else fit.data)
    value, variance = (_own if level == 1 else _of_equations)(fit, rows, robust)
    outcome = np.zeros(len(value))
    if interval == "prediction":
        fit.require(NO_ONE, Need.ONE_SIGMA2, Need.ROWS_ALIKE)
        outcome += fit.components.sigma2
        outcome += _between(fit, rows) if level == 2 else 0.0
    found = {"predicted": value, "se": np.sqrt(variance)}
    if interval is not None:
        reach = float(ndtri(0.5 + prob / 2.0)) * np.sqrt(variance + outcome)
        found |= {"low": value - reach, "high": value + reach}
    return rows.table(found)


def _check(level: int, interval: str | None, prob: float) -> None:
    check_prob(prob)
    if level not in (1, 2):
        raise HypothesisError(
            f"level= is 1, with each unit's own effects, or 2, the equations alone; got {level!r}"
        )
    if interval not in (None, "confidence", "prediction"):
        raise HypothesisError(f'interval= is "confidence" or "prediction", got {interval!r}')


def _of_equations(fit: Estimates, rows: NewRows, robust: Any) -> tuple[np.ndarray, np.ndarray]:
    """Give x'gamma and its variance, (n,) each."""
    x = rows.x(fit.design)
    vcov = table_kind(fit, robust, None).matrix(fit)
    return x @ fit.gamma_free, np.maximum(np.einsum("nf,fg,ng->n", x, vcov, x), 0.0)


def _own(fit: Estimates, rows: NewRows, robust: Any) -> tuple[np.ndarray, np.ndarray]:
    """Give x'gamma + z'u* and its error variance, (n,) each."""
    design, known, z = fit.design, rows.unit >= 0, rows.z
    x = rows.x(design)
    value, white, left = x @ fit.gamma_free, x @ design.to_gamma, _between(fit, rows)
    if design.n_random and known.any():
        q, at = design.n_random, rows.unit[known]
        theta = to_standard(fit.system, fit.entering.tau, fit.entering.sigma2)[0]
        u = residuals_u(fit, design.standard_residual(fit.gamma_free)[0])
        value[known] += np.einsum("nq,nq->n", z[known], u[at])
        zx = design.standard_dd[:q].transpose(2, 0, 1) @ design.standard_x()  # (J, q, F)
        taken = design.z_basis @ design.shrinkage(theta) @ zx
        white[known] -= np.einsum("nq,nqf->nf", z[known], taken[at])
        spread = fit.entering.sigma2 * shrinkage(fit)
        left[known] = np.einsum("na,nab,nb->n", z[known], spread[at], z[known])
    variance = np.einsum("nf,fg,ng->n", white, fit.vcov_white, white) + left
    return value, np.maximum(variance, 0.0)


def _between(fit: Estimates, rows: NewRows) -> np.ndarray:
    """Give the variance of z'u between units, (n,)."""
    return np.asarray(np.einsum("na,ab,nb->n", rows.z, fit.components.tau, rows.z))


def predict_draws(
    posterior: PosteriorSample, data: Any = None, *, level: int = 1, interval: Kind | None = None,
    prob: float = 0.95, seed: int | None = 0,
) -> pd.DataFrame:  # fmt: skip
    """Predict rows: ``predicted``, ``sd``, with an interval ``low`` and ``high``; see `Fit.predict`.

    They are posterior means, sds and equal-tailed intervals. Random effects of units that are not known, and
    outcomes, are drawn with ``seed``.
    """
    _check(level, interval, prob)
    point = posterior.point
    refuse(NO_ONE, point.law.lacks if interval == "prediction" else {}, Need.ONE_SIGMA2, Need.ROWS_ALIKE)
    own = data_of(point) if data is None else posterior.data
    rows = asked_rows(posterior.target.design, data, own)
    draws, x = posterior.parameter_draws, rows.x(posterior.target.design)
    sigma = np.sqrt(posterior.scalar("sigma2").reshape(-1)) if interval == "prediction" else np.zeros(1)
    u = point.u_draws
    if level == 1 and rows.z.shape[1] and (rows.unit >= 0).any() and u is None:
        raise SamplingError("the draws of u were not kept: sample(..., keep_effects=True) keeps them")
    rng, parts = np.random.default_rng(seed_or_none(seed, HypothesisError)), []
    root = semidefinite_roots(draws.tau)
    step = max(1, CELLS // len(draws.gamma))
    for k in range(0, len(x), step):
        here = slice(k, k + step)
        eta = draws.gamma @ x[here].T
        if rows.z.shape[1] and (level == 1 or interval == "prediction"):
            eta += _effects(rows, here, u if level == 1 else None, root, rng)
        if interval == "prediction":
            eta = eta + sigma[:, None] * rng.normal(size=eta.shape)
        low, high = np.quantile(eta, [0.5 - prob / 2.0, 0.5 + prob / 2.0], axis=0)
        parts.append(np.stack([eta.mean(axis=0), eta.std(axis=0, ddof=1), low, high]))
    value, sd, low, high = np.concatenate(parts, axis=1)
    found = {"predicted": value, "sd": sd}
    return rows.table(found | ({"low": low, "high": high} if interval else {}))


def _effects(
    rows: NewRows, here: slice, u: np.ndarray | None, root: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Give z'u of rows in every draw, (S, n): the units' own where known, drawn from tau otherwise."""
    z, unit = rows.z[here], rows.unit[here]
    effect = np.zeros((len(root), len(z)))
    known = (unit >= 0) & (u is not None)
    if u is not None and known.any():
        effect[:, known] = np.einsum("nq,snq->sn", z[known], u[:, unit[known]])
    if (~known).any():
        group = np.arange(len(z))
        if rows.group is not None:
            group = np.unique(rows.group[here], return_inverse=True)[1]
        own = rng.normal(size=(len(root), int(group.max()) + 1, root.shape[1]))
        drawn = np.einsum("sab,sjb->sja", root, own)[:, group.reshape(-1)[~known]]
        effect[:, ~known] = np.einsum("nq,snq->sn", z[~known], drawn)
    return effect
