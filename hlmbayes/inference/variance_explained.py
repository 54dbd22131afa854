"""What is worked out by hand from a listing: intraclass correlation, plausible ranges, variance explained.

Each result names its formula. Intervals are given where a standard method exists; where none does
the result says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from ..errors import HypothesisError
from ..estimation.weights import refuse_weighted
from ..labels import Sentence
from .compare import random_keys, refuse_different_data
from .hlm_tables import components_covariance

if TYPE_CHECKING:
    from ..equations.model import TwoLevelModel
    from ..estimation.estimates import Estimates
    from ..likelihood.design import Design


@dataclass(frozen=True, slots=True, repr=False)
class IntraclassCorrelation(Sentence):
    """The share of the variance that lies between units.

    Attributes
    ----------
    icc : float
    low, high : float
        Profile-likelihood confidence limits.
    level : float
        Confidence level.
    conditional : bool
        Whether the model has predictors: the correlation is then that of units alike on them.
    formula : str
    notes : tuple of str
    """

    icc: float
    low: float
    high: float
    level: float
    conditional: bool
    formula: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        name = "Conditional intraclass correlation" if self.conditional else "Intraclass correlation"
        text = f"{name} {self.icc:.4f}, {100 * self.level:g} % interval {self.low:.4f} to {self.high:.4f}"
        return "\n".join([f"{text} ({self.formula})", *self.notes])


@dataclass(frozen=True, slots=True, repr=False)
class PlausibleRange(Sentence):
    """The range that holds a share of the units' values of a level-1 coefficient.

    Attributes
    ----------
    coefficient : str
    center, sd : float
        Mean and standard deviation over units that have the level-2 values ``at``.
    low, high : float
    level : float
        Share of units.
    at : mapping of str to float
        Values of the level-2 predictors, in the units of the data.
    formula : str
    notes : tuple of str
    """

    coefficient: str
    center: float
    sd: float
    low: float
    high: float
    level: float
    at: Mapping[str, float]
    formula: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = ", ".join(f"{name} = {value:g}" for name, value in self.at.items())
        text = (
            f"{100 * self.level:g} % of units have {self.coefficient} between {self.low:.4f} and "
            f"{self.high:.4f}{' where ' + where if where else ''} ({self.formula})"
        )
        return "\n".join([text, *self.notes])


@dataclass(frozen=True, slots=True, repr=False)
class VarianceExplained(Sentence):
    """Proportion of each variance of a base model that a further model explains.

    Attributes
    ----------
    level1 : float
        (sigma2_base - sigma2) / sigma2_base.
    level2 : mapping of str to float
        (tau_qq_base - tau_qq) / tau_qq_base for every coefficient random in both.
    formula : str
    notes : tuple of str
        Also that no standard confidence interval exists.
    """

    level1: float
    level2: Mapping[str, float]
    formula: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"Level-1 variance explained: {self.level1:.4f}"]
        lines += [f"Variance of {name} explained: {value:.4f}" for name, value in self.level2.items()]
        return "\n".join([*lines, f"({self.formula})", *self.notes])


def icc(fit: Estimates, *, level: float = 0.95) -> IntraclassCorrelation:
    """Give tau_00 / (tau_00 + sigma2).

    With predictors in the model it is the conditional one (Raudenbush & Bryk 2002, ch. 2 and 4).
    The interval is from the profile likelihood of tau_00 / sigma2, of which it is a function; with
    sampling weights the large-sample one on the logit scale, from the sandwich (delta method).

    Raises
    ------
    HypothesisError
        No random intercept, or a level-1 variance that depends on variables.
    """
    check_level(level)
    refuse_heterogeneous(fit, "the intraclass correlation")
    refuse_weighted(fit, "the intraclass correlation", "precision", "variance known")
    position = [
        k for k, r in enumerate(fit.design.random) if fit.model.coefficients[r].predictor.variable is None
    ]
    if not position:
        raise HypothesisError(
            "the model has no random intercept: the correlation of two rows depends on their predictors"
        )
    k = position[0]
    tau, sigma2 = float(fit.components.tau[k, k]), fit.sigma2
    share = tau / (tau + sigma2)
    notes = []
    if fit.design.n_random > 1:
        notes.append("With random slopes it holds for rows whose random level-1 predictors are zero.")
    limits = _sandwich_limits if fit.weighted_kind == "sampling" else _profile_limits
    ratio = limits(fit, k, level)
    if np.isnan(ratio[0]):
        notes.append("No interval: tau is on the boundary.")
    low, high = (value / (1.0 + value) for value in ratio)
    conditional = any(c.predictor.variable for c in fit.model.coefficients) or bool(
        fit.model.level2_variables
    )
    return IntraclassCorrelation(
        share, low, high, level, conditional, "tau_00 / (tau_00 + sigma2)", tuple(notes)
    )


def _profile_limits(fit: Estimates, k: int, level: float) -> tuple[float, float]:
    from .profile import ratio_limits

    return ratio_limits(fit, k, level)


def _sandwich_limits(fit: Estimates, k: int, level: float) -> tuple[float, float]:
    """Give large-sample limits of tau_kk / sigma2 on the log scale; nan on the boundary."""
    tau, sigma2 = float(fit.components.tau[k, k]), fit.sigma2
    if fit.boundary or tau <= 0:
        return float("nan"), float("nan")
    covariance = components_covariance(fit)
    gradient = np.zeros(len(covariance))
    gradient[k * (k + 1) // 2 + k], gradient[-1] = 1.0 / tau, -1.0 / sigma2  # lower triangle by rows
    reach = float(ndtri(0.5 + level / 2.0) * np.sqrt(gradient @ covariance @ gradient))
    return tau / sigma2 * np.exp(-reach), tau / sigma2 * np.exp(reach)


def plausible_range(
    fit: Estimates, coefficient: str = "b0", *, level: float = 0.95, at: Mapping[str, float] | None = None
) -> PlausibleRange:
    """Give the range of the units' values of a coefficient: mean +- 1.96 sqrt(tau_qq).

    Raudenbush & Bryk (2002, ch. 4).

    Parameters
    ----------
    fit : Estimates
    coefficient : str
        "b0", "b1", ...
    level : float
        Share of units the range is to hold.
    at : mapping of str to float, optional
        Values of the level-2 predictors, in the units of the data; zero where not given (the grand
        mean for a predictor centred about it).

    Raises
    ------
    HypothesisError
        No such coefficient, one without a random effect, or a predictor it does not have.
    """
    check_level(level)
    weights, used = middle_of(fit.model, fit.design, coefficient, at)
    name = coefficient.strip().lower()
    k = fit.random_names.index(name)
    center = sum((float(fit.gamma[gamma]) * weight for gamma, weight in weights.items()), 0.0)
    sd = float(np.sqrt(fit.components.tau[k, k]))
    z = float(ndtri(0.5 + level / 2.0))
    own = fit.model.coefficients[fit.design.random[k]]
    mean = " + ".join(
        g.name if g.predictor.variable is None else f"{g.name}*{g.predictor.variable}" for g in own.gammas
    )
    notes = ("The variance is estimated as zero: the range is a point.",) if sd == 0 else ()
    return PlausibleRange(
        name, center, sd, center - z * sd, center + z * sd, level, used,
        f"{mean or '0'} +- {z:.2f} sqrt(tau[{name}])", notes,
    )  # fmt: skip


def middle_of(
    model: TwoLevelModel, design: Design, coefficient: str, at: Mapping[str, float] | None
) -> tuple[dict[str, float], dict[str, float]]:
    """Give what each gamma counts in the mean of a coefficient, and the level-2 values that is at.

    Raises
    ------
    HypothesisError
        No such coefficient, one without a random effect, or a predictor it does not have.
    """
    name = str(coefficient).strip().lower()
    random = [model.coefficients[r] for r in design.random]
    own = next((c for c in random if c.name == name), None)
    if own is None:
        kind = "does not vary at random" if name in model.coefficient_names else "is not in the model"
        raise HypothesisError(
            f"{coefficient} {kind}; coefficients that do, and so have a plausible range: "
            f"{', '.join(c.name for c in random) or 'none'}"
        )
    if at is not None and not isinstance(at, Mapping):
        raise HypothesisError(f'at= wants values of level-2 predictors, {{"sector": 1}}, got {at!r}')
    values: dict[str, float] = {}
    for key, value in (at or {}).items():
        if not isinstance(value, Real) or not np.isfinite(value):
            raise HypothesisError(f"at={key!r}: a number is wanted, got {value!r}")
        values[str(key).lower()] = float(value)
    weights, used = {}, {}
    for gamma in own.gammas:
        variable = gamma.predictor.variable
        if variable is None:
            weights[gamma.name] = 1.0
            continue
        middle = design.centers.get(variable.lower(), 0.0) if gamma.predictor.centering == "grand" else 0.0
        used[variable] = values.pop(variable.lower(), middle)
        weights[gamma.name] = used[variable] - middle
    if values:
        raise HypothesisError(
            f"{', '.join(values)}: not a level-2 predictor of {name} ({', '.join(used) or 'it has none'})"
        )
    return weights, used


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
    refuse_heterogeneous(fit, "the variance explained")
    refuse_heterogeneous(base, "the variance explained")
    theirs, level2, alone = random_keys(base), {}, []
    for k, (name, key) in enumerate(zip(fit.random_names, random_keys(fit), strict=True)):
        if key not in theirs:
            alone.append(name)
            continue
        before = float(base.components.tau.diagonal()[theirs.index(key)])
        after = float(fit.components.tau.diagonal()[k])
        level2[name] = (before - after) / before if before > 0 else float("nan")
    level1 = (base.sigma2 - fit.sigma2) / base.sigma2
    notes = ["No confidence interval: no standard method exists."]
    if alone:
        notes.append(
            f"{', '.join(alone)}: not random in the base model with the same predictor and centring."
        )
    negative = [n for n, v in {"sigma2": level1, **level2}.items() if v < 0]
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
    return VarianceExplained(level1, level2, "(base - model) / base", tuple(notes))


def _level1_terms(fit: Estimates) -> set[tuple[str, str]]:
    return {((c.predictor.variable or "").lower(), c.predictor.centering) for c in fit.model.coefficients}


def refuse_heterogeneous(fit: Estimates, what: str) -> None:
    """Raise where the level-1 variance is a function of variables, so that there is no one sigma2."""
    if fit.model.log_sigma2 is not None:
        raise HypothesisError(f"{what} needs one level-1 variance; in this model it depends on variables")


def check_level(level: float) -> None:
    """Raise unless a confidence level is a share between 0 and 1."""
    if not isinstance(level, Real) or not 0 < level < 1:
        raise HypothesisError(f"level={level!r}: a share between 0 and 1 is wanted, for example 0.95")
