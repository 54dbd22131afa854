"""The likelihood's ingredients where units have sampling weights: every sum over units has them.

The log pseudo-likelihood is sum_j w_j log of the integral over u of prod_i f(y_ij | u)^(w_i|j) phi(u)
(Rabe-Hesketh & Skrondal 2006; Asparouhov 2006). For a normal model the level-1 weights w_i|j
are in the units' weighted moments, with sum_i w_i|j in the place of n_j, so what is left is to weight
the units' contributions: here, apart from the unweighted kernel, which this costs nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import EstimationError
from .design import Design
from .evaluate import Evaluation, expand_x, reduce_products
from .system import System, scale_design


def weighted_system(design: Design) -> System:
    """Standardise a design whose units have weights: sums over units weighted, products per unit not."""
    weight = design.moments.unit_weight
    assert weight is not None
    system = scale_design(with_unit_weights(design))
    own = {name: getattr(system, name) / weight for name in ("products", "others", "rest")}
    return replace(system, **own, root=system.root / np.sqrt(weight), unit_weight=weight)


def with_unit_weights(design: Design) -> Design:
    """Multiply every unit's cross-products by the unit's weight, as sums over units want them."""
    weight = design.moments.unit_weight
    assert weight is not None
    return replace(
        design, n=weight * design.n, products=design.products.weighted(weight),
        de=weight[:, None] * design.de, ee=weight * design.ee,
    )  # fmt: skip


def evaluate_weighted(system: System, factor: np.ndarray) -> Evaluation:
    """Evaluate as `likelihood.evaluate`, every unit's contribution times its weight.

    Parameters
    ----------
    system : System
        With ``unit_weight``.
    factor : ndarray, shape (q, q)
        A square root L of Theta = tau / sigma2.
    """
    q, f, weight = system.n_random, system.n_fixed, system.unit_weight
    assert weight is not None
    root = np.sqrt(weight)
    logdet, s, reduced = reduce_products(system.products, factor)
    s, scaled = s * root, reduced * root
    t = s[:, -1].reshape(-1)
    g = expand_x(system, s[:, :-1]).transpose(1, 0, 2).reshape(f, t.size)
    vg, logdet_xvx = _inverse(system.xx - g @ g.T)
    xve = system.xe - g @ t
    delta = vg @ xve
    rss = system.ee - float(t @ t) - float(delta @ xve)
    k = expand_x(system, scaled[:, :-1])
    v = scaled[:, -1] - np.einsum("afj,f->aj", k, delta)
    rows, cols = np.tril_indices(q)
    h = reduced[rows, cols]
    p = np.einsum("afj,fg,agj->aj", k[rows], vg, k[cols], optimize=True)
    planes = np.concatenate([h * weight, p, v[rows] * v[cols]])
    unpack = np.zeros((q, q), dtype=np.intp)
    unpack[rows, cols] = unpack[cols, rows] = np.arange(len(rows))
    sums = planes.sum(axis=1).reshape(3, len(rows))
    hh, hp, hv = (o[unpack[:, :, None, None], unpack] for o in np.split(h @ planes.T, 3, axis=1))
    flat = k.reshape(q * f, -1)
    return Evaluation(
        factor @ factor.T, float(weight @ logdet), logdet_xvx, delta, vg, rss,
        sums[0][unpack], sums[1][unpack], sums[2][unpack], hh, hp, hv,
        (flat @ flat.T).reshape(q, f, q, f).transpose(0, 2, 1, 3),
        (flat @ v.T).reshape(q, f, q).transpose(0, 2, 1), vg, np.eye(f), np.eye(f),
    )  # fmt: skip


def _inverse(xvx: np.ndarray) -> tuple[np.ndarray, float]:
    """Give the inverse and log-determinant of X'V^-1X, scaled to a unit diagonal on the way."""
    diagonal = np.diag(xvx)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    try:
        chol = np.linalg.cholesky(xvx / np.outer(scale, scale))
    except np.linalg.LinAlgError:
        raise EstimationError(
            "the fixed effects' information matrix is singular: they are collinear, or one has no data"
        ) from None
    root = np.linalg.inv(chol) / scale
    return root.T @ root, 2.0 * float(np.log(np.diag(chol)).sum() + np.log(scale).sum())
