"""The textbook model on rows, sampled by PyMC: the check on the marginal samplers."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..density.conditional import Effects
from ..density.coordinates import pack_many
from ..density.target import Target, target_for
from ..equations.model import TwoLevelModel
from ..errors import SamplingError
from ..priors.priors import Priors
from ..unit_moments.record import Moments
from .arrange import arrange, keeps_effects
from .settings import Settings, VarianceDraws

if TYPE_CHECKING:
    import xarray as xr

ON_ROWS = "nuts on rows"  # the sampler's name


def sample_rows(
    model: TwoLevelModel, data: Any, priors: Priors, settings: Settings
) -> tuple[Target, xr.DataTree]:
    """Sample the non-centred model on rows; give its density, u and gamma integrated out, and the draws.

    Raises
    ------
    SamplingError
        There are no rows.
    """
    if isinstance(data, Moments):
        raise SamplingError("this model is sampled on the level-1 rows, and these are moments")
    if settings.sampler == "direct":
        raise SamplingError(
            'the model on rows is sampled by NUTS: leave out sampler="direct" or marginal=False'
        )
    import pymc as pm

    from .pymc_model import build

    begun = time.perf_counter()
    remarks = logging.getLogger("pymc")  # what matters of them is in the verdict
    level = remarks.level if settings.progressbar else logging.ERROR
    with build(model, data, priors, marginal=False), _at_level(remarks, level):
        trace = pm.sample(
            draws=settings.draws, tune=settings.tune, chains=settings.chains, random_seed=settings.seed,
            progressbar=settings.progressbar, nuts_sampler="nutpie", target_accept=0.95,
            cores=min(settings.chains, os.cpu_count() or 1),
        )  # fmt: skip
    target = target_for(model, data, priors)
    drawn = trace["posterior"]
    q = target.n_random
    gamma = _flat(drawn, "gamma_free")
    level1 = target.law.to_phi(_flat(drawn, target.law.variable))
    tau = _flat(drawn, "tau") if q else np.zeros((len(gamma), 0, 0))
    u = _flat(drawn, "u") if q else np.zeros((len(gamma), target.design.n_units, 0))
    phi = pack_many(target, tau, level1).reshape(settings.chains, settings.draws, -1)
    stats = {name: np.asarray(trace["sample_stats"][name].values) for name in ("diverging", "energy")}
    says = {"sampler": ON_ROWS, "seconds": time.perf_counter() - begun}
    effects = Effects(u if keeps_effects(target, settings) else None, u.mean(axis=0), u.std(axis=0))
    return target, arrange(target, VarianceDraws(phi, stats, says), gamma, effects, settings, priors, data)


@contextmanager
def _at_level(logger: logging.Logger, level: int) -> Iterator[None]:
    """Log from a level on, for a while."""
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)


def _flat(drawn: Any, name: str) -> np.ndarray:
    values = np.asarray(drawn[name].values)
    return values.reshape(-1, *values.shape[2:])
