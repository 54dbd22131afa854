"""How much studies differ beyond their sampling errors: I2 and H2, as metafor defines them.

With P = W - W X (X'WX)^-1 X'W, W the inverse of the k known variances, s2 = (k - F) / tr(P) is a typical
sampling variance, I2 = 100 tau2 / (tau2 + s2) and H2 = (tau2 + s2) / s2 (Higgins & Thompson 2002, Statistics
in Medicine 21, 1539, eq. 9, with any predictors).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..arguments import check_prob
from ..errors import HypothesisError
from ..estimation.estimates import Estimates
from ..inference.hlm_tables import variance_components
from ..inference.profile import intervals
from ..labelled import table
from ..labels import Sentence
from ..laws.law import Law, Need
from ..likelihood.design import Design
from ..words import p_text

if TYPE_CHECKING:
    import pandas as pd

HIGH_LEVERAGE = 0.5  # from here 1 - leverage is found without the unit: of a leverage near 1 it is rounding


@dataclass(frozen=True, slots=True, repr=False)
class BetweenStudies(Sentence):
    """What lies between studies, and the limits of probability ``prob`` that tau2's profile interval gives.

    ``i2`` is in per cent; ``typical_variance`` is s2; ``q``, ``df`` and ``p_value`` are Cochran's test.
    ``limits`` has (low, high) of "tau2", "tau", "i2" and "h2".
    """

    tau2: float
    i2: float
    h2: float
    typical_variance: float
    q: float
    df: float
    p_value: float
    prob: float
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def frame(self) -> pd.DataFrame:
        """Tabulate estimate, low and high; index = tau2, tau, i2, h2."""
        low, high = zip(*self.limits.values(), strict=True)
        estimate = [self.tau2, self.tau2**0.5, self.i2, self.h2]
        return table({"estimate": estimate, "low": low, "high": high}, list(self.limits))

    def __str__(self) -> str:
        i2, h2 = ("{:.{d}f} to {:.{d}f}".format(*self.limits[k], d=d) for k, d in (("i2", 2), ("h2", 3)))
        return (
            f"I2 {self.i2:.2f} % ({100 * self.prob:g} % interval {i2}), H2 {self.h2:.3f} ({h2}), at a "
            f"typical sampling variance of {self.typical_variance:.6g}; Q = {self.q:.5f} on {self.df:g} "
            f"d.f., {p_text(self.p_value)}"
        )


def i2(fit: Estimates, *, prob: float = 0.95) -> BetweenStudies:
    """Give I2 and H2 of studies whose sampling variances are known, one row a study.

    Raises
    ------
    HypothesisError
        The level-1 variance is estimated, a study has several rows, or it is not the intercept that varies.
    """
    check_prob(prob)
    typical = typical_variance(fit.design, fit.law)
    component = variance_components(fit)[0]
    tau, tau2 = intervals(fit, prob=prob)[:2]
    ends = np.array([tau2.low, tau2.high])
    limits = {"tau2": (tau2.low, tau2.high), "tau": (tau.low, tau.high)}
    limits |= {name: tuple(v.tolist()) for name, v in shares(ends, typical).items()}
    own = {name: float(v) for name, v in shares(np.array(component.variance), typical).items()}
    test = component.chi2, component.df, component.p_value
    return BetweenStudies(component.variance, own["i2"], own["h2"], typical, *test, prob, limits)


def shares(tau2: np.ndarray, typical: float) -> dict[str, np.ndarray]:
    """Give I2, in per cent, and H2 of tau2."""
    return {"i2": 100.0 * tau2 / (tau2 + typical), "h2": (tau2 + typical) / typical}


def why_not(design: Design, law: Law) -> str:
    """Say why there is no I2; empty where there is."""
    random = [design.model.coefficients[r].predictor.variable for r in design.random]
    if Need.ESTIMATED_SIGMA2 not in law.lacks or Need.LIKELIHOOD in law.lacks:
        return "it is of outcomes whose variances are known, variance_known=, and this one is estimated"
    if random != [None]:
        return "it is of a model in which the intercept, and nothing else, has a random effect"
    if np.any(design.n != 1):
        return "it is of studies with one row each: with several there is no one sampling variance of a study"
    return "" if design.n_rows > design.n_fixed else "there are no more studies than fixed effects"


def typical_variance(design: Design, law: Law) -> float:
    """Give s2 of a design of weighed rows; raise HypothesisError where there is none."""
    reason = why_not(design, law)
    if reason:
        raise HypothesisError(f"I2 is not available for this fit: {reason}")
    assert law.held is not None  # it is known
    weight = design.products.mass
    rows = (design.bases.basis.T @ design.products.mean[design.order]).T  # of D*; a unit is its one row
    x = np.einsum("jp,jpf->jf", rows, design.standard_x()) * np.sqrt(weight / design.n_rows)[:, None]
    left = 1.0 - np.einsum("jf,jf->j", x, x)
    for j in np.flatnonzero(left < 1.0 - HIGH_LEVERAGE):
        others = np.delete(x, j, axis=0)
        size = np.linalg.norm(others, axis=0)
        if not size.all():  # the unit alone determines an effect, and is fitted exactly
            left[j] = 0.0
            continue
        r = np.linalg.qr(others / size, mode="r")
        alone = abs(r.diagonal()).min() < 1e-12
        half = np.zeros(1) if alone else np.linalg.solve(r.T, x[j] / size)
        left[j] = 0.0 if alone else 1.0 / (1.0 + half @ half)
    return float(law.held * (design.n_rows - design.n_fixed) / (weight @ left))
