"""A target laid out as plain arrays for the compiled density of `kernel`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .distributions import HalfNormal
from .marginal import Target, constant, correlation_shapes


class Tables(NamedTuple):
    """A target as plain arrays.

    ``w`` (R, J) holds the rows of W with ``w_block``, ``w_column`` saying whose; ``ww`` (E, J) the
    products with ``pair`` (E, 4): blocks a >= b and columns f, g. ``curves`` (q + 1, 8): the priors
    of the sds and of sigma. ``wishart`` (q, q) and its d.f., 0 where there is no such prior of tau.
    """

    products: np.ndarray
    w: np.ndarray
    w_block: np.ndarray
    w_column: np.ndarray
    ww: np.ndarray
    pair: np.ndarray
    xx: np.ndarray
    xe: np.ndarray
    scalars: np.ndarray
    to_factor: np.ndarray
    reference: np.ndarray
    curves: np.ndarray
    shapes: np.ndarray
    p0: np.ndarray
    d0: np.ndarray
    wishart: np.ndarray
    wishart_df: float


def tables(target: Target) -> Tables:
    """Lay a target out for the compiled density."""
    system, q, J = target.system, target.n_random, target.design.n_units
    blocks = [(a, f, w) for a, c in enumerate(system.columns) for f, w in zip(c, system.w[a], strict=True)]
    pairs, rows = [np.zeros((0, 4), dtype=np.intp)], [np.zeros((0, J))]
    for (a, b), ww in target.ww.items():
        ca, cb = system.columns[a], system.columns[b]
        grid = np.stack(np.meshgrid(ca, cb, indexing="ij"), -1).reshape(-1, 2)
        pairs.append(np.hstack([np.full((len(grid), 2), (a, b), dtype=np.intp), grid]))
        rows.append(ww.T)
    priors = target.priors
    wishart = np.zeros((q, q)) if priors.tau is None else priors.tau.scale
    df = 0.0 if priors.tau is None else float(priors.tau.df)
    sds = priors.sd if priors.tau is None else [HalfNormal(1.0)] * q  # not used beside a prior of tau
    curves = [prior.curve() for prior in (*sds, priors.sigma)]
    to_factor = np.linalg.inv(system.to_tau) * system.e_scale if q else np.zeros((0, 0))
    return Tables(
        np.ascontiguousarray(system.products),
        np.array([w for _, _, w in blocks]).reshape(-1, J),
        np.array([a for a, _, _ in blocks], dtype=np.intp),
        np.array([f for _, f, _ in blocks], dtype=np.intp),
        np.ascontiguousarray(np.vstack(rows)),
        np.ascontiguousarray(np.vstack(pairs)),
        system.xx, system.xe,
        np.array([system.ee, system.n, constant(target), system.e_scale]),
        np.ascontiguousarray(to_factor), target.reference, np.array(curves),
        correlation_shapes(q, 1.0 if df else priors.eta), target.p0, target.d0, wishart, df,
    )  # fmt: skip


def flatten(arrays: Tables) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay tables end to end: floats, integers, and the sizes q, m, J, R, E, F. Three arrays to hand over."""
    q, m, J = arrays.products.shape
    floats = [np.ravel(part) for part in arrays if np.asarray(part).dtype.kind == "f"]
    integers = [np.ravel(part) for part in arrays if np.asarray(part).dtype.kind == "i"]
    sizes = np.array([q, m, J, len(arrays.w), len(arrays.pair), len(arrays.xe)], dtype=np.intp)
    return np.concatenate(floats), np.concatenate(integers).astype(np.intp), sizes
