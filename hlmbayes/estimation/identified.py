"""In words: which variances the data cannot tell apart, or tell nothing about."""

from __future__ import annotations

import numpy as np

from ..errors import EstimationError
from ..likelihood.criterion import expected_information, trace_tensor
from ..likelihood.design import Design
from ..likelihood.evaluate import Evaluation, System, evaluate
from ..likelihood.pattern import by_blocks, symmetric_map
from .starts import own_rows

NOTHING = 1e-10  # information about a variance under REML, relative to ML: the fixed effects took it
LARGE = 1e3  # trace of Theta
FLAT = 1e-10  # smallest eigenvalue of the information, scaled to a unit diagonal

GROWS_BEYOND = (
    "The rows inside the units can be fitted exactly, so that the likelihood is larger still as the level-1 "
    "variance goes to zero: these are the estimates at its maximum with a level-1 variance."
)
CANNOT_TELL = (
    "The data cannot tell the variances tau and sigma2 apart: other values fit as well. Make a random "
    "coefficient nonrandom."
)


def moderate(system: System, at: Evaluation) -> Evaluation:
    """Give the evaluation, or another where Theta is not so large that what is small beside it is lost.

    Which variances can be told apart does not depend on Theta.
    """
    if np.trace(at.theta) < LARGE:
        return at
    return evaluate(system, np.eye(system.n_random))


def refuse_without_information(design: Design, system: System, at: Evaluation) -> None:
    """Raise where the fixed effects leave a random coefficient no variance (restricted likelihood).

    So it is where an equation of level 2 has as many fixed effects as there are units.
    """
    few = design.n_fixed
    # the second count takes a moment longer, and is no smaller
    if not system.n_random or few < np.count_nonzero(own_rows(system)) or few < design.full_rank.sum():
        return
    at = moderate(system, at)
    own = np.linalg.inv(design.z_basis)  # the columns of Z in the orthonormal ones
    restricted, full = (
        np.einsum("ak,bk,ck,dk,abcd->k", own, own, own, own, trace_tensor(at, reml), optimize=True)
        for reml in (True, False)
    )
    bare = np.flatnonzero(restricted <= NOTHING * full)
    if len(bare):
        coefficient = design.model.coefficients[design.random[bare[0]]]
        raise EstimationError(
            f"the fixed effects explain {coefficient.name} in every unit, so nothing is left to estimate the "
            f"variance of {coefficient.effect} from: take level-2 predictors out of the equation of "
            f"{coefficient.name}, or its {coefficient.effect}"
        )


def _inverse_root(h: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(h)
    return np.asarray(vectors / np.sqrt(np.maximum(values, 1e-300)))


def cannot_tell_apart(system: System, at: Evaluation, reml: bool) -> bool:
    """Say whether the information about (tau, sigma2) is singular.

    tau is measured in the directions that make Z'V^-1Z the identity: one with little information, because
    tau is large there, is no direction without. There the information about a variance is at least 1 / J.
    """
    if not system.n_random:
        return False
    at, columns = moderate(system, at), system.tau_columns
    of_tau = symmetric_map(by_blocks(columns.gathered(at.h), columns.pattern, _inverse_root), columns.pattern)
    turn = np.eye(len(of_tau) + 1)
    turn[:-1, :-1] = of_tau.T
    if system.unit_weight is not None:  # 1 / J where they are of size one
        turn[:-1, :-1] *= system.unit_weight.mean() ** 0.5
    turn[-1, -1] = system.n**-0.5  # of sigma2 there is up to a half
    information = turn @ expected_information(system, at, 1.0, reml) @ turn.T
    if not np.all(information.diagonal() > FLAT):
        return True
    scale = np.sqrt(information.diagonal())
    return bool(np.linalg.eigvalsh(information / np.outer(scale, scale))[0] < FLAT)
