"""Draws of the sampled coordinates: which sampler, and what it says of itself."""

from __future__ import annotations

import numpy as np

from ..density.sampled import Sampled
from ..errors import SamplingError, warn
from .direct import KHAT_LIMIT, find_proposal, matched, resample, weigh
from .nuts import draw_nuts
from .settings import Settings, VarianceDraws

TRIES = 3  # proposals, before the direct sampler gives up
APART = (
    "priors and data are so far apart that the digits of a computer do not carry the posterior: give wider "
    "priors, or such as are about what the data say; Priors(...).describe(model, data) says those there are"
)
DEAR = 20_000  # units beyond which points are dear, and as many are drawn as are kept


def draw(density: Sampled, settings: Settings) -> VarianceDraws:
    """Draw by the sampler asked for, or by the direct one if it passes its check.

    With many random coefficients a proposal covers the posterior badly, and has a density for every
    combination of signs: NUTS is the faster one then.

    Raises
    ------
    SamplingError
        Priors and data so far apart that there is no posterior in the digits of a computer.
    """
    try:
        return _drawn(density, settings)
    except (ArithmeticError, np.linalg.LinAlgError) as error:
        raise SamplingError(APART) from error


def _drawn(density: Sampled, settings: Settings) -> VarianceDraws:
    if not density.size:
        return no_variances(density, settings)
    default = "direct" if density.target.n_random <= density.direct_up_to else "nuts"
    if (settings.sampler or default) == "direct":
        drawn = draw_direct(density, settings)
        khat = drawn.says["khat"]
        if khat <= KHAT_LIMIT:
            return drawn
        warn(
            f"the direct sampler's own check failed (k-hat {khat:.2f}, limit {KHAT_LIMIT}): "
            "NUTS is used instead"
        )
    return draw_nuts(density, settings)


def no_variances(density: Sampled, settings: Settings) -> VarianceDraws:
    """Give the draws of no parameter: with known variances and no random effects gamma alone is drawn."""
    shape = (settings.chains, settings.draws)
    says = {"sampler": "direct", "khat": 0.0, "share": 1.0}  # all weigh the same
    if density.target.priors.proper:
        says["log_evidence"] = float(density.evaluate(np.zeros((1, 0)))[0][0])
    return VarianceDraws(np.zeros((*shape, 0)), {"log_weight": np.zeros(shape)}, says)


def draw_direct(density: Sampled, settings: Settings) -> VarianceDraws:
    """Draw independently: each chain resamples points of its own."""
    seeds = np.random.SeedSequence([settings.seed, 1]).spawn(settings.chains + 1)
    density, proposal, share = find_proposal(density, np.random.default_rng(seeds[0]))
    size = int(np.ceil(settings.draws * _oversampling(density, share)))
    generators = [np.random.default_rng(seed) for seed in seeds[1:]]
    for _ in range(TRIES):
        points = [proposal.draw(density.target, rng, size) for rng in generators]
        weighted = weigh(density, proposal, np.concatenate(points))
        if weighted.khat <= KHAT_LIMIT:
            break
        proposal = matched(weighted, proposal)  # many more points than a pilot's
    phi, log_weight, chosen = [], [], []
    for chain, rng in enumerate(generators):
        own = slice(chain * size, (chain + 1) * size)
        index = own.start + resample(weighted.log_weight[own], settings.draws, rng)
        chosen.append(index)
        phi.append(weighted.phi[index])
        log_weight.append(weighted.log_weight[index] + np.log(len(weighted.phi)))
    says = {"khat": weighted.khat, "share": weighted.share, "sampler": "direct", **density.says}
    if density.target.priors.proper:
        says["log_evidence"] = weighted.log_evidence
    batch = None if weighted.batch is None else weighted.batch.take(np.concatenate(chosen))
    return VarianceDraws(np.stack(phi), {"log_weight": np.stack(log_weight)}, says, batch)


def _oversampling(density: Sampled, share: float) -> float:
    """Give how many points to draw for one that is kept: so many that those that count suffice."""
    if density.target.design.n_units > DEAR and not density.says:
        return 1.0
    wanted = density.oversampling
    return float(np.clip(wanted / max(share, 0.01), wanted, 8.0))
