"""A target laid out as one array of floats for the compiled density of `kernel`."""

from __future__ import annotations

import numpy as np

from .marginal import constant
from .prior_density import correlation_shapes
from .target import Target


def flatten(target: Target, centre: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Lay a target end to end, and the map phi = centre + root zeta.

    Parameters
    ----------
    target : Target
    centre : ndarray, shape (d,)
    root : ndarray, shape (d, d)

    Returns
    -------
    ndarray
        First the header: the sizes q, p + 1, J, u, F; e'e, n, the scale of e, a constant, the square of
        gamma's prior means times their precisions, and the length of it all. Then, rows first:
        Z'[Z D e], level-2 columns and their products of two; in the whitened basis of the fixed effects
        the loading and its transpose, X'X, X'e, gamma's prior precision and that times its mean; the map
        from diag(s) C to its standardised twin, the units of s, the priors' curves of the sds and of
        sigma, the shapes of the partial correlations, centre and root.
    """
    system, priors, q = target.system, target.priors, target.n_random
    to_factor = np.linalg.inv(system.to_tau) * system.e_scale if q else np.zeros((0, 0))
    turn, pull = system.whitener, target.p0 * target.d0
    parts = [
        system.products, system.level2, system.level2_pairs(slice(None)), system.white, system.white.T,
        turn @ system.own_xx @ turn.T, turn @ system.own_xe, (turn * target.p0) @ turn.T, turn @ pull,
        to_factor, target.reference, [prior.curve() for prior in (*priors.sd, priors.sigma)],
        correlation_shapes(q, priors.eta), centre, root,
    ]  # fmt: skip
    body = [np.asarray(part, dtype=float).reshape(-1) for part in parts]
    header = [
        q, system.p + 1, system.n_units, len(system.level2), system.n_fixed, system.ee, system.n,
        system.e_scale, constant(target) - 2.0 * np.log(turn.diagonal()).sum(), target.d0 @ pull, 0.0,
    ]  # fmt: skip
    flat = np.concatenate([np.array(header, dtype=float), *body])
    flat[10] = len(flat)
    return flat
