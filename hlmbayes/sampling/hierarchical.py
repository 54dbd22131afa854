"""The textbook model on rows, sampled by PyMC: the check on the marginal samplers."""

from __future__ import annotations

import logging
import os
import time
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

from ..data.weights import Frequencies, Weights
from ..density.conditional import Draws, Effects
from ..density.coordinates import pack_many
from ..density.link import LinkTarget
from ..density.target import Target, target_for
from ..equations.model import TwoLevelModel
from ..errors import SamplingError
from ..laws.law import Law
from ..priors.priors import Priors
from ..unit_moments.record import Moments
from .arrange import arrange, keeps_effects
from .container import Held, flat
from .settings import Settings, VarianceDraws

ON_ROWS = "nuts on rows"  # the sampler's name


def sample_rows(
    model: TwoLevelModel, data: Any, priors: Priors, settings: Settings, law: Law | None = None,
    weights: Weights | Frequencies | None = None,
) -> tuple[Target, Held]:  # fmt: skip
    """Sample the non-centred model on rows; give its density, u and gamma integrated out, and the draws."""
    if isinstance(data, Moments):
        raise SamplingError("this model is sampled on the level-1 rows, and these are moments")
    refuse_direct(settings)
    from .pymc_model import on_rows

    begun = time.perf_counter()
    trace = traced(on_rows(model, data, priors, law, weights), settings)
    target = target_for(model, data, priors, law=law, weights=weights)
    drawn = from_trace(target, trace, settings, priors, target.design.terms.of(data), begun)
    return target, drawn


def sample_link(link: LinkTarget, priors: Priors, settings: Settings) -> Held:
    """Sample the non-centred model of an outcome that is not normal."""
    from .pymc_link import on_link

    begun = time.perf_counter()
    trace = traced(on_link(link), settings)
    return from_trace(link.target, trace, settings, priors, link.data, begun)


def refuse_direct(settings: Settings) -> None:
    """Refuse the direct sampler, which is of the marginal density."""
    if settings.sampler == "direct":
        raise SamplingError(
            'the model on rows is sampled by NUTS: leave out sampler="direct" or marginal=False'
        )


def traced(model: Any, settings: Settings) -> Any:
    """Sample a PyMC model."""
    import pymc as pm

    with model, ExitStack() as after:
        if not settings.progressbar:
            remarks = logging.getLogger("pymc")  # what matters of them is in the verdict
            after.callback(remarks.setLevel, remarks.level)
            remarks.setLevel(logging.ERROR)
        return pm.sample(
            draws=settings.draws, tune=settings.tune, chains=settings.chains, random_seed=settings.seed,
            progressbar=settings.progressbar, nuts_sampler="nutpie", target_accept=0.95,
            cores=min(settings.chains, os.cpu_count() or 1),
        )  # fmt: skip


def from_trace(
    target: Target, trace: Any, settings: Settings, priors: Priors, data: Any, begun: float
) -> Held:
    """Put PyMC's draws into the layout of a posterior; ``begun`` is when it was asked for them."""
    gamma = flat(trace, "gamma_free")
    level1 = target.law.to_phi(partial(flat, trace), len(gamma))
    tau, u = np.zeros((len(gamma), 0, 0)), np.zeros((len(gamma), target.design.n_units, 0))
    if target.n_random:
        tau, u = flat(trace, "tau"), flat(trace, "u")
    phi = pack_many(target, tau, level1).reshape(settings.chains, settings.draws, -1)
    stats = {name: np.asarray(trace["sample_stats"][name].values) for name in ("diverging", "energy")}
    says = {"sampler": ON_ROWS, "seconds": time.perf_counter() - begun}
    drawn, kept = VarianceDraws(phi, stats, says), u if keeps_effects(target, settings) else None
    draws = Draws.of(target, drawn.all_phi, gamma)
    effects = partial(Effects, kept, u.mean(axis=0), u.std(axis=0))
    return arrange(target, drawn, draws, effects, settings, priors, data)
