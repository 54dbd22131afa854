"""Rubin's rules: pooling estimates over m imputed data sets, and tests of the pooled estimates.

With Q_i the estimates and U_i their squared standard errors (or covariance matrices) in data set i:
Q = mean Q_i, U = mean U_i, B = variance of the Q_i (divisor m - 1), T = U + (1 + 1/m) B (Rubin 1987,
pp. 76-77). The tests are D1 (Li, Raghunathan & Rubin 1991), from estimates and covariance matrices, and
D3 (Meng & Rubin 1992), from likelihoods.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc, stdtr

from ..labels import Sentence
from ..words import p_text


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """Pooled numbers, each an array (k,): ``estimate``, ``within``, ``between`` and ``total`` are Q, U, B, T.

    ``riv``: relative increase of variance r = (1 + 1/m) B / U; ``df``: degrees of freedom, infinite where the
    data sets agree and no ``df_complete`` is given; ``fmi``: fraction of missing information,
    (r + 2 / (df + 3)) / (r + 1).
    """

    estimate: np.ndarray
    within: np.ndarray
    between: np.ndarray
    total: np.ndarray
    riv: np.ndarray
    df: np.ndarray
    fmi: np.ndarray

    @property
    def se(self) -> np.ndarray:
        """Square root of the total variance."""
        return np.sqrt(self.total)

    @property
    def t_ratio(self) -> np.ndarray:
        """Estimate by standard error."""
        return np.asarray(self.estimate / self.se)

    @property
    def p_value(self) -> np.ndarray:
        """Two-sided, from the t distribution."""
        return np.asarray(2.0 * stdtr(np.minimum(self.df, 1e15), -np.abs(self.t_ratio)))


def pool(estimates: np.ndarray, variances: np.ndarray, df_complete: np.ndarray | None = None) -> Pooled:
    """Pool scalars by Rubin's rules.

    Parameters
    ----------
    estimates, variances : ndarray, shape (m, k)
        Estimates and their squared standard errors.
    df_complete : ndarray, shape (k,), optional
        Degrees of freedom the estimates would have without missing data: those of Barnard & Rubin
        (1999) are given; without them Rubin's (1987) large-sample ones.
    """
    m = len(estimates)
    within, between = variances.mean(axis=0), estimates.var(axis=0, ddof=1)
    added = (1.0 + 1.0 / m) * between
    total = within + added
    with np.errstate(divide="ignore", invalid="ignore"):
        riv = np.where(added > 0, added / within, 0.0 * within)
        df = (m - 1.0) * (1.0 + 1.0 / riv) ** 2
        if df_complete is not None:
            observed = (df_complete + 1.0) / (df_complete + 3.0) * df_complete * (1.0 - added / total)
            df = 1.0 / (1.0 / df + 1.0 / observed)
    fmi = (riv + 2.0 / (df + 3.0)) / (riv + 1.0)
    return Pooled(estimates.mean(axis=0), within, between, total, riv, df, fmi)


def pooled_covariance(estimates: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """Give T = U + (1 + 1/m) B as a matrix (k, k) from estimates (m, k) and covariances (m, k, k)."""
    m, k = estimates.shape
    between = np.cov(estimates.T, ddof=1).reshape(k, k)
    return np.asarray(covariances.mean(axis=0) + (1.0 + 1.0 / m) * between)


@dataclass(frozen=True, slots=True, repr=False)
class PooledTest(Sentence):
    """A test of several parameters at once over imputed data sets, by ``name`` "D1" or "D3".

    ``riv`` is the average relative increase of variance.
    """

    name: str
    f_ratio: float
    df: int
    df_denominator: float
    p_value: float
    riv: float
    hypothesis: str = ""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = f"Test that {self.hypothesis}: " if self.hypothesis else ""
        first = (
            f"{what}{self.name}: F = {self.f_ratio:.5f} on {self.df} and {self.df_denominator:.2f} d.f., "
            f"{p_text(self.p_value)}"
        )
        return "\n".join([first, *self.notes])


def d1(estimates: np.ndarray, covariances: np.ndarray, hypothesis: str = "") -> PooledTest:
    """Test that k parameters are zero; estimates (m, k), covariances (m, k, k)."""
    m, k = estimates.shape
    within = covariances.mean(axis=0)
    between = np.cov(estimates.T, ddof=1).reshape(k, k)
    riv = float((1.0 + 1.0 / m) * np.trace(np.linalg.solve(within, between)) / k)
    mean = estimates.mean(axis=0)
    f_ratio = float(mean @ np.linalg.solve(within, mean)) / (k * (1.0 + riv))
    return _test("D1", f_ratio, k, m, riv, hypothesis)


def d3(own: np.ndarray, pooled: np.ndarray, k: int) -> PooledTest:
    """Test k parameters by the likelihoods of nested models.

    ``own`` (m,): difference of the two models' deviances in each data set, each at its own estimates;
    ``pooled`` (m,): the same, both models at their estimates averaged over the data sets.
    """
    m = len(own)
    riv = max(float((m + 1.0) / (k * (m - 1.0)) * (own.mean() - pooled.mean())), 0.0)
    return _test("D3", float(pooled.mean()) / (k * (1.0 + riv)), k, m, riv, "")


def _test(name: str, f_ratio: float, k: int, m: int, riv: float, hypothesis: str) -> PooledTest:
    df = reference_df(k, m, riv)
    p = float(fdtrc(k, min(df, 1e10), max(f_ratio, 0.0)))
    negative = "The statistic is negative: the data sets disagree too much for this test; p is 1."
    return PooledTest(name, f_ratio, k, df, p, riv, hypothesis, (negative,) if f_ratio < 0 else ())


def reference_df(k: int, m: int, riv: float) -> float:
    """Give the denominator degrees of freedom of D1 and D3 (Li, Raghunathan & Rubin 1991, eq. 1.17)."""
    if riv <= 0:
        return float("inf")
    t = k * (m - 1.0)
    if t > 4:
        return 4.0 + (t - 4.0) * (1.0 + (1.0 - 2.0 / t) / riv) ** 2
    return t * (1.0 + 1.0 / k) * (1.0 + 1.0 / riv) ** 2 / 2.0
