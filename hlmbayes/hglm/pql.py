"""Penalised quasi-likelihood: HLM's estimates of models whose outcome is not normal.

A macro iteration replaces the outcome by a working one, z = eta + (y - mu) d eta / d mu, which is linear in
the coefficients and has variance sigma2 / w, w = (d mu / d eta)^2 / v(mu); its micro iterations estimate that
normal model (Breslow & Clayton 1993; Raudenbush & Bryk 2002, ch. 10 and 14). sigma2 is 1 unless the outcome
is overdispersed. The random effects are among what is linearised about, so that estimates of large tau from
few rows a unit are too small: the likelihood itself (`search`) has no such bias.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..arguments import whole
from ..data.two_level import TwoLevelData
from ..equations.model import TwoLevelModel
from ..errors import DataError, EstimationError
from ..estimation.estimates import Components, Estimates
from ..estimation.exact import exact_fit
from ..estimation.prepare import Prepared, prepare
from ..laws.counting import ONCE, precise_moments
from ..laws.ordinal import law_of
from ..laws.outcomes import Outcome
from ..laws.working import WEIGHT, Working, WorkingKnown
from ..likelihood.design import Design
from ..likelihood.evaluate import evaluate
from ..likelihood.rows import analysed_rows, level1_values, outcome_values
from ..likelihood.symmetric import semidefinite_root
from ..likelihood.system import to_standard
from ..likelihood.weighing import Weighing, weighed_design
from ..terms.expand import with_columns
from ..unit_moments.record import Moments
from .counted_rows import counted_rows
from .separation import refuse_separating, refuse_unbounded_tau

STOP = 1e-7  # root mean square change of the linear predictor, relative to its size
MOST_MACRO = 200
FAR = 30.0  # a linear predictor beyond is taken for that: its row weighs nothing


@dataclass(frozen=True, slots=True)
class PQLLimits:
    """How long macro iterations go on: HLM's `macroit`, and `stopmacro`, relative change of the predictor."""

    most: int = MOST_MACRO
    stop: float = STOP


@dataclass(frozen=True, slots=True, eq=False)
class MacroIteration:
    """One macro iteration: its micro iterations, and what the normal model of it gave."""

    number: int
    micro: int
    gamma: np.ndarray
    tau: np.ndarray
    sigma2: float
    change: float  # of the linear predictor


@dataclass(frozen=True, eq=False)
class PQLEstimates:
    """Estimates by penalised quasi-likelihood.

    ``working`` is the normal model of the last macro iteration: gamma, tau, their standard errors, residuals
    on the link's scale and HLM's tables are its. ``population`` is the population-average model.
    """

    working: Estimates
    population: Estimates
    law: Outcome
    macro: tuple[MacroIteration, ...]
    limits: PQLLimits
    converged: bool
    stop_reason: str
    notes: tuple[str, ...]

    @property
    def model(self) -> TwoLevelModel:
        """The model."""
        return self.working.model

    @property
    def of_linearising(self) -> tuple[str, ...]:
        """What to know of the macro iterations before the numbers are used, in words."""
        if self.converged:
            return self.notes
        return (f"The macro iterations did not converge: {self.stop_reason}.", *self.notes)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before the numbers are used, in words."""
        return (*self.of_linearising, *self.working.warnings)


@dataclass(frozen=True, slots=True, eq=False)
class LinearRows:
    """The rows of a model: what a working outcome is made of; N rows.

    ``d`` (p, N): level-1 columns; ``offset`` (N,) is added to the linear predictor; ``trials`` (N,) is what
    an outcome is divided by.
    """

    data: TwoLevelData
    design: Design
    law: Outcome
    unit: np.ndarray
    d: np.ndarray
    y: np.ndarray
    offset: np.ndarray
    trials: np.ndarray

    def predictor(self, b: np.ndarray) -> np.ndarray:
        """Give the linear predictor, without offset, of level-1 coefficients b (J, p)."""
        return np.asarray(np.einsum("pn,np->n", self.d, b[self.unit]))

    def working(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the working outcome and its weight at a linear predictor, (N,) each."""
        eta = np.clip(eta, -FAR, FAR)
        at = eta + self.offset
        mean, slope = self.law.inverse_link(at), self.law.slope(at)
        weight = self.trials * slope**2 / self.law.variance(mean)
        return eta + (self.y / self.trials - mean) / slope, weight

    def first(self) -> np.ndarray:
        """Give a linear predictor to begin with, from each row's own outcome (R's glm does so)."""
        return np.asarray(self.law.link(self.law.near(self.y, self.trials)) - self.offset)


def pql(
    model: TwoLevelModel,
    data: TwoLevelData | Moments,
    method: str | None = None,
    limits: PQLLimits | None = None,
) -> PQLEstimates:
    """Estimate a model by penalised quasi-likelihood, the variances by REML of the working outcome, or "ML".

    Raises
    ------
    DataError, EquationError, EstimationError
        As the normal engine; or outcomes the law cannot give.
    """
    limits, law, reml = limits or PQLLimits(), law_of(model.outcome_law), method != "ML"
    whole("the number of macro iterations", limits.most, 1, EstimationError)
    if model.outcome_law.family == "ordinal":
        raise EstimationError(
            "penalised quasi-likelihood of an ordinal outcome is not available: the likelihood itself is, "
            'algorithm="exact" (--algorithm exact)'
        )
    prepared = prepare(model, data, law=law)
    rows = linear_rows(prepared, law)
    counted = counted_rows(prepared.design, rows.data, law)
    refuse_unbounded_tau(counted, law, model.outcome)
    eta, macro, change = rows.first(), list[MacroIteration](), np.inf
    while len(macro) < limits.most and change > limits.stop:
        fit = exact_fit(_linearised(prepared, rows, eta), reml)
        new = rows.predictor(coefficients(fit))
        change = _change(new, eta)
        eta = new
        last = fit.components
        macro.append(
            MacroIteration(len(macro) + 1, fit.iterations, fit.gamma_free, last.tau, last.sigma2, change)
        )
    converged = change <= limits.stop
    reason = "small change of the linear predictor" if converged else f"macro iteration {limits.most} reached"
    if np.abs(eta).max() > 0.5 * FAR:
        refuse_separating(counted, law, prepared.design)
    fit = replace(fit, algorithm="hlm")
    return PQLEstimates(
        fit, population_average(prepared, rows, fit, limits), law, tuple(macro), limits, converged, reason,
        _notes(rows, eta),
    )  # fmt: skip


def linear_rows(prepared: Prepared, law: Outcome) -> LinearRows:
    """Lay out the rows of a prepared model; refuse outcomes the law cannot give (DataError)."""
    design, data = prepared.design, prepared.source
    if not isinstance(data, TwoLevelData):
        raise DataError(f"an outcome that is {design.model.outcome_law.name} needs the rows, got moments")
    kept = data.drop_incomplete([data.find(name) for name in design.moments.columns])
    row, unit = analysed_rows(design, kept)
    y, size = outcome_values(design, kept, row), np.ones(len(row))
    if law.size is not None:
        size = np.asarray(kept.level1_column(law.size), dtype=float)
    law.check_rows(y, size, design.model.outcome)
    d = np.stack([level1_values(design, kept, k, row, unit) for k in range(design.n_coefficients)])
    return LinearRows(kept, design, law, unit, d, y, law.offset(size), law.counts(size))


def _linearised(prepared: Prepared, rows: LinearRows, eta: np.ndarray) -> Prepared:
    """Give the normal model of the working outcome at a linear predictor."""
    z, weight = rows.working(eta)
    data = replace(
        rows.data, level1=with_columns(rows.data.level1, {rows.design.model.outcome: z, WEIGHT: weight})
    )
    moments = precise_moments(data, prepared.design.moments, weight)
    log, spread = (np.bincount(data.unit, v, data.n_units) for v in (np.log(weight), 1.0 / weight))
    kind = Working if rows.design.model.outcome_law.overdispersed else WorkingKnown
    law = kind(WEIGHT, Weighing(moments, log, spread))
    return Prepared(weighed_design(prepared.design, moments), law, ONCE, data, data)


def coefficients(fit: Estimates) -> np.ndarray:
    """Give the level-1 coefficients of every unit, W gamma + u*, (J, p)."""
    design, at = fit.design, fit.components
    b = design.level1_coefficients(fit.gamma_free)
    theta = to_standard(fit.system, at.tau, at.sigma2)[0]
    products, _ = design.standard_residual(fit.gamma_free)
    u = np.einsum("jab,jb->ja", design.shrinkage(theta), products[:, : design.n_random])
    b[:, design.random] += u @ design.z_basis.T
    return b


def population_average(prepared: Prepared, rows: LinearRows, fit: Estimates, limits: PQLLimits) -> Estimates:
    """Estimate the population-average model: generalized least squares with the variances of ``fit``.

    The working outcome is linearised about the fixed part alone, and its covariance matrix is
    W^-1 sigma2 + Z tau Z' (Zeger, Liang & Albert 1988; Raudenbush & Bryk 2002, p. 301).
    """
    gamma, change = fit.gamma_free, np.inf
    for _ in range(limits.most):
        eta = rows.predictor(rows.design.level1_coefficients(gamma))
        found = _held_variances(_linearised(prepared, rows, eta), fit)
        change = _change(rows.predictor(rows.design.level1_coefficients(found.gamma_free)), eta)
        gamma = found.gamma_free
        if change <= limits.stop:
            break
    return found


def _held_variances(prepared: Prepared, fit: Estimates) -> Estimates:
    """Fit the fixed effects of a prepared model with the variances of another fit."""
    design, system = prepared.design, prepared.system
    theta, _ = to_standard(system, fit.components.tau, fit.components.sigma2)
    at = evaluate(system, semidefinite_root(theta))
    gamma = at.delta * system.gamma_scale + design.gamma_ols
    components = Components(fit.components.tau.copy(), fit.components.sigma2)
    return replace(
        fit, design=design, system=system, at=at, law=prepared.law, gamma_free=gamma, components=components,
        entering=components, data=prepared.rows, notes=(),
    )  # fmt: skip


def _change(new: np.ndarray, old: np.ndarray) -> float:
    """Give the root mean square change of a linear predictor, relative to its size."""
    size = float(np.sqrt(np.mean(new**2)))
    return float(np.sqrt(np.mean((new - old) ** 2))) / max(size, 1e-8)


def _notes(rows: LinearRows, eta: np.ndarray) -> tuple[str, ...]:
    """Say where linear predictors run away."""
    far = int((np.abs(eta) > 0.5 * FAR).sum())
    if not far:
        return ()
    return (
        f"{far} of {len(eta)} rows have a linear predictor beyond {0.5 * FAR:g}, where the outcome is as "
        "good as certain: their working outcomes mean little.",
    )
