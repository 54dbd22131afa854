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
from ..errors import EstimationError
from ..estimation.estimates import Components, Estimates
from ..estimation.exact import exact_fit
from ..estimation.prepare import Prepared, prepare
from ..laws.counting import ONCE
from ..laws.multinomial import Multinomial
from ..laws.ordinal import Ordinal, law_of
from ..laws.outcomes import Outcome
from ..likelihood.design import Design
from ..likelihood.evaluate import evaluate
from ..likelihood.symmetric import semidefinite_root
from ..likelihood.system import to_standard
from ..unit_moments.record import Moments
from .linear_categories import linear_categories
from .linear_ordinal import linear_ordinal
from .linear_rows import Linear, linear_rows

ROWS_ONCE = (
    'algorithm="hlm" is penalised quasi-likelihood of rows that count once: for weights, frequencies and '
    'counted rows use algorithm="exact"'
)
STOP = 1e-7  # root mean square change of the linear predictor, relative to its size
MOST_MACRO = 200


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

    design: Design  # of the rows as they are; of an equation for each category, without cuts
    data: TwoLevelData  # its complete rows
    working: Estimates
    population: Estimates
    law: Outcome
    macro: tuple[MacroIteration, ...]
    limits: PQLLimits
    converged: bool
    stop_reason: str
    notes: tuple[str, ...]
    algorithm: str = "hlm"

    @property
    def model(self) -> TwoLevelModel:
        """The model."""
        return self.working.model

    @property
    def written(self) -> TwoLevelModel:
        """The model of plain columns, without the cuts of an ordinal outcome."""
        return self.design.model

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
class Predicted:
    """What rows are fitted from: their design, the law, the data, fixed effects (F,), u (J, q)."""

    design: Design
    law: Outcome
    data: TwoLevelData
    gamma_free: np.ndarray
    u: np.ndarray

    @property
    def model(self) -> TwoLevelModel:
        """The model."""
        return self.design.model


def predicted(found: PQLEstimates) -> Predicted:
    """Give what the rows of a fit are fitted from."""
    fit = found.working
    u = (coefficients(fit) - fit.design.level1_coefficients(fit.gamma_free))[:, fit.design.random]
    own = fit.gamma_free[: found.design.n_fixed]  # cuts of an ordinal outcome come after
    return Predicted(found.design, found.law, found.data, own, u)


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
    prepared = prepare(model, data, law=law)
    if prepared.counting != ONCE:
        raise EstimationError(ROWS_ONCE)
    rows = _rows(prepared, law)
    rows.refuse_unbounded()
    eta, macro, change = rows.first(), list[MacroIteration](), np.inf
    while len(macro) < limits.most and change > limits.stop:
        fit = exact_fit(rows.linearised(eta), reml)
        new = rows.predictor(coefficients(fit))
        change = _change(new, eta)
        eta = new
        last = fit.components
        macro.append(
            MacroIteration(len(macro) + 1, fit.iterations, fit.gamma_free, last.tau, last.sigma2, change)
        )
    converged = change <= limits.stop
    design = rows.design if isinstance(law, Multinomial) else prepared.design
    reason = "small change of the linear predictor" if converged else f"macro iteration {limits.most} reached"
    rows.refuse_unbounded(eta)
    fit = replace(fit, algorithm="hlm")
    average = population_average(rows, fit, limits)
    return PQLEstimates(
        design, rows.data, fit, average, rows.law_with(fit), tuple(macro), limits, converged,
        reason, _notes(rows.certain(eta)),
    )  # fmt: skip


def _rows(prepared: Prepared, law: Outcome) -> Linear:
    """Lay out the rows of a prepared model as its law wants them."""
    if isinstance(law, Multinomial):
        return linear_categories(prepared, law)
    return linear_ordinal(prepared, law) if isinstance(law, Ordinal) else linear_rows(prepared, law)


def coefficients(fit: Estimates) -> np.ndarray:
    """Give the level-1 coefficients of every unit, W gamma + u*, (J, p)."""
    design, at = fit.design, fit.components
    b = design.level1_coefficients(fit.gamma_free)
    theta = to_standard(fit.system, at.tau, at.sigma2)[0]
    products, _ = design.standard_residual(fit.gamma_free)
    u = np.einsum("jab,jb->ja", design.shrinkage(theta), products[:, : design.n_random])
    b[:, design.random] += u @ design.z_basis.T
    return b


def population_average(rows: Linear, fit: Estimates, limits: PQLLimits) -> Estimates:
    """Estimate the population-average model: generalized least squares with the variances of ``fit``.

    The working outcome is linearised about the fixed part alone, and its covariance matrix is
    W^-1 sigma2 + Z tau Z' (Zeger, Liang & Albert 1988; Raudenbush & Bryk 2002, p. 301).
    """
    gamma, change = fit.gamma_free, np.inf
    for _ in range(limits.most):
        eta = rows.predictor(rows.design.level1_coefficients(gamma))
        found = _held_variances(rows.linearised(eta), fit)
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


def _notes(certain: np.ndarray) -> tuple[str, ...]:
    """Say where linear predictors run away."""
    far = int(certain.sum())
    if not far:
        return ()
    return (
        f"In {far} of {certain.size} rows the linear predictor is so far out that the outcome is as good as "
        "certain: their working outcomes mean little.",
    )
