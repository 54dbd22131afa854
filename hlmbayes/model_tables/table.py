"""Models side by side: the rows of a table, as text for papers and as numbers."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import check_prob, in_words, whole
from ..errors import OutputError
from ..faces import record_of
from .columns import COEFFICIENTS, Asked, Column, Effect, column_of
from .saving import MINUS, MOST_DECIMALS, LaidOut, Row, enough_decimals, hidden, html, write_table

if TYPE_CHECKING:
    import pandas as pd

STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
WHOLE = ("Parameters", "Level-2 units (J)", "Level-1 rows (N)", "Data sets")
GROUPS = ("Fixed effects", "Variances", "Model")
WIDEST = 80  # columns of a terminal


@dataclass(frozen=True, repr=False)
class ModelTable:
    """Fitted models side by side; print it, or `save` it for a paper.

    ``columns`` are the models, ``headings`` what stands above them.
    """

    columns: tuple[Column, ...]
    headings: tuple[str, ...]
    intervals: bool
    stars: bool
    digits: int
    prob: float
    title: str

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows as text; a line break stands between an estimate and its standard error or interval."""
        found = []
        for name in _union(column.effects for column in self.columns):
            cells = tuple(self._effect(column.effects.get(name)) for column in self.columns)
            found.append(Row(GROUPS[0], name, cells))
        for group, part in zip(GROUPS[1:], ("variances", "facts"), strict=True):
            each = [getattr(column, part) for column in self.columns]
            for name in _union(each):
                cells = tuple(self._number(name, values.get(name)) for values in each)
                found.append(Row(group, name, cells))
        return tuple(found)

    def _effect(self, effect: Effect | None) -> str:
        if effect is None:
            return ""
        stars = next((mark for p, mark in STARS if effect.p_value < p), "") if self.stars else ""
        shown = (effect.estimate,) if self.intervals else (effect.estimate, effect.se)
        digits = enough_decimals(shown, self.digits)
        value = decimals(effect.estimate, digits) + stars
        if self.intervals:
            low, high = (decimals(limit, digits) for limit in (effect.low, effect.high))
            return value if np.isnan(effect.low) else f"{value}\n[{low}, {high}]"
        return value if np.isnan(effect.se) else f"{value}\n({decimals(effect.se, digits)})"

    def _number(self, name: str, value: float | None) -> str:
        if value is None or np.isnan(value):
            return ""
        if name in WHOLE:
            return f"{value:,.0f}"
        return decimals(value, 2 if name == "Deviance" else enough_decimals([value], self.digits))

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What stands below the table: outcomes, estimation, standard errors, stars, warnings."""
        outcomes = list(dict.fromkeys(column.outcome for column in self.columns))
        said = [f"Outcome: {outcomes[0]}." if len(outcomes) == 1 else self._by_model("Outcome", "outcome")]
        said.append(self._by_model("Estimation", "how"))
        if any(column.scale != COEFFICIENTS for column in self.columns):
            said.append(self._by_model("Effects", "scale"))
        below = (
            f"{100 * self.prob:g} % intervals in brackets"
            if self.intervals
            else "Standard errors in parentheses"
        )
        said.append(self._by_model(below, "errors"))
        if self.stars:
            said.append(" ".join(f"{mark} p < {str(p)[1:]}." for p, mark in reversed(STARS)))
        for heading, column in zip(self.headings, self.columns, strict=True):
            said += [f"{heading}: {warning}" for warning in column.warnings]
        return tuple(said)

    def _by_model(self, what: str, attribute: str) -> str:
        """Say once what all models have in common, else by model."""
        values = [getattr(column, attribute) for column in self.columns]
        if len(set(values)) == 1:
            return f"{what}: {values[0]}."
        return f"{what}: " + "; ".join(f"{h}, {v}" for h, v in zip(self.headings, values, strict=True)) + "."

    def frame(self) -> pd.DataFrame:
        """Give the numbers at full precision: index (group, row), columns (model, estimate/se/low/high/p)."""
        import pandas as pd

        groups = (("Fixed effects", "effects"), ("Variances", "variances"), ("Model", "facts"))
        index, data = [], []
        for group, part in groups:
            for name in _union(getattr(column, part) for column in self.columns):
                index.append((group, name))
                values = [getattr(column, part).get(name) for column in self.columns]
                data.append([number for value in values for number in _five(value)])
        names = pd.MultiIndex.from_product([self.headings, Effect._fields], names=["model", ""])
        frame = pd.DataFrame(data, pd.MultiIndex.from_tuples(index, names=["", "row"]), names)
        return frame.dropna(axis="columns", how="all")

    @property
    def laid_out(self) -> LaidOut:
        """The table as it is shown."""
        return LaidOut(self.title, self.headings, self.rows, self.notes, str(self), self.frame(), self.digits)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the table: .docx, .xlsx, .tex, .html, .md, .typ or .txt, by the ending of the name.

        Raises
        ------
        OutputError
            Another ending, or it cannot be written.
        """
        return write_table(self.laid_out, Path(path))

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        notes = [line for note in self.notes for line in textwrap.wrap(note, WIDEST)]
        return "\n".join([self.title, *self._lines(), "", *notes]).strip() + "\n"

    def _lines(self) -> list[str]:
        """Lay the rows out in columns, the estimate's second line below it."""
        first = max(len(text) for text in [*(row.label for row in self.rows), *GROUPS]) + 2
        parts = [[cell.split("\n") for cell in row.cells] for row in self.rows]
        widths = [
            max(len(text) for text in [self.headings[k], *(line for part in parts for line in part[k])]) + 2
            for k in range(len(self.columns))
        ]
        rule = "-" * (first + sum(widths))
        lines = [
            rule,
            " " * first + "".join(h.rjust(w) for h, w in zip(self.headings, widths, strict=True)),
            rule,
        ]
        group = ""
        for row, part in zip(self.rows, parts, strict=True):
            if row.group != group:
                lines += ([rule] if group else []) + [row.group]
                group = row.group
            for k in range(max(map(len, part))):
                label = f"  {row.label}" if k == 0 else ""
                texts = (
                    (cell[k] if k < len(cell) else "").rjust(w) for cell, w in zip(part, widths, strict=True)
                )
                lines.append((label.ljust(first) + "".join(texts)).rstrip())
        return [*lines, rule]

    def _repr_html_(self) -> str:
        return html(self.laid_out)


@in_words
def table(
    *models: Any, names: Sequence[str] = (), interval: bool = False, stars: bool = False, digits: int = 3,
    prob: float = 0.95, robust: bool | str | None = None, df: str | None = None, title: str = "",
    ratios: bool = False,
) -> ModelTable:  # fmt: skip
    """Put fitted models side by side, as papers show them.

    ``print(hlm.table(m1, m2, m3))``, ``hlm.table(fit, post, names=["REML", "Bayes"]).save("table.docx")``.

    Parameters
    ----------
    *models : Fit, Posterior or PooledFit
    names : sequence of str
        Headings of the models; "Model 1", ... by default.
    interval : bool
        Intervals of probability ``prob`` in place of standard errors.
    stars : bool
        ``*`` p < .05, ``**`` p < .01, ``***`` p < .001.
    digits : int
        Decimals of estimates; an estimate other than zero that these would show as zero has more.
    robust, df
        Kind of standard errors and degrees of freedom, as for `Fit.fixed_effects`.
    title : str
        What stands above the table.
    ratios : bool
        Odds, event rate or hazard ratios in place of coefficients of logit, log and cloglog links; those of
        other models stay, and the notes say which are which.

    Returns
    -------
    ModelTable
        Prints as text; ``frame()`` has the numbers, ``save(path)`` writes Word, Excel, LaTeX, HTML, ...

    Raises
    ------
    OutputError
        No models, what is no fitted model, or another number of names.
    """
    if not models:
        raise OutputError("a table wants at least one fitted model: hlm.table(fit1, fit2)")
    check_prob(prob)
    whole("digits", digits, 0, OutputError)
    headings = _headings(names, len(models))
    asked = Asked(prob, robust, df, ratios)
    columns = tuple(column_of(record_of(model), asked) for model in models)
    return ModelTable(columns, headings, interval, stars, digits, prob, title)


def _headings(names: Sequence[str], n: int) -> tuple[str, ...]:
    found = (names,) if isinstance(names, str) else tuple(str(name) for name in names)
    if found and (len(found) != n or len(set(found)) != n):
        raise OutputError(f"names= wants {n} different names, one a model, got {', '.join(found)}")
    return found or tuple(f"Model {k + 1}" for k in range(n))


def decimals(value: float, digits: int) -> str:
    """Write a number with so many decimals: a real minus sign, no minus zero, thousands apart."""
    text = f"{value:,.{digits}f}"
    if hidden(value, digits) and digits >= MOST_DECIMALS:
        return f"{value:.1e}".replace("-", MINUS)
    return text.replace("-", "" if float(text.replace(",", "")) == 0 else MINUS)


def _five(value: Any) -> tuple[float, ...]:
    """Give an effect's five numbers; of another value it is the first."""
    if isinstance(value, Effect):
        return value
    return (np.nan if value is None else value, *(np.nan,) * 4)


def _union(parts: Iterable[Iterable[str]]) -> list[str]:
    """Give all names, each once, in the order of the longest part, others after what is before them."""
    found: list[str] = []
    for names in sorted(map(list, parts), key=len, reverse=True):
        at = -1
        for name in names:
            if name in found:
                at = found.index(name)
            else:
                at += 1
                found.insert(at, name)
    return found
