"""Ordinal outcomes as binary rows: what the cuts between categories add to the likelihood.

With P(y <= m) = sigma(a_m), a_m = delta_m + eta, the probability of category m is

    sigma(a_m) - sigma(a_{m-1}) = sigma(a_m) sigma(-a_{m-1}) (1 - exp(-(delta_m - delta_{m-1}))),

two binary rows whose predictor has the cuts as fixed effects, and a factor of the cuts alone: the likelihood
of binary outcomes is that of ordinal ones once the factor is there. delta_1 = 0, its place is the
intercept's, as in HLM (Raudenbush & Bryk 2002, p. 317).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Cuts:
    """The cuts delta_2, delta_3, ..., T of them, at the end of the fixed effects.

    ``counts`` (J, T): rows of each unit between two cuts, those of the categories but the lowest and the
    highest. ``first`` (T,): cuts to begin with.
    """

    counts: np.ndarray
    first: np.ndarray

    @property
    def n(self) -> int:
        """Number of free cuts, T."""
        return len(self.first)

    def gaps(self, gamma: np.ndarray) -> np.ndarray:
        """Give the distance of each cut to the one before it, (T,), of all fixed effects (F + T,)."""
        return np.diff(gamma[len(gamma) - self.n :], prepend=0.0)

    def unit_values(self, gamma: np.ndarray) -> np.ndarray:
        """Give what the factor adds to each unit's log-likelihood, (J,); minus infinity where cuts cross."""
        if not self.n:
            return np.zeros(len(self.counts))
        gaps = self.gaps(gamma)
        log = np.where(gaps > 0, np.log(-np.expm1(-np.maximum(gaps, 1e-300))), -np.inf)
        return np.asarray(self.counts @ log)

    def add_slopes(self, gamma: np.ndarray, scores: np.ndarray, information: np.ndarray) -> None:
        """Add its slopes to the units' scores (J, P) and minus its bends to the information (P, P)."""
        if not self.n:
            return
        own = slice(len(gamma) - self.n, len(gamma))
        scores[:, own] += (self.counts / np.expm1(self.gaps(gamma))) @ self._turn
        information[: own.stop, : own.stop] += self.bends(gamma, self.counts.sum(axis=0))

    def bends(self, gamma: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Give minus the bends of what ``counts`` (..., T) rows add, in all fixed effects, (..., F, F)."""
        steep, own = 1.0 / np.expm1(self.gaps(gamma)), slice(len(gamma) - self.n, None)
        found = np.zeros((*counts.shape[:-1], len(gamma), len(gamma)))
        bend = counts * steep * (1.0 + steep)
        found[..., own, own] = (self._turn.T * bend[..., None, :]) @ self._turn
        return found

    @property
    def _turn(self) -> np.ndarray:
        """What gives gaps of cuts, (T, T)."""
        return np.eye(self.n) - np.eye(self.n, k=-1)


def no_cuts(n_units: int) -> Cuts:
    """Give the cuts of an outcome that has none."""
    return Cuts(np.zeros((n_units, 0)), np.zeros(0))
