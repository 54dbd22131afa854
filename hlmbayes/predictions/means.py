"""Adjusted means: the expected outcome at values of a variable, the others typical; and their differences.

As R's emmeans: numbers at their means, factors averaged over their levels, random effects at zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import HypothesisError
from ..estimation.estimates import Estimates
from ..hypotheses.contrasts import contrast
from ..labelled import table
from ..labels import Sentence
from ..posterior.contrasts import contrast as drawn_contrast
from ..posterior.record import PosteriorSample
from ..text_table import number_format
from ..words import p_text
from .reference import checked, find, grid, held_at, variables
from .slopes import middle

if TYPE_CHECKING:
    import pandas as pd

type Adjustment = Literal["holm", "tukey", "bonferroni", "none"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Means(Sentence):
    """Adjusted means of the outcome at ``values`` of ``variable``, and their differences.

    ``contrast`` has a row for each value, ``difference`` one for each pair (first minus second).
    ``adjusted``: p-values of the differences, adjusted as ``adjustment`` says; none of a posterior.

    Of an ``outcome`` of ``categories`` all these rows come for the first category, then for the second, ...;
    ``of`` says what they are of, its probability for example. P-values are adjusted within each.
    """

    variable: str
    values: tuple[Any, ...]
    contrast: Any
    pairs: tuple[tuple[Any, Any], ...]
    difference: Any
    adjustment: str = ""
    adjusted: np.ndarray | None = None
    of: str = "Mean"
    outcome: str = ""
    categories: tuple[Any, ...] = ()

    def frame(self) -> pd.DataFrame:
        """Tabulate the means; one row a value."""
        found = self.contrast.frame()
        drop = [c for c in ("name", "value", "t_ratio", "p_value", "direction") if c in found]
        found = found.drop(columns=drop)
        columns = self._categories(len(self.values)) | {c: found[c].to_numpy() for c in found}
        return table(columns, [*self.values] * len(self._words), self.variable)

    def differences(self) -> pd.DataFrame:
        """Tabulate the differences of every pair, with p-values as adjusted."""
        if not self.pairs:
            raise HypothesisError("there is one mean, and no difference")
        found = self.difference.frame().drop(columns=["name", "value"])
        columns = self._categories(len(self.pairs)) | {c: found[c].to_numpy() for c in found}
        if self.adjusted is not None:
            columns |= {"p_value": self.adjusted}
        each = [_less(a, b) for a, b in self.pairs] * len(self._words)
        return table(columns, each, "difference")

    @property
    def _words(self) -> tuple[str, ...]:
        """What the means are of: one, or one of each category."""
        return tuple(f"{self.of} of {self.outcome} = {m}" for m in self.categories) or (self.of,)

    def _categories(self, n: int) -> dict[str, Any]:
        """Give the column that says of which category rows are, ``n`` of each."""
        return {self.outcome: np.repeat(self.categories, n)} if self.categories else {}

    def __str__(self) -> str:
        found, prob = self.contrast, f"{100 * self.contrast.prob:g} % interval"
        rows = zip(middle(found), found.low, found.high, strict=True)
        how = number_format([*found.low, *found.high])
        lines = [
            f"{of} at {self.variable} = {_text(value)}: {m:{how}} ({prob} {low:{how}} to {high:{how}})"
            for (of, value), (m, low, high) in zip(product(self._words, self.values), rows, strict=True)
        ]
        if self.difference is None:
            return "\n".join(lines)
        n = len(self.pairs) * len(self._words)
        p = [""] * n if self.adjusted is None else [f", {p_text(v)}" for v in self.adjusted.tolist()]
        each = zip(product(self._words, self.pairs), middle(self.difference), p, strict=True)
        for (of, (a, b)), m, said in each:
            start = f"{of}, difference" if self.categories else "Difference"
            lines.append(f"{start} of {self.variable}, {_less(a, b)}: {m:{how}}{said}")
        if self.adjustment not in ("", "none") and len(self.pairs) > 1:
            within = " within each category" if len(self.categories) > 1 else ""
            lines.append(f"(p-values adjusted for {len(self.pairs)} comparisons{within}: {self.adjustment})")
        return "\n".join(lines)


def means(
    fit: Estimates, variable: str, *, values: Any = None, at: Mapping[str, Any] | None = None,
    adjust: Adjustment = "holm", robust: bool | str | None = None, df: str | None = None, prob: float = 0.95,
) -> Means:  # fmt: skip
    """Give adjusted means of the outcome at values of a variable, and their differences.

    Parameters
    ----------
    variable : str
        A factor or a number of the model.
    values : optional
        Those to look at; all of a few by default, else the mean and one standard deviation to either side.
    at : mapping of name to value, optional
        Where other variables are held; their means (factors: averaged over their levels) by default.
    adjust : "holm", "tukey", "bonferroni" or "none"
        How p-values of several differences are adjusted; intervals are not.
    robust, df, prob
        As for `Fit.contrast`.

    Raises
    ------
    HypothesisError
        A variable the model does not have, or a fit from moments.
    """
    name, chosen, rows = asked_means(fit.design, fit.data, variable, values, at, adjust)
    options: dict[str, Any] = {"robust": robust, "df": df, "prob": prob}
    pairs, matrix = pairs_of(chosen, rows)
    difference = contrast(fit, matrix, **options) if pairs else None
    adjusted = None if difference is None else adjusted_p(difference, adjust, len(chosen))
    return Means(name, chosen, contrast(fit, rows, **options), pairs, difference, adjust, adjusted)


def means_of_draws(
    posterior: PosteriorSample, variable: str, *, values: Any = None, at: Mapping[str, Any] | None = None,
    prob: float = 0.95,
) -> Means:  # fmt: skip
    """Give the posterior of adjusted means and of their differences; see `Fit.means`."""
    name, chosen, rows = asked_means(posterior.target.design, posterior.data, variable, values, at)
    pairs, matrix = pairs_of(chosen, rows)

    difference = drawn_contrast(posterior, matrix, prob=prob) if pairs else None
    return Means(name, chosen, drawn_contrast(posterior, rows, prob=prob), pairs, difference)


def asked_means(
    design: Any, data: Any, variable: str, values: Any, at: Mapping[str, Any] | None,
    adjust: Adjustment = "none",
) -> tuple[str, tuple[Any, ...], np.ndarray]:  # fmt: skip
    """Give the variable's name, its values, and the typical rows there, (n, n_gamma)."""
    if adjust not in ("holm", "tukey", "bonferroni", "none"):
        raise HypothesisError(f'adjust= is "holm", "tukey", "bonferroni" or "none", got {adjust!r}')
    known = variables(design, data)
    x = find(known, variable)
    chosen = x.chosen if values is None else checked(x, values)
    others = {name: [value] * len(chosen) for name, value in held_at(known, at, x).items()}
    rows = grid(design, known, {**others, x.name.lower(): chosen}, len(chosen), data)
    return x.name, tuple(chosen), rows


def pairs_of(chosen: tuple[Any, ...], rows: np.ndarray) -> tuple[tuple[tuple[Any, Any], ...], np.ndarray]:
    """Give the pairs of values, and their rows' differences."""
    each = list(combinations(range(len(chosen)), 2))
    differ = np.array([rows[a] - rows[b] for a, b in each]).reshape(len(each), rows.shape[1])
    return tuple((chosen[a], chosen[b]) for a, b in each), differ


def adjusted_p(found: Any, how: Adjustment, n: int, sets: int = 1) -> np.ndarray:
    """Adjust the p-values of all differences of n means (Holm 1979; Tukey-Kramer), each of the sets alone."""
    p, t, df = (np.reshape(part, (sets, -1)) for part in (found.p_value, found.t_ratio, found.df))
    m = p.shape[1]
    if how == "none" or m == 1:
        return np.ravel(p)
    if how == "tukey":
        from scipy.stats import studentized_range  # half a second, which few need

        return np.ravel(studentized_range.sf(np.abs(t) * np.sqrt(2.0), n, np.minimum(df, 1e5)))
    if how == "bonferroni":
        return np.ravel(np.minimum(1.0, m * p))
    order = np.argsort(p, axis=1)
    held = np.maximum.accumulate((m - np.arange(m)) * np.take_along_axis(p, order, 1), axis=1)
    result = np.empty_like(p)
    np.put_along_axis(result, order, np.minimum(held, 1.0), 1)
    return result.ravel()


def _less(a: Any, b: Any) -> str:
    """Write the difference of two values, a negative one in brackets: (-1) - 0."""
    return " - ".join(f"({text})" if text.startswith("-") else text for text in (_text(a), _text(b)))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
