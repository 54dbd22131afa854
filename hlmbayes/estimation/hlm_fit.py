"""HLM's own early-stopped answer."""

from __future__ import annotations

from dataclasses import dataclass

from .estimates import Components, Estimates
from .exact import refuse_no_level1_variance
from .hlm_path import run_path
from .optimum import NO_RESIDUAL
from .prepare import Prepared


@dataclass(frozen=True, slots=True)
class Limits:
    """HLM's `numit`, `stopval` (per cent change of the log-likelihood) and `accel`."""

    max_iterations: int = 100
    stopval: float = 1e-6
    accel: int = 5


def hlm_fit(prepared: Prepared, reml: bool, limits: Limits) -> Estimates:
    """Go HLM's way.

    Raises
    ------
    EstimationError
        HLM's starting values or steps cannot be had, or there is no level-1 variance.
    """
    design, system = prepared.design, prepared.system
    path = run_path(
        design, system, reml=reml, max_iterations=limits.max_iterations, stopval=limits.stopval,
        accel=limits.accel,
    )  # fmt: skip
    last = path.log[-1]
    if not last.sigma2 > NO_RESIDUAL * system.e_scale**2:
        refuse_no_level1_variance(design)
    return Estimates(
        design=design, system=system, at=path.at, law=prepared.law, counting=prepared.counting,
        method="REML" if reml else "ML", algorithm="hlm", gamma_free=last.gamma,
        components=Components(last.tau, last.sigma2), entering=Components(*path.entering),
        loglik=last.loglik, converged=path.converged, stop_reason=path.reason, start=path.start, log=path.log,
        data=prepared.rows, gamma_of_u=None if reml else path.gamma_of_u,
    )  # fmt: skip
