"""HLM's own early-stopped answer."""

from __future__ import annotations

from .estimates import Components, Estimates
from .exact import refuse_no_level1_variance
from .hlm_path import Limits, run_path
from .optimum import NO_RESIDUAL
from .prepare import Prepared


def hlm_fit(prepared: Prepared, reml: bool, limits: Limits) -> Estimates:
    """Go HLM's way; raise where it has no starting values or steps, or there is no level-1 variance."""
    design, system = prepared.design, prepared.system
    path = run_path(design, system, reml, limits)
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
