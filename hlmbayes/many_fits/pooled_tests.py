"""Tests over imputed data: combinations of fixed effects, several at once (D1), nested models (D3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import check_prob
from ..errors import HypothesisError
from ..estimation.estimates import Estimates
from ..hypotheses.combinations import Combinations, combinations, stacked
from ..hypotheses.contrasts import Contrast
from ..inference.compare import compare
from ..inference.covariances import refuse_singular, refuse_zero
from ..inference.same_data import refuse_different_values
from ..laws.law import Need
from ..likelihood.criterion import criterion
from ..likelihood.evaluate import evaluate
from ..likelihood.symmetric import semidefinite_root
from ..likelihood.system import data_scale, to_standard
from .pooled_fit import PooledEstimates, pooled_rows
from .rubin import PooledTest, d1, d3
from .sampling_variance import Sampling

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class PooledContrast(Contrast):
    """Combinations pooled by Rubin's rules; ``fmi`` and ``riv`` (r,) are `Pooled`'s."""

    fmi: np.ndarray
    riv: np.ndarray

    def frame(self) -> pd.DataFrame:
        """Tabulate the combinations, one row each."""
        return Contrast.frame(self).assign(fmi=self.fmi, riv=self.riv)


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class PooledWald(PooledTest):
    """D1 with the estimates of its ``rows``."""

    rows: PooledContrast

    def __str__(self) -> str:
        return "\n".join([PooledTest.__str__(self), *self.rows.estimates])


def pooled_contrast(
    pooled: PooledEstimates, *combinations: Any, robust: bool | str | None = None, df: str = "rubin",
    prob: float = 0.95,
) -> PooledContrast:  # fmt: skip
    """Give estimate, standard error, interval and t test of combinations of fixed effects, pooled.

    Parameters
    ----------
    *combinations
        As `Fit.contrast`: text, ``"g01 = g11"``, names with numbers, or rows of numbers.
    robust, df
        As `PooledFit.fixed_effects`.
    prob : float
        Probability of the intervals.

    Raises
    ------
    HypothesisError
        As `Fit.contrast`.
    """
    return _rows(pooled, stacked(pooled.model, combinations), pooled.sampling(robust), df, prob)


def _rows(
    pooled: PooledEstimates, asked: Combinations, sampling: Sampling, df: str, prob: float
) -> PooledContrast:
    check_prob(prob)
    found = pooled_rows(pooled, asked.matrix, asked.free(pooled.fits[0].design), sampling, df)
    refuse_zero(found.within)
    basis = f"{sampling.words}, pooled; {df.title()}'s d.f." if pooled.m > 1 else sampling.words
    return PooledContrast(
        asked.left, asked.named, asked.value, found.estimate, found.se, found.df, prob, basis, asked.matrix,
        fmi=found.fmi, riv=found.riv,
    )  # fmt: skip


def pooled_wald(
    pooled: PooledEstimates, *hypotheses: Any, robust: bool | str | None = None, prob: float = 0.95
) -> Any:
    """Test hypotheses about several fixed effects by D1 (Li, Raghunathan & Rubin 1991).

    Hypotheses are written as for `Fit.wald`, and by default tested with the robust covariances as there.

    Returns
    -------
    PooledWald, or a tuple of them for several hypotheses

    Raises
    ------
    HypothesisError
        Not such a hypothesis, or a covariance matrix that is singular.
    """
    if not hypotheses:
        raise HypothesisError('no hypothesis was given: write for example {"g01": [1, 0], "g11": [0, 1]}')
    sampling = pooled.sampling(robust, tests=True)
    tests = tuple(_d1(pooled, combinations(pooled.model, h), sampling, prob) for h in hypotheses)
    return tests if len(tests) > 1 else tests[0]


def _d1(pooled: PooledEstimates, asked: Combinations, sampling: Sampling, prob: float) -> PooledWald:
    free = asked.independent(pooled.fits[0].design)
    away = np.array([free @ f.gamma_free - asked.value for f in pooled.fits])
    spread = sampling.of(free)
    for covariance in spread:
        refuse_singular(covariance)
    test = d1(away, spread, asked.words, sampling.df)
    said = {name: getattr(test, name) for name in PooledTest.__slots__}
    return PooledWald(**said, rows=_rows(pooled, asked, sampling, "rubin", prob))


def pooled_comparison(one: PooledEstimates, other: Any) -> PooledTest:
    """Compare nested models fitted to the same data sets by D3; see `PooledFit.compare`."""
    if not isinstance(other, PooledEstimates):
        raise HypothesisError(
            "compare wants pooled fits of a nested model to the same data sets, from hlmbayes.fit_imputed, "
            f"got {type(other).__name__}"
        )
    if one.names != other.names:
        raise HypothesisError(f"the models were fitted to different data sets: {one.names} and {other.names}")
    for a, b in zip(one.fits, other.fits, strict=True):
        a.require("a test of deviances", Need.LIKELIHOOD)
        if "REML" in (a.method, b.method):
            raise HypothesisError('D3 compares full likelihoods: fit both models with method="ML"')
        compare(a, b)  # refuses what cannot be compared
        refuse_different_values(a.design, b.design)
    small, large = sorted((one, other), key=lambda fit: fit.fits[0].n_parameters)
    own = np.array([a.deviance - b.deviance for a, b in zip(small.fits, large.fits, strict=True)])
    k = large.fits[0].n_parameters - small.fits[0].n_parameters
    return d3(own, _deviances_at_pooled(small) - _deviances_at_pooled(large), k)


def _deviances_at_pooled(pooled: PooledEstimates) -> np.ndarray:
    """Give each data set's deviance at the averaged gamma, tau and sigma2, shape (m,)."""
    gamma = np.mean([f.gamma_free for f in pooled.fits], axis=0)
    tau = np.mean([f.components.tau for f in pooled.fits], axis=0)
    sigma2 = float(np.mean([f.components.sigma2 for f in pooled.fits]))
    return np.array([deviance_at(fit, gamma, tau, sigma2) for fit in pooled.fits])


def deviance_at(fit: Estimates, gamma: np.ndarray, tau: np.ndarray, sigma2: float) -> float:
    """Give -2 log-likelihood (ML) of a fit's data at any parameters, ``gamma`` the free fixed effects."""
    system, design = fit.system, fit.design
    theta, s2 = to_standard(system, tau, sigma2)
    at = evaluate(system, semidefinite_root(theta))
    best = criterion(system, at, False, sigma2=s2).value + data_scale(system, False)
    away = (gamma - design.gamma_ols) / system.gamma_scale - at.delta
    return float(best + away @ at.information_times(away) / s2 - fit.law.log_precision)
