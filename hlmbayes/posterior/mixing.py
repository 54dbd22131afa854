"""R-hat, effective draws and the error of the mean, of many parameters at once.

Rank-normalised split R-hat, bulk and tail effective draws (Vehtari, Gelman, Simpson, Carpenter & Buerkner
2021, Bayesian Analysis 16, 667) with Geyer's initial monotone sequence (1992, Statistical Science 7, 473).
The same numbers as ArviZ's, which takes parameters one by one and longer to import than a posterior to draw.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

TAILS = (0.05, 0.95)  # the quantiles whose effective draws are those of the tails
BLOM = 3.0 / 8.0  # of the quantiles that ranks stand for
ALIKE = 1e-15  # draws that differ by less are the same


class Mixing(NamedTuple):
    """Of P parameters, each (P,): nan of one that does not vary, or that is not finite in every draw.

    ``mcse_mean`` is the standard error of the mean of the draws. A single chain has no R-hat.
    """

    r_hat: np.ndarray
    ess_bulk: np.ndarray
    ess_tail: np.ndarray
    mcse_mean: np.ndarray


def mixing(draws: np.ndarray) -> Mixing:
    """Judge draws (P, chain, draw) of P parameters, at least four of each chain."""
    found = np.full((len(Mixing._fields), len(draws)), np.nan)
    usable = np.isfinite(draws).all(axis=(1, 2))
    usable[usable] = np.ptp(draws[usable], axis=(1, 2)) > 0
    if usable.any():
        found[:, usable] = _mixing(draws[usable])
    return Mixing(*found)


def _mixing(draws: np.ndarray) -> Mixing:
    halves = _halves(draws)
    scores = _normal_scores(halves)
    tails = [_halves(draws <= q) for q in np.quantile(draws, TAILS, axis=(1, 2), keepdims=True)]
    bulk, mean, *ends = map(effective, (scores, halves, *tails))  # one by one: their spectra are large
    r_hat = np.full(len(draws), np.nan)
    if draws.shape[1] > 1:
        folded = np.abs(halves - np.median(halves, axis=(1, 2), keepdims=True))
        r_hat = np.maximum(_r_hat(scores), _r_hat(_normal_scores(folded)))
    sd = draws.std(axis=(1, 2), ddof=1)
    return Mixing(r_hat, bulk, np.minimum(*ends), sd / np.sqrt(mean))


def _halves(draws: np.ndarray) -> np.ndarray:
    """Cut every chain in two, the draw in the middle of an odd number left out: (P, 2 chains, half)."""
    half = draws.shape[2] // 2
    return np.concatenate([draws[:, :, :half], draws[:, :, -half:]], axis=1, dtype=float)


def _normal_scores(chains: np.ndarray) -> np.ndarray:
    """Give the normal quantiles of the ranks over all chains, equal draws at their mean rank."""
    flat = chains.reshape(len(chains), -1)
    n = flat.shape[1]
    order = np.argsort(flat, axis=1)
    ordered = np.take_along_axis(flat, order, axis=1)
    step = np.diff(ordered, axis=1) != 0
    place, edge = np.arange(n), np.ones((len(flat), 1), dtype=bool)
    first = np.maximum.accumulate(np.where(np.hstack([edge, step]), place, 0), axis=1)
    last = np.where(np.hstack([step, edge]), place, n)
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    ranks = 1.0 + 0.5 * np.arange(2 * n - 1)  # that there can be
    quantiles = ndtri((ranks - BLOM) / (n - 2.0 * BLOM + 1.0))
    scores = np.empty_like(flat)
    np.put_along_axis(scores, order, quantiles[first + last], axis=1)
    return scores.reshape(chains.shape)


def _r_hat(chains: np.ndarray) -> np.ndarray:
    """Give the root of the pooled over the within-chain variance, of (S, M, n)."""
    n = chains.shape[2]
    between = n * chains.mean(axis=2).var(axis=1, ddof=1)
    within = chains.var(axis=2, ddof=1).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # of chains that stand still
        return np.asarray(np.sqrt((between / within + n - 1.0) / n))


def effective(chains: np.ndarray) -> np.ndarray:
    """Give how many independent draws M chains of n are worth for their mean: (S, M, n) to (S,)."""
    m, n = chains.shape[1:]
    total = float(m * n)
    rho = _autocorrelations(chains)
    most = max(0, (n - 3) // 2)
    pairs = rho[:, 0 : 2 * most + 2].reshape(len(rho), most + 1, 2).sum(axis=2)
    ends = pairs <= 0.0
    ends[:, most] = True
    end, each = ends.argmax(axis=1), np.arange(len(rho))  # the pair that ends the positive sequence
    falling = np.minimum.accumulate(pairs, axis=1)
    before = np.where(np.arange(most + 1) < end[:, None], falling, 0.0).sum(axis=1)
    last = rho[each, 2 * end]
    last = np.where(pairs[each, end] < 0.0, np.maximum(last, 0.0), last)
    tau = np.maximum(2.0 * before + last - 1.0, 1.0 / np.log10(total))
    return np.where(np.ptp(chains, axis=(1, 2)) < ALIKE, total, total / tau)


def _autocorrelations(chains: np.ndarray) -> np.ndarray:
    """Give the autocorrelations of the pooled chains at lags 0 to n - 1, (S, n)."""
    m, n = chains.shape[1:]
    means = chains.mean(axis=2)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(chains - means[:, :, None], size, axis=2)
    spectrum *= spectrum.conj()
    power = spectrum.real.sum(axis=1)
    covariance = np.fft.irfft(power, size, axis=1)[:, :n] / (m * n)
    within = covariance[:, :1] * n / (n - 1.0)
    pooled = covariance[:, :1] + means.var(axis=1, ddof=1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):  # of draws that are all the same
        rho = 1.0 - (within - covariance) / pooled
    rho[:, 0] = 1.0
    return np.asarray(rho)
