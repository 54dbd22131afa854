"""General linear hypotheses about the fixed effects: several rows, several hypotheses, a variable as a whole.

HLM prints the Wald chi-square with the robust covariance matrix; that is the default here, and every
result says which covariance it used. Raudenbush & Bryk (2002, ch. 3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtrc, fdtrc

from ..errors import HypothesisError
from ..estimation.estimates import Estimates
from ..labels import Sentence
from ..naming import Parameters
from ..words import composed, p_text
from .covariances import covariance_kind


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WaldTest(Sentence):
    """The test of one hypothesis of ``df`` rows, which ``hypothesis`` says in words.

    ``chi2``: Wald statistic (L gamma)'(L V L')^-1 (L gamma), L the ``contrast`` (df, n_gamma), L gamma the
    ``estimate`` (df,), V what ``covariance`` says. ``f_ratio``, ``df_denominator``: of a small-sample test,
    else None; where they are there ``p_value`` is from F, not from the chi-square.
    """

    chi2: float
    df: int
    p_value: float
    covariance: str
    hypothesis: str
    contrast: np.ndarray
    estimate: np.ndarray
    f_ratio: float | None = None
    df_denominator: float | None = None

    def __str__(self) -> str:
        if self.f_ratio is not None:
            statistic = f"F = {self.f_ratio:.5f} on {self.df} and {self.df_denominator:.2f} d.f."
        else:
            statistic = f"chi-square = {self.chi2:.5f} on {self.df} d.f."
        return f"Test that {self.hypothesis}: {statistic}, {p_text(self.p_value)} ({self.covariance})"


def wald(
    fit: Estimates,
    *hypotheses: Mapping[str, Any] | Sequence[Any] | np.ndarray,
    robust: bool | str | None = None,
    df: str | None = None,
) -> Any:
    """Test general linear hypotheses L gamma = 0.

    Parameters
    ----------
    *hypotheses : mapping of gamma name to number or list, or array of shape (rows, n_gamma)
        ``{"g01": [1, 0], "g11": [0, 1]}`` has two rows: g01 = 0 and g11 = 0. HLM's columns of numbers. A
        fixed effect may be named by its variables: "sector", "ses:sector".
    robust : bool or str, optional
        True: HLM's robust covariance ("CR0"); "CR1", "CR2"; False: the model-based one. By default
        HLM's robust one, or with ``df`` the model-based one.
    df : None, "satterthwaite" or "kenward-roger"
        F test with estimated denominator degrees of freedom instead of the chi-square. With
        ``robust="CR2"`` "satterthwaite" is the approximate Hotelling test of Tipton & Pustejovsky (2015).

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
    tests = tuple(_test(fit, contrast_matrix(fit, h), robust, df) for h in hypotheses)
    return tests if len(tests) > 1 else tests[0]


def _test(fit: Estimates, contrast: np.ndarray, robust: bool | str | None, df: str | None) -> WaldTest:
    kind = covariance_kind(df is None if robust is None else robust, df)
    free = free_contrast(fit, contrast)
    rows, words, estimate = len(free), describe(fit, contrast), free @ fit.gamma_free
    if df is None:
        chi2 = kind.chi2(fit, free)
        return WaldTest(chi2, rows, float(chdtrc(rows, chi2)), kind.words, words, contrast, estimate)
    chi2, f_ratio, denominator = kind.f_test(fit, free)
    p = float(fdtrc(rows, denominator, max(f_ratio, 0.0)))
    covariance = f"{kind.words}; {kind.f_df} d.f."
    return WaldTest(chi2, rows, p, covariance, words, contrast, estimate, f_ratio, denominator)


# --- from what the user writes to a matrix -------------------------------------------------------


def contrast_matrix(fit: Estimates, hypothesis: Mapping[str, Any] | Sequence[Any] | np.ndarray) -> np.ndarray:
    """Read a hypothesis into L, shape (rows, n_gamma)."""
    known = fit.model.fixed_parameters
    names = known.codes
    if isinstance(hypothesis, str):
        hypothesis = {hypothesis: 1.0}
    if isinstance(hypothesis, Mapping) and hypothesis:
        return _from_mapping(known, hypothesis)
    if not isinstance(hypothesis, Sequence | np.ndarray) or not len(hypothesis):
        raise HypothesisError(
            'a hypothesis names fixed effects with numbers, {"g01": [1, 0], "g11": [0, 1]}, or has rows of a '
            f"number for each of them; got {hypothesis!r}"
        )
    if all(isinstance(item, str) for item in hypothesis):
        return _from_mapping(known, dict(zip(hypothesis, np.eye(len(hypothesis)), strict=True)))
    try:
        matrix = np.atleast_2d(np.asarray(hypothesis, dtype=float))
    except (TypeError, ValueError):
        raise HypothesisError(f"a hypothesis is numbers per gamma, got {hypothesis!r}") from None
    if matrix.ndim != 2 or matrix.shape[1] != len(names):
        raise HypothesisError(
            f"got rows of {matrix.shape[-1]} numbers for {len(names)} fixed effects: {', '.join(names)}"
        )
    return matrix


def _from_mapping(known: Parameters, hypothesis: Mapping[str, Any]) -> np.ndarray:
    names, columns = known.codes, dict[str, np.ndarray]()
    for name, value in hypothesis.items():
        key = known.find(str(name), HypothesisError)
        if key in columns:
            twice = f"{key} is in the hypothesis twice"
            raise HypothesisError(f"{twice}: give it once, with a number for each row")
        try:
            columns[key] = np.atleast_1d(np.asarray(value, dtype=float))
        except (TypeError, ValueError):
            raise HypothesisError(f"{name}: a number or a list of numbers is wanted, got {value!r}") from None
    lengths = {len(column) for column in columns.values() if column.ndim == 1}
    if len(lengths) != 1 or lengths == {0} or any(column.ndim != 1 for column in columns.values()):
        raise HypothesisError(
            "every gamma of a hypothesis needs one number per row of it; got "
            + ", ".join(f"{name}: {column.size}" for name, column in columns.items())
        )
    matrix = np.zeros((lengths.pop(), len(names)))
    for name, column in columns.items():
        matrix[:, names.index(name)] = column
    return matrix


def free_contrast(fit: Estimates, contrast: np.ndarray) -> np.ndarray:
    """Carry L to the free fixed effects, shape (rows, F); refuse rows that say nothing new."""
    if not np.all(np.isfinite(contrast)):
        raise HypothesisError("a hypothesis has a missing or infinite number in it")
    free = np.zeros((len(contrast), fit.design.n_fixed))
    np.add.at(free.T, fit.design.free, contrast.T)
    length = np.linalg.norm(free, axis=1)
    for row, size in enumerate(length):
        if size == 0:
            equal = contrast[row].any()
            reason = "the model holds these effects equal" if equal else "all its numbers are zero"
            raise HypothesisError(f"row {row + 1} of the hypothesis tests nothing: {reason}")
    if np.linalg.matrix_rank(free / length[:, None], tol=1e-9) < len(free):
        what = f"the {len(free)} rows of the hypothesis are not independent"
        raise HypothesisError(f"{what}: take out those that follow from others")
    return free


def describe(fit: Estimates, contrast: np.ndarray) -> str:
    """Give the rows in words: "g01 = 0 and g11 - g12 = 0"."""
    return " and ".join(_row_text(fit.model.gamma_names, row) for row in contrast)


def _row_text(names: Sequence[str], row: np.ndarray) -> str:
    text = ""
    for name, weight in zip(names, row, strict=True):
        if weight:
            sign = "-" if weight < 0 else "+"
            size = "" if abs(weight) == 1 else f"{abs(weight):g}*"
            text += f" {sign} {size}{name}" if text else f"{'-' if weight < 0 else ''}{size}{name}"
    return f"{text} = 0"


# --- a variable as a whole -----------------------------------------------------------------------


def variable_test(
    fit: Estimates, name: str | Sequence[str], *, robust: bool | str | None = None, df: str | None = None
) -> WaldTest:
    """Test all fixed effects a variable takes part in, together.

    A level-1 variable: all gammas of its coefficient; a level-2 variable: its gamma in every
    level-2 equation. A categorical variable is tested as a whole by its name or stem: "race" finds
    the dummies race2, race_3, race[black], ... where the model has no variable named race.

    Parameters
    ----------
    name : str or sequence of str
        One name, or the names of a set of dummies.
    robust, df
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
    return _test(fit, np.eye(len(pairs))[rows][first], robust, df)


def _variables(fit: Estimates, name: str) -> list[str]:
    """Find the variables of the model that a name means: itself, or the dummies made from it."""
    known = [v.lower() for v in (*fit.model.level1_variables, *fit.model.level2_variables)]
    key = composed(name.strip()).lower()
    if key in known:
        return [key]
    stem = re.compile(re.escape(key) + r"([_.\[:=\-]?\d+\]?|[_.\[:=\-].+)$")
    found = [v for v in known if stem.match(v)]
    if not found:
        raise HypothesisError(
            f"{name!r} is not a predictor of this model: {', '.join(dict.fromkeys(known)) or 'there is none'}"
        )
    return found
