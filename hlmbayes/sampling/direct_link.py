"""The direct sampler where the outcome is not normal: variances and fixed effects by importance sampling.

As `direct` has it for the variances of normal outcomes, of all parameters together, because the fixed effects
cannot be integrated out. The random effects follow, unit by unit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..density.conditional import Effects
from ..density.coordinates import fold
from ..density.link import LinkTarget
from ..density.link_density import LinkDensity, full_rows
from ..errors import EstimationError, SamplingError
from ..estimation.newton import Point, minimise
from ..hglm.enough_nodes import enough, few
from ..hglm.quadrature import product_rule
from ..priors.priors import Priors
from .arrange import arrange, keeps_effects
from .direct import (
    KHAT_LIMIT,
    PILOT,
    PILOT_PER_PARAMETER,
    STEP,
    Proposal,
    Weighted,
    correlation_spread,
    matched,
    resample,
    weighted,
)
from .settings import Settings, VarianceDraws

if TYPE_CHECKING:
    import xarray as xr

WIDEST = 0.03  # least curvature of a direction at the mode: fixed effects have that of their priors
GOOD_SHARE, GOOD_KHAT, ROUNDS = 0.5, 0.3, 6  # of the points that count, and k-hat, where a proposal is left
DIRECT_UP_TO = 2  # random effects: a grid of nodes for each of thousands of points is dear beyond
LEAST_NODES = 9  # along a direction: a variance may be zero at the mode, and is not elsewhere
SUMMARISED = 400  # draws of u for its mean and sd, where they are not kept


def sample_directly(link: LinkTarget, priors: Priors, settings: Settings) -> xr.DataTree:
    """Draw independently; a SamplingError where the sampler's own check fails."""
    density, root = at_mode(link)
    seeds = np.random.SeedSequence([settings.seed, 7]).spawn(settings.chains + 2)
    proposal, share = _adapted(density, root, np.random.default_rng(seeds[0]))
    size = int(np.ceil(settings.draws * np.clip(2.0 / max(share, 0.01), 2.0, 8.0)))
    generators = [np.random.default_rng(seed) for seed in seeds[1:-1]]
    found = _weigh(
        density, proposal, np.concatenate([proposal.draw(link.target, g, size) for g in generators])
    )
    if not found.khat <= KHAT_LIMIT:
        raise SamplingError(
            f"the direct sampler's own check failed (k-hat {found.khat:.2f}, limit {KHAT_LIMIT}): the "
            'posterior is not near enough to the normal distribution; use sampler="nuts"'
        )
    chosen, log_weight = [], []
    for chain, rng in enumerate(generators):
        own = slice(chain * size, (chain + 1) * size)
        index = own.start + resample(found.log_weight[own], settings.draws, rng)
        chosen.append(index)
        log_weight.append(found.log_weight[index] + np.log(len(found.phi)))
    x = found.phi[np.concatenate(chosen)]
    says: dict[str, Any] = {"khat": found.khat, "share": found.share, "sampler": "direct"}
    if link.target.priors.proper:
        says["log_evidence"] = found.log_evidence
    phi = x[:, : link.target.size].reshape(settings.chains, settings.draws, -1)
    drawn = VarianceDraws(phi, {"log_weight": np.stack(log_weight)}, says)
    effects = _effects(density, x, keeps_effects(link.target, settings), np.random.default_rng(seeds[-1]))
    return arrange(link.target, drawn, density.gamma(x), effects, settings, priors, link.data)


def at_mode(link: LinkTarget) -> tuple[LinkDensity, Proposal]:
    """Give the density with as many nodes as it takes at its mode, and a proposal there."""
    rows, q = full_rows(link), link.target.n_random
    density = LinkDensity(link, rows, few(q) if q else product_rule(()), np.zeros((q, rows.n_units)))
    x = density.start()
    for last in (False, True):
        best = minimise(lambda at, of=density: _point(of, at), x, tolerance=1e-6, limit=100).point  # type: ignore[misc]
        if not np.isfinite(best.value):
            raise SamplingError('the posterior has no mode to start from: use sampler="nuts"')
        x = best.x
        if not last and q:
            at = density.likelihood(x)
            counts = tuple(max(n, LEAST_NODES) for n in enough(rows, link.law, at).counts)
            density = replace(density, rule=product_rule(counts), modes=at.modes.t)
    values, vectors = np.linalg.eigh(best.hessian)
    root = vectors / np.sqrt(np.maximum(values, WIDEST))
    mean = fold(link.target, x[None])[0]
    proposal = Proposal(mean, root, correlation_spread(link.target), link.target.partials)
    return replace(density, modes=density.likelihood(x).modes.t), proposal


def _point(density: LinkDensity, x: np.ndarray) -> Point:
    """Evaluate minus the log density, its gradient, and its Hessian by differences of that."""
    try:
        value, gradient = density.value_and_gradient(x)
        steps = STEP * np.eye(len(x))
        rows = [density.value_and_gradient(x - h)[1] - density.value_and_gradient(x + h)[1] for h in steps]
    except (EstimationError, np.linalg.LinAlgError):
        value, gradient, rows = -np.inf, np.zeros(len(x)), list(np.eye(len(x)))
    hessian = np.array(rows) / (2.0 * STEP)
    if not (np.isfinite(value) and np.isfinite(hessian).all()):
        return Point(x, np.inf, np.zeros(len(x)), np.eye(len(x)), None)
    return Point(x, -value, -gradient, 0.5 * (hessian + hessian.T), None)


def _weigh(density: LinkDensity, proposal: Proposal, x: np.ndarray) -> Weighted:
    target = density.target
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        value = density.log_density(x)
    value = np.where(np.isfinite(value), value, -np.inf)
    return weighted(x, value + target.n_random * np.log(2.0) - proposal.log_density(target, x))


def _adapted(density: LinkDensity, proposal: Proposal, rng: np.random.Generator) -> tuple[Proposal, float]:
    """Move a proposal to the weighted mean and covariance found while few of its points count."""
    best, best_score, best_share = proposal, -np.inf, 0.0
    for _ in range(ROUNDS):
        size = max(PILOT, PILOT_PER_PARAMETER * density.size)
        trial = _weigh(density, proposal, proposal.draw(density.target, rng, size))
        score = trial.share + (trial.khat < GOOD_KHAT)
        if score > best_score:
            best, best_score, best_share = proposal, score, trial.share
        too_few = trial.share * size < 2 * density.size  # too few points to tell a covariance
        if too_few or (trial.khat < GOOD_KHAT and trial.share > GOOD_SHARE) or score < best_score - 0.1:
            break
        proposal = matched(trial, proposal)
    return best, best_share


def _effects(density: LinkDensity, x: np.ndarray, keep: bool, rng: np.random.Generator) -> Effects:
    """Draw u given the parameters of every draw, or of some where only its mean and sd are wanted."""
    used = slice(None) if keep else np.unique(np.linspace(0, len(x) - 1, min(len(x), SUMMARISED)).astype(int))
    u = density.effects(x[used], rng)
    return Effects(u if keep else None, u.mean(axis=0), u.std(axis=0))
