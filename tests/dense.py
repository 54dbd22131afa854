"""Brute force on rows: dense matrices, no moments. The oracle that shares no algebra with the package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from hlmbayes import Model
from hlmbayes.likelihood.design import Design


@dataclass
class Dense:
    """Row-level matrices of a model: y (N,), X (N, F) after constraints, Z (N, q), unit (N,).

    ``free`` (q, q): which elements of tau are parameters.
    """

    y: np.ndarray
    X: np.ndarray
    Z: np.ndarray
    unit: np.ndarray
    free: np.ndarray

    @property
    def directions(self) -> list[np.ndarray]:
        """d tau / d(free elements of tau), the lower triangle by rows."""
        result = []
        for a, b in np.argwhere(np.tril(self.free)):
            d = np.zeros_like(self.free, dtype=float)
            d[a, b] = d[b, a] = 1.0
            result.append(d)
        return result

    @property
    def n_units(self) -> int:
        return int(self.unit.max()) + 1

    def v(self, tau: np.ndarray, sigma2: float | np.ndarray) -> np.ndarray:
        """The N x N covariance matrix; sigma2 a number or one a row."""
        same = np.equal.outer(self.unit, self.unit)
        return same * (self.Z @ tau @ self.Z.T) + np.diag(np.broadcast_to(sigma2, self.y.shape).astype(float))

    def deviance(self, tau: np.ndarray, sigma2: float | np.ndarray, reml: bool) -> float:
        """-2 log-likelihood with gamma at its GLS value, true constants."""
        v = self.v(tau, sigma2)
        vi = np.linalg.inv(v)
        gamma, xvx = self.gls(tau, sigma2)
        r = self.y - self.X @ gamma
        n = len(self.y) - self.X.shape[1] * reml
        value = n * np.log(2 * np.pi) + np.linalg.slogdet(v)[1] + r @ vi @ r
        return float(value + (np.linalg.slogdet(xvx)[1] if reml else 0.0))

    def gls(self, tau: np.ndarray, sigma2: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """gamma and X'V^-1X."""
        vi_x = np.linalg.solve(self.v(tau, sigma2), self.X)
        xvx = self.X.T @ vi_x
        return np.linalg.solve(xvx, vi_x.T @ self.y), xvx

    def p_matrix(self, tau: np.ndarray, sigma2: float, reml: bool) -> np.ndarray:
        """V^-1 - V^-1 X (X'V^-1X)^-1 X'V^-1, or V^-1 under ML."""
        vi = np.linalg.inv(self.v(tau, sigma2))
        if not reml:
            return vi
        return vi - vi @ self.X @ np.linalg.solve(self.X.T @ vi @ self.X, self.X.T @ vi)

    def optimum(self, reml: bool, start_sd: float = 1.0) -> tuple[float, np.ndarray, float]:
        """Minimise the dense deviance over (L, log sigma) by scipy: deviance, tau, sigma2."""
        q = self.Z.shape[1]
        index = np.nonzero(np.tril(self.free))  # the root of a matrix with blocks has them, too

        def unpack(x: np.ndarray) -> tuple[np.ndarray, float]:
            factor = np.zeros((q, q))
            factor[index] = x[:-1]
            return factor @ factor.T, float(np.exp(2 * x[-1]))

        def objective(x: np.ndarray) -> float:
            return self.deviance(*unpack(x), reml)

        x0 = np.append((start_sd * np.eye(q))[index], np.log(np.std(self.y)))
        best = minimize(
            objective, x0, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-9, "fatol": 1e-11}
        )
        best = minimize(objective, best.x, method="BFGS", options={"gtol": 1e-9}) if best.fun else best
        tau, sigma2 = unpack(best.x)
        return float(best.fun), tau, sigma2


def dense(
    model: Model, columns: dict[str, np.ndarray], unit: np.ndarray, level2: dict[str, np.ndarray]
) -> Dense:
    """Write out a model's matrices row by row from raw columns (N,) and level-2 variables (J,)."""
    n_units = int(unit.max()) + 1

    def level1(variable: str | None, centering: str) -> np.ndarray:
        if variable is None:
            return np.ones(len(unit))
        x = np.asarray(columns[variable.lower()], dtype=float)
        if centering == "group":
            means = np.array([x[unit == j].mean() for j in range(n_units)])
            return x - means[unit]
        return x - x.mean() if centering == "grand" else x

    z, x, names = [], [], []
    for coefficient in model.coefficients:
        d = level1(coefficient.predictor.variable, coefficient.predictor.centering)
        if coefficient.random:
            z.append(d)
        for gamma in coefficient.gammas:
            w = np.ones(n_units)
            if gamma.predictor.variable is not None:
                w = np.asarray(level2[gamma.predictor.variable.lower()], dtype=float)
                if gamma.predictor.centering == "grand":
                    w = w - w.mean()
            x.append(d * w[unit])
            names.append(gamma.name)
    merged: dict[str, np.ndarray] = {}
    leader = {name: group[0] for group in model.constraints for name in group}
    for name, column in zip(names, x, strict=True):
        key = leader.get(name, name)
        merged[key] = merged.get(key, 0.0) + column
    n = len(unit)
    free = np.array(
        [[any({a, b} <= set(s) for s in model.blocks) for b in model.effects] for a in model.effects]
    )
    return Dense(
        np.asarray(columns[model.outcome.lower()], dtype=float),
        np.column_stack([*merged.values()]) if merged else np.zeros((n, 0)),
        np.column_stack(z) if z else np.zeros((n, 0)),
        unit,
        free.reshape(len(z), len(z)),
    )


def x_blocks(design: Design) -> np.ndarray:
    """W of every unit as one array, (J, p, F): b_j = W_j gamma."""
    full = np.zeros((design.n_units, len(design.w), design.n_fixed))
    for p, (w, columns) in enumerate(zip(design.w, design.columns, strict=True)):
        for k, column in enumerate(columns):
            full[:, p, column] += w[:, k]
    return full
