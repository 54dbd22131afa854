"""Is the level-1 variance the same in all units? HLM's chi-square, and Bartlett's beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc

from ..errors import HypothesisError
from ..estimation.estimates import Estimates
from ..estimation.point import Point
from ..labels import Sentence
from ..laws.law import Need
from ..words import p_text

EXACT = 1e-12  # a unit's residual sum of squares, relative to that of y - X gamma: below it is rounding


@dataclass(frozen=True, slots=True, repr=False)
class HomogeneityTest(Sentence):
    """The test that all units have one level-1 variance; ``notes`` says which took no part in it, and why.

    ``chi2`` is HLM's, the sum of d_j^2 (Raudenbush & Bryk 2002, pp. 263-264), and rejects too often where
    units are small. Bartlett's test with its correction, same d.f., is right in small units too.
    """

    chi2: float
    df: int
    p_value: float
    bartlett_chi2: float
    bartlett_p_value: float
    n_units: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [
            f"Homogeneity of level-1 variance over {self.n_units} units: chi-square = {self.chi2:.5f} on "
            f"{self.df} d.f., {p_text(self.p_value)}",
            f"Bartlett's test: chi-square = {self.bartlett_chi2:.5f}, {p_text(self.bartlett_p_value)}",
        ]
        return "\n".join([*lines, *self.notes])


def homogeneity(fit: Estimates) -> HomogeneityTest:
    """Test that sigma2 is the same in all units.

    With S_j^2 the residual variance of unit j's own regression and f_j its d.f.,
    d_j = (ln S_j^2 - sum f ln S^2 / sum f) / sqrt(2 / f_j), chi-square = sum d_j^2
    (Raudenbush & Bryk 2002, p. 264). Units whose regression has no residual d.f. or fits exactly
    are left out.

    Raises
    ------
    HypothesisError
        Fewer than two units are left.
    """
    fit.require("the test of homogeneity of level-1 variance", Need.LIKELIHOOD, Need.ESTIMATED_SIGMA2)
    rss, f = unit_residuals(fit)
    few, full_rank = f <= 0, fit.design.full_rank
    used = np.isfinite(rss)
    left_out = [
        f"{count} unit{'s' if count > 1 else ''} left out: {reason}."
        for count, reason in (
            (int(few.sum()), "too few rows for a regression of its own"),
            (int((~few & ~full_rank).sum()), "predictors vary too little for a regression of its own"),
            (int((~few & full_rank & ~used).sum()), "its own regression fits exactly"),
        )
        if count
    ]
    if fit.law.weighs_rows:
        left_out.append("Residuals were first divided by the level-1 standard deviations of the model.")
    if used.sum() < 2:
        raise HypothesisError(
            "fewer than two units have a residual variance of their own: homogeneity cannot be tested"
        )
    found = compare_variances(rss[used], f[used])
    df = int(used.sum()) - 1
    chi2 = float(found.d @ found.d)
    p_value, bartlett_p = float(chdtrc(df, chi2)), float(chdtrc(df, found.bartlett))
    return HomogeneityTest(chi2, df, p_value, found.bartlett, bartlett_p, df + 1, tuple(left_out))


class Compared(NamedTuple):
    """How unlike units' variances are: ``d`` (J,), about standard normal, and Bartlett's chi-square."""

    d: np.ndarray
    bartlett: float


def compare_variances(rss: np.ndarray, f: np.ndarray) -> Compared:
    """Compare residual sums of squares (J,) on f d.f. each: d_j as in `homogeneity`, and Bartlett (1937)."""
    log_s2 = np.log(rss / f)
    d = (log_s2 - np.average(log_s2, weights=f)) * np.sqrt(f / 2.0)
    correction = 1.0 + (np.sum(1.0 / f) - 1.0 / f.sum()) / (3.0 * (len(f) - 1))
    return Compared(d, float(np.sum(f * (np.log(rss.sum() / f.sum()) - log_s2)) / correction))


def unit_residuals(fit: Point) -> tuple[np.ndarray, np.ndarray]:
    """Give every unit's residual sum of squares about its own regression on Z, and n_j - q; both (J,).

    The part of the fixed effects whose level-1 variable is not random is taken out of y first. Rows are
    divided by their sigma where that differs between them. nan where a unit has too few rows for a
    regression of its own, or where that fits exactly.
    """
    design = fit.design
    _, rss, df = design.own_regressions(fit.gamma_free)
    with np.errstate(invalid="ignore"):
        used = design.full_rank & (df > 0) & (rss > EXACT * design.ee)
    return np.where(used, rss, np.nan), df
