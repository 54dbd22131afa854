"""Charts of tau: one parameter, and free numbers for all the others, that give a root Lambda of tau.

Lambda is lower triangular, with the coefficients ordered so that the parameter stands in its first rows:

    sd_a = c       Lambda_11 = c (also for tau / sigma2 = Lambda Lambda')
    corr_ab = c    Lambda_11 = e^s, Lambda_2. = e^t (c, sqrt(1 - c^2)), s and t free
    tau_ab = c     Lambda_11 = e^t, Lambda_21 = c e^-t, t free
    log sigma2 = c Lambda is free

The other entries of Lambda are free numbers as they stand; then come s and t, and log sigma2 last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np

from ..estimation.newton import Point
from ..likelihood.criterion import criterion, observed_information
from ..likelihood.evaluate import System, evaluate
from ..likelihood.pattern import mask, symmetric_basis


class Profile(NamedTuple):
    """What a profile needs: the system, the scaled tau's map M to standardised units, the optimum.

    ``held``: sigma2 is known, and no number of its own.
    """

    system: System
    reml: bool
    to_standard: np.ndarray
    tau: np.ndarray
    sigma2: float
    minimum: float
    cut: float
    held: bool


class Root(NamedTuple):
    """Lambda (q, q), and its first and second derivatives in each of m free numbers, (m, q, q)."""

    value: np.ndarray
    first: np.ndarray
    second: np.ndarray


@dataclass(frozen=True, eq=False)
class Chart(ABC):
    """A parameter of the coefficients ``of``, held at c within ``ends``, and what is free.

    Lambda has the blocks of tau; those of a covariance or correlation are in one.

    ``held``: entries of Lambda that are not free numbers as they stand.
    """

    profile: Profile
    of: tuple[int, ...] = ()
    ends: ClassVar[tuple[float, float]] = (-np.inf, np.inf)
    held: ClassVar[frozenset[tuple[int, int]]] = frozenset()

    @property
    def with_sigma2(self) -> bool:
        """Whether log sigma2 is a free number, the last one."""
        return not self.profile.held

    def sigma2(self, c: float, x: np.ndarray) -> float:
        """Give sigma2 at the parameter's value c and the free numbers x (m,)."""
        return _exp(float(x[-1])) if self.with_sigma2 else self.profile.sigma2

    @cached_property
    def estimate(self) -> float:
        """The parameter at the optimum."""
        return self._estimate()

    @abstractmethod
    def _estimate(self) -> float: ...

    @cached_property
    def first_step(self) -> float:
        """How far off a limit may be."""
        return self._first_step()

    def _first_step(self) -> float:
        return 0.3 * max(abs(self.estimate), 0.05)

    @cached_property
    def order(self) -> list[int]:
        """The coefficients, those of the parameter first."""
        return [*self.of, *(k for k in range(len(self.profile.tau)) if k not in self.of)]

    @cached_property
    def entries(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the entries of Lambda that are free as they stand."""
        rows, cols = np.nonzero(
            np.tril(mask(self.profile.system.tau_columns.pattern)[self.order][:, self.order])
        )
        free = [entry not in self.held for entry in zip(rows.tolist(), cols.tolist(), strict=True)]
        return rows[free], cols[free]

    @cached_property
    def triangle(self) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        """Rows and columns of a lower triangle, and the directions of its elements (m, q, q)."""
        q = len(self.order)
        return np.tril_indices(q), symmetric_basis(q)

    @cached_property
    def start(self) -> np.ndarray:
        """The free numbers near the optimum, (m,)."""
        tau = self.profile.tau[np.ix_(self.order, self.order)]
        floor = 1e-3 * max(float(np.trace(tau)), self.profile.sigma2)
        numbers = self._numbers(np.linalg.cholesky(tau + floor * np.eye(len(tau))) if len(tau) else tau)
        return np.append(numbers, np.log(self.profile.sigma2)) if self.with_sigma2 else numbers

    def starts(self, near: np.ndarray | None) -> list[np.ndarray]:
        """Give where to search from, ``near`` the minimum at the nearest value known."""
        return [self.start if near is None else near]

    def root(self, c: float, x: np.ndarray) -> Root:
        """Give Lambda at the parameter's value c and the free numbers x (m,)."""
        free = x[:-1] if self.with_sigma2 else x
        q, (rows, cols) = len(self.order), self.entries
        value, first = np.zeros((q, q)), np.zeros((len(free), q, q))
        value[rows, cols] = free[: len(rows)]
        first[np.arange(len(rows)), rows, cols] = 1.0
        root = Root(value, first, np.zeros_like(first))
        self._hold(c, free[len(rows) :], root)
        return root

    def _numbers(self, root: np.ndarray) -> np.ndarray:
        """Give the free numbers of Lambda, (q, q)."""
        return np.asarray(root[self.entries])

    @abstractmethod
    def _hold(self, c: float, st: np.ndarray, root: Root) -> None:
        """Put what is held at c, and s and t, into Lambda and its derivatives."""

    def objective(self, c: float, x: np.ndarray) -> Point:
        """Give the deviance and its derivatives in the free numbers (m,), the parameter held at c."""
        p, m = self.profile, self.profile.to_standard[:, self.order]
        s2 = self.sigma2(c, x)
        root, first, second = self.root(c, x)
        at = evaluate(p.system, m @ root / np.sqrt(s2))
        value = criterion(p.system, at, p.reml, sigma2=s2).value
        slope = m.T @ ((at.h - p.reml * at.p) / s2 - at.vv / s2**2) @ m
        slope_s2 = (p.system.n - p.system.n_fixed * p.reml - np.sum((at.h - p.reml * at.p) * at.theta)) / s2
        slope_s2 -= (at.rss - np.sum(at.vv * at.theta)) / s2**2
        (rows, cols), basis = self.triangle
        information = observed_information(p.system, at, s2, p.reml, basis)
        jacobian = np.zeros((len(first) + 1, len(rows) + 1))
        jacobian[:-1, :-1], jacobian[-1, -1] = _moves(m, root, first)[:, rows, cols], s2
        gradient = np.append(2.0 * np.einsum("iab,ac,cb->i", first, slope, root), slope_s2 * s2)
        hessian = 2.0 * jacobian @ information @ jacobian.T
        hessian[:-1, :-1] += 2.0 * np.einsum("iab,ac,jcb->ij", first, slope, first)
        curved = np.einsum("iab,ab->i", second, slope @ root)
        hessian += np.diag(np.append(2.0 * curved, slope_s2 * s2))
        gradient, hessian = gradient[: len(x)], hessian[: len(x), : len(x)]
        return Point(x, value, gradient, 0.5 * (hessian + hessian.T), at)


def _exp(log: float) -> float:
    return float(np.exp(np.clip(log, -50.0, 50.0)))


def _moves(m: np.ndarray, root: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Give the derivatives of M Lambda Lambda' M' in the free numbers, (m, q, q)."""
    moves = first @ root.T
    return np.asarray(m @ (moves + moves.transpose(0, 2, 1)) @ m.T)


class Sigma2Chart(Chart):
    """The logarithm of sigma2."""

    with_sigma2 = False  # it is the parameter

    def sigma2(self, c: float, x: np.ndarray) -> float:
        """Give the parameter itself."""
        return _exp(c)

    def _estimate(self) -> float:
        return float(np.log(self.profile.sigma2))

    def _first_step(self) -> float:
        return float(np.sqrt(2.0 * self.profile.cut / self.profile.system.n))

    def _hold(self, c: float, st: np.ndarray, root: Root) -> None:
        """Leave Lambda free."""


class SdChart(Chart):
    """The standard deviation of a random coefficient."""

    ends = (0.0, np.inf)
    held = frozenset({(0, 0)})

    def _estimate(self) -> float:
        return float(np.sqrt(max(self.profile.tau[self.of * 2], 0.0)))

    def _hold(self, c: float, st: np.ndarray, root: Root) -> None:
        root.value[0, 0] = c


class RatioChart(SdChart):
    """The root of tau_kk / sigma2: Lambda is a root of tau / sigma2, and sigma2 is profiled out."""

    with_sigma2 = False

    def _estimate(self) -> float:
        return float(np.sqrt(max(self.profile.tau[self.of * 2], 0.0) / self.profile.sigma2))

    def _numbers(self, root: np.ndarray) -> np.ndarray:
        return np.asarray(root[self.entries] / np.sqrt(self.profile.sigma2))

    def objective(self, c: float, x: np.ndarray) -> Point:
        """Give the deviance and its derivatives in the free numbers (m,), the parameter held at c."""
        p, m = self.profile, self.profile.to_standard[:, self.order]
        root, first, _ = self.root(c, x)
        at = evaluate(p.system, m @ root)
        found = criterion(p.system, at, p.reml)
        slope = m.T @ found.gradient @ m
        moves = _moves(m, root, first).reshape(len(x), root.size)
        hessian = moves @ found.hessian.reshape(root.size, root.size) @ moves.T
        hessian += 2.0 * np.einsum("iab,ac,jcb->ij", first, slope, first)
        gradient = 2.0 * np.einsum("iab,ac,cb->i", first, slope, root)
        return Point(x, found.value, gradient, 0.5 * (hessian + hessian.T), at)


class CovarianceChart(Chart):
    """The covariance of two random coefficients."""

    held = frozenset({(0, 0), (1, 0)})

    def _estimate(self) -> float:
        return float(self.profile.tau[self.of])

    def _numbers(self, root: np.ndarray) -> np.ndarray:
        return np.append(root[self.entries], np.log(root[0, 0]))

    def _hold(self, c: float, st: np.ndarray, root: Root) -> None:
        value, first, second = root
        t = float(np.clip(st[0], -30.0, 30.0))
        value[0, 0] = first[-1, 0, 0] = second[-1, 0, 0] = np.exp(t)
        value[1, 0] = second[-1, 1, 0] = c * np.exp(-t)
        first[-1, 1, 0] = -value[1, 0]


class CorrelationChart(Chart):
    """The correlation of two random coefficients whose variances are not zero."""

    ends = (-1.0, 1.0)
    held = frozenset({(0, 0), (1, 0), (1, 1)})

    def _estimate(self) -> float:
        (a, b), tau = self.of, self.profile.tau
        return float(np.clip(tau[a, b] / np.sqrt(float(tau[a, a] * tau[b, b])), -1.0, 1.0))

    def _first_step(self) -> float:
        return 0.3

    def _numbers(self, root: np.ndarray) -> np.ndarray:
        return np.append(root[self.entries], np.log([root[0, 0], np.hypot(root[1, 0], root[1, 1])]))

    def starts(self, near: np.ndarray | None) -> list[np.ndarray]:
        """Do not only follow: where a variance has gone to zero the correlation leads nowhere."""
        return [self.start] if near is None else [near, self.start]

    def _hold(self, c: float, st: np.ndarray, root: Root) -> None:
        value, first, second = root
        s, t = np.exp(np.clip(st, -30.0, 30.0))  # a change of sign would be the opposite correlation
        value[0, 0] = first[-2, 0, 0] = second[-2, 0, 0] = s
        row = t * np.array([c, np.sqrt(max(1.0 - c * c, 0.0))])
        value[1, :2] = first[-1, 1, :2] = second[-1, 1, :2] = row
