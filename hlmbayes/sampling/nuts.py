"""The No-U-Turn sampler on the marginal density: nutpie on the compiled kernel, or PyMC.

The sampler works in zeta, phi = mode + root zeta with root the inverse root of the Hessian there: about
independent and of unit scale, so that little has to be adapted. Draws are folded afterwards.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..density.coordinates import fold
from ..density.kernel_tables import COMPILED
from ..density.sampled import OfMoments, Sampled
from ..density.target import Target
from ..errors import EstimationError, SamplingError
from .direct import Mode, find_mode
from .settings import Settings, VarianceDraws

STATS = {  # the sampler's statistics by ArviZ's names
    "diverging": "diverging", "energy": "energy", "tree_depth": "depth", "n_steps": "n_steps",
    "step_size": "step_size", "lp": "logp",
}  # fmt: skip
Start = Callable[[int], np.ndarray]
COMPILING = "Compiling what NUTS samples with, once ('hlmbayes warm' does it beforehand) ..."
SILENT = 1.0  # seconds a person waits without a word
OVERDISPERSION = 2.0  # of the chains' starting points, in posterior sds, so that R-hat can tell


def _nutpie() -> Any:
    """Import nutpie; a SamplingError where it is not installed."""
    try:
        import nutpie
    except ImportError as error:
        raise SamplingError(
            'sampler="nuts" needs the package nutpie: install it, or take sampler="direct"'
        ) from error
    return nutpie


def compile_density() -> tuple[float, str]:
    """Compile the density, or load it where it is kept; give the seconds that took and the folder.

    Raises
    ------
    SamplingError
        nutpie is not installed, or there is no place to keep compiled code.
    """
    _nutpie()
    begun = time.perf_counter()
    from ..density import kernel

    if not kernel.FAST["cache"]:
        raise SamplingError(
            "compiled code cannot be kept: neither the folder of hlmbayes nor the user's own can be written. "
            "Set NUMBA_CACHE_DIR to one that can, here and where NUTS runs"
        )
    return time.perf_counter() - begun, str(kernel.density._cache.cache_path)


def draw_nuts(density: Sampled, settings: Settings) -> VarianceDraws:
    """Draw points of a density; a SamplingError where nutpie is not installed or gives up."""
    nutpie = _nutpie()
    begun = time.perf_counter()
    mode, target = find_mode(density), density.target

    def start(seed: int) -> np.ndarray:
        rng = np.random.default_rng([settings.seed, seed % 2**32])
        return OVERDISPERSION * rng.standard_normal(density.size)

    compiled = isinstance(target.law, COMPILED) and target.priors.tau is None
    compiled = compiled and isinstance(density, OfMoments)
    with said_after(SILENT, COMPILING if compiled and settings.progressbar else ""):
        model = _compiled_model(target, mode, start) if compiled else _python_model(density, mode, start)
    ready = time.perf_counter()
    try:
        trace = nutpie.sample(
            model, draws=settings.draws, tune=settings.tune, chains=settings.chains,
            cores=settings.chains if compiled else 1,  # Python lets one thread run at a time
            target_accept=_acceptance(target), save_warmup=False, progress_bar=settings.progressbar,
            seed=int(np.random.SeedSequence([settings.seed, 3]).generate_state(1)[0]),
        )  # fmt: skip
    except BaseException as error:  # a panic of nutpie is no Exception
        if not isinstance(error, RuntimeError) and type(error).__name__ != "PanicException":
            raise
        raise SamplingError(
            f"NUTS gave up: {str(error).partition(chr(10))[0]}. Try another seed, narrower priors or a "
            'simpler model, or sampler="direct"'
        ) from error
    zeta = np.asarray(trace["posterior"]["zeta"].values)
    phi = mode.phi + zeta @ mode.root.T
    folded = fold(target, phi.reshape(-1, density.size)).reshape(phi.shape)
    said, sampling = trace["sample_stats"], time.perf_counter() - ready
    stats = {ours: np.asarray(said[theirs].values) for ours, theirs in STATS.items() if theirs in said}
    says = {"sampler": "nuts", "seconds_before_sampling": ready - begun, "seconds_sampling": sampling}
    return VarianceDraws(folded, stats, says)


@contextmanager
def said_after(seconds: float, text: str) -> Iterator[None]:
    """Say on stderr what takes so long, once it has taken ``seconds``; an empty ``text`` is not said."""
    timer = threading.Timer(seconds, lambda: print(text, file=sys.stderr, flush=True))
    timer.daemon = True
    if text:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _compiled_model(target: Target, mode: Mode, start: Start) -> Any:
    """Make by hand what nutpie makes of a PyMC model: two C functions and the data they read."""
    from nutpie.compile_pymc import CompiledPyMCModel

    from ..density.kernel import density, same
    from ..density.kernel_tables import flatten

    d = target.size
    return CompiledPyMCModel(
        dims={}, compiled_logp_func=density, compiled_expand_func=same, initial_point_func=start,
        shared_data={}, shared_var_keys={}, user_data=flatten(target, mode.phi, mode.root), n_expanded=d,
        shape_info=(["zeta"], [slice(0, d)], [(d,)]), logp_func=None, expand_func=None, _n_dim=d,
        _shapes={"zeta": (d,)}, _coords={}, reparameterized_names=[],
    )  # fmt: skip


def _python_model(density: Sampled, mode: Mode, start: Start) -> Any:
    """Give nutpie a density in NumPy, as those that are not compiled.

    These are unequal level-1 variances, priors of tau and outcomes that are not normal.
    """
    from nutpie.compiled_pyfunc import from_pyfunc

    d = density.size

    def whitened(zeta: np.ndarray, **_: Any) -> tuple[float, np.ndarray]:
        try:
            value, gradient = density.value_and_gradient(mode.phi + mode.root @ zeta)
        except (EstimationError, ArithmeticError, np.linalg.LinAlgError):
            return -np.inf, np.zeros(d)  # a step too far: nutpie turns back, where an exception would end it
        return value, mode.root.T @ gradient

    return from_pyfunc(
        d, lambda: whitened, lambda seed1, seed2, chain: lambda zeta, **_: {"zeta": zeta},
        [np.dtype("float64")], [(d,)], ["zeta"], make_initial_point_fn=start,
    )  # fmt: skip


def _acceptance(target: Target) -> float:
    """Step carefully where the prior forbids a zero sd, for the density then has a wall there.

    And where sigma is known: it may be far below the sd of the units, and the density bend sharply near zero.
    """
    walled = any(prior.curve().f or prior.curve().g for prior in target.priors.sd)
    known = target.law.law.held is not None
    return 0.98 if target.priors.tau is not None or walled or known else 0.9
