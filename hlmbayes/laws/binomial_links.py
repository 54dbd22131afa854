"""The links of probabilities, logit, probit and complementary log-log: rows, means and slopes under each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

type Rows = tuple[np.ndarray, np.ndarray, np.ndarray]  # log density, its slope, minus its bend
MANY = 700.0  # exp of more is no number


def _logit(eta: np.ndarray, y: np.ndarray, size: np.ndarray) -> Rows:
    # few passes, and each array used for several steps: most of the time of a fit is spent here
    top = np.maximum(eta, -MANY)
    odds = np.negative(top)
    np.exp(odds, out=odds)  # of a failure
    mean = odds + 1.0
    np.reciprocal(mean, out=mean)
    value = np.log(mean)
    top -= value  # log(1 + exp(eta))
    top *= size
    np.multiply(y, eta, out=value)
    value -= top
    odds *= mean
    odds *= mean
    odds *= size
    mean *= size
    return value, np.subtract(y, mean, out=mean), odds


def _probit(eta: np.ndarray, y: np.ndarray, size: np.ndarray) -> Rows:
    up, down = special.log_ndtr(eta), special.log_ndtr(-eta)
    log_phi = -0.5 * eta**2 - 0.5 * np.log(2.0 * np.pi)
    hit, miss = np.exp(log_phi - up), np.exp(log_phi - down)
    rest = size - y
    return (
        y * up + rest * down,
        y * hit - rest * miss,
        y * hit * (hit + eta) + rest * miss * (miss - eta),
    )


def _cloglog(eta: np.ndarray, y: np.ndarray, size: np.ndarray) -> Rows:
    hazard = np.exp(np.minimum(eta, MANY))
    rest = size - y
    with np.errstate(over="ignore", invalid="ignore"):
        fall = np.where(hazard > 0, hazard / np.expm1(hazard), 1.0)
        # minus the slope of log(fall); its series where the difference would have no digits
        bend = np.where(hazard < 1e-3, hazard / 2.0 + hazard**2 / 12.0, hazard - 1.0 + fall)
    miss = -np.expm1(-hazard)
    value = y * np.log(np.where(miss > 0, miss, 1.0)) - rest * hazard
    return value, y * fall - rest * hazard, y * fall * bend + rest * hazard


ROWS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Rows]] = {
    "logit": _logit,
    "probit": _probit,
    "cloglog": _cloglog,
}
# linear predictors that working outcomes go to: beyond them a row weighs nothing
FAR = {"logit": (-30.0, 30.0), "cumlogit": (-30.0, 30.0), "probit": (-7.5, 7.5), "cloglog": (-30.0, 3.5)}
LATENT = {"logit": np.pi**2 / 3.0, "probit": 1.0, "cloglog": np.pi**2 / 6.0}
LATENT_SD = {"logit": "pi / sqrt(3)", "probit": "1", "cloglog": "pi / sqrt(6)"}
LINK: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "logit": special.logit,
    "probit": special.ndtri,
    "cloglog": lambda mean: np.log(-np.log1p(-mean)),
}
INVERSE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "logit": special.expit,
    "probit": special.ndtr,
    "cloglog": lambda eta: -np.expm1(-np.exp(np.minimum(eta, MANY))),
}
SLOPE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "logit": lambda eta: special.expit(eta) * special.expit(-eta),
    "probit": lambda eta: np.exp(-0.5 * eta**2) / np.sqrt(2.0 * np.pi),
    "cloglog": lambda eta: np.exp(eta - np.exp(np.minimum(eta, MANY))),
}
