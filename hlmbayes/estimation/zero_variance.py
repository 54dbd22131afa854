"""In words: which variances, or combinations of random effects, are estimated as zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..equations.names import component_names
from ..likelihood.design import Design
from ..likelihood.pattern import TauColumns
from .faces_of_theta import zero_directions

EXACTLY_ZERO = 1e-12  # the optimum makes vanished directions zero but for rounding


def describe_boundary(design: Design, columns: TauColumns, theta: np.ndarray) -> tuple[str, ...]:
    """Say which directions of tau have no variance; empty inside the parameter space.

    ``theta`` is in the columns in which it has tau's pattern.
    """
    found = zero_directions(theta, columns.pattern, EXACTLY_ZERO).null
    if not any(null.shape[1] for null in found):
        return ()
    rms = design.rms[design.random]
    known, messages = component_names(design.model.coefficients), list[str]()
    names = [f"{effect} ({known[effect]})" for effect in design.model.effects]
    blocks = columns.pattern.blocks
    for block, null in zip(blocks, found, strict=True):
        directions = np.linalg.solve(columns.scale[np.ix_(block, block)].T, null)
        messages += _of_block([names[k] for k in block], directions / rms[list(block), None])
    return tuple(messages)


def _of_block(names: Sequence[str], directions: np.ndarray) -> list[str]:
    """Say which of a block's effects, or combinations of them, have no variance."""
    q, z = directions.shape
    if not z:
        return []
    if z == q:
        return [f"the variance of {name} is estimated as zero" for name in names]
    weights = np.linalg.qr(directions)[0]
    share = np.einsum("az,az->a", weights, weights)
    alone = [k for k in range(q) if share[k] > 1 - 1e-8]
    messages = [f"the variance of {names[k]} is estimated as zero" for k in alone]
    if z > len(alone):
        mixed = [names[k] for k in range(q) if k not in alone and share[k] > 1e-8]
        messages.append(_combination(mixed, z - len(alone)))
    return messages


def _combination(names: list[str], n_directions: int) -> str:
    together = f"{', '.join(names[:-1])} and {names[-1]}"
    if len(names) == 2:
        return f"a combination of {together} has zero variance (their correlation is estimated as 1 or -1)"
    what = "a combination" if n_directions == 1 else f"{n_directions} combinations"
    return f"{what} of {together} {'has' if n_directions == 1 else 'have'} zero variance"
