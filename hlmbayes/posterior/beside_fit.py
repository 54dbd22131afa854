"""A fit beside the posterior of the same model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr

from ..errors import SamplingError
from ..estimation.estimates import Estimates
from ..estimation.fitted import Fitted
from ..faces import record_of
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.pql import PQLEstimates
from ..inference import likelihood_tables
from ..inference.component_errors import variance_standard_errors
from ..inference.same_data import refuse_different_values
from ..labelled import numbers_table
from ..labels import Sentence
from ..laws.law import Need
from ..likelihood.pattern import elements
from .record import Drawn
from .summaries import bounds, interval

if TYPE_CHECKING:
    import pandas as pd

type AnyEstimates = Estimates | GeneralizedEstimates | PQLEstimates


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BesideFit(Sentence):
    """A fit's estimates beside a posterior; printed as a sentence, a table in ``frame()``.

    ``method`` is the fit's, "reml_exact"; ``prob`` that of the intervals. ``table`` has of each parameter the
    estimate (named as the method), se, mean, median, sd, interval; ``shift``, posterior median minus estimate
    in posterior sds; ``overlap``, the area common to the posterior and the normal distribution the fit's
    standard error stands for, nan without one. ``most_shifted`` has the largest ``shift``.
    """

    method: str
    table: pd.DataFrame
    most_shifted: str
    shift: float
    prob: float

    def frame(self) -> pd.DataFrame:
        """Give the table."""
        return self.table.copy()

    def __str__(self) -> str:
        row = self.table.loc[self.most_shifted]
        median, estimate, side = row["median"], row[self.method], "above" if self.shift > 0 else "below"
        return (
            f"Farthest from {self.method} is {self.most_shifted} ({row['name']}): posterior median "
            f"{median:.4g}, {abs(self.shift):.2f} posterior sds {side} {estimate:.4g}\n{self.table}"
        )


def compare(posterior: Drawn, fit: Any, prob: float = 0.95) -> BesideFit:
    """Put a fit beside the posterior: estimate, se, mean, median, sd, interval, shift, overlap.

    Raises an HLMError where it is none, or of another model or other data.
    """
    rows = by_parameter(posterior, fit, prob)
    table = numbers_table(rows, posterior.parameters.name_of, posterior.labels)
    most = str(table["shift"].abs().idxmax())
    return BesideFit(method_of(fit_of(fit)), table, most, float(table["shift"][most]), prob)


def by_parameter(posterior: Drawn, fit: Any, prob: float = 0.95) -> dict[str, dict[str, float]]:
    """Give the numbers of the table of `BesideFit` by the codes of parameters."""
    fit = fit_beside(posterior, fit)
    _refuse_different_rows(fit, posterior)
    low_name, high_name = bounds(prob)
    rows = {}
    for code, (estimate, se) in fit_scalars(fit).items():
        draws = posterior.scalar(code).ravel()
        low, high = interval(draws, prob)
        sd, median = float(np.std(draws, ddof=1)), float(np.median(draws))
        rows[code] = {
            method_of(fit): estimate, "se": se, "mean": float(draws.mean()), "median": median, "sd": sd,
            low_name: low, high_name: high, "shift": (median - estimate) / sd,
            "overlap": overlap(draws, estimate, se),
        }  # fmt: skip
    return rows


def _refuse_different_rows(fit: AnyEstimates, posterior: Drawn) -> None:
    """Raise where a fit is of other rows; the design of quasi-likelihood is of its working outcome."""
    if not isinstance(fit, PQLEstimates):
        refuse_different_values(fit.design, posterior.target.design)
        return
    own, other = fit.data, posterior.target.design
    if (own.n_rows, own.n_units) != (other.n_rows, other.n_units):
        raise SamplingError(
            f"the fit and the posterior use different rows ({own.n_rows} rows in {own.n_units} units, "
            f"{other.n_rows} in {other.n_units}): fit the data that were sampled"
        )


def fit_beside(posterior: Drawn, source: Any) -> AnyEstimates:
    """Give the record of a fit of the posterior's model; in another one parameters mean something else."""
    fit = fit_of(source)
    theirs = fit.written if isinstance(fit, PQLEstimates) else fit.model
    own, other = (model.equations().lower() for model in (posterior.model, theirs))
    if own != other:
        said = "; ".join(theirs.equations().splitlines())
        raise SamplingError(f"the fit and the posterior are not of the same model; the fit's is {said}")
    if isinstance(fit, PQLEstimates):
        return fit
    same = (fit.law.given, fit.counting) == (posterior.target.law.law.given, posterior.target.counting)
    if not same:
        raise SamplingError(
            "the fit and the posterior are weighted differently, or have other level-1 variances: give both "
            "the same frequency=, precision=, variance_known= or sigma2="
        )
    return fit


def fit_of(source: Any) -> AnyEstimates:
    """Give the record of a fit; a SamplingError where it is none."""
    fit = record_of(source)
    if not isinstance(fit, Estimates | GeneralizedEstimates | PQLEstimates):
        raise SamplingError(f"a Fit is wanted beside the posterior, got {type(source).__name__}")
    return fit


def method_of(fit: AnyEstimates) -> str:
    """Name a fit's method as a column: "reml_exact"; of penalised quasi-likelihood "pql"."""
    return "pql" if isinstance(fit, PQLEstimates) else f"{fit.method.lower()}_{fit.algorithm}"


@singledispatch
def fit_scalars(fit: AnyEstimates) -> dict[str, tuple[float, float]]:
    """Give estimate and standard error of a fit's parameters, by the names of a posterior's scalars."""
    raise NotImplementedError


@fit_scalars.register
def _(fit: GeneralizedEstimates) -> dict[str, tuple[float, float]]:
    cuts = {cut.cut: (cut.estimate, cut.se) for cut in likelihood_tables.cuts(fit)}
    return _shared(fit, fit.vcov, fit.se_tau) | cuts


@fit_scalars.register
def _(fit: PQLEstimates) -> dict[str, tuple[float, float]]:
    found = fit_scalars(fit.working)
    return {name: found[name] for name in fit.written.scalar_parameters.codes if name in found}


def _shared(fit: Fitted, vcov: np.ndarray, se_tau: Any) -> dict[str, tuple[float, float]]:
    """Give those of fixed effects, and of the random effects' variances and covariances."""
    se, errors = np.sqrt(np.diag(vcov)), np.asarray(se_tau)
    result = {name: (float(v), float(s)) for (name, v), s in zip(fit.gamma.items(), se, strict=True)}
    names, tau = fit.random_names, np.asarray(fit.tau)
    for i, j in zip(*elements(fit.design.pattern), strict=True):
        result[f"tau[{names[i]},{names[j]}]"] = float(tau[i, j]), float(errors[i, j])
    return result


@fit_scalars.register
def _(fit: Estimates) -> dict[str, tuple[float, float]]:
    se_tau, se_sigma2 = variance_standard_errors(fit)
    result = _shared(fit, fit.vcov, se_tau)
    if not fit.has(Need.ESTIMATED_SIGMA2):
        return result
    if fit.law.one_sigma2:
        return result | {"sigma2": (fit.sigma2, se_sigma2)}
    return result | {alpha.name: (alpha.estimate, alpha.se) for alpha in fit.law.alphas}


def overlap(draws: np.ndarray, mean: float, sd: float) -> float:
    """Give the area under the lower of a histogram of draws and a normal density."""
    if not (np.isfinite(sd) and sd > 0):
        return float("nan")
    low, high = min(draws.min(), mean - 6 * sd), max(draws.max(), mean + 6 * sd)
    width = max(3.5 * draws.std() / len(draws) ** (1 / 3), (high - low) / 200)
    edges = np.arange(low, high + width, width)
    share = np.histogram(draws, edges)[0] / len(draws)
    return float(np.minimum(share, np.diff(ndtr((edges - mean) / sd))).sum())
