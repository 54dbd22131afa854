"""The No-U-Turn sampler on the marginal density: nutpie on the compiled kernel, or PyMC.

The sampler works in zeta, phi = mode + root zeta with root the inverse root of the Hessian there: about
independent and of unit scale, so that little has to be adapted. Draws are folded afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SamplingError
from .direct import Mode, find_mode
from .marginal import Target, fold

if TYPE_CHECKING:
    from .sampling import Settings, VarianceDraws

STATS = {
    "diverging": "diverging", "energy": "energy", "tree_depth": "depth", "n_steps": "n_steps",
    "step_size": "step_size", "lp": "logp",
}  # fmt: skip
LONG_GRADIENT = 3e-4  # seconds
OVERDISPERSION = 2.0  # of the chains' starting points, in posterior sds, so that R-hat can tell

Density = Callable[[np.ndarray], tuple[float, np.ndarray]]


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
        from nutpie.compiled_pyfunc import from_pyfunc
    except ImportError as error:
        raise SamplingError(
            'sampler="nuts" needs the package nutpie: install it, or take sampler="direct"'
        ) from error
    begun = time.perf_counter()
    mode = find_mode(target)
    density = whitened_density(target, mode)
    density(np.zeros(target.size))  # compiles
    compiled = time.perf_counter()
    density(np.zeros(target.size))
    # nutpie's threads take turns at Python: only long gradients, which let go of it, gain from two cores
    cores = settings.chains if time.perf_counter() - compiled > LONG_GRADIENT else 1
    d = target.size
    seeds = np.random.SeedSequence([settings.seed, 3])

    def start(seed: int) -> np.ndarray:
        rng = np.random.default_rng([settings.seed, seed % 2**32])
        return OVERDISPERSION * rng.standard_normal(d)

    model = from_pyfunc(
        d, lambda: density, lambda seed1, seed2, chain: lambda zeta, **_: {"zeta": zeta},
        [np.dtype("float64")], [(d,)], ["zeta"], make_initial_point_fn=start,
    )  # fmt: skip
    trace = nutpie.sample(
        model, draws=settings.draws, tune=settings.tune, chains=settings.chains,
        cores=cores,
        target_accept=_acceptance(target),
        seed=int(seeds.generate_state(1)[0]), save_warmup=False, progress_bar=settings.progressbar,
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


def whitened_density(target: Target, mode: Mode) -> Density:
    """Give zeta -> log density and gradient, compiled."""
    from .kernel import whitened
    from .kernel_tables import flatten, tables

    arrays = flatten(tables(target))

    def compiled(zeta: np.ndarray, **_: Any) -> tuple[float, np.ndarray]:
        result: tuple[float, np.ndarray] = whitened(zeta, mode.phi, mode.root, *arrays)
        return result

    return compiled


def _statistics(stats: Any) -> dict[str, np.ndarray]:
    """Give the sampler's statistics by ArviZ's names."""
    return {ours: np.asarray(stats[theirs].values) for ours, theirs in STATS.items() if theirs in stats}
