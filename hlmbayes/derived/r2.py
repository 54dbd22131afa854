"""How much of the outcome's variance a model's parts explain: R-squared, from moments.

The model-implied variance of the outcome over the rows is the sum of six parts (Rights & Sterba 2019,
Psychological Methods 24, 309-338): that of the fixed part inside units (their f1) and between units (f2),
that of the random slopes through what their predictors vary inside units (v) and between them (none where
these are group-centred), that of the random effects at the predictors' means (m), and sigma2. The marginal
and conditional R-squared of Nakagawa are shares of it (Johnson 2014, Methods Ecol. Evol. 5, 944).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import check_prob
from ..estimation.estimates import Estimates
from ..inference.bootstrap import bootstrap as simulate
from ..labelled import table
from ..labels import Sentence
from ..laws.law import Need
from ..likelihood.design import Design, level1_products

if TYPE_CHECKING:
    import pandas as pd

# every part of the variance: its name, its level, what it is
PARTS = {
    "fixed_within": (1, "fixed effects, within units"),
    "slopes_within": (1, "random slopes, within units"),
    "sigma2": (1, "level-1 residual"),
    "fixed_between": (2, "fixed effects, between units"),
    "slopes_between": (2, "random slopes, between units"),
    "intercepts": (2, "random effects at the predictors' means"),
}
SUMS = {
    "marginal": ("fixed_within", "fixed_between"),
    "conditional": tuple(name for name in PARTS if name != "sigma2"),
}
NEEDS = (Need.ONE_SIGMA2, Need.ROWS_ALIKE)  # of the law of level 1
NOTHING = 1e-12  # a share of the variance that is rounding
FORMULA = "Rights & Sterba 2019; marginal and conditional: Nakagawa & Schielzeth 2013, Johnson 2014"


@dataclass(frozen=True, slots=True, eq=False)
class VarianceParts:
    """What turns gamma, tau and sigma2 into parts of the variance; all sums over rows are in it.

    ``within``, ``between`` (F, F): covariance matrices (divisor N - 1) of the fixed effects' columns inside
    and between units; ``z_within``, ``z_between`` (q, q): those of the columns with random effects
    (divisor N); ``z_mean`` (q,) their means.
    """

    within: np.ndarray
    between: np.ndarray
    z_within: np.ndarray
    z_between: np.ndarray
    z_mean: np.ndarray

    def of(self, gamma: np.ndarray, tau: np.ndarray, sigma2: np.ndarray | float) -> dict[str, np.ndarray]:
        """Give every part for gamma (..., F), tau (..., q, q) and sigma2 (...)."""
        return {
            "fixed_within": np.einsum("...f,fg,...g->...", gamma, self.within, gamma),
            "slopes_within": np.einsum("...ab,ab->...", tau, self.z_within),
            "sigma2": np.asarray(sigma2, dtype=float),
            "fixed_between": np.einsum("...f,fg,...g->...", gamma, self.between, gamma),
            "slopes_between": np.einsum("...ab,ab->...", tau, self.z_between),
            "intercepts": np.einsum("...ab,a,b->...", tau, self.z_mean, self.z_mean),
        }


def variance_parts(design: Design) -> VarianceParts:
    """Take the sums over rows that the parts of the variance need; units count by their rows and weights."""
    moments = design.moments
    products = level1_products(design.model, moments, dict(design.centers), moments.mean).products
    share = moments.total_weight / moments.total_weight.sum()  # of all rows, each unit's
    cross = products.cross * (share / products.mass)  # (p, p, J)
    w = np.einsum("fcu,uj->jcf", design.loading, design.level2)  # (J, p, F): X_j = D_j w_j
    means = np.einsum("jcf,cj->jf", w, products.mean)
    means = means - share @ means
    each = design.n_rows / (design.n_rows - 1.0)
    z = products.mean[design.random]
    z_mean = z[:, 0] + (z - z[:, :1]) @ share  # of a constant column exactly the constant
    away = z - z_mean[:, None]
    return VarianceParts(
        each * np.einsum("jcf,cdj,jdg->fg", w, cross, w, optimize=True),
        each * np.einsum("j,jf,jg->fg", share, means, means),
        cross[np.ix_(design.random, design.random)].sum(axis=2),
        np.einsum("aj,bj,j->ab", away, away, share), z_mean,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class R2(Sentence):
    """The parts of the outcome's variance, and what they are shares of.

    ``variance``: each part by its name, a key of `PARTS`. ``draws``: the same from a bootstrap or a
    posterior, (n,) each, of which the limits of probability ``prob`` are quantiles; none without.
    """

    variance: Mapping[str, float]
    prob: float
    draws: Mapping[str, np.ndarray] = field(default_factory=dict)
    source: str = ""  # what the draws are, in words
    notes: tuple[str, ...] = ()

    @property
    def marginal(self) -> float:
        """Nakagawa's marginal R-squared: the share of the fixed effects."""
        return self.share(SUMS["marginal"])

    @property
    def conditional(self) -> float:
        """Nakagawa's conditional R-squared: the share of fixed and random effects."""
        return self.share(SUMS["conditional"])

    def share(self, some: Iterable[str], whole: Iterable[str] = tuple(PARTS)) -> float:
        """Give the share that parts have of others, of all by default."""
        return float(share(self.variance, some, whole))

    def frame(self) -> pd.DataFrame:
        """Tabulate the parts and their sums "marginal" and "conditional".

        Columns: ``variance``; ``of_total``, its share; ``of_level``, the share of its level's variance (nan
        for the sums); with draws ``low`` and ``high``, the limits of ``of_total``.
        """
        rows = {name: (name,) for name in PARTS} | SUMS
        columns = {
            "variance": [sum(self.variance[part] for part in parts) for parts in rows.values()],
            "of_total": [self.share(parts) for parts in rows.values()],
            "of_level": [self._of_level(name) for name in rows],
        }
        if self.draws:
            at = [0.5 - self.prob / 2.0, 0.5 + self.prob / 2.0]
            ends = np.array([np.quantile(share(self.draws, parts), at) for parts in rows.values()])
            columns |= {"low": ends[:, 0].tolist(), "high": ends[:, 1].tolist()}
        return table(columns, rows, "part")

    def _of_level(self, name: str) -> float:
        if name in SUMS:
            return float("nan")
        level = [part for part in PARTS if PARTS[part][0] == PARTS[name][0]]
        return self.share([name], level)

    def __str__(self) -> str:
        found = self.frame()
        lines = [f"{'Part of the variance':<42}{'Variance':>12}{'Share':>9}{'Of level':>10}"]
        for name, (level, what) in PARTS.items():
            variance, total, own = found.loc[name, ["variance", "of_total", "of_level"]]
            shown = 0.0 if self.share([name]) < NOTHING else variance
            lines.append(f"{what:<42}{shown:12.5g}{total:9.4f}{own:10.4f}  ({level})")
        for name, what in (("marginal", "fixed effects"), ("conditional", "fixed and random effects")):
            reach = ""
            if self.draws:
                low, high = found.loc[name, ["low", "high"]]
                reach = f", {100 * self.prob:g} % interval {low:.4f} to {high:.4f}"
            lines.append(f"{name.capitalize()} R2 ({what}): {self.share(SUMS[name]):.4f}{reach}")
        how = f"; {self.source}" if self.source else ""
        return "\n".join([*lines, f"({FORMULA}{how})", *self.notes])


def share(parts: Mapping[str, Any], some: Iterable[str], whole: Iterable[str] = tuple(PARTS)) -> np.ndarray:
    """Give the share that some parts have of others, all by default; nan where there is no variance."""
    one, everything = (np.sum([parts[name] for name in names], axis=0) for names in (some, whole))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.divide(one, everything))


def r2(fit: Estimates, *, bootstrap: int = 0, seed: int | None = None, prob: float = 0.95) -> R2:
    """Give the parts of the outcome's variance, within and between units, and R-squared.

    Parameters
    ----------
    bootstrap : int
        With a number of simulated data sets (1000), percentile intervals by parametric bootstrap.
    seed : int, optional
        Same seed, same intervals.
    prob : float
        Probability of the intervals.

    Raises
    ------
    HypothesisError
        There is no one level-1 variance, or rows have variances of their own; what `Fit.bootstrap` raises.
    """
    check_prob(prob)
    fit.require("R-squared", *NEEDS)
    parts = variance_parts(fit.design)
    found = parts.of(fit.gamma_free, fit.components.tau, fit.components.sigma2)
    draws, source = {}, ""
    if bootstrap:
        simulated = simulate(fit, bootstrap, seed)
        draws = parts.of(simulated.gamma[:, fit.design.first_of_free], simulated.tau, simulated.sigma2)
        source = f"percentiles of {simulated.n} simulated data sets"
    return R2({name: float(value) for name, value in found.items()}, prob, draws, source, said_of(fit.design))


def said_of(design: Design) -> tuple[str, ...]:
    """Say where within and between are not apart: predictors that are not centred about the units' means."""
    mixed = [
        c.predictor.variable
        for c in design.model.coefficients
        if c.predictor.variable is not None and c.predictor.centering != "group"
    ]
    if not mixed:
        return ()
    return (
        f"{', '.join(mixed)}: not group-centred, so that one coefficient serves within and between units.",
    )
