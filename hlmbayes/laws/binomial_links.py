"""The links of probabilities, logit, probit and complementary log-log: rows, means and slopes under each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

type Rows = tuple[np.ndarray, np.ndarray, np.ndarray]  # log density, its slope, minus its bend
MANY = 700.0  # exp of more is no number
MANY_COUNTS = 1e6  # beyond them digits are lost in the differences of large numbers


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
    return _from_top(value, eta, y, size), np.subtract(y, mean, out=mean), odds


def logit_value(eta: np.ndarray, y: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Give the log density of the logit link alone: it is what the integrals of thousands of points are."""
    bounded = np.maximum(eta, -MANY)
    odds = np.asarray(np.negative(bounded))
    np.exp(odds, out=odds)
    bounded += np.log1p(odds, out=odds)  # log(1 + exp(eta))
    bounded *= size
    np.multiply(y, eta, out=odds)
    odds -= bounded
    return _from_top(odds, eta, y, size)


def _from_top(value: np.ndarray, eta: np.ndarray, y: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Take the log density of very many trials from its top: near it the difference has few digits."""
    if not (size > MANY_COUNTS).any():
        return value
    share = np.where((y > 0) & (y < size), y, 0.5 * size) / np.maximum(size, 1e-300)
    share = np.where(size > 0, share, 0.5)
    away = eta - special.logit(share)
    step = np.clip(away, -1.0, 1.0)
    near = -size * (np.log1p(share * np.expm1(step)) - share * step)
    close = (size > MANY_COUNTS) & (y > 0) & (y < size) & (np.abs(away) < 1.0)
    return np.where(close, near, value - top_of_trials(y, size, "logit"))


def top_of_trials(y: np.ndarray, size: np.ndarray, link: str) -> np.ndarray:
    """Give the greatest log density of very many trials, which their rows leave out; 0 of others."""
    if link != "logit":
        return np.zeros_like(size)
    rest = size - y
    with np.errstate(divide="ignore", invalid="ignore"):
        top = special.xlogy(y, y / size) + special.xlogy(rest, rest / size)
    return np.where(size > MANY_COUNTS, top, 0.0)


def log_choices(y: np.ndarray, size: np.ndarray, link: str) -> np.ndarray:
    """Give the log of the number of ways to have y successes in so many trials, the top in it."""
    rest = size - y
    own = special.gammaln(size + 1) - special.gammaln(y + 1) - special.gammaln(rest + 1)
    own = own + top_of_trials(y, size, link)
    if link != "logit":
        return np.asarray(own)
    a, b, n = (np.maximum(each, 1.0) for each in (y, rest, size))
    large = (
        0.5 * np.log(n / (2.0 * np.pi * a * b)) + (1.0 / n - 1.0 / a - 1.0 / b) / 12.0
    )  # Stirling's series
    return np.asarray(np.where(np.minimum(y, rest) > MANY_COUNTS, large, own))


def _probit(eta: np.ndarray, y: np.ndarray, size: np.ndarray) -> Rows:
    up, down = special.log_ndtr(eta), special.log_ndtr(-eta)
    log_phi = -0.5 * eta**2 - 0.5 * np.log(2.0 * np.pi)
    hit, miss = np.exp(log_phi - up), np.exp(log_phi - down)
    rest = size - y
    return (y * up + rest * down, y * hit - rest * miss, y * hit * (hit + eta) + rest * miss * (miss - eta))


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
