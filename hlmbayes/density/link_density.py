"""The posterior density of a model whose outcome is not normal, u integrated out by adaptive quadrature.

A point x (P,) is phi, as `coordinates` has it, then the free fixed effects in the columns of `CountedRows`,
which are orthonormal over all rows. Many points are evaluated at once, each a copy of the rows with its own
root of tau in the random columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.special import logsumexp

from ..hglm.counted_rows import CountedRows, counted_rows
from ..hglm.marginal import CELLS, Marginal, cells_of, marginal, unit_logliks
from ..hglm.modes import Modes, find_modes
from ..hglm.quadrature import Rule
from .coordinates import chain, unpack
from .link import LinkTarget
from .prior_density import log_prior, prior_slope
from .target import Target

NEAR = 1e-3  # of a step to a unit's mode: where nodes are centred need not be exact
CANDIDATES = 40  # points of which one is a draw of u_j
DF = 5.0  # of the Student-t distribution they come from


class FullRows(CountedRows):
    """Rows whose score is in every element of a root of tau, which need not be triangular."""

    @property
    def free(self) -> list[tuple[int, int]]:
        """Rows and columns of a root of tau, all of them."""
        return [(a, b) for a in range(self.n_random) for b in range(self.n_random)]


def full_rows(link: LinkTarget) -> FullRows:
    """Lay out the rows of a target."""
    rows = counted_rows(link.target.design, link.data, link.law)
    return FullRows(**{field.name: getattr(rows, field.name) for field in fields(rows)})


@dataclass(frozen=True, slots=True, eq=False)
class LinkDensity:
    """The density of `LinkTarget`; ``rule`` are the nodes, ``modes`` (q, J) where units' nodes are sought."""

    link: LinkTarget
    rows: FullRows
    rule: Rule
    modes: np.ndarray

    @property
    def target(self) -> Target:
        """Design, priors and coordinates."""
        return self.link.target

    @property
    def size(self) -> int:
        """Number of parameters, P."""
        return self.target.size + self.rows.n_fixed

    def gamma(self, x: np.ndarray) -> np.ndarray:
        """Give the free fixed effects of points (B, P) in the units of the data, (B, F)."""
        return np.asarray(x[:, self.target.size :] @ self.target.design.to_gamma.T)

    def start(self) -> np.ndarray:
        """Give a place to begin: fixed effects at their priors' means, every sd a unit of the link."""
        phi, priors = np.zeros(self.target.size), self.target.priors
        phi[: self.target.n_random] = 1.0
        return np.asarray(np.r_[phi, np.linalg.solve(self.target.design.to_gamma, priors.gamma_mean)])

    def log_prior(self, x: np.ndarray) -> np.ndarray:
        """Give the log prior density of points (B, P) in these coordinates; flat effects count nothing."""
        priors, proper = self.target.priors, self.target.priors.gamma_precision > 0
        squares = (self.gamma(x) - priors.gamma_mean) ** 2 @ priors.gamma_precision
        constant = 0.5 * np.sum(np.log(priors.gamma_precision[proper] / (2.0 * np.pi)))
        constant += np.linalg.slogdet(self.target.design.to_gamma)[1]
        return np.asarray(log_prior(self.target, x[:, : self.target.size]) + constant - 0.5 * squares)

    def likelihood(self, x: np.ndarray) -> Marginal:
        """Give the likelihood at one point, its score in gamma and every element of the root of tau."""
        d = self.target.size
        chol = np.linalg.solve(self.rows.tau_columns.scale, unpack(self.target, x[None, :d]).factor[0])
        return marginal(self.rows, self.link.law, x[d:], chol, self.rule, self.modes)

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Give the log density at one point and its gradient (P,)."""
        target, d, q, F = self.target, self.target.size, self.target.n_random, self.rows.n_fixed
        phi, at = x[:d], self.likelihood(x)
        parts, scale = unpack(target, phi[None]), self.rows.tau_columns.scale
        gradient = np.zeros(self.size)
        gradient[:d] = prior_slope(target, phi)
        by_s, by_y = chain(target, phi, parts, np.linalg.solve(scale.T, at.score[F:].reshape(q, q)))
        gradient[:q] += by_s
        gradient[target.partials] += by_y
        away = target.priors.gamma_precision * (self.gamma(x[None])[0] - target.priors.gamma_mean)
        gradient[d:] = at.score[:F] - target.design.to_gamma.T @ away
        return at.loglik + float(self.log_prior(x[None])[0]), gradient

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """Give the log density of points (B, P)."""
        found = np.empty(len(x))
        for run, rows, eta in self._copies(x):
            modes = self._modes(rows, eta)
            unit = unit_logliks(rows, self.link.law, eta, np.eye(rows.n_random), modes, self.rule)
            found[run] = unit.reshape(-1, self.rows.n_units).sum(axis=1)
        return np.asarray(found + self.rows.constant + self.log_prior(x))

    def effects(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw u (B, J, q) given points: one of many candidates about each unit's mode, by their weights."""
        q, J = self.target.n_random, self.rows.n_units
        u = np.zeros((len(x), J, q))
        factor = unpack(self.target, x[:, : self.target.size]).factor
        for run, rows, eta in self._copies(x) if q else ():
            t = _drawn(rows, self.link, eta, self._modes(rows, eta), rng)
            u[run] = np.einsum("bac,bjc->bja", factor[run], t.reshape(-1, J, q))
        return u

    def _modes(self, rows: CountedRows, eta: np.ndarray) -> Modes:
        copies, q = rows.n_units // self.rows.n_units, rows.n_random
        return find_modes(rows, self.link.law, eta, np.eye(q), np.tile(self.modes, copies), NEAR)

    def _copies(self, x: np.ndarray) -> Iterator[tuple[slice, CountedRows, np.ndarray]]:
        """Give runs of points, a copy of the rows for each, and the fixed part of their linear predictor.

        The columns of a copy are multiplied by its point's root of tau, so that one and the same root, the
        identity, is that of all.
        """
        rows, q, d = self.rows, self.rows.n_random, self.target.size
        step = max(1, CELLS // len(rows.y))
        chol = np.linalg.solve(rows.tau_columns.scale, unpack(self.target, x[:, :d]).factor)
        for first in range(0, len(x), step):
            run = slice(first, min(first + step, len(x)))
            n = run.stop - run.start
            b = np.tensordot(x[run, d:], rows.x, axes=(1, 2))  # (B, J, p)
            eta = rows.offset + np.einsum("pr,brp->br", rows.d, b[:, rows.unit])
            scaled = np.einsum("bac,ar->cbr", chol[run], rows.d[:q]).reshape(q, n * len(rows.y))
            copy, at = np.arange(n)[:, None], (rows.n_units, len(rows.y))
            copies = replace(
                rows, d=scaled, y=np.tile(rows.y, n), size=np.tile(rows.size, n),
                unit=(copy * at[0] + rows.unit).ravel(), starts=(copy * at[1] + rows.starts).ravel(),
            )  # fmt: skip
            yield run, copies, eta.ravel()


def _drawn(
    rows: CountedRows, link: LinkTarget, eta: np.ndarray, modes: Modes, rng: np.random.Generator
) -> np.ndarray:
    """Draw t (J, q) of every unit by sampling importance resampling about its mode."""
    q, found = rows.n_random, np.empty((rows.n_units, rows.n_random))
    for units, own in rows.blocks(CELLS // CANDIDATES):
        J = units.stop - units.start
        z = rng.standard_normal((J, q, CANDIDATES))
        z *= np.sqrt(DF / rng.chisquare(DF, (J, 1, CANDIDATES)))
        t = modes.root[units] @ z + modes.t.T[units, :, None]
        cells = cells_of(rows, eta, np.eye(q), modes, np.zeros((1, q)), (units, own))
        full = eta[own, None] + sum(rows.d[a, own, None] * t[:, a][cells.local] for a in range(q))
        cells = cells._replace(t=t, eta=full)
        height = cells.height(link.law.value(full, rows.y[own, None], rows.size[own, None]))
        height += 0.5 * (DF + q) * np.log1p(np.sum(z**2, axis=1) / DF)
        share = np.cumsum(np.exp(height - logsumexp(height, axis=1, keepdims=True)), axis=1)
        chosen = np.minimum((share < rng.random((J, 1))).sum(axis=1), CANDIDATES - 1)
        found[units] = t[np.arange(J), :, chosen]
    return found
