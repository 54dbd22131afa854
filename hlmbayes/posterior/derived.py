"""What follows from a posterior's parameters: correlations, ranges, variance explained, I2, new units.

Each answer is that of the fit's twin, with the posterior's median for the estimate and an equal-tailed
interval, and has the draws it was made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from ..arguments import check_prob
from ..density.level1 import LogLinearSigma
from ..derived.between_studies import shares, typical_variance
from ..derived.generalized_shares import latent_variance, said_of_latent
from ..derived.intraclass import (
    IntraclassCorrelation,
    IntraclassCurve,
    Place,
    at_places,
    column_means,
    conditional,
    formula,
)
from ..derived.plausible import Middle, PlausibleRange, middle_of, where
from ..derived.r2 import PARTS, R2, said_of, share, variance_parts
from ..derived.variance_explained import VarianceExplained
from ..equations.names import LEVEL1
from ..errors import SamplingError
from ..inference.same_data import random_keys, refuse_different_rows
from ..labelled import parameter_table, table
from ..labels import Sentence
from ..laws.law import Need, refuse
from ..likelihood.design import Design
from ..sampling import container
from ..text_table import number_format
from .record import Drawn, LinkSample, PosteriorSample, Together, posterior_of
from .summaries import bounds, interval

if TYPE_CHECKING:
    import pandas as pd


PLAIN = ("low", "high")  # names of an interval's ends where they do not say its probability


def _table(draws: Mapping[str, np.ndarray], prob: float, ends: tuple[str, str] | None = None) -> pd.DataFrame:
    """Tabulate median and interval of draws by name."""
    return table(_columns(draws, prob, ends), draws)


def _columns(
    draws: Mapping[str, np.ndarray], prob: float, ends: tuple[str, str] | None = None
) -> dict[str, Any]:
    rows = np.array([[float(np.median(v)), *interval(v, prob)] for v in draws.values()])
    return dict(zip(["median", *(ends or bounds(prob))], rows.T, strict=True))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DrawnCorrelation(IntraclassCorrelation):
    """The posterior median and interval of the intraclass correlation; its ``draws`` (chain, draw)."""

    draws: np.ndarray = field(kw_only=True)

    def frame(self) -> pd.DataFrame:
        """Tabulate median and interval."""
        return _table({"icc": self.draws}, self.prob)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DrawnRange(PlausibleRange):
    """The posterior medians of a plausible range; ``draws`` of "low", "middle" and "high", (chain, draw)."""

    draws: Mapping[str, np.ndarray] = field(kw_only=True)

    def frame(self, prob: float = 0.95) -> pd.DataFrame:
        """Tabulate median and interval of the range's two ends and its middle."""
        return _table(self.draws, prob)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DrawnExplained(VarianceExplained):
    """Posterior medians of the variance explained; ``draws`` of "sigma2" and of each coefficient."""

    draws: Mapping[str, np.ndarray] = field(kw_only=True)
    prob: float = field(kw_only=True)

    def frame(self) -> pd.DataFrame:
        """Tabulate median and interval of every proportion."""
        known = {"sigma2": LEVEL1["sigma2"], **self.names}
        return parameter_table(_columns(self.draws, self.prob), self.draws, known)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DrawnR2(R2):
    """Posterior medians of the parts of the variance and of their shares; their ``draws`` (chain * draw,)."""

    def share(self, some: Iterable[str], whole: Iterable[str] = tuple(PARTS)) -> float:
        """Give the posterior median of a share."""
        return float(np.median(share(self.draws, some, whole)))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DrawnBetween(Sentence):
    """Posterior medians of I2 (per cent) and H2; ``draws`` of both, (chain, draw), by "i2" and "h2"."""

    i2: float
    h2: float
    typical_variance: float
    prob: float
    draws: Mapping[str, np.ndarray]

    def frame(self) -> pd.DataFrame:
        """Tabulate median and equal-tailed interval; index = i2, h2."""
        return _table(self.draws, self.prob, PLAIN)

    def __str__(self) -> str:
        low, high = interval(self.draws["i2"], self.prob)
        return (
            f"I2: posterior median {self.i2:.2f} %, {100 * self.prob:g} % interval {low:.2f} to {high:.2f}; "
            f"H2 {self.h2:.3f}, at a typical sampling variance of {self.typical_variance:.6g}"
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DrawnPrediction(Sentence):
    """The posterior of a new unit's coefficient: median, equal-tailed interval, ``draws`` (chain, draw)."""

    coefficient: str
    median: float
    low: float
    high: float
    prob: float
    at: Mapping[str, float]
    draws: np.ndarray

    def frame(self) -> pd.DataFrame:
        """Tabulate median and interval."""
        return _table({self.coefficient: self.draws}, self.prob, PLAIN)

    def __str__(self) -> str:
        how = number_format([self.low, self.high])
        return (
            f"{self.coefficient} of a new unit{where(self.at)}: median "
            f"{self.median:{how}}, {100 * self.prob:g} % interval {self.low:{how}} to {self.high:{how}}"
        )


def icc(
    posterior: Together[PosteriorSample], *, at: str | Mapping[str, Any] | None = None, prob: float = 0.95
) -> DrawnCorrelation | IntraclassCurve:
    """Give the posterior of the (conditional) intraclass correlation, z'tau z / (z'tau z + sigma2).

    ``at`` values of predictors as in `Fit.icc`. Of several data sets all draws are taken together.

    Raises
    ------
    SamplingError
        There is not one intraclass correlation, for rows differ in their level-1 variance.
    """
    target = posterior.samples[0].target
    if isinstance(target.law, LogLinearSigma):
        raise SamplingError(
            "log(sigma2) depends on variables, so there is not one intraclass correlation: work it out from "
            "the draws of tau and alpha for the rows in question"
        )
    refuse("the intraclass correlation", target.law.law.lacks, Need.ROWS_ALIKE)
    return _icc_of_draws(posterior.samples, posterior.scalar("sigma2"), at, prob)


def _icc_of_draws(
    samples: Sequence[Drawn], sigma2: np.ndarray, at: str | Mapping[str, Any] | None, prob: float,
    said: str = "",
) -> DrawnCorrelation | IntraclassCurve:  # fmt: skip
    """Give the same with draws of the level-1 variance, (chain, draw) of all posteriors."""
    check_prob(prob)
    design = samples[0].target.design
    tau = np.concatenate([each.values("tau") for each in samples])
    means = np.mean([column_means(each.target.design) for each in samples], axis=0)

    def point(place: Place, notes: tuple[str, ...]) -> DrawnCorrelation:
        between = np.einsum("cdab,a,b->cd", tau, place.z, place.z)
        draws = between / (between + sigma2)
        return DrawnCorrelation(
            float(np.median(draws)), *interval(draws, prob), prob, conditional(design),
            said or f"posterior median of {formula(at)}", notes, place.at, place.where, draws=draws,
        )  # fmt: skip

    return at_places(design, at, point, means)  # type: ignore[no-any-return]


def r2(posterior: PosteriorSample, *, prob: float = 0.95) -> DrawnR2:
    """Give the posterior of the parts of the outcome's variance, and of R-squared; as for a fit."""
    check_prob(prob)
    design, draws = posterior.target.design, posterior.parameter_draws
    refuse("R-squared", posterior.point.law.lacks, Need.ONE_SIGMA2, Need.ROWS_ALIKE)
    sigma2 = posterior.scalar("sigma2").reshape(-1)
    return _r2(design, draws.gamma, draws.tau, sigma2, prob)


def _r2(
    design: Design, gamma: np.ndarray, tau: np.ndarray, sigma2: np.ndarray, prob: float, *said: str
) -> DrawnR2:
    parts = variance_parts(design).of(gamma, tau, sigma2)
    medians = {name: float(np.median(values)) for name, values in parts.items()}
    return DrawnR2(medians, prob, parts, "medians of the posterior", (*said, *said_of(design)))


def icc_on_link(
    posterior: Together[LinkSample], *, at: str | Mapping[str, Any] | None = None, prob: float = 0.95
) -> DrawnCorrelation | IntraclassCurve:
    """Give the posterior of the intraclass correlation on the scale of the link; ``at`` as for a fit.

    Level 1 has the variance of a row there, pi^2 / 3 of a logit for example. Of several data sets all draws
    are taken together.
    """
    samples = posterior.samples
    refuse("an intraclass correlation", samples[0].link.law.lacks, Need.ONE_EQUATION)
    latent = [latent_variance(each.target.design, each.link.law) for each in samples]
    said = (
        f"posterior median of tau over tau and a level-1 variance of {np.mean(latent):.4g} on the scale of "
        "the link"
    )
    level1 = [np.full(each.values("tau").shape[:2], own) for each, own in zip(samples, latent, strict=True)]
    return _icc_of_draws(samples, np.concatenate(level1), at, prob, said)


def r2_on_link(posterior: LinkSample, *, prob: float = 0.95) -> DrawnR2:
    """Give the posterior of the parts of the variance on the scale of the link, and of R-squared."""
    check_prob(prob)
    design, law = posterior.target.design, posterior.link.law
    refuse("R-squared", law.lacks, Need.ONE_EQUATION)
    latent, tau = latent_variance(design, law), container.flat(posterior.tree, "tau")
    gamma = posterior.density.gamma(posterior.points)
    return _r2(design, gamma, tau, np.full(len(gamma), latent), prob, said_of_latent(latent))


def plausible_range(
    posterior: Drawn, coefficient: str = "b0", *, prob: float = 0.95, at: Mapping[str, float] | None = None
) -> DrawnRange:  # fmt: skip
    """Give the posterior of the range that holds a share ``prob`` of the units' coefficients.

    Mean +- z sd over units (Raudenbush & Bryk 2002, ch. 4), on the scale of the link, as
    `Fit.plausible_range`: at the means of the level-2 predictors, or ``at`` given values.
    """
    check_prob(prob)
    found = middle_of(posterior.model, posterior.target.design, coefficient, at)
    name, weights = found.coefficient.code, found.weights
    middle, sd = _of_units(posterior, found)
    z = float(ndtri(0.5 + prob / 2))
    draws = {"low": middle - z * sd, "middle": middle, "high": middle + z * sd}
    low, center, high = (float(np.median(v)) for v in draws.values())
    mean = " + ".join(f"{weight:g}*{gamma}" if weight != 1 else gamma for gamma, weight in weights.items())
    return DrawnRange(
        name, center, float(np.median(sd)), low, high, prob, found.at,
        f"posterior medians of {mean or '0'} +- {z:.2f} sd[{name}]", found.coefficient.name, found.notes,
        draws=draws,
    )  # fmt: skip


def _of_units(posterior: Drawn, found: Middle) -> tuple[np.ndarray, np.ndarray]:
    """Give the draws (chain, draw) of a coefficient's mean over units, and of its sd."""
    sd = posterior.scalar(f"sd[{found.coefficient.code}]")
    parts = (weight * posterior.scalar(gamma) for gamma, weight in found.weights.items())
    return sum(parts, np.zeros_like(sd)), sd


def variance_explained(posterior: PosteriorSample, base: Any, *, prob: float = 0.95) -> DrawnExplained:
    """Give the posterior of the proportional reduction of every variance against a base model.

    (base - model) / base as for a fit, and of the same rows and models with one sigma2. The two posteriors
    have no joint distribution: each draw of the one is set against a draw of the other.
    """
    base = posterior_of(base)
    refuse_different_rows(posterior.target.design, base.target.design)
    for each in (posterior, base):
        refuse("the variance explained", each.point.law.lacks, Need.ONE_SIGMA2)
    theirs, pairs, alone = random_keys(base.point), {"sigma2": ("sigma2", "sigma2")}, []
    for name, key in zip(posterior.model.random, random_keys(posterior.point), strict=True):
        if key in theirs:
            other = base.model.random[theirs.index(key)]
            pairs[name] = f"tau[{name},{name}]", f"tau[{other},{other}]"
        else:
            alone.append(name)
    if Need.ESTIMATED_SIGMA2 in posterior.point.law.lacks:  # what is known is the same in both
        pairs.pop("sigma2")
    draws = {name: _reduction(posterior.scalar(own), base.scalar(was)) for name, (own, was) in pairs.items()}
    medians = {name: float(np.median(v)) for name, v in draws.items()}
    notes = [
        "The draws of two models have no joint distribution: they are set against each other as they came."
    ]
    if alone:
        shown = posterior.model.random_parameters.shown(alone)
        notes += [f"{', '.join(shown)}: not random in the base model with the same predictor and centring."]
    return DrawnExplained(
        medians.pop("sigma2", 0.0), medians, "posterior median of (base - model) / base",
        posterior.model.random_parameters.name_of, tuple(notes), draws=draws, prob=prob,
    )  # fmt: skip


def _reduction(own: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Give (base - own) / base draw by draw, as many as the fewer of the two, evenly taken."""
    n = min(own.size, base.size)
    own, base = (v.ravel()[np.linspace(0, v.size - 1, n).astype(int)] for v in (own, base))
    return np.asarray((base - own) / base)


def i2(posterior: PosteriorSample, *, prob: float = 0.95) -> DrawnBetween:
    """Give the posterior of I2 and H2, how much studies with known variances differ; see `Fit.i2`."""
    check_prob(prob)
    target = posterior.target
    typical = typical_variance(target.design, target.law.law)
    name = posterior.model.random[0]
    draws = shares(posterior.scalar(f"tau[{name},{name}]"), typical)
    return DrawnBetween(float(np.median(draws["i2"])), float(np.median(draws["h2"])), typical, prob, draws)


def prediction_interval(
    posterior: PosteriorSample, coefficient: str = "b0", *, prob: float = 0.95,
    at: Mapping[str, float] | None = None,
) -> DrawnPrediction:  # fmt: skip
    """Give the posterior of a new unit's coefficient: a draw of it for each draw of gamma and tau.

    In a meta-analysis that of a new study's true effect. At level-2 predictors of zero, or ``at`` given
    values, with the posterior's own seed. Refuses what `Fit.prediction_interval` does.
    """
    check_prob(prob)
    found = middle_of(posterior.model, posterior.target.design, coefficient, at)
    middle, sd = _of_units(posterior, found)
    rng = np.random.default_rng([posterior.settings.seed, 7])
    draws = middle + sd * rng.standard_normal(sd.shape)
    low, high = interval(draws, prob)
    name = found.coefficient.code
    return DrawnPrediction(name, float(np.median(draws)), low, high, prob, found.at, draws)
