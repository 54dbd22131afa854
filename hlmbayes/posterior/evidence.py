"""Is a variance zero? The two models' marginal likelihoods, and the posterior near zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from ..density.batch import evaluate_batch
from ..density.sampled import OfMoments
from ..density.target import Target
from ..equations.model import TwoLevelModel
from ..errors import SamplingError
from ..priors.priors import Priors
from ..sampling.direct import KHAT_LIMIT, find_proposal, weigh
from .record import PosteriorSample

if TYPE_CHECKING:
    import pandas as pd

POINTS = 8000


def variance_is_zero(posterior: PosteriorSample, name: str) -> pd.Series:
    """Weigh the model against the one in which a coefficient does not vary between units.

    The marginal likelihoods of both are importance-sampling averages, gamma and u integrated out
    exactly, with the same priors of what they share. The Bayes factor depends on the prior of the
    standard deviation: a wider one favours zero (Lindley 1957); `sensitivity` shows by how much.

    Returns
    -------
    Series
        ``log_bayes_factor`` of zero against not zero, ``probability_zero`` with even prior odds,
        ``sd_median`` and ``prior_sd_median``, ``probability_below`` (that the sd is less than a tenth of
        its prior median), and in ``verdict`` what that says.

    Raises
    ------
    SamplingError
        Not a random coefficient, an inverse-Wishart prior, or importance sampling fails its check.
    """
    import pandas as pd

    model = posterior.model
    name = model.random_parameters.find(name, SamplingError)
    if posterior.priors.tau is not None:
        raise SamplingError("an inverse-Wishart prior forbids a zero variance: use a prior of the sd")
    simpler, priors = without(model, posterior.priors, name)
    seed, target = posterior.settings.seed, posterior.target
    log_factor = _log_evidence(posterior.target_of(simpler, priors), seed) - _log_evidence(target, seed)
    sd, prior = posterior.scalar(f"sd[{name}]"), target.priors.sd[target.priors.random_names.index(name)]
    scale = float(np.median(prior.draw(np.random.default_rng(0), 20_000)))
    return pd.Series(
        {
            "log_bayes_factor": log_factor, "probability_zero": float(expit(log_factor)),
            "sd_median": float(np.median(sd)), "prior_sd_median": scale,
            "probability_below": float(np.mean(sd < 0.1 * scale)), "verdict": verdict(log_factor, name),
        },
        name=f"variance of {name}",
    )  # fmt: skip


def verdict(log_factor: float, name: str) -> str:
    """Say a log Bayes factor in words (the grades of Kass & Raftery 1995, p. 777)."""
    size = 2.0 * abs(log_factor)
    grades = (("hardly any", 2.0), ("positive", 6.0), ("strong", 10.0), ("very strong", np.inf))
    grade = next(word for word, limit in grades if size < limit)
    way = "for" if log_factor > 0 else "against"
    return f"{grade} evidence {way} a zero variance of {name}"


def without(model: TwoLevelModel, priors: Priors, name: str) -> tuple[TwoLevelModel, Priors]:
    """Give the model in which a coefficient does not vary, and the priors of what is left."""
    left = [c for c in model.coefficients if c.name != name or c.gammas]
    coefficients = [replace(c, random=c.random and c.name != name) for c in left]
    blocks = [tuple(effect for effect in block if effect[1:] != name[1:]) for block in model.blocks]
    parts = model.parts._replace(coefficients=tuple(coefficients), blocks=tuple(b for b in blocks if b))
    simpler = TwoLevelModel.from_parts(*parts)
    if not isinstance(priors.sd, Mapping):
        return simpler, priors
    known = model.random_parameters
    sd = {k: v for k, v in priors.sd.items() if known.find(k, SamplingError) != name}
    return simpler, replace(priors, sd=sd)


def _log_evidence(target: Target, seed: int) -> float:
    rng = np.random.default_rng([seed, 6])
    if not target.size:  # no variance is left to integrate out
        return float(evaluate_batch(target, np.zeros((1, 0))).log_density[0])
    density, proposal, _ = find_proposal(OfMoments(target), rng)
    weighted = weigh(density, proposal, proposal.draw(target, rng, POINTS))
    if weighted.khat > KHAT_LIMIT:
        raise SamplingError(f"the marginal likelihood is too uncertain (k-hat {weighted.khat:.2f})")
    return weighted.log_evidence
