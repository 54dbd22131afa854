"""Combinations of fixed effects with their estimates, standard errors, intervals and t tests, row by row.

What Stata's lincom and R's emmeans give; the joint test of several rows is `hlmbayes.hypotheses.wald`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtr, stdtrit

from ..arguments import check_prob
from ..inference.covariances import Covariance, refuse_zero, table_kind
from ..inference.hlm_tables import fixed_df
from ..inference.same_data import Fitted
from ..labelled import table
from ..labels import Sentence
from ..words import p_text
from .combinations import Combinations, stacked

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Contrast(Sentence):
    """Combinations of fixed effects, one in each entry (r,), tested against ``value``.

    ``combination`` (r) says them in codes and ``names`` in names, ``contrast`` is L (r, n_gamma); ``se`` and
    ``df`` are what ``basis`` says, d.f. infinite for a z test; ``low`` and ``high`` are the limits of
    probability ``prob``, symmetric about the estimate unless ``limits`` were given.
    """

    combination: tuple[str, ...]
    names: tuple[str, ...]
    value: np.ndarray
    estimate: np.ndarray
    se: np.ndarray
    df: np.ndarray
    prob: float
    basis: str
    contrast: np.ndarray
    limits: tuple[np.ndarray, np.ndarray] | None = None
    t_ratio: np.ndarray = field(init=False)
    p_value: np.ndarray = field(init=False)
    low: np.ndarray = field(init=False)
    high: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        df = np.minimum(self.df, 1e15)
        t = (self.estimate - self.value) / self.se
        reach = stdtrit(df, 0.5 + self.prob / 2.0) * self.se
        low, high = self.limits or (self.estimate - reach, self.estimate + reach)
        found = {"t_ratio": t, "p_value": 2.0 * stdtr(df, -np.abs(t)), "low": low, "high": high}
        for name, array in found.items():
            object.__setattr__(self, name, np.asarray(array))

    def frame(self) -> pd.DataFrame:
        """Tabulate the combinations, one row each."""
        columns = ("estimate", "se", "value", "t_ratio", "df", "p_value", "low", "high")
        named = {"name": self.names, **{name: getattr(self, name) for name in columns}}
        return table(named, self.combination, "combination")

    @property
    def estimates(self) -> tuple[str, ...]:
        """Estimate, standard error and interval of each row in words."""
        prob = f"{100 * self.prob:g} %"
        return tuple(
            f"{code} ({name}): estimate {b:.6g}, s.e. {se:.6g}, {prob} interval {low:.6g} to {high:.6g}"
            for code, name, b, se, low, high in zip(
                self.combination, self.names, self.estimate, self.se, self.low, self.high, strict=True
            )
        )

    def __str__(self) -> str:
        tests = (
            f"z = {t:.3f}" if np.isinf(df) else f"t = {t:.3f} on {df:.4g} d.f."
            for t, df in zip(self.t_ratio, self.df, strict=True)
        )
        rows = zip(self.estimates, self.value, tests, self.p_value, strict=True)
        lines = [f"{said}; test that it is {at:g}: {test}, {p_text(p)}" for said, at, test, p in rows]
        return "\n".join([*lines, f"({self.basis})"])


def contrast(
    fit: Fitted, *combinations: Any, robust: bool | str | None = None, df: str | None = None,
    prob: float = 0.95,
) -> Contrast:  # fmt: skip
    """Give estimate, standard error, interval and t test of combinations of fixed effects.

    Parameters
    ----------
    *combinations : text, mapping of gamma name to number or list, or array of shape (rows, n_gamma)
        ``"g01 - g11"``, ``"g01 = g11"``, ``"g00 + 0.5*g01 = 12"``, ``{"g01": 1, "g11": -1}``; each may have
        several rows.
    robust, df
        As `Fit.fixed_effects`, whose lines these are where a row has one effect. HLM's degrees of freedom
        of a combination are the smallest of its effects'.
    prob : float
        Probability of the intervals, which are about the combination itself, without the value.

    Raises
    ------
    HypothesisError
        As `Fit.wald`; a combination that one unit alone determines has no robust variance.
    """
    asked = stacked(fit.model, combinations)
    kind = table_kind(fit, robust, df)
    free = asked.free(fit.design)
    dfs = coefficient_dfs(fit, kind, free) if kind.small else hlm_df(fit, asked.matrix, kind.hlm)
    return estimated(fit, asked, free, kind, dfs, prob, f"{kind.words}; {kind.whose_df()}")


def estimated(
    fit: Fitted, asked: Combinations, free: np.ndarray, kind: Covariance, dfs: np.ndarray, prob: float,
    basis: str,
) -> Contrast:  # fmt: skip
    """Estimate the rows of ``free`` (r, F) with a kind's standard errors and degrees of freedom (r,)."""
    check_prob(prob)
    variance = np.diag(kind.of(fit, free))
    refuse_zero(variance)
    return Contrast(
        asked.left, asked.named, asked.value, free @ fit.gamma_free, np.sqrt(variance), dfs, prob, basis,
        asked.matrix,
    )  # fmt: skip


def coefficient_dfs(fit: Fitted, kind: Covariance, free: np.ndarray) -> np.ndarray:
    """Give the estimated degrees of freedom of each row of ``free`` (r, F) alone."""
    return np.array([kind.coefficient_df(fit, row[None]) for row in free])


def hlm_df(fit: Fitted, matrix: np.ndarray, hlm: str = "6") -> np.ndarray:
    """Give the smallest of HLM's degrees of freedom of the effects in each row of L (r, n_gamma)."""
    return np.asarray(np.where(matrix != 0, fixed_df(fit, hlm), np.inf).min(axis=1))
