"""General linear hypotheses about the fixed effects: several rows, several hypotheses, a variable as a whole.

HLM prints the Wald chi-square with the robust covariance matrix; that is the default here, and every
result says which covariance it used. Raudenbush & Bryk (2002, ch. 3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import chdtrc, fdtrc

from ..errors import HypothesisError
from ..inference.covariances import test_kind
from ..inference.same_data import Fitted
from ..labelled import table
from ..labels import Sentence
from ..words import composed, p_text
from .combinations import Combinations, combinations
from .contrasts import Contrast, coefficient_dfs, estimated

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WaldTest(Sentence):
    """The test of one hypothesis of ``df`` rows, which ``hypothesis`` says in words.

    ``chi2``: Wald statistic (L gamma - value)'(L V L')^-1 (L gamma - value), V what ``covariance`` says.
    ``rows``: each row by itself. ``f_ratio``, ``df_denominator``: of a small-sample test, else None; where
    they are there ``p_value`` is from F, not from the chi-square.
    """

    chi2: float
    df: int
    p_value: float
    covariance: str
    hypothesis: str
    rows: Contrast
    f_ratio: float | None = None
    df_denominator: float | None = None

    contrast = property(lambda self: self.rows.contrast, doc="L, (df, n_gamma).")
    estimate = property(lambda self: self.rows.estimate, doc="L gamma, (df,).")
    se = property(lambda self: self.rows.se, doc="Standard errors of the rows, (df,).")
    low = property(lambda self: self.rows.low, doc="Lower limits of the rows, (df,).")
    high = property(lambda self: self.rows.high, doc="Upper limits of the rows, (df,).")

    def frame(self) -> pd.DataFrame:
        """Tabulate the test in one row; the frame of ``rows`` has the estimates."""
        names = ("hypothesis", "chi2", "df", "f_ratio", "df_denominator", "p_value", "covariance")
        return table({name: [getattr(self, name)] for name in names}, [0])

    def __str__(self) -> str:
        if self.f_ratio is not None:
            statistic = f"F = {self.f_ratio:.5f} on {self.df} and {self.df_denominator:.2f} d.f."
        else:
            statistic = f"chi-square = {self.chi2:.5f} on {self.df} d.f."
        test = f"Test that {self.hypothesis}: {statistic}, {p_text(self.p_value)} ({self.covariance})"
        return "\n".join([test, *self.rows.estimates])


def wald(
    fit: Fitted, *hypotheses: Any, robust: bool | str | None = None, df: str | None = None,
    prob: float = 0.95,
) -> Any:  # fmt: skip
    """Test general linear hypotheses L gamma = value, and give the estimates of their rows.

    Parameters
    ----------
    *hypotheses : text, mapping of gamma name to number or list, or array of shape (rows, n_gamma)
        ``"g01 = g11"``, ``"g01 - 2*g11 = 0.5, g10 = 0"``; ``{"g01": [1, 0], "g11": [0, 1]}`` has two rows:
        g01 = 0 and g11 = 0. HLM's columns of numbers.
    robust : bool or str, optional
        True: HLM's robust covariance ("CR0"); "CR1", "CR2"; False: the model-based one. By default
        HLM's robust one, or with ``df`` the model-based one.
    df : None, "satterthwaite" or "kenward-roger"
        F test with estimated denominator degrees of freedom instead of the chi-square. With
        ``robust="CR2"`` "satterthwaite" is the approximate Hotelling test of Tipton & Pustejovsky (2015).
    prob : float
        Probability of the rows' intervals: normal ones beside a chi-square, else of t.

    Returns
    -------
    WaldTest, or a tuple of them for several hypotheses

    Raises
    ------
    HypothesisError
        Unknown gamma, rows of different length or not independent, a combination that does not exist.
    """
    if not hypotheses:
        raise HypothesisError('no hypothesis was given: write for example {"g01": [1, 0], "g11": [0, 1]}')
    tests = tuple(_test(fit, combinations(fit.model, h), robust, df, prob) for h in hypotheses)
    return tests if len(tests) > 1 else tests[0]


def _test(
    fit: Fitted, asked: Combinations, robust: bool | str | None, df: str | None, prob: float
) -> WaldTest:
    kind = test_kind(fit, robust, df)
    free = asked.independent(fit.design)
    k, away = len(free), free @ fit.gamma_free - asked.value
    if df is None:
        rows = estimated(fit, asked, free, kind, np.full(k, np.inf), prob, kind.words)
        chi2 = kind.chi2(fit, free, away)
        return WaldTest(chi2, k, float(chdtrc(k, chi2)), kind.words, asked.words, rows)
    chi2, f_ratio, denominator = kind.f_test(fit, free, away)
    words = f"{kind.words}; {kind.f_df} d.f."
    rows = estimated(fit, asked, free, kind, coefficient_dfs(fit, kind, free), prob, words)
    p = float(fdtrc(k, denominator, max(f_ratio, 0.0)))
    return WaldTest(chi2, k, p, words, asked.words, rows, f_ratio, denominator)


# --- a variable as a whole -----------------------------------------------------------------------


def variable_test(
    fit: Fitted, name: str | Sequence[str], *, robust: bool | str | None = None, df: str | None = None,
    prob: float = 0.95,
) -> WaldTest:  # fmt: skip
    """Test all fixed effects a variable takes part in, together.

    A level-1 variable: all gammas of its coefficient; a level-2 variable: its gamma in every
    level-2 equation; of either all terms it is in, products too. A factor is tested as a whole by its
    name, and so is a term, "ses*female". Where the model has no variable named race, "race" is the stem
    of dummies: race2, race_3, race[black], ...

    Parameters
    ----------
    name : str or sequence of str
        One name, or the names of a set of dummies.
    robust, df, prob
        As for `wald`.

    Raises
    ------
    HypothesisError
        The model has no such variable, or no fixed effect of it.
    """
    wanted = [name] if isinstance(name, str) else list(name) if isinstance(name, Sequence) else []
    if not wanted or not all(isinstance(one, str) for one in wanted):
        raise HypothesisError(f"the name of a variable, or several, is wanted, got {name!r}")
    variables = {v for one in wanted for v in _variables(fit, one)}
    pairs = [(c.predictor.variable, g.predictor.variable) for c in fit.model.coefficients for g in c.gammas]
    rows = [k for k, pair in enumerate(pairs) if any((name or "").lower() in variables for name in pair)]
    if not rows:
        raise HypothesisError(
            f"{', '.join(wanted)} has no fixed effect in this model (random only): there is no gamma to test"
        )
    first = np.sort(np.unique(fit.design.free[rows], return_index=True)[1])  # of gammas that are held equal
    return _test(fit, combinations(fit.model, np.eye(len(pairs))[rows][first]), robust, df, prob)


def _variables(fit: Fitted, name: str) -> list[str]:
    """Find the variables of the model that a name means: itself, or the dummies made from it."""
    known = [v.lower() for v in (*fit.model.level1_variables, *fit.model.level2_variables)]
    key = composed(name.strip()).lower()
    made = fit.design.terms.columns_with(key)
    if key in known or made:
        return [key, *made]
    stem = re.compile(re.escape(key) + r"([_.\[:=\-]?\d+\]?|[_.\[:=\-].+)$")
    found = [v for v in known if stem.match(v)]
    if not found:
        raise HypothesisError(
            f"{name!r} is not a predictor of this model: {', '.join(dict.fromkeys(known)) or 'there is none'}"
        )
    return found
