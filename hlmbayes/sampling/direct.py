"""The direct sampler: independent draws of the variance parameters by importance sampling.

With u and gamma integrated out a few variance parameters are left. Their posterior is covered by a
Student-t distribution at its mode, folded as the posterior is; draws from it are weighted, the
weights Pareto-smoothed (Vehtari, Simpson, Gelman, Yao & Gabry 2024, J. Machine Learning Research 25,
72) and resampled. The method's own check is k-hat, the tail index of the weights.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, logsumexp, polygamma

from ..density.batch import Batch
from ..density.coordinates import fold
from ..density.prior_density import correlation_shapes
from ..density.sampled import Sampled
from ..density.target import Target
from ..estimation.newton import minimise
from .pareto import smoothed_weights

KHAT_LIMIT = 0.5
DF = 5.0  # of the proposal: tails heavier than those of any posterior with a few units
WIDE, FREE_SHARE = 2.5, 0.15  # of the proposal's defensive components
USUAL, TAILED = (0.1, DF), (0.3, 1.0)  # share and d.f. of the wider one
FAR = 5.0  # widths from the mode to what the data alone say: from there on it has a heavy tail
PILOT, PILOT_PER_PARAMETER = 1000, 250  # points a trial of the proposal takes, at least
PILOT_KHAT = 0.4  # k-hat of a trial is a noisy figure: it should be clear of the limit
ROUNDS = 5  # trials at most


@dataclass(frozen=True, slots=True, eq=False)
class Mode:
    """The density's mode phi (d,), the negative Hessian's inverse root there, and its log density.

    ``start`` (d,) is where the search began: about what the data say without priors.
    """

    phi: np.ndarray
    root: np.ndarray
    log_density: float
    start: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """Importance-sampled points.

    ``phi`` (B, d), folded; smoothed, normalised ``log_weight`` (B,); ``khat``; the share of the
    points that count, Kish's effective number over B; ``log_evidence``, log p(y) when all priors
    are proper; what ``batch`` says of gamma at each point.
    """

    phi: np.ndarray
    log_weight: np.ndarray
    khat: float
    share: float
    log_evidence: float
    batch: Batch | None = None


class Component(NamedTuple):
    """A Student-t distribution: its share of a mixture, mean (d,), root (d, d) and d.f."""

    share: float
    mean: np.ndarray
    root: np.ndarray
    df: float = DF

    def log_density(self, phi: np.ndarray) -> np.ndarray:
        """Give the logarithm of its share of the density at points (B, d)."""
        d, df, inverse = len(self.mean), self.df, np.linalg.inv(self.root)
        constant = gammaln(0.5 * (df + d)) - gammaln(0.5 * df) - 0.5 * d * np.log(df * np.pi)
        square = np.sum((inverse @ (phi - self.mean).T) ** 2, axis=0)
        log_root = np.linalg.slogdet(inverse)[1]
        return np.asarray(np.log(self.share) + log_root + constant - 0.5 * (df + d) * np.log1p(square / df))


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A mixture of Student-t distributions folded to non-negative standard deviations.

    The first component follows the posterior. The others bound the weights (a defensive mixture:
    Hesterberg 1995, Technometrics 37, 185): one is wider; in one the standard deviations are wider
    and the correlations about as wide as their prior, which they are where an sd is near zero.
    ``defence`` multiplies their shares; ``wide`` has the share and the d.f. of the wider one.
    """

    mean: np.ndarray
    root: np.ndarray
    correlation_sd: np.ndarray
    partials: slice
    defence: float = 1.0
    wide: tuple[float, float] = USUAL

    def components(self) -> list[Component]:
        """Give the components of the mixture."""
        share, df = self.wide
        wide = Component(share * self.defence, self.mean, WIDE * self.root, df)
        m = len(self.correlation_sd)
        if not m:
            return [Component(1.0 - wide.share, self.mean, self.root), wide]
        at = np.arange(self.partials.start, self.partials.stop)
        mean, covariance = self.mean.copy(), self.root @ self.root.T
        covariance[: at[0]] *= WIDE
        covariance[:, : at[0]] *= WIDE
        mean[at] = 0.0
        covariance[at, :] = covariance[:, at] = 0.0
        covariance[at, at] = self.correlation_sd**2
        free = Component(FREE_SHARE * self.defence, mean, np.linalg.cholesky(covariance))
        return [Component(1.0 - wide.share - free.share, self.mean, self.root), wide, free]

    def draw(self, target: Target, rng: np.random.Generator, size: int) -> np.ndarray:
        """Draw points, shape (size, d)."""
        parts = self.components()
        which = rng.choice(len(parts), size=size, p=[part.share for part in parts])
        normal = rng.standard_normal((size, len(self.mean)))
        df = np.array([part.df for part in parts])[which]
        normal *= np.sqrt(df / rng.chisquare(df))[:, None]
        phi = np.empty_like(normal)
        for k, part in enumerate(parts):
            phi[which == k] = part.mean + normal[which == k] @ part.root.T
        return fold(target, phi)

    def log_density(self, target: Target, phi: np.ndarray) -> np.ndarray:
        """Give the log density at folded points (B, d): the sum over the 2^q points folded into one."""
        parts, terms = self.components(), []
        for signs in itertools.product((1.0, -1.0), repeat=target.n_random):
            image = fold(target, phi, np.array(signs))
            terms += [part.log_density(image) for part in parts]
        return np.asarray(logsumexp(np.array(terms), axis=0))


def find_mode(density: Sampled) -> Mode:
    """Maximise the density by Newton steps."""
    start = density.start()
    found = minimise(density.point, start, tolerance=1e-6, limit=60)
    values, vectors = np.linalg.eigh(found.point.hessian)
    # a direction the data say nothing about is as wide as its prior, never wider than a few units
    root = vectors / np.sqrt(np.maximum(values, density.widest))
    return Mode(found.point.x, root, -found.point.value, start)


def weigh(density: Sampled, proposal: Proposal, phi: np.ndarray) -> Weighted:
    """Weight points drawn from a proposal; the largest weights are Pareto-smoothed."""
    value, batch = density.evaluate(phi)
    # the folded density is the sum of 2^q equal ones
    log_ratio = value + density.target.n_random * np.log(2.0) - proposal.log_density(density.target, phi)
    return replace(weighted(phi, log_ratio), batch=batch)


def weighted(phi: np.ndarray, log_ratio: np.ndarray) -> Weighted:
    """Weight points by the logarithm of density over proposal, (B,)."""
    smoothed, khat = smoothed_weights(log_ratio)
    share = float(np.exp(-logsumexp(2.0 * smoothed)) / len(phi))
    evidence = float(logsumexp(log_ratio) - np.log(len(phi)))
    return Weighted(phi, smoothed, khat, share, evidence)


class Found(NamedTuple):
    """A density made ready for many points, a proposal for it, and the share of its points that count."""

    density: Sampled
    proposal: Proposal
    share: float


def find_proposal(density: Sampled, rng: np.random.Generator) -> Found:
    """Start from the mode; while few points count, move to the weighted mean and covariance found."""
    mode, target = find_mode(density), density.target
    mean = fold(target, mode.phi[None])[0]
    density = density.near(mean, mode.root, rng)
    proposal = Proposal(
        mean, mode.root, correlation_spread(target), target.partials, density.defence, _wide(mode, target)
    )
    best, best_score, best_share = proposal, -np.inf, 0.0
    for _ in range(ROUNDS):
        size = max(PILOT, PILOT_PER_PARAMETER * density.size)
        trial = weigh(density, proposal, proposal.draw(target, rng, size))
        good_tail = bool(trial.khat < PILOT_KHAT)
        score = trial.share + good_tail
        if score > best_score:
            best, best_score, best_share = proposal, score, trial.share
        if (good_tail and trial.share > density.good_share) or score < best_score - 0.1:
            break
        proposal = matched(trial, proposal)
    return Found(density, best, best_share)


def _wide(mode: Mode, target: Target) -> tuple[float, float]:
    """Give the share and the d.f. of a proposal's wide component.

    Where priors hold standard deviations many widths below what the data say, the posterior's tail up to
    there is the prior's, and none is heavier than the half-Cauchy's.
    """
    q = target.n_random
    reach = np.abs(mode.phi[:q]) + FAR * np.linalg.norm(mode.root[:q], axis=1)
    return TAILED if (np.abs(mode.start[:q]) > reach).any() else USUAL


def correlation_spread(target: Target) -> np.ndarray:
    """Give the prior sds of atanh partial correlations: tanh of them is Beta, so half a log F each."""
    eta = 1.0 if target.priors.tau is not None else target.priors.eta
    return np.sqrt(0.5 * polygamma(1, correlation_shapes(target.pattern, eta)))


def matched(trial: Weighted, proposal: Proposal) -> Proposal:
    """Give a proposal with the weighted mean and covariance of points drawn from another."""
    weight = np.exp(trial.log_weight)
    mean = weight @ trial.phi
    centred = trial.phi - mean
    covariance = (centred * weight[:, None]).T @ centred
    ridge = 1e-8 * np.trace(covariance) / len(mean) * np.eye(len(mean))
    return replace(proposal, mean=mean, root=np.linalg.cholesky(0.8 * covariance + ridge))


def resample(log_weight: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Resample systematically and in order, so that a repeated point shows as autocorrelation; (draws,)."""
    cumulative = np.cumsum(np.exp(log_weight - log_weight.max()))
    positions = (rng.random() + np.arange(draws)) / draws * cumulative[-1]
    return np.asarray(np.minimum(np.searchsorted(cumulative, positions), len(cumulative) - 1))
