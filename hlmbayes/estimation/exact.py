"""The optimum of the likelihood, sigma2 profiled out or held at what the law says."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from ..errors import EstimationError
from ..laws.law import Law
from ..likelihood.criterion import degrees_of_freedom, profiled_sigma2
from ..likelihood.design import Design
from ..likelihood.equal_designs import with_designs_once
from ..likelihood.system import System, data_scale, to_data
from .estimates import Components, Estimates, Iteration
from .identified import CANNOT_TELL, GROWS_BEYOND, cannot_tell_apart, refuse_without_information
from .newton import Minimum
from .optimum import evaluation, has_level1_variance, is_curved, optimum, theta_at
from .prepare import Prepared
from .zero_variance import describe_boundary


def exact_fit(prepared: Prepared, reml: bool) -> Estimates:
    """Find the optimum of a prepared model's likelihood; raise where there is none, or a variance unknown."""
    return estimates_at(prepared, prepared.system, optimum_of(prepared.system, reml, prepared.law.held), reml)


def estimates_at(prepared: Prepared, system: System, found: Minimum, reml: bool) -> Estimates:
    """Give the estimates at an optimum in a system of the prepared design."""
    design, law = prepared.design, prepared.law
    notes = _notes(design, system, found, reml) if law.held is None else ()
    log = _log(design, law, system, found, reml)
    last = log[-1]
    components = Components(last.tau, last.sigma2)
    boundary = describe_boundary(design, system.tau_columns, theta_at(found.point))
    return Estimates(
        design=design, system=system, at=evaluation(found.point), law=law, counting=prepared.counting,
        method="REML" if reml else "ML", algorithm="exact", gamma_free=last.gamma, components=components,
        entering=components, loglik=last.loglik, converged=found.converged, stop_reason=found.reason,
        boundary=boundary, log=log, data=prepared.rows, notes=notes,
    )  # fmt: skip


def optimum_of(system: System, reml: bool, held: float | None) -> Minimum:
    """Find the optimum, sigma2 profiled out or ``held`` (units of the data)."""
    return optimum(with_designs_once(system), reml, sigma2=None if held is None else held / system.e_scale**2)


def variances(system: System, found: Minimum, reml: bool, held: float | None) -> tuple[np.ndarray, float]:
    """Give tau (q, q) and sigma2 at an optimum, units of the data."""
    at = evaluation(found.point)
    s2 = profiled_sigma2(system, at, reml) if held is None else held / system.e_scale**2
    return to_data(system, at.theta * s2, s2)


def _notes(design: Design, system: System, found: Minimum, reml: bool) -> tuple[str, ...]:
    """Say what the data cannot tell of an estimated sigma2, or refuse where they tell nothing."""
    at = evaluation(found.point)
    if not has_level1_variance(system, reml, found):
        refuse_no_level1_variance(design)
    if reml:
        refuse_without_information(design, system, at)
    notes = (GROWS_BEYOND,) if found.lower_elsewhere else ()
    if not is_curved(found) and cannot_tell_apart(system, at, reml):
        return (*notes, CANNOT_TELL)
    return notes


def refuse_no_level1_variance(design: Design) -> NoReturn:
    """Say why the likelihood grows without bound as the level-1 variance goes to zero."""
    if np.all(design.n <= design.n_random):
        raise EstimationError(
            f"no unit has more rows than random coefficients ({design.n_random}), and the likelihood is "
            "largest with a level-1 variance of zero: make some of the coefficients nonrandom"
        )
    raise EstimationError(
        "the rows inside the units fit exactly, or but for rounding, so the level-1 variance is zero and the "
        "likelihood has no maximum. Is the outcome a level-2 variable, or a predictor a copy of it?"
    )


def _log(design: Design, law: Law, system: System, found: Minimum, reml: bool) -> tuple[Iteration, ...]:
    """Give the search's accepted points in the units of the data."""
    points, held = [evaluation(point) for point in found.path], law.held
    if held is None:
        s2 = np.array([at.rss for at in points]) / degrees_of_freedom(system, reml)
    else:
        s2 = np.full(len(points), held / system.e_scale**2)
    theta = np.array([theta_at(point) for point in found.path])
    tau = system.tau_columns.to_data(theta * s2[:, None, None])
    gamma = np.array([at.delta for at in points]) * system.gamma_scale + design.gamma_ols
    minus2 = np.array([point.value for point in found.path]) + data_scale(system, reml) - law.log_precision
    sigma2 = s2 * system.e_scale**2 if held is None else np.full(len(points), held)
    rows = zip((-0.5 * minus2).tolist(), gamma, tau, sigma2.tolist(), strict=True)
    return tuple(Iteration(k, *row) for k, row in enumerate(rows, 1))
