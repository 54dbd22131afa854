"""Rubin's rules: pooling estimates over m imputed data sets, and tests of the pooled estimates.

With Q_i the estimates and U_i their squared standard errors (or covariance matrices) in data set i:
Q = mean Q_i, U = mean U_i, B = variance of the Q_i (divisor m - 1), T = U + (1 + 1/m) B (Rubin 1987,
pp. 76-77). The tests are D1 (Li, Raghunathan & Rubin 1991), from estimates and covariance matrices, and
D3 (Meng & Rubin 1992), from likelihoods.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc, stdtr, stdtrit

from ..errors import HypothesisError
from ..labels import Sentence
from ..words import p_text


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """Pooled numbers, each an array (k,): ``estimate``, ``within``, ``between`` and ``total`` are Q, U, B, T.

    ``riv``: relative increase of variance r = (1 + 1/m) B / U; ``df``: degrees of freedom, infinite where the
    data sets agree and no other d.f. are given; ``fmi``: fraction of missing information,
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

    def quantile(self, prob: float) -> np.ndarray:
        """Give how many standard errors an interval that holds ``prob`` reaches, (k,)."""
        return np.asarray(stdtrit(np.minimum(self.df, 1e15), 0.5 + prob / 2.0))


def pool(
    estimates: np.ndarray, variances: np.ndarray, df_complete: np.ndarray | None = None,
    df_sampling: float = np.inf,
) -> Pooled:  # fmt: skip
    """Pool scalars by Rubin's rules.

    Parameters
    ----------
    estimates, variances : ndarray, shape (m, k)
        Estimates and their squared standard errors; the variances may be those of some data sets only. With
        one data set nothing is added to them.
    df_complete : ndarray, shape (k,), optional
        Degrees of freedom the estimates would have without missing data: those of Barnard & Rubin
        (1999) are given; without them Rubin's (1987) large-sample ones.
    df_sampling : float
        Degrees of freedom d of the variances U themselves, of replicate weights: with f = (1 + 1/m) B / T
        1 / df = f^2 / (m - 1) + (1 - f)^2 / d, as NAEP's tables (Johnson & Rust 1992) have it.
    """
    m = len(estimates)
    within, between = variances.mean(axis=0), _between(estimates)
    added = (1.0 + 1.0 / m) * between
    total = within + added
    with np.errstate(divide="ignore", invalid="ignore"):
        riv = np.where(added > 0, added / within, 0.0 * within)
        df = missing = (m - 1.0) * (1.0 + 1.0 / riv) ** 2 if m > 1 else np.inf + 0.0 * within
        if df_complete is not None:
            observed = (df_complete + 1.0) / (df_complete + 3.0) * df_complete * (1.0 - added / total)
            df = missing = 1.0 / (1.0 / df + 1.0 / observed)
        elif np.isfinite(df_sampling):
            df = 1.0 / (1.0 / missing + (within / total) ** 2 / df_sampling)
    fmi = (riv + 2.0 / (missing + 3.0)) / (riv + 1.0)
    return Pooled(estimates.mean(axis=0), within, between, total, riv, df, fmi)


def pooled_covariance(estimates: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """Give T = U + (1 + 1/m) B as a matrix (k, k) from estimates (m, k) and covariances (m, k, k)."""
    between = _between(estimates, matrix=True)
    return np.asarray(covariances.mean(axis=0) + (1.0 + 1.0 / len(estimates)) * between)


def _between(estimates: np.ndarray, matrix: bool = False) -> np.ndarray:
    """Give the variance (k,) or covariance matrix (k, k) between data sets; zero of one alone."""
    m, k = estimates.shape
    if m == 1:
        return np.zeros((k, k) if matrix else k)
    return np.cov(estimates.T, ddof=1).reshape(k, k) if matrix else estimates.var(axis=0, ddof=1)


@dataclass(frozen=True, slots=True, repr=False)
class PooledTest(Sentence):
    """A test of several parameters at once over data sets, by ``name`` "D1" or "D3"; of one data set "Wald".

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


def d1(
    estimates: np.ndarray, covariances: np.ndarray, hypothesis: str = "", df_sampling: float = np.inf
) -> PooledTest:
    """Test that k parameters are zero; estimates (m, k), covariances (m, k, k) or of fewer data sets.

    ``df_sampling``: degrees of freedom d of the covariances, as in `pool`. F is then multiplied by
    (d - k + 1) / d (Korn & Graubard 1990) and its denominator has part in d - k + 1.

    Raises
    ------
    HypothesisError
        Fewer degrees of freedom than rows.
    """
    m, k = estimates.shape
    left = df_sampling - k + 1.0
    if left <= 0:
        raise HypothesisError(
            f"replicate weights of {df_sampling:g} d.f. cannot test {k} rows at once: test fewer rows"
        )
    within, between = covariances.mean(axis=0), _between(estimates, matrix=True)
    riv = float((1.0 + 1.0 / m) * np.trace(np.linalg.solve(within, between)) / k)
    mean = estimates.mean(axis=0)
    f_ratio = float(mean @ np.linalg.solve(within, mean)) / (k * (1.0 + riv))
    df = reference_df(k, m, riv)
    if np.isfinite(df_sampling):
        f_ratio *= left / df_sampling
        df = 1.0 / (1.0 / df + 1.0 / (left * (1.0 + riv) ** 2))
    return _test("D1" if m > 1 else "Wald", f_ratio, k, df, riv, hypothesis)


def d3(own: np.ndarray, pooled: np.ndarray, k: int) -> PooledTest:
    """Test k parameters by the likelihoods of nested models.

    ``own`` (m,): difference of the two models' deviances in each data set, each at its own estimates;
    ``pooled`` (m,): the same, both models at their estimates averaged over the data sets.
    """
    m = len(own)
    riv = max(float((m + 1.0) / (k * (m - 1.0)) * (own.mean() - pooled.mean())), 0.0)
    return _test("D3", float(pooled.mean()) / (k * (1.0 + riv)), k, reference_df(k, m, riv), riv, "")


def _test(name: str, f_ratio: float, k: int, df: float, riv: float, hypothesis: str) -> PooledTest:
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
