"""A target laid out as one array of floats for the compiled density of `kernel`."""

from __future__ import annotations

import numpy as np

from .distributions import HalfNormal
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
        First the header: the sizes q, p + 1, J, u, F; e'e, n, the scale of e, the d.f. of an
        inverse-Wishart prior of tau (0 where there is none), a constant, and the length of it all.
        Then, rows first: Z'[Z D e], level-2 columns and their products of two, loading, X'X, X'e, the
        map from diag(s) C to its standardised twin, the units of s, the priors' curves of the sds and of
        sigma, the shapes of the partial correlations, gamma's prior precision and mean, the
        inverse-Wishart's scale, centre and root.
    """
    system, priors, q = target.system, target.priors, target.n_random
    tau = priors.tau
    sds = priors.sd if tau is None else [HalfNormal(1.0)] * q  # not used beside a prior of tau
    to_factor = np.linalg.inv(system.to_tau) * system.e_scale if q else np.zeros((0, 0))
    df = 0.0 if tau is None else float(tau.df)
    parts = [
        system.products, system.level2, system.level2_pairs(slice(None)), system.loading, system.own_xx,
        system.own_xe, to_factor, target.reference, [prior.curve() for prior in (*sds, priors.sigma)],
        correlation_shapes(q, 1.0 if df else priors.eta), target.p0, target.d0,
        np.zeros((q, q)) if tau is None else tau.scale, centre, root,
    ]  # fmt: skip
    body = [np.asarray(part, dtype=float).reshape(-1) for part in parts]
    header = [
        q, system.p + 1, system.n_units, len(system.level2), system.n_fixed,
        system.ee, system.n, system.e_scale, df, constant(target), 0.0,
    ]  # fmt: skip
    flat = np.concatenate([np.array(header, dtype=float), *body])
    flat[10] = len(flat)
    return flat
