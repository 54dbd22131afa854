"""The textbook model on rows, sampled by PyMC: the check on the marginal samplers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SamplingError
from ..estimation.estimate import moments_for
from ..likelihood.design import build_design
from ..residuals.rows import rows_of
from ..unit_moments.record import Moments
from .conditional import Effects
from .marginal import pack_many
from .sampling import Settings, VarianceDraws, arrange, target_for

if TYPE_CHECKING:
    from ..equations.model import Model
    from .posterior import Posterior
    from .priors import Priors


def sample_rows(model: Model, data: Any, priors: Priors, settings: Settings) -> Posterior:
    """Sample the non-centred model on rows; see `hlmbayes.posterior.sample`.

    Raises
    ------
    SamplingError
        There are no rows.
    """
    if isinstance(data, Moments):
        raise SamplingError("this model is sampled on the level-1 rows, and these are moments")
    import pymc as pm

    from .posterior import Posterior
    from .pymc_model import build

    begun = time.perf_counter()
    with build(model, data, priors, marginal=False):
        trace = pm.sample(
            draws=settings.draws, tune=settings.tune, chains=settings.chains, random_seed=settings.seed,
            progressbar=settings.progressbar, nuts_sampler="nutpie", target_accept=0.95, cores=2,
        )  # fmt: skip
    design = build_design(model, moments_for(model, data))
    covariates = rows_of(design, data).covariates
    target = target_for(model, data, priors, covariates=covariates)
    drawn = trace["posterior"]
    q = target.n_random
    gamma = _flat(drawn, "gamma_free")
    alpha = None if covariates is None else _flat(drawn, "alpha")
    # where sigma varies, the sampler's coordinate is that of its geometric mean over rows
    typical = 0.0 if alpha is None or covariates is None else 0.5 * alpha @ covariates.mean(axis=0)
    sigma = _flat(drawn, "sigma") if alpha is None else np.exp(typical)
    tau = _flat(drawn, "tau") if q else np.zeros((len(gamma), 0, 0))
    u = _flat(drawn, "u") if q else np.zeros((len(gamma), target.design.n_units, 0))
    phi = pack_many(target, tau, sigma).reshape(settings.chains, settings.draws, -1)
    stats = {name: np.asarray(trace["sample_stats"][name].values) for name in ("diverging", "energy")}
    says = {"sampler": "nuts on rows", "seconds": time.perf_counter() - begun}
    effects = Effects(u, u.mean(axis=0), u.std(axis=0))
    tree = arrange(target, VarianceDraws(phi, stats, says), gamma, effects, settings, priors, data, alpha)
    return Posterior(tree, model, priors, settings, data).warn()


def _flat(drawn: Any, name: str) -> np.ndarray:
    values = np.asarray(drawn[name].values)
    return values.reshape(-1, *values.shape[2:])
