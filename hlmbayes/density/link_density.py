"""The posterior density of a model whose outcome is not normal, u integrated out by adaptive quadrature.

A point x (P,) is phi, as `coordinates` has it, then the free fixed effects in the columns of `CountedRows`,
which are orthonormal over all rows.
"""

# ruff: noqa: D102 (what the methods of a density give is said once, in Sampled)

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..errors import SamplingError
from ..estimation.newton import Point, minimise
from ..hglm.category_rows import CategoryRows
from ..hglm.counted_rows import CountedRows
from ..hglm.enough_nodes import few
from ..hglm.marginal import Marginal, marginal
from ..hglm.ordinal_rows import rows_of_law
from ..hglm.quadrature import Rule, product_rule
from ..laws.outcomes import Outcome
from ..likelihood.rows import analysed_rows, outcome_values
from .coordinates import chain, fold, unpack
from .link import LinkRows, LinkTarget
from .link_points import Run, by_row, centred, draw_standard, log_integrals, runs
from .prior_density import log_prior, prior_slope
from .sampled import STEP, Sampled
from .target import Target

NODES = (3, 5, 7, 9, 13, 19, 29, 43)  # along each direction, of which as few are taken as do
STILL = 0.03  # of the log density between points, that more nodes may move
AWAY = 3.0  # how far points are of which that is judged, in posterior sds
DEEP = 8.0  # below the mode log densities are not looked at


class FullRows(CountedRows):
    """Rows whose score is in every element of a root of tau, which need not be triangular."""

    @property
    def free(self) -> list[tuple[int, int]]:
        """Rows and columns of a root of tau, all of them."""
        return [(a, b) for a in range(self.n_random) for b in range(self.n_random)]


class FullCategoryRows(FullRows, CategoryRows):
    """Such rows with several linear predictors."""


def full_rows(link: LinkTarget) -> tuple[Outcome, FullRows]:
    """Lay out the rows of a target, and give their law: those of ordinal outcomes are binary ones."""
    _, law, rows = rows_of_law(link.law, link.target.design, link.data)
    kind = FullCategoryRows if isinstance(rows, CategoryRows) else FullRows
    return law, kind(**{field.name: getattr(rows, field.name) for field in fields(rows)})


class OfParameters(NamedTuple):
    """A log-likelihood and its gradients in the fixed effects (F,), a root of tau (q, q), and cuts (T,)."""

    loglik: float
    by_gamma: np.ndarray
    by_factor: np.ndarray
    by_cuts: np.ndarray


@dataclass(frozen=True, eq=False)
class LinkDensity(Sampled):
    """The density of `LinkTarget`.

    ``law`` is that of the ``rows``, ``rule`` are the nodes. Units' modes are sought at ``modes`` (q, J) where
    x is ``first`` (P,), the density's own mode, and ``move`` (P, q, J) times x - first further elsewhere.
    """

    link: LinkTarget
    law: Outcome
    rows: FullRows
    rule: Rule
    first: np.ndarray
    modes: np.ndarray
    move: np.ndarray
    left_out: float = 0.0  # of the log density, by nodes that are few

    oversampling = 1.5  # points are dear
    good_share = 0.4
    widest = 0.03  # fixed effects are as wide as their priors
    direct_up_to = 2  # a grid of nodes for each of thousands of points is dear beyond

    @property
    def target(self) -> Target:
        return self.link.target

    @property
    def size(self) -> int:
        return self.target.size + self.target.design.n_fixed

    def start(self) -> np.ndarray:
        return self.first

    def gamma(self, x: np.ndarray) -> np.ndarray:
        """Give the free fixed effects of points (B, P) in the units of the data, (B, F)."""
        return np.asarray(x[:, self.target.size :] @ self.target.design.to_gamma.T)

    def log_prior(self, x: np.ndarray) -> np.ndarray:
        """Give the log prior density of points (B, P) in these coordinates; flat effects count nothing."""
        priors, proper = self.target.priors, self.target.priors.gamma_precision > 0
        squares = (self.gamma(x) - priors.gamma_mean) ** 2 @ priors.gamma_precision
        constant = 0.5 * np.sum(np.log(priors.gamma_precision[proper] / (2.0 * np.pi)))
        constant += np.linalg.slogdet(self.target.design.to_gamma)[1]
        return np.asarray(log_prior(self.target, x[:, : self.target.size]) + constant - 0.5 * squares)

    @property
    def finer(self) -> LinkDensity:
        """The same with about twice the nodes: its gradient is that of its values nearly everywhere."""
        return replace(self, rule=product_rule(tuple(_twice(self.rule.counts))), left_out=0.0)

    # --- one point ---

    def likelihood(self, x: np.ndarray) -> Marginal:
        """Give the likelihood at one point, its score in gamma and every element of the root of tau."""
        gamma, chol = self._effects(x[None])[0], self._chol(x[None])[0]
        return marginal(self.rows, self.law, gamma, chol, self.rule, self.modes)

    def of_parameters(self, gamma: np.ndarray, factor: np.ndarray, cuts: np.ndarray) -> OfParameters:
        """Give the log-likelihood at free fixed effects (F,), a root of tau (q, q) and cuts (T,).

        With its gradients. All are in the units of the data. For what it raises see `Sampled.point`.
        """
        to_gamma, scale = self.target.design.to_gamma, self.rows.tau_columns.scale
        own = np.r_[np.linalg.solve(to_gamma, gamma), cuts]
        at = marginal(self.rows, self.law, own, np.linalg.solve(scale, factor), self.rule, self.modes)
        F, G = len(gamma), len(own)
        by_gamma = np.linalg.solve(to_gamma.T, at.score[:F])
        by_factor = np.linalg.solve(scale.T, at.score[G:].reshape(factor.shape))
        return OfParameters(at.loglik, by_gamma, by_factor, at.score[F:G])

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        at = self.likelihood(x)
        return at.loglik + float(self.log_prior(x[None])[0]), self._slope(x, at.score)

    def curved(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        # the likelihood's information is exact; how its parameters bend in x is cheap to take by differences
        at = self.likelihood(x)
        steps, turn = STEP * np.eye(len(x)), np.array([self._pull(x, e) for e in np.eye(len(at.score))])
        rows = [self._slope(x - h, at.score) - self._slope(x + h, at.score) for h in steps]
        hessian = turn.T @ at.information @ turn + np.array(rows) / (2.0 * STEP)
        value = at.loglik + float(self.log_prior(x[None])[0])
        return value, self._slope(x, at.score), 0.5 * (hessian + hessian.T)

    def _slope(self, x: np.ndarray, score: np.ndarray) -> np.ndarray:
        """Give the gradient of the log density, ``score`` (F + q^2,) that of the likelihood."""
        d, priors = self.target.size, self.target.priors
        gradient = self._pull(x, score)
        gradient[:d] += prior_slope(self.target, x[:d])
        away = priors.gamma_precision * (self.gamma(x[None])[0] - priors.gamma_mean)
        gradient[d:] -= self.target.design.to_gamma.T @ away
        return gradient

    def _pull(self, x: np.ndarray, score: np.ndarray) -> np.ndarray:
        """Carry a gradient in gamma, cuts and the root of tau, (F + T + q^2,), to one in x."""
        target, q, F = self.target, self.target.n_random, self.target.design.n_fixed
        phi, gradient = x[: target.size], np.zeros(self.size)
        by_cuts, by_chol = np.split(score[F:], [self.rows.cuts.n])
        by_factor = np.linalg.solve(self.rows.tau_columns.scale.T, by_chol.reshape(q, q))
        by_s, by_y = chain(target, phi, unpack(target, phi[None]), by_factor)
        gradient[:q], gradient[target.partials], gradient[target.size :] = by_s, by_y, score[:F]
        gradient[target.partials.stop : target.size] = self._level1.pull_cuts(phi[target.level1], by_cuts)
        return gradient

    @property
    def _level1(self) -> LinkRows:
        law = self.target.law
        assert isinstance(law, LinkRows)
        return law

    def _effects(self, x: np.ndarray) -> np.ndarray:
        """Give the fixed effects of points (B, P) in the columns of the rows, cuts the last, (B, F + T)."""
        d = self.target.size
        return np.column_stack([x[:, d:], self._level1.cuts(x[:, self.target.partials.stop : d])])

    def _chol(self, x: np.ndarray) -> np.ndarray:
        """Give the root of tau of points (B, P) in the columns of the rows, (B, q, q)."""
        factor = unpack(self.target, x[:, : self.target.size]).factor
        return np.linalg.solve(self.rows.tau_columns.scale, factor)

    # --- many points ---

    def evaluate(self, x: np.ndarray) -> tuple[np.ndarray, None]:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            value = self.unit_logliks(x).sum(axis=1) + self.log_prior(x)
        value += self.rows.constant + self.left_out
        return np.where(np.isfinite(value), value, -np.inf), None

    def unit_logliks(self, x: np.ndarray) -> np.ndarray:
        """Give each unit's log-likelihood, u integrated out and without its constant, (B, J)."""
        gaps = np.exp(x[:, self.target.partials.stop : self.target.size])
        with np.errstate(divide="ignore"):
            found = np.asarray(np.log(-np.expm1(-gaps)) @ self.rows.cuts.counts.T)
        start = self._starts(x)
        for run in self._runs(x):
            found[run.points, run.units] += log_integrals(run, start, self.rule)
        return found

    @cached_property
    def unit_constants(self) -> np.ndarray:
        """What each unit's log-likelihood has that no parameter is in, (J,)."""
        law, design, data = self.link.law, self.target.design, self.link.data
        row, unit = analysed_rows(design, data, law.columns)
        constant = law.constant(outcome_values(design, data, row), law.row_sizes(data, row))
        return np.asarray(np.bincount(unit, constant, self.rows.n_units))

    def effects(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw u (B, J, q) given points."""
        q = self.target.n_random
        u = np.zeros((len(x), self.rows.n_units, q))
        factor, start = unpack(self.target, x[:, : self.target.size]).factor, self._starts(x)
        for run in self._runs(x) if q else ():
            t = draw_standard(run, start, self.rule, rng)
            u[run.points, run.units] = np.einsum("bac,bjc->bja", factor[run.points], t)
        return u

    def unit_modes(self, x: np.ndarray) -> np.ndarray:
        """Give about where units' standard normal effects have their modes at points (B, P), (B, q, J)."""
        found = start = self._starts(x)
        for run in self._runs(x):
            t = centred(run, start).t.reshape(-1, *run.shape)
            found[run.points, :, run.units] = t.swapaxes(0, 1)
        return found

    def _runs(self, x: np.ndarray) -> Iterator[Run]:
        return runs(self.rows, self._by_row, self.law, self._effects(x), self._chol(x))

    @cached_property
    def _by_row(self) -> np.ndarray:
        return by_row(self.rows)

    def _starts(self, x: np.ndarray) -> np.ndarray:
        return self.modes + np.tensordot(x - self.first, self.move, axes=1)


def link_density(link: LinkTarget) -> LinkDensity:
    """Give the density of a target with as many nodes as it takes about its mode.

    Raises
    ------
    SamplingError
        It has no mode.
    """
    (law, rows), q = full_rows(link), link.target.n_random
    rule, modes = few(q) if q else product_rule(()), np.zeros((q, rows.n_units))
    first = _first(link)
    density = LinkDensity(link, law, rows, rule, first, modes, np.zeros((len(first), *modes.shape)))
    best = _mode(density)
    if not np.isfinite(best.value):
        raise SamplingError('the posterior has no mode to start from: use sampler="nuts", marginal=False')
    density = replace(density, first=best.x, modes=density.likelihood(best.x).modes.t)
    if not q:
        return density
    values, vectors = np.linalg.eigh(best.hessian)
    root = vectors / np.sqrt(np.maximum(values, density.widest))
    up, down = (density.unit_modes(best.x + side * root.T) for side in (1.0, -1.0))
    density = replace(density, move=np.tensordot(np.linalg.inv(root).T, 0.5 * (up - down), axes=1))
    covariance = root @ root.T
    away = AWAY * covariance / np.sqrt(covariance.diagonal())  # along a coordinate, the others following
    return with_nodes(density, fold(link.target, best.x + np.concatenate([away, -away])))


def _mode(density: LinkDensity) -> Point:
    """Go to the mode; with more nodes where it is none, for few say little of a curvature that is sharp."""
    at = density.first
    for each in (density, density.finer, density.finer.finer):
        best = minimise(each.point, at, tolerance=1e-3, limit=100).point
        at = best.x
        if not np.isfinite(best.value) or np.linalg.eigvalsh(best.hessian).min(initial=1.0) > 0:
            break
    return best


def _first(link: LinkTarget) -> np.ndarray:
    """Give a place to begin: fixed effects at their priors' means, every sd a unit of the link."""
    target = link.target
    phi = np.zeros(target.size)
    phi[: target.n_random] = 1.0
    phi[target.level1] = target.law.start(1.0)
    return np.asarray(np.r_[phi, np.linalg.solve(target.design.to_gamma, target.priors.gamma_mean)])


def with_nodes(density: LinkDensity, x: np.ndarray) -> LinkDensity:
    """Take as few nodes as leave the differences between points (B, P) where they are with more.

    What they do not leave where it is, one and the same number for all points, is added.
    """
    q, mode = density.target.n_random, density.first[None]
    counts = [NODES[0]] * q
    near = _values(density, counts, x) > _values(density, counts, mode) - DEEP
    x = x[near] if near.any() else mode
    for k in range(q):
        old = _values(density, counts, x)
        for counts[k], more in pairwise(NODES):
            new = _values(density, [*counts[:k], more, *counts[k + 1 :]], x)
            if np.ptp(np.r_[new - old, 0.0]) < STILL:
                break
            old = new
    all_of_it = _values(density, _twice(counts), mode) - _values(density, counts, mode)
    return replace(density, rule=product_rule(tuple(counts)), left_out=float(all_of_it[0]))


def _twice(counts: Iterable[int]) -> list[int]:
    return [2 * n + 5 for n in counts]


def _values(density: LinkDensity, counts: list[int], x: np.ndarray) -> np.ndarray:
    return replace(density, rule=product_rule(tuple(counts))).evaluate(x)[0]
