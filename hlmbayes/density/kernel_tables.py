"""A target laid out as one array of floats for the compiled density of `kernel`."""

from __future__ import annotations

import numpy as np

from ..errors import SamplingError
from ..likelihood.evaluate import squares
from ..priors.distributions import HalfNormal
from .level1 import KnownSigma, OneSigma
from .marginal import constant
from .prior_density import correlation_shapes
from .target import Target

COMPILED = (OneSigma, KnownSigma)  # what of level 1 the compiled density knows


def flatten(target: Target, centre: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Lay a target end to end, and the map phi = centre (d,) + root (d, d) zeta.

    Where sigma is known, log sigma is one more phi that zeta does not move.

    First the header: the sizes q, p + 1, J, u, F; what the units' own columns of Z leave of e'e, n, the
    scale of e, a constant, the length of it all and whether sigma is known. Then, rows first: [C' B T] of
    the units' triangular factors, products of two level-2 columns; by level-2 columns the sums of what Z
    leaves of D'D and D'e; in the whitened basis of the fixed effects the loading, its transpose with the
    roots of gamma's prior precision below it, that precision, and that times its mean with its root times
    the mean below it; the map from diag(s) C to its standardised twin, the units of s with each one's
    block of tau below, the priors' curves of the sds and of sigma, the shapes of the partial
    correlations, centre and root.
    """
    system, priors, q, p = target.system, target.priors, target.n_random, target.system.p
    law = target.law
    if not isinstance(law, COMPILED):
        raise SamplingError("the compiled density has one sigma for all rows: use the one in NumPy")
    sigma = law.prior.sigma if isinstance(law, OneSigma) else HalfNormal(1.0)
    to_factor = np.linalg.inv(system.to_tau) * system.e_scale if q else np.zeros((0, 0))
    block = [next(k for k, b in enumerate(target.pattern.blocks) if i in b) for i in range(q)]
    turn, half = system.whitener, np.sqrt(target.p0)
    pairs, e = system.level2_pairs(slice(None)), np.empty((p * (p + 1) // 2, system.n_units))
    rest_e = squares(np.zeros((q, p + 1, system.n_units)), system.rest, e) @ system.level2.T
    fixed = constant(target) - 2.0 * np.log(turn.diagonal()).sum() - law.law.log_precision
    if isinstance(law, KnownSigma):
        value = law.sigma(np.zeros((1, 0)))
        centre, root = np.append(centre, np.log(value)), np.vstack([root, np.zeros(len(centre))])
        fixed += 2.0 * float(sigma.curve().log_density(value)[0] + np.log(value[0]))  # of no prior
    parts = [
        system.root, pairs, (e @ pairs.T).take(system.layout.t), rest_e, system.white,
        system.white.T, (turn * half).T, (turn * target.p0) @ turn.T, turn @ (target.p0 * target.d0),
        half * target.d0, to_factor, target.reference, block,
        [prior.curve() for prior in (*priors.sd, sigma)], correlation_shapes(target.pattern, priors.eta),
        centre, root,
    ]  # fmt: skip
    body = [np.asarray(part, dtype=float).reshape(-1) for part in parts]
    header = [
        q, p + 1, system.n_units, len(system.level2), system.n_fixed, system.left, system.n,
        system.e_scale, fixed, 0.0, isinstance(law, KnownSigma),
    ]  # fmt: skip
    flat = np.concatenate([np.array(header, dtype=float), *body])
    flat[9] = len(flat)
    return flat
