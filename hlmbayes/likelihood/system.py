"""A design in standardised units: what the likelihood is evaluated on.

Columns of Z are made orthonormal over all rows, columns of X and the residual e get unit root mean
square, so that neither tolerances nor rounding depend on the units of the data.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import EstimationError
from .design import Design, with_unit_weights
from .orthonormal import Products, level2_sums
from .pattern import TauColumns
from .planes import LARGEST_TABLE, Layout, layout


@dataclass(frozen=True, eq=False)
class System:
    """The standardised cross-products of a design.

    D* are the columns of Z, then the other columns of D. Where units have sampling weights, sums over units
    have them (``own``, ``xx``, ``xe``, ``ee``, ``n`` among them), arrays over units do not.
    """

    root: np.ndarray  # (q, p + 1, J): [C' B T], rows of Z* in the triangular factor of [D* e]; C C' = Z*'Z*
    rest: np.ndarray  # (p - q, p - q + 1, J): what they leave of the other columns' products, with e too
    left: float  # what the units' own Z* leave of e'e, altogether
    level2: np.ndarray  # (u, J): ones, then each level-2 variable centred and scaled
    loading: np.ndarray  # (F, p, u): X = D* W* with W*_cf = sum_u loading[f, c, u] level2[u]
    white: np.ndarray  # (F, p u): ``whitener`` times ``loading``: of X orthonormal over all rows
    whitener: np.ndarray  # (F, F)
    own_xx: np.ndarray  # (F, F): X'X of the rows
    own_xe: np.ndarray  # (F,): X'e
    own_ee: float  # e'e
    xx: np.ndarray  # the same three; a caller may add a prior's to them
    xe: np.ndarray
    ee: float
    n: float  # rows (or sum of weights)
    to_tau: np.ndarray  # (q, q): A with Z = Z* A^-1: tau = A Theta* A' times sigma2 of the data
    tau_columns: TauColumns  # in which Theta has tau's pattern
    gamma_scale: np.ndarray  # (F,)
    e_scale: float
    unit_weight: np.ndarray | None = None  # (J,): sampling weights of the units
    times: np.ndarray | None = None  # (J,): for how many units of the data each stands (`equal_designs`)

    @property
    def n_fixed(self) -> int:
        """Number of free fixed effects, F."""
        return len(self.xe)

    @property
    def n_random(self) -> int:
        """Number of random coefficients, q."""
        return len(self.root)

    @property
    def n_units(self) -> int:
        """Number of units, J; of the data, where some stand for many."""
        return int(self.level2.shape[1]) if self.times is None else round(float(self.times.sum()))

    def turned(self, m: np.ndarray, block_scale: np.ndarray) -> System:
        """Give the same system in the columns Z* M instead of Z*, M (q, q).

        ``block_scale`` (q, q), of tau's pattern, is by what the columns in which Theta has it are scaled.
        """
        q = self.n_random
        root = self.root.copy()
        root[:, :q] = np.tensordot(root[:, :q], m, axes=(1, 0)).transpose(0, 2, 1)
        loading, white = self.loading.copy(), self.white.reshape(self.loading.shape).copy()
        for part in (loading, white):
            part[:, :q] = np.linalg.solve(m, part[:, :q])
        return replace(
            self, root=root, loading=loading, white=white.reshape(self.white.shape),
            to_tau=self.to_tau @ m, tau_columns=self.tau_columns.turned(m, block_scale),
        )  # fmt: skip

    def with_prior(self, precision: np.ndarray, mean: np.ndarray, s2: float) -> System:
        """Give the system whose X'X, X'e and e'e hold a normal prior of gamma as extra observations.

        ``precision`` and ``mean`` (F,) in standardised units; ``s2`` is sigma2 there. What has been
        tabulated is shared.
        """
        result = copy(self)
        result.__dict__.update(
            xx=self.own_xx + s2 * np.diag(precision), xe=self.own_xe + s2 * precision * mean,
            ee=self.own_ee + s2 * float(mean @ (precision * mean)),
        )  # fmt: skip
        return result

    def counted_times(self, factor: float) -> System:
        """Give the system whose units count ``factor`` times as much."""
        assert self.unit_weight is not None
        sums = ("left", "own_xx", "own_xe", "own_ee", "xx", "xe", "ee", "n", "unit_weight")
        return replace(self, **{name: factor * getattr(self, name) for name in sums})

    @cached_property
    def layout(self) -> Layout:
        """Where the planes of a model of this size are."""
        return layout(self.n_random, self.loading.shape[1], len(self.level2))

    @cached_property
    def pairs(self) -> np.ndarray | None:
        """Products of two level-2 columns, (u (u + 1) / 2, J); None where they would fill the memory."""
        rows, cols = self.layout.pairs_u
        if len(rows) * self.n_units > LARGEST_TABLE:
            return None
        products = np.empty((len(rows), self.level2.shape[1]))
        for k, (row, col) in enumerate(zip(rows.tolist(), cols.tolist(), strict=True)):
            np.multiply(self.level2[row], self.level2[col], out=products[k])
        return products

    def counted(self, planes: np.ndarray, block: slice) -> np.ndarray:
        """Give planes (..., J) of a block of units times the units' sampling weights: what sums add up."""
        return planes if self.unit_weight is None else planes * self.unit_weight[block]

    def repeated(self, planes: np.ndarray, block: slice) -> np.ndarray:
        """Give planes (..., J) without outcome or level 2 in them as often as a unit stands for others."""
        return planes if self.times is None else planes * self.times[block]

    def level2_pairs(self, block: slice) -> np.ndarray:
        """Give the products of two level-2 columns for a block of units."""
        if self.pairs is not None:
            return self.pairs[:, block]
        rows, cols = self.layout.pairs_u
        return np.asarray(self.level2[rows, block] * self.level2[cols, block])

    @cached_property
    def columns(self) -> tuple[np.ndarray, ...]:
        """The fixed effects each column of D* has, p arrays (F_c,)."""
        return tuple(np.flatnonzero(np.any(self.loading[:, c] != 0, axis=1)) for c in range(self.p))

    @cached_property
    def w(self) -> tuple[np.ndarray, ...]:
        """Level-2 predictors of each column of D*, p arrays (F_c, J)."""
        return tuple(self.loading[columns, c] @ self.level2 for c, columns in enumerate(self.columns))

    @property
    def p(self) -> int:
        """Number of level-1 columns."""
        return int(self.loading.shape[1])


def standardise(design: Design, e_scale: float | None = None) -> System:
    """Scale a design so that neither tolerances nor rounding depend on the units of the data.

    ``e_scale`` is the size of e, where the units are a part of all.

    Where units have sampling weights, every sum over units has them: the log pseudo-likelihood is
    sum_j w_j log of the integral over u of prod_i f(y_ij | u)^(w_i|j) phi(u) (Rabe-Hesketh & Skrondal 2006;
    Asparouhov 2006), and the level-1 weights w_i|j are in the units' moments already. Raise EstimationError
    where the fixed effects fit every row.
    """
    weight = design.moments.unit_weight
    if weight is not None:
        design = with_unit_weights(design)
    bases, n, ee = design.bases, float(design.n.sum()), float(design.ee.sum())
    # rows of great weight may be all that e'e is, and the level-1 variance rounding beside it
    own_scale = (
        ee / n if design.outcome is None else float(np.median(design.ee / design.n)) or ee / n
    ) ** 0.5
    e_scale = own_scale if e_scale is None else e_scale
    if not e_scale > 0:
        raise EstimationError(
            "the fixed effects fit every row exactly: there is no variance left to estimate"
        )
    de = standard_outcome(design, design.de, e_scale)
    own_ee = n if e_scale is own_scale and design.outcome is None else ee / e_scale**2
    rows = _of_rows((bases.root, bases.rest), de, own_ee, design.level2, bases.loading)
    if design.outcome is not None:
        root, rest, left = (part / e_scale for part in design.outcome)
        rows["root"][:, -1], rows["rest"][:, -1], rows["left"] = root, rest, float(left.sum() / e_scale)
    columns = replace(design.tau_columns, scale=design.tau_columns.scale * e_scale)
    system = System(
        level2=design.level2, loading=bases.loading, white=bases.white, whitener=bases.whitener,
        own_xx=bases.xx, own_ee=own_ee, xx=bases.xx, ee=own_ee, n=n,
        to_tau=design.z_basis * e_scale, tau_columns=columns, gamma_scale=bases.scale * e_scale,
        e_scale=e_scale, **rows,
    )  # fmt: skip
    if weight is None:
        return system
    return replace(
        system, rest=rows["rest"] / weight, root=rows["root"] / np.sqrt(weight), unit_weight=weight
    )


def standard_outcome(design: Design, de: np.ndarray, e_scale: float) -> np.ndarray:
    """Give D*'e (p, ...) from D'e (..., p), e in units of ``e_scale``."""
    return np.asarray((design.bases.basis.T / e_scale) @ de.T[design.order])


def with_rows(system: System, design: Design, products: Products, de: np.ndarray, ee: float) -> System:
    """Give the system of other rows of the same units (weighted, say), in the same columns D* and X.

    ``products`` are D'D of the units and ``de`` (J, p) is D'e, the columns as the model has them; ``ee`` is
    e'e over all rows.
    """
    dd, root, rest = products.factored(design.bases.basis, design.order, system.n_random)
    right = standard_outcome(design, de, system.e_scale)
    flat = system.loading.reshape(system.n_fixed, system.white.shape[1])
    ee = ee / system.e_scale**2
    xx = flat @ level2_sums(dd, system.level2) @ flat.T
    rows = _of_rows((root, rest), right, ee, system.level2, system.loading)
    return replace(system, own_xx=xx, own_ee=ee, xx=xx, ee=ee, **rows)


def _of_rows(
    factor: tuple[np.ndarray, np.ndarray], de: np.ndarray, ee: float, level2: np.ndarray, loading: np.ndarray
) -> dict[str, Any]:
    """Put e beside the triangular factors of D*'D*: a System's arrays over units, and X'e."""
    root, rest = with_outcome(*factor, de)
    xe = loading.reshape(len(loading), len(de) * len(level2)) @ (de @ level2.T).reshape(-1)
    left = ee - float(np.sum(root[:, -1] ** 2))
    return {"root": root, "rest": rest, "left": left, "own_xe": xe, "xe": xe}


def with_outcome(factor: np.ndarray, others: np.ndarray, de: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add e to the triangular factors of the units' D*: its rows of Z*, and D*'e without them."""
    q = len(factor)
    t = np.zeros((q, de.shape[1]))
    for k in range(q):
        left = de[k] - np.einsum("cj,cj->j", factor[:k, k], t[:k]) if k else de[k]
        np.divide(left, factor[k, k], out=t[k], where=factor[k, k] > 0)
    rest = de[q:] - np.einsum("cmj,cj->mj", factor[:, q:], t)
    return np.concatenate([factor, t[:, None]], axis=1), np.concatenate([others, rest[:, None]], axis=1)


def unit_variance(system: System) -> float:
    """Give the level-1 variance 1 in a system's standardised units."""
    return 1.0 / system.e_scale**2


def to_standard(system: System, tau: np.ndarray, sigma2: float) -> tuple[np.ndarray, float]:
    """Carry (tau, sigma2) of the data to (Theta, sigma2) in standardised units."""
    s2 = sigma2 / system.e_scale**2
    half = np.linalg.solve(system.to_tau, tau)
    return np.linalg.solve(system.to_tau, half.T) / s2, s2


def to_data(system: System, tau: np.ndarray, sigma2: float) -> tuple[np.ndarray, float]:
    """Carry standardised (tau, sigma2) to the units of the data; of tau its free elements."""
    scaled = system.to_tau @ tau @ system.to_tau.T
    return system.tau_columns.only(0.5 * (scaled + scaled.T)), sigma2 * system.e_scale**2


def data_scale(system: System, reml: bool) -> float:
    """Give what standardising the data takes off -2 log-likelihood."""
    value = 2.0 * system.n * np.log(system.e_scale)
    # gamma_scale is e_scale / (scale of X's columns)
    return float(value - 2.0 * reml * np.log(system.gamma_scale).sum())
