"""Simple slopes: the effect of a variable at values of others, and where it differs from zero.

A slope is the change of the predicted outcome by one unit of the variable, in equations without powers its
coefficient at those values (Aiken & West 1991; Preacher, Curran & Bauer 2006); with powers and functions the
derivative. The Johnson-Neyman limits are where a slope that is linear in a moderator begins or ceases to
differ from zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

from ..data.rows import Rows
from ..errors import DataError, HypothesisError
from ..estimation.estimates import Estimates
from ..hypotheses.combinations import stacked
from ..hypotheses.contrasts import Contrast, contrast
from ..inference.covariances import table_kind
from ..labelled import table
from ..labels import Sentence
from ..likelihood.design import Design
from ..posterior.contrasts import DrawnContrast
from ..posterior.contrasts import contrast as drawn_contrast
from ..posterior.record import PosteriorSample
from ..text_table import number_format
from ..words import p_text
from .reference import Values, Variable, checked, find, grid, held_at, variables

if TYPE_CHECKING:
    import pandas as pd

STEP = 1e-4  # of a variable's standard deviation, for a derivative


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Slopes(Sentence):
    """Simple slopes of ``variable``, each a row of ``contrast`` (or of its posterior), at the values ``at``.

    ``limits``: the Johnson-Neyman limits of the moderator, in order, those outside its ``span`` too; None
    where there is no one moderator in which the slope is linear. ``inside``: whether the slope differs from
    zero between two limits (else outside them).
    """

    variable: str
    at: tuple[Mapping[str, Any], ...]
    contrast: Contrast | DrawnContrast
    moderator: str = ""
    span: tuple[float, float] = (np.nan, np.nan)
    limits: tuple[float, ...] | None = None
    inside: bool = False

    def frame(self) -> pd.DataFrame:
        """Tabulate the slopes with the values they are at."""
        found = self.contrast.frame().drop(columns=["name", "value"])
        names = list(self.at[0])
        values = {name: [row[name] for row in self.at] for name in names}
        return table({**values, **{str(c): found[c].to_numpy() for c in found}}, range(len(self.at)), "slope")

    @property
    def region(self) -> str:
        """The Johnson-Neyman region in words; "" where there is none."""
        if self.limits is None:
            return ""
        low, high = self.span
        shown = [limit for limit in self.limits if low <= limit <= high]
        prob = f"{100 * (1 - self.contrast.prob):g} %"
        where = " and ".join(f"{limit:.4g}" for limit in self.limits)
        if not self.limits:
            state = "everywhere" if self.inside else "nowhere"
            return f"At the {prob} level the slope differs from zero {state}, whatever {self.moderator} is."
        place = "between" if self.inside and len(self.limits) == 2 else "outside"
        seen = "" if shown else f" (the data go from {low:.4g} to {high:.4g})"
        return (
            f"At the {prob} level the slope differs from zero {place} {self.moderator} = {where}{seen} "
            "(Johnson-Neyman)."
        )

    def __str__(self) -> str:
        found, prob = self.contrast, f"{100 * self.contrast.prob:g} % interval"
        p = (
            [f", {p_text(v)}" for v in found.p_value.tolist()]
            if isinstance(found, Contrast)
            else [""] * len(self.at)
        )
        how, lines = number_format([*found.low, *found.high]), []
        for at, m, low, high, said in zip(self.at, middle(found), found.low, found.high, p, strict=True):
            where = ", ".join(f"{k} = {v if isinstance(v, str) else format(v, '.4g')}" for k, v in at.items())
            place = f" at {where}" if where else ""
            reach = f"{prob} {low:{how}} to {high:{how}}"
            lines.append(f"Slope of {self.variable}{place}: {m:{how}} ({reach}{said})")
        return "\n".join([*lines, *filter(None, [self.region])])


def middle(found: Contrast | DrawnContrast) -> np.ndarray:
    """Give what stands for each combination: the estimate, the posterior mean."""
    return found.estimate if isinstance(found, Contrast) else found.mean


def slopes(
    fit: Estimates, variable: str, by: str | Mapping[str, Values] | None = None, *,
    at: Mapping[str, Values] | None = None, robust: bool | str | None = None, df: str | None = None,
    prob: float = 0.95,
) -> Slopes:  # fmt: skip
    """Give the simple slopes of a variable, with intervals, and the Johnson-Neyman region.

    Parameters
    ----------
    variable : str
        A number of the model, of either level.
    by : str or mapping of name to values, optional
        Moderators: a slope for each combination of their values; of a name alone all of a few values, else
        the mean and one standard deviation to either side. A group-mean centred variable counts as its
        deviation.
    at : mapping of name to value, optional
        Where other variables are held; their means (factors: averaged over their levels) by default.
    robust, df, prob
        As for `Fit.contrast`.

    Raises
    ------
    HypothesisError
        A variable the model does not have, or a fit from moments.
    """
    asked = asked_slopes(fit.design, fit.data, variable, by, at)
    found = contrast(fit, asked.rows(fit.design), robust=robust, df=df, prob=prob)
    result = Slopes(asked.variable.name, asked.at, found)
    line = asked.line(fit.design)
    if line is None:
        return result
    rows = stacked(fit.model, [np.array(line)]).free(fit.design)
    b, v = rows @ fit.gamma_free, table_kind(fit, robust, df).of(fit, rows)
    critical = float(stdtrit(min(float(found.df.min()), 1e15), 0.5 + prob / 2.0))
    limits, inside = johnson_neyman(b, v, critical)
    return replace(result, moderator=asked.moderator.name, span=asked.span, limits=limits, inside=inside)


def slopes_of_draws(
    posterior: PosteriorSample, variable: str, by: str | Mapping[str, Values] | None = None, *,
    at: Mapping[str, Values] | None = None, prob: float = 0.95,
) -> Slopes:  # fmt: skip
    """Give the posterior of the simple slopes of a variable; see `Fit.slopes`. There is no region."""
    design = posterior.target.design
    asked = asked_slopes(design, posterior.data, variable, by, at)
    found = drawn_contrast(posterior, asked.rows(design), prob=prob)
    return Slopes(asked.variable.name, asked.at, found)


def johnson_neyman(b: np.ndarray, v: np.ndarray, critical: float) -> tuple[tuple[float, ...], bool]:
    """Solve (b0 + b1 w)^2 = critical^2 (v00 + 2 v01 w + v11 w^2): the limits; whether it differs inside."""
    c = critical**2
    a2, a1, a0 = b[1] ** 2 - c * v[1, 1], 2.0 * (b[0] * b[1] - c * v[0, 1]), b[0] ** 2 - c * v[0, 0]
    discriminant = a1**2 - 4.0 * a2 * a0
    if discriminant <= 0 or a2 == 0:
        return (), bool(a2 > 0 or (a2 == 0 and a0 > 0))
    # the form in which nothing cancels
    t = -0.5 * (a1 + np.copysign(np.sqrt(discriminant), a1))
    roots = sorted({float(t / a2), float(a0 / t)} if t != 0 else {0.0})
    return tuple(roots), bool(a2 < 0)


@dataclass(frozen=True, slots=True, eq=False)
class AskedSlopes:
    """Which slopes are asked for: of ``variable`` at the rows ``at``; ``held`` besides."""

    known: Mapping[str, Variable]
    variable: Variable
    at: tuple[Mapping[str, Any], ...]
    held: Mapping[str, Any]
    moderators: tuple[Variable, ...]
    like: Rows

    @property
    def moderator(self) -> Variable:
        """The first moderator."""
        return self.moderators[0]

    @property
    def span(self) -> tuple[float, float]:
        """Where its values lie."""
        return float(self.moderator.values.min()), float(self.moderator.values.max())

    def sides(self, design: Design) -> tuple[np.ndarray, np.ndarray, float]:
        """Give the typical rows asked for a little above and below, (n, n_gamma), and how far apart."""
        rows, h = self.around(design, self.at)
        return rows(h), rows(-h), 2.0 * h

    def around(
        self, design: Design, at: Sequence[Mapping[str, Any]]
    ) -> tuple[Callable[[float], np.ndarray], float]:
        """Give the typical rows (n, n_gamma) as a function of a shift of the variable, and a small one."""
        x, n = self.variable, len(at)
        key, middle = x.name.lower(), 0.0 if self.variable.deviations else float(self.variable.values.mean())
        values = {name.lower(): [row[name] for row in at] for name in (at[0] if at else ())}
        values = {name: [value] * n for name, value in self.held.items()} | values
        place = np.asarray(values.pop(key, [middle] * n), dtype=float)

        def rows(shift: float) -> np.ndarray:
            return grid(design, self.known, {**values, key: (place + shift).tolist()}, n, self.like)

        return rows, STEP * (float(x.values.std(ddof=1)) or 1.0)

    def matrix(self, design: Design, at: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Give the derivative of the typical rows by the variable, (n, n_gamma)."""
        rows, h = self.around(design, at)
        bent = (rows(h) - rows(-h)) / (2.0 * h)
        try:
            whole = rows(1.0) - rows(0.0)
        except DataError:  # a function or a spline that does not go so far
            return np.asarray(bent)
        straight = np.allclose(whole, bent, rtol=1e-6, atol=1e-6 * np.abs(whole).max())
        return np.asarray(whole if straight else bent)

    def rows(self, design: Design) -> np.ndarray:
        """Give L of the slopes asked for, (r, n_gamma); refuse what has no effect."""
        matrix = self.matrix(design, self.at)
        if not np.abs(matrix).any(axis=1).all():
            raise HypothesisError(
                f"{self.variable.name} has no fixed effect in this model: there is no slope of it"
            )
        return matrix

    def line(self, design: Design) -> list[np.ndarray] | None:
        """Give the rows r0, r1 of a slope (r0 + r1 w) gamma in the one moderator w; None where it is none."""
        if (
            len(self.moderators) != 1
            or self.moderator.levels
            or len(np.unique(self.moderator.values)) < 3
            or self.moderator is self.variable
        ):
            return None
        name, (low, high) = self.moderator.name, self.span
        rows = self.matrix(design, [{name: low}, {name: high}, {name: (low + high) / 2.0}])
        slope = (rows[1] - rows[0]) / (high - low) if high > low else np.zeros(len(rows[0]))
        scale = np.abs(rows).max()
        if not np.abs(slope).any() or not np.allclose(rows[2], (rows[0] + rows[1]) / 2.0, atol=1e-8 * scale):
            return None
        return [rows[0] - slope * low, slope]


def asked_slopes(
    design: Design, data: Any, variable: str, by: str | Mapping[str, Values] | None,
    at: Mapping[str, Values] | None,
) -> AskedSlopes:  # fmt: skip
    """Read which slopes are asked for."""
    known = variables(design, data)
    x = find(known, variable)
    if x.levels:
        raise HypothesisError(
            f"{x.name} is a factor, which has no slope: means({x.name!r}) compares its levels (--means)"
        )
    wanted = {} if by is None else {by: None} if isinstance(by, str) else dict(by)
    moderators = tuple(find(known, name) for name in wanted)
    values = [
        m.chosen if given is None else checked(m, given)
        for m, given in zip(moderators, wanted.values(), strict=True)
    ]
    rows = [dict(zip((m.name for m in moderators), row, strict=True)) for row in product(*values)]
    return AskedSlopes(known, x, tuple(rows), held_at(known, at, *moderators), moderators, data)
