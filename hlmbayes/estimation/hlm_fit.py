"""HLM's own early-stopped answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..likelihood.design import Design
from .estimates import Components, Estimates
from .exact import refuse_no_level1_variance
from .hlm_path import Limits, run_path
from .optimum import NO_RESIDUAL
from .prepare import Prepared

MOST_CONDITION = 1e6  # of X'X: SSI's own rule of when a unit has sufficient data
NOT_KEPT = (
    "HLM takes units whose level-1 X'X has a condition number of 1e6 or more as insufficient for a "
    "regression of their own. That would leave too few units here, so all of full rank are used; predictors "
    "that are centred, group(x) or grand(x), have smaller ones."
)


def with_hlms_rule(design: Design) -> tuple[Design, tuple[str, ...]]:
    """Leave badly conditioned units out of what HLM takes from the units' own regressions.

    Where too few were left for starting values they stay, and a note says so.
    """
    bad = design.full_rank & (design.condition >= MOST_CONDITION)
    if not bad.any():
        return design, ()
    left, q = design.full_rank & ~bad, design.n_random
    effects = max(len(design.columns[r]) for r in design.random)
    if left.sum() <= effects or not np.any(design.n[left] > q):
        return design, (NOT_KEPT,)
    return replace(design, most_condition=MOST_CONDITION), ()


def hlm_fit(prepared: Prepared, reml: bool, limits: Limits, varying: bool = False) -> Estimates:
    """Go HLM's way; raise where it has no starting values or steps, or there is no level-1 variance."""
    (design, notes), system = with_hlms_rule(prepared.design), prepared.system
    path = run_path(design, system, reml, limits, varying)
    last = path.log[-1]
    if not last.sigma2 > NO_RESIDUAL * system.e_scale**2:
        refuse_no_level1_variance(design)
    return Estimates(
        design=design, system=system, at=path.at, law=prepared.law, counting=prepared.counting,
        method="REML" if reml else "ML", algorithm="hlm", gamma_free=last.gamma,
        components=Components(last.tau, last.sigma2), entering=Components(*path.entering),
        loglik=last.loglik, converged=path.converged, stop_reason=path.reason, start=path.start, log=path.log,
        data=prepared.rows, gamma_of_u=None if reml else path.gamma_of_u,
        notes=notes,
    )  # fmt: skip
