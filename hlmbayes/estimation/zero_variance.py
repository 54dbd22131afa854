"""In words: which variances, or combinations of random effects, are estimated as zero."""

from __future__ import annotations

import numpy as np

from ..likelihood.design import Design
from ..likelihood.evaluate import Evaluation, System
from .optimum import zero_directions

EXACTLY_ZERO = 1e-12  # the optimum makes vanished directions zero but for rounding


def describe_boundary(design: Design, system: System, at: Evaluation) -> tuple[str, ...]:
    """Say which directions of tau have no variance; empty inside the parameter space."""
    null, _ = zero_directions(at.theta, EXACTLY_ZERO)
    q, z = null.shape
    if not z:
        return ()
    names = [design.model.coefficients[r].effect for r in design.random]
    if z == q:
        return tuple(f"the variance of {name} is estimated as zero" for name in names)
    directions = np.linalg.solve(system.to_tau.T, null)
    weights = np.linalg.qr(directions / design.rms[design.random, None])[0]
    share = np.einsum("az,az->a", weights, weights)
    alone = [k for k in range(q) if share[k] > 1 - 1e-8]
    messages = [f"the variance of {names[k]} is estimated as zero" for k in alone]
    if z > len(alone):
        mixed = [names[k] for k in range(q) if k not in alone and share[k] > 1e-8]
        messages.append(_combination(mixed, z - len(alone)))
    return tuple(messages)


def _combination(names: list[str], n_directions: int) -> str:
    together = f"{', '.join(names[:-1])} and {names[-1]}"
    if len(names) == 2:
        return f"a combination of {together} has zero variance (their correlation is estimated as 1 or -1)"
    what = "a combination" if n_directions == 1 else f"{n_directions} combinations"
    return f"{what} of {together} {'has' if n_directions == 1 else 'have'} zero variance"
