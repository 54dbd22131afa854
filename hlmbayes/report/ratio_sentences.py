"""What effects say where the outcome is not normal: ratios of odds or counts, and means over all units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..data.two_level import TwoLevelData
from ..errors import HLMError
from ..hglm.estimates import GeneralizedEstimates
from ..inference.likelihood_tables import WORDS
from ..laws.law import Need
from ..predictions.categories import of_gammas
from ..predictions.expected import Expected, expected
from ..predictions.new_rows import x_of
from ..predictions.reference import z_of
from .sentences import Difference, Teller, Told, amount, every_told, figures, listed

PROB = 0.95  # of the intervals
MULTIPLIED = {  # what effects multiply, by link
    "logit": "the odds of {outcome}", "mlogit": "the odds of {outcome}",
    "cumlogit": "the odds of a category of {outcome} or a lower one",
    "log": "{mean}", "cloglog": "the hazard of {outcome}",
}  # fmt: skip
ALIKE = (
    "Each ratio compares two rows of one unit, or of units with the same random effects, that are alike on "
    "everything else in the model; means are over all units. They go together, which is no proof of causes."
)


def ratio_sentences(fit: GeneralizedEstimates) -> tuple[Told, ...]:
    """Say what the intercept and each variable mean, for each category where it has its own equations."""
    if not isinstance(fit.data, TwoLevelData) or not fit.design.n_fixed:
        return ()
    try:
        if fit.has(Need.ONE_EQUATION):
            return every_told(_RatioTeller(fit, PROB))
        each = [_CategoryTeller(fit, PROB, category) for category in fit.law.labels[:-1]]
        return tuple(told for teller in each for told in every_told(teller))
    except HLMError:
        return ()


class _RatioTeller(Teller):
    """Tells differences on the scale of the link as ratios, with the means over units beside them."""

    fit: GeneralizedEstimates

    def __init__(self, fit: GeneralizedEstimates, prob: float) -> None:
        super().__init__(fit, prob)
        self.has_mean, link = fit.has(Need.ONE_MEAN), fit.model.outcome_law.link
        name = fit.model.outcome
        values = fit.data.value_labels.get(name.lower(), {})
        size = fit.law.size
        self.mean = f"the {fit.law.expected(self.outcome, size, values)}" if self.has_mean else ""
        one = f"{self.outcome} = {values.get(1.0, 1)}"
        outcome = one if size is None and self.has_mean and link != "log" else self.outcome
        self.multiplied = MULTIPLIED[link].format(outcome=outcome, mean=self.mean) if link in WORDS else ""
        self.scale = "" if self.multiplied else f"a {link} of {self.mean.removeprefix('the ')}"

    def means(self, places: Sequence[Mapping[str, Any]]) -> Expected:
        """Give expected outcomes at places, the other variables held."""
        effects, design = self.rows(places), self.fit.design
        return expected(self.fit, x_of(design, effects), z_of(design, effects), prob=self.prob, robust=False)

    def intercept(self) -> Told | None:
        """Say what the expected outcome is where every variable is held, over units and in a typical one."""
        if not self.has_mean:
            return None
        found = self.means([{}])
        mean, low, high, typical = (
            float(part[0, 0]) for part in (found.mean, found.low, found.high, found.at_zero)
        )
        where = f" with {listed([self.place(key) for key in self.known])}" if self.known else ""
        text = (
            f"Over all units {self.mean} is {figures(mean)}{where} ({100 * self.prob:g} % interval "
            f"{figures(low)} to {figures(high)}); in a typical unit, u = 0, it is {figures(typical)}."
        )
        here = dict(self.held)
        return Told("", text, (Difference({}, here, mean, low, high, float("nan")),))

    def goes_with(self, first: Difference) -> str:
        """Say what a difference in a variable goes with."""
        if self.scale:
            return f"goes with {self.scale} that is {amount(first)}"
        return f"multiplies {self.multiplied} by {figures(np.exp(first.estimate))}"

    def amount(self, d: Difference) -> str:
        """Say the ratio, or how large a difference is."""
        return amount(d) if self.scale else figures(np.exp(d.estimate))

    def change(self, before: Difference, after: Difference) -> str:
        """Say nothing: two ratios stand side by side."""
        return super().change(before, after) if self.scale else ""

    def limits(self, d: Difference) -> str:
        """Say the interval of a ratio, and that it leaves the direction open where it does."""
        if self.scale or d.low != d.low:
            return super().limits(d)
        low, high = np.exp([d.low, d.high])
        text = f" ({100 * self.prob:g} % interval {figures(low)} to {figures(high)}"
        return text + (", which leaves the direction open)" if d.low < 0 < d.high else ")")

    def besides(self, base: tuple[dict[str, Any], dict[str, Any]]) -> str:
        """Say what the mean over units is at either place."""
        if not self.has_mean:
            return ""
        start, to = self.means(base).mean[:, 0].tolist()
        return f" Over all units {self.mean} is {figures(to)} then, instead of {figures(start)}."


class _CategoryTeller(_RatioTeller):
    """Tells what the equations of one category say, against the reference."""

    def __init__(self, fit: GeneralizedEstimates, prob: float, category: str) -> None:
        self.own = of_gammas(fit.design) == category
        super().__init__(fit, prob)
        self.multiplied = MULTIPLIED["mlogit"].format(outcome=f"{self.outcome} = {fit.law.against(category)}")
        self.scale = ""

    def rows(self, at: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Give what the category's own fixed effects multiply, the others' nothing."""
        return np.asarray(super().rows(at) * self.own)
