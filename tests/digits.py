"""A marginal likelihood and its gradient in 60 digits, row by row: what floats should have computed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext

import numpy as np

DIGITS = 60
STEP = Decimal("1e-20")

decimals = np.vectorize(lambda value: Decimal(float(value)), otypes=[object])


@dataclass(frozen=True)
class Rows:
    """y (N,), X (N, F), Z (N, q), covariates of log(sigma2) C (N, K), unit (N,); gamma's prior is flat."""

    y: np.ndarray
    x: np.ndarray
    z: np.ndarray
    c: np.ndarray
    unit: np.ndarray

    def log_likelihood(self, factor: np.ndarray, alpha: np.ndarray) -> Decimal:
        """Give log p(y), u and gamma integrated out, tau = factor factor' and sigma2 = exp(C alpha)."""
        f, both = self.x.shape[1], decimals(np.column_stack([self.x, self.y]))
        root, log_sigma2 = decimals(self.z) @ factor, decimals(self.c) @ alpha
        total, sums = (len(self.y) - f) * Decimal(2 * np.pi).ln(), np.full((f + 1, f + 1), Decimal(0))
        for j in np.unique(self.unit):
            rows = self.unit == j
            v = root[rows] @ root[rows].T + np.diag([value.exp() for value in log_sigma2[rows]])
            solved, logdet = eliminate(v, both[rows])
            total += logdet
            sums = sums + both[rows].T @ solved
        gamma, logdet = eliminate(sums[:f, :f], sums[:f, f:])
        return -(total + logdet + sums[f, f] - (sums[f, :f] @ gamma)[0]) / 2

    def value_and_gradient(
        self, factor: np.ndarray, alpha: np.ndarray
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Give log p(y) and its derivatives in the lower triangle of factor (q, q) and in alpha (K,)."""
        with localcontext() as context:
            context.prec = DIGITS
            factor, alpha = decimals(factor), np.array(alpha, dtype=object)
            by_factor, by_alpha = np.zeros(factor.shape), np.zeros(len(alpha))
            for i, k in zip(*np.tril_indices(len(factor)), strict=True):
                step = np.full(factor.shape, Decimal(0))
                step[i, k] = STEP * max(map(abs, factor.flat))
                ahead, behind = (self.log_likelihood(factor + s * step, alpha) for s in (1, -1))
                by_factor[i, k] = float((ahead - behind) / (2 * step[i, k]))
            for k in range(len(alpha)):
                step = np.full(alpha.shape, Decimal(0))
                step[k] = STEP
                ahead, behind = (self.log_likelihood(factor, alpha + s * step) for s in (1, -1))
                by_alpha[k] = float((ahead - behind) / (2 * STEP))
            return float(self.log_likelihood(factor, alpha)), by_factor, by_alpha


def eliminate(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, Decimal]:
    """Give A^-1 B and log|A|, A positive definite."""
    both, logdet = np.hstack([a, b]), Decimal(0)
    for k in range(len(a)):
        logdet += both[k, k].ln()
        both[k] = both[k] / both[k, k]
        column = both[:, k].copy()
        column[k] = Decimal(0)
        both = both - np.outer(column, both[k])
    return both[:, len(a) :], logdet
