"""Variance explained, as it is worked out by hand from two listings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..equations.names import LEVEL1
from ..estimation.estimates import Estimates
from ..inference.same_data import Key, predictor_key, random_keys, refuse_different_data
from ..labelled import parameter_table
from ..labels import Sentence
from ..laws.law import Need
from ..naming import Parameter

if TYPE_CHECKING:
    import pandas as pd

ROUNDING = 1e-8  # of a variance, relative: two searches for the same optimum differ by less


@dataclass(frozen=True, slots=True, repr=False)
class VarianceExplained(Sentence):
    """Proportion of each variance of a base model that a further model explains.

    ``level1``: (sigma2_base - sigma2) / sigma2_base; ``level2``: (tau_qq_base - tau_qq) / tau_qq_base for
    every coefficient random in both, by its code; ``names`` are their names. No standard confidence interval
    exists, as the ``notes`` say.
    """

    level1: float
    level2: Mapping[str, float]
    formula: str
    names: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """Tabulate the proportions; index = sigma2 and the random coefficients."""
        known = {"sigma2": LEVEL1["sigma2"], **self.names}
        columns = {"estimate": [self.level1, *self.level2.values()]}
        return parameter_table(columns, ["sigma2", *self.level2], known)

    def __str__(self) -> str:
        lines = [f"Level-1 variance explained: {self.level1:.4f}"]
        lines += [
            f"Variance of {Parameter(code, self.names.get(code, ''))} explained: {value:.4f}"
            for code, value in self.level2.items()
        ]
        return "\n".join([*lines, f"({self.formula})", *self.notes])


def variance_explained(fit: Estimates, base: Estimates) -> VarianceExplained:
    """Give the proportional reduction of every variance against a base model.

    (base - fit) / base for sigma2 and for tau_qq of each coefficient random in both, under the name it has in
    ``fit``: Raudenbush & Bryk (2002, ch. 4). The same coefficient is that of the same level-1 predictor,
    centred alike. The base is the model with fewer predictors; its level-1 predictors should be the same
    where level-2 variances are compared.

    Raises
    ------
    HypothesisError
        The fits use different rows, or have no one level-1 variance.
    """
    refuse_different_data(fit, base)
    for each in (fit, base):
        each.require("the variance explained", Need.ONE_SIGMA2)
    theirs, level2, alone = random_keys(base), {}, []
    known = fit.model.random_parameters
    for k, (name, key) in enumerate(zip(fit.random_names, random_keys(fit), strict=True)):
        if key not in theirs:
            alone.append(name)
            continue
        before = float(base.components.tau.diagonal()[theirs.index(key)])
        after = float(fit.components.tau.diagonal()[k])
        level2[name] = _reduction(before, after)
    level1 = _reduction(base.sigma2, fit.sigma2)
    notes = ["No confidence interval: no standard method exists."]
    if alone:
        notes.append(
            f"{', '.join(known.shown(alone))}: not random in the base model with the same predictor and "
            "centring."
        )
    negative = ["sigma2"] * (level1 < 0) + known.shown(n for n, v in level2.items() if v < 0)
    if negative:
        notes.append(
            f"Negative for {', '.join(negative)}: the estimate is larger than in the base model. This "
            "happens by chance, or where the level-1 models differ; it is not a variance explained."
        )
    if any(np.isnan(v) for v in level2.values()):
        notes.append("nan: the base model's variance is zero, so there is none to explain.")
    if level2 and _level1_terms(fit) != _level1_terms(base):
        notes.append(
            "The level-1 models differ, so the level-2 variances are not of the same quantities unless the "
            "added predictors are group-centred (Raudenbush & Bryk 2002, ch. 5)."
        )
    return VarianceExplained(level1, level2, "(base - model) / base", known.name_of, tuple(notes))


def _reduction(before: float, after: float) -> float:
    """Give the proportional reduction of a variance: 0 where it is rounding, nan where there was none."""
    if not before > 0:
        return float("nan")
    return 0.0 if abs(before - after) <= ROUNDING * before else (before - after) / before


def _level1_terms(fit: Estimates) -> set[Key]:
    return {predictor_key(c.predictor) for c in fit.model.coefficients}
