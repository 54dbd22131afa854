"""The prior density of one parameter by itself, to be drawn beside its posterior."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import betaln

from .distributions import InverseGamma, InverseWishart, SdPrior
from .resolved import AlphaPrior, ResolvedPriors, SigmaPrior

type LogDensity = Callable[[np.ndarray], np.ndarray]


def marginal(priors: ResolvedPriors, code: str) -> LogDensity | None:
    """Give the log prior density of a parameter by its code: "g10", "sd[b0]", "corr[b1,b0]", "sigma", "a1".

    None where there is none to draw: a flat prior, and correlations under an inverse-Wishart prior whose
    scale is not diagonal.
    """
    if code in priors.gamma_names:
        k = priors.gamma_names.index(code)
        return _normal(float(priors.gamma_mean[k]), float(priors.gamma_precision[k]))
    law = priors.level1
    if code == "sigma" and isinstance(law, SigmaPrior):
        return law.sigma.curve().log_density
    if isinstance(law, AlphaPrior) and code in law.names:
        k = law.names.index(code)
        return _normal(float(law.mean[k]), float(law.sd[k]) ** -2)
    kind, _, inside = code.rstrip("]").partition("[")
    names = inside.split(",")
    if kind not in ("sd", "corr") or not set(names) <= set(priors.random_names):
        return None
    places = [priors.random_names.index(name) for name in names]
    if kind == "sd":
        return _sd(priors, places[0]).curve().log_density
    return _correlation(priors, places[0], places[1])


def _normal(mean: float, precision: float) -> LogDensity | None:
    if not precision > 0:
        return None
    constant = 0.5 * np.log(precision / (2.0 * np.pi))
    return lambda x: np.asarray(constant - 0.5 * precision * (x - mean) ** 2)


def _sd(priors: ResolvedPriors, k: int) -> SdPrior:
    """Give the prior of a standard deviation: a variance under inverse-Wishart is inverse-gamma."""
    wishart = priors.tau
    if wishart is None:
        return priors.sd[k]
    return InverseGamma(0.5 * (wishart.df - len(wishart.scale) + 1), 0.5 * float(wishart.scale[k, k]))


def _correlation(priors: ResolvedPriors, i: int, j: int) -> LogDensity | None:
    """Give that of a correlation r, (1 + r) / 2 being Beta(a, a).

    LKJ(eta) of m effects has a = eta + (m - 2) / 2 (Lewandowski, Kurowicka & Joe 2009); inverse-Wishart
    with a diagonal scale a = (df - m + 1) / 2 (Barnard, McCulloch & Meng 2000).
    """
    wishart = priors.tau
    block = next((block for block in priors.pattern.blocks if i in block and j in block), None)
    if block is None or (wishart is not None and not _is_diagonal(wishart)):
        return None
    a = priors.eta + 0.5 * (len(block) - 2) if wishart is None else 0.5 * (wishart.df - len(block) + 1)
    constant = -betaln(a, a) - (2.0 * a - 1.0) * np.log(2.0)
    return lambda r: np.asarray(constant + (a - 1.0) * np.log1p(-np.minimum(r * r, 1.0 - 1e-15)))


def _is_diagonal(prior: InverseWishart) -> bool:
    return bool(np.all(prior.scale == np.diag(np.diag(prior.scale))))
