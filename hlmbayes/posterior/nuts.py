"""The No-U-Turn sampler on the marginal density: nutpie on the compiled kernel, or PyMC.

The sampler works in zeta, phi = mode + root zeta with root the inverse root of the Hessian there: about
independent and of unit scale, so that little has to be adapted. Draws are folded afterwards.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SamplingError
from .direct import find_mode
from .marginal import Target, fold

if TYPE_CHECKING:
    from .sampling import Settings, VarianceDraws

STATS = {
    "diverging": "diverging", "energy": "energy", "tree_depth": "depth", "n_steps": "n_steps",
    "step_size": "step_size", "lp": "logp",
}  # fmt: skip
OVERDISPERSION = 2.0  # of the chains' starting points, in posterior sds, so that R-hat can tell


def draw_nuts(target: Target, settings: Settings) -> VarianceDraws:
    """Draw the variance parameters.

    Raises
    ------
    SamplingError
        nutpie is not installed, or no starting point has a finite density.
    """
    from .sampling import VarianceDraws

    try:
        import nutpie
        from nutpie.compile_pymc import CompiledPyMCModel
    except ImportError as error:
        raise SamplingError(
            'sampler="nuts" needs the package nutpie: install it, or take sampler="direct"'
        ) from error
    begun = time.perf_counter()
    mode = find_mode(target)
    from .kernel import density, same  # compiles, once for a machine
    from .kernel_tables import flatten

    compiled = time.perf_counter()
    d = target.size
    seeds = np.random.SeedSequence([settings.seed, 3])

    def start(seed: int) -> np.ndarray:
        rng = np.random.default_rng([settings.seed, seed % 2**32])
        return OVERDISPERSION * rng.standard_normal(d)

    # what nutpie makes of a PyMC model, made by hand: two C functions and the data they read
    model = CompiledPyMCModel(
        dims={}, compiled_logp_func=density, compiled_expand_func=same, initial_point_func=start,
        shared_data={}, shared_var_keys={}, user_data=flatten(target, mode.phi, mode.root), n_expanded=d,
        shape_info=(["zeta"], [slice(0, d)], [(d,)]), logp_func=None, expand_func=None, _n_dim=d,
        _shapes={"zeta": (d,)}, _coords={}, reparameterized_names=[],
    )  # fmt: skip
    trace = nutpie.sample(
        model, draws=settings.draws, tune=settings.tune, chains=settings.chains, cores=settings.chains,
        target_accept=_acceptance(target), seed=int(seeds.generate_state(1)[0]), save_warmup=False,
        progress_bar=settings.progressbar,
    )  # fmt: skip
    zeta = np.asarray(trace["posterior"]["zeta"].values)
    phi = mode.phi + zeta @ mode.root.T
    folded = fold(target, phi.reshape(-1, d)).reshape(phi.shape)
    says = {
        "sampler": "nuts",
        "seconds_before_sampling": compiled - begun,
        "seconds_sampling": time.perf_counter() - compiled,
    }
    return VarianceDraws(folded, _statistics(trace["sample_stats"]), says)


def _acceptance(target: Target) -> float:
    """Step carefully where the prior forbids a zero sd: the density then has a wall there."""
    walled = any(prior.curve().f or prior.curve().g for prior in target.priors.sd)
    return 0.98 if target.priors.tau is not None or walled else 0.9


def _statistics(stats: Any) -> dict[str, np.ndarray]:
    """Give the sampler's statistics by ArviZ's names."""
    return {ours: np.asarray(stats[theirs].values) for ours, theirs in STATS.items() if theirs in stats}
