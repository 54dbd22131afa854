"""The one screen a person wants of a fit: what to know first, effects with intervals, variances, shares."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..arguments import check_prob
from ..equations.names import cut_parameters
from ..inference.same_data import Fitted
from ..labelled import table
from ..labels import Sentence
from ..text_table import TextColumn, in_blocks, number_texts, shortened
from .columns import ROWS, UNITS, Asked, Column, column_of

if TYPE_CHECKING:
    import pandas as pd

WIDE = 80


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Summary(Sentence):
    """A fit at a glance; ``column`` has its numbers, ``codes`` the effects' names in the equations."""

    column: Column
    codes: tuple[str, ...]
    prob: float

    def frame(self) -> pd.DataFrame:
        """Tabulate the fixed effects: name, estimate, se, low, high, p_value; index = codes."""
        effects = self.column.effects
        columns = {"name": list(effects)} | {
            field: [getattr(effect, field) for effect in effects.values()]
            for field in ("estimate", "se", "low", "high", "p_value")
        }
        return table(columns, self.codes, "effect")

    def __str__(self) -> str:
        column, facts = self.column, dict(self.column.facts)
        units, rows = int(facts.pop(UNITS)), int(facts.pop(ROWS))
        lines = [line for warning in column.warnings for line in textwrap.wrap(f"WARNING: {warning}", WIDE)]
        lines += [
            f"{column.outcome}: {rows:,} rows in {units:,} units, {column.how}",
            "",
            self._effects(),
            "",
        ]
        lines += textwrap.wrap(f"Standard errors: {column.errors}.", WIDE)
        if column.variances:
            names = ["variances", *map(shortened, column.variances)]
            values = ["", *number_texts(list(column.variances.values()))]
            lines += ["", in_blocks([TextColumn(names, words=True), TextColumn(values)], 1)]
        said = ", ".join(f"{name} {_figure(name, value)}" for name, value in facts.items())
        return "\n".join([*lines, "", *textwrap.wrap(said, WIDE)])

    def _effects(self) -> str:
        effects = self.column.effects
        estimates, errors = (number_texts([e[k] for e in effects.values()]) for k in (0, 1))
        ends = number_texts([end for e in effects.values() for end in (e.low, e.high)])
        p = ["<0.001" if e.p_value < 0.001 else f"{e.p_value:.3f}" for e in effects.values()]
        head = f"{100 * self.prob:g} % interval"
        columns = [
            TextColumn(["", *self.codes], words=True),
            TextColumn(["fixed effects", *map(shortened, effects)], words=True),
            TextColumn(["estimate", *estimates]),
            TextColumn(["se", *errors]),
            TextColumn([head, *map(" to ".join, zip(ends[::2], ends[1::2], strict=True))]),
            TextColumn(["p", *("" if "nan" in text else text for text in p)]),
        ]
        return in_blocks(columns, 2)


def _figure(name: str, value: float) -> str:
    return f"{value:,.2f}" if name == "Deviance" else f"{value:,.4g}"


def summary(
    fit: Fitted, prob: float = 0.95, *, robust: bool | str | None = None, df: str | None = None
) -> Summary:
    """Give a fit at a glance: warnings first, effects with intervals, variances, ICC, R-squared, deviance.

    Parameters
    ----------
    prob : float
        Probability of the intervals.
    robust, df
        Kind of standard errors and degrees of freedom, as for `Fit.fixed_effects`.
    """
    check_prob(prob)
    column = column_of(fit, Asked(prob, robust, df))
    codes = (*fit.model.gamma_names, *(a.name for a in fit.law.alphas))
    cuts = cut_parameters(len(column.effects) - len(codes)).codes
    return Summary(column, (*codes, *cuts), prob)
