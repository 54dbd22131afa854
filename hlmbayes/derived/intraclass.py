"""The intraclass correlation, with random slopes at values of their predictors.

Of two rows of one unit that are alike on the predictors with random slopes, z = (1, x_1, ...), the covariance
is z'tau z and each one's variance z'tau z + sigma2 (Goldstein, Browne & Rasbash 2002, Understanding
Statistics 1, 223-231). Values of x are those of the predictor as it stands in the equation: about the unit's
mean where it is group(x).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from ..arguments import check_prob
from ..errors import HypothesisError
from ..estimation.estimates import Estimates
from ..inference.component_errors import components_covariance
from ..inference.profile import ratio_limits
from ..labelled import table
from ..labels import Sentence
from ..laws.law import Need
from ..likelihood.design import Design
from ..likelihood.pattern import Pattern, elements
from .factor_levels import at_levels

if TYPE_CHECKING:
    import pandas as pd

MEAN = "mean"
MOST_POINTS = 10_000  # of a curve
AT_ZERO = (
    "With random slopes it holds for rows whose random level-1 predictors are zero; at= gives it elsewhere "
    "(--icc NAME=VALUE)."
)


SEVERAL = (
    "No interval: the variance between units is a sum over independent random effects here, which has no "
    "profile (in Python fit.bootstrap(1000) gives draws of tau)."
)
BOUNDARY = "No interval: tau is on the boundary."
FLAT = (
    "No interval to its end: the likelihood is too flat to be followed there (few units for so many random "
    "effects?)."
)


@dataclass(frozen=True, slots=True, repr=False)
class IntraclassCorrelation(Sentence):
    """The share of the variance that lies between units, and its confidence limits of probability ``prob``.

    ``conditional``: the model has predictors, and the correlation is that of units alike on them. ``at``:
    the values of the predictors with random slopes, as these stand in the equation; ``where`` says them.
    """

    icc: float
    low: float
    high: float
    prob: float
    conditional: bool
    formula: str
    notes: tuple[str, ...]
    at: Mapping[str, float]
    where: str = ""

    def frame(self) -> pd.DataFrame:
        """Tabulate the estimate and its interval."""
        return table({"estimate": self.icc, "low": self.low, "high": self.high}, ["icc"])

    def __str__(self) -> str:
        name = "Conditional intraclass correlation" if self.conditional else "Intraclass correlation"
        limits = f"{100 * self.prob:g} % interval {self.low:.4f} to {self.high:.4f}"
        return "\n".join([f"{name}{self.where} {self.icc:.4f}, {limits} ({self.formula})", *self.notes])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class IntraclassCurve(Sentence):
    """Intraclass correlations over values of predictors with random slopes, one in each of ``points``."""

    points: tuple[IntraclassCorrelation, ...]

    def frame(self) -> pd.DataFrame:
        """Tabulate the values of the predictors, the correlation ``icc`` and its interval, a row a point."""
        columns = {name: [point.at[name] for point in self.points] for name in self.points[0].at}
        columns |= {name: [getattr(p, name) for p in self.points] for name in ("icc", "low", "high")}
        return table(columns, range(len(self.points)))

    def __str__(self) -> str:
        first = self.points[0]
        lines = [f"{p.icc:.4f}, {p.low:.4f} to {p.high:.4f}{p.where}" for p in self.points]
        notes = dict.fromkeys(note for p in self.points for note in p.notes)
        return "\n".join(
            [f"Intraclass correlation, {100 * first.prob:g} % interval ({first.formula})", *lines, *notes]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a correlation is taken: z (q,) of the random coefficients, and the values, in words too."""

    z: np.ndarray
    at: Mapping[str, float]
    where: str


def icc(
    fit: Estimates, *, at: str | Mapping[str, Any] | None = None, prob: float = 0.95
) -> IntraclassCorrelation | IntraclassCurve:
    """Give the intraclass correlation z'tau z / (z'tau z + sigma2): without random slopes that of tau_00.

    With predictors in the model it is the conditional one (Raudenbush & Bryk 2002, ch. 2 and 4). The
    interval is from the profile likelihood of z'tau z / sigma2, of which it is a function; with sampling
    weights the large-sample one on the logit scale, from the sandwich (delta method).

    Parameters
    ----------
    at : mapping of predictor to number, numbers or "mean"; or "mean"
        Where, for predictors with random slopes: ``{"ses": 1.5}``. Values are those of the predictor as it
        stands in the equation: for group(ses) 1.5 above the unit's mean, for grand(ses) above the grand mean.
        Of a factor a level, or several: ``{"track": "general"}``.
        What is not named is zero, as everything is by default; "mean" is the mean over the rows. Several
        values, ``{"ses": [-1, 0, 1]}``, give a curve.
    prob : float
        Probability of the interval.

    Returns
    -------
    IntraclassCorrelation, or an IntraclassCurve where there are several values

    Raises
    ------
    HypothesisError
        No random intercept (and no ``at``), a level-1 variance that depends on variables, a predictor without
        a random slope.
    """
    check_prob(prob)
    fit.require("the intraclass correlation", Need.ONE_SIGMA2, Need.ROWS_ALIKE)
    limits = _sandwich_limits if fit.counting.pseudo else ratio_limits

    def point(place: Place, notes: tuple[str, ...]) -> IntraclassCorrelation:
        between = float(place.z @ fit.components.tau @ place.z)
        here, *ratio = limits(fit, place.z, prob)
        if np.isnan(ratio).any():
            pseudo = BOUNDARY if fit.counting.pseudo else FLAT
            several = sum(bool(place.z[list(block)].any()) for block in fit.design.pattern.blocks) > 1
            notes = (*notes, SEVERAL if several else pseudo)
        best, low, high = (value / (1.0 + value) for value in (here, *ratio))
        found = between / (between + fit.sigma2)
        if f"{best:.4f}" != f"{found:.4f}" and not np.isnan(best):
            said = (
                f"HLM stopped before the optimum, where the correlation{place.where} is {best:.4f}: the "
                "interval is its."
            )
            notes = (*notes, said)
        return IntraclassCorrelation(
            found, low, high, prob, conditional(fit.design), formula(at), notes,
            place.at, place.where,
        )  # fmt: skip

    return at_places(fit.design, at, point)  # type: ignore[no-any-return]


def at_places[Point: IntraclassCorrelation](
    design: Design, at: str | Mapping[str, Any] | None, point: Callable[[Place, tuple[str, ...]], Point],
    means: np.ndarray | None = None,
) -> Any:  # fmt: skip
    """Give what ``point`` makes of the place asked for, or a curve of what it makes of several.

    ``means`` (q,) of the random coefficients' columns, where they are not those of the design.
    """
    places, several = places_of(design, at, column_means(design) if means is None else means)
    notes = (AT_ZERO,) if at is None and design.n_random > 1 else ()
    found = tuple(point(place, notes) for place in places)
    return IntraclassCurve(found) if several else found[0]


def conditional(design: Design) -> bool:
    """Whether the model has predictors."""
    model = design.model
    return bool(model.level2_variables) or any(c.predictor.variable for c in model.coefficients)


def formula(at: Any) -> str:
    """Say what is worked out."""
    between = "tau_00" if at is None else "z'tau z"
    return f"{between} / ({between} + sigma2)"


def places_of(
    design: Design, at: str | Mapping[str, Any] | None, means: np.ndarray
) -> tuple[list[Place], bool]:
    """Read ``at`` into places, and whether they make a curve.

    Raises
    ------
    HypothesisError
        As `icc`.
    """
    random = [design.model.coefficients[r].predictor for r in design.random]
    if not random:
        raise HypothesisError(
            "the model has no random intercept nor slope: by it rows of a unit are not correlated"
        )
    if at is None and all(p.variable is not None for p in random):
        raise HypothesisError(
            "the model has no random intercept: the correlation of two rows depends on their predictors. "
            f"Say which values they have, icc(at={{{str(random[0].variable)!r}: 1}})"
        )
    slopes = [k for k, p in enumerate(random) if p.variable is not None]
    axes = [[{k: 0.0}] for k in slopes]
    several = False
    if isinstance(at, str) and at == MEAN:
        axes = [[{k: means[k]}] for k in slopes]
    elif at is not None:
        if not isinstance(at, Mapping):
            raise HypothesisError(f'at= wants values of predictors, {{"ses": 1.5}}, or "mean", got {at!r}')
        for name, values in at.items():
            axes.append(_axis(design, str(name), values, means))
            several |= np.ndim(values) == 1
    if np.prod([len(axis) for axis in axes]) > MOST_POINTS:
        raise HypothesisError(f"at= asks for more than {MOST_POINTS} combinations of values: give fewer")
    keys = [str(random[k].variable) for k in slopes]
    text = [_text(random[k]) for k in slopes]
    places = []
    for chosen in product(*axes):
        z = np.ones(len(random))
        for each in chosen:
            z[list(each)] = list(each.values())
        here = z[slopes].tolist()
        where = ", ".join(f"{name} = {value:g}" for name, value in zip(text, here, strict=True))
        shown = f" at {where}" if at is not None and where else ""
        places.append(Place(z, dict(zip(keys, here, strict=True)), shown))
    return places, several


def _text(predictor: Any) -> str:
    centering, variable = predictor.centering, predictor.variable
    return str(variable) if centering == "none" else f"{centering}({variable})"


def _axis(design: Design, name: str, given: Any, means: np.ndarray) -> list[dict[int, float]]:
    """Give the places along one predictor: values of its column, or of all columns of a factor."""
    listed = list(given) if np.ndim(given) == 1 else [given]
    known = [] if MEAN in map(str, listed) else at_levels(design, 1, name, listed)
    if known and all(own := [_of_random(design, columns) for columns in known]):
        return own
    k = design.model.random_parameters.place(name, HypothesisError)
    if design.model.coefficients[design.random[k]].predictor.variable is None:
        raise HypothesisError(f"at= {name!r}: an intercept has no values; name a predictor")
    values = [means[k] if isinstance(v, str) and v == MEAN else v for v in listed]
    if not values or not all(isinstance(v, Real) and isfinite(v) for v in values):
        raise HypothesisError(f'at= {name!r}: a number, several, or "mean" is wanted, got {given!r}')
    return [{k: float(value)} for value in values]


def _of_random(design: Design, columns: Mapping[str, float]) -> dict[int, float]:
    """Give the values of columns with random effects, by place: of those that are not centred."""
    random = [design.model.coefficients[r].predictor for r in design.random]
    place = {str(p.variable).lower(): k for k, p in enumerate(random) if p.centering == "none"}
    return {place[name]: value for name, value in columns.items() if name in place}


def column_means(design: Design) -> np.ndarray:
    """Give the means over all rows of the columns with random coefficients, (q,)."""
    weight = design.moments.total_weight
    return np.average(design.products.mean[design.random], axis=1, weights=weight)


def _sandwich_limits(fit: Estimates, z: np.ndarray, prob: float) -> tuple[float, float, float]:
    """Give z'tau z / sigma2 and its large-sample limits on the log scale; nan on the boundary."""
    between, sigma2 = float(z @ fit.components.tau @ z), fit.sigma2
    if fit.boundary or between <= 0:
        return (float("nan"),) * 3
    gradient = np.append(of_elements(z, fit.design.pattern) / between, -1.0 / sigma2)
    spread = float(np.sqrt(gradient @ components_covariance(fit) @ gradient))
    reach = float(ndtri(0.5 + prob / 2.0)) * spread
    ratio = between / sigma2
    return ratio, ratio * np.exp(-reach), ratio * np.exp(reach)


def of_elements(z: np.ndarray, pattern: Pattern) -> np.ndarray:
    """Give the derivatives of z'tau z in tau's free elements, (m,): z'tau z is their product with these."""
    rows, cols = elements(pattern)
    return np.asarray(np.where(rows == cols, 1.0, 2.0) * z[rows] * z[cols])
