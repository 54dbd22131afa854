"""A model whose outcome is not normal as a `pymc.Model`.

Two forms, as of normal outcomes: with u integrated out by quadrature, in an Op with its gradient, or on the
rows with every u_j a parameter, non-centred.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.graph.basic import Apply

from ..density.link import LinkTarget
from ..density.link_density import LinkDensity, OfParameters, link_density
from ..errors import EstimationError, SamplingError
from ..laws.multinomial import Multinomial
from ..laws.ordinal import Ordinal
from ..laws.outcomes import Binomial, Outcome, Poisson
from ..likelihood.rows import Rows, rows_of
from ..priors.resolved import CutsPrior
from .container import coords
from .pymc_model import MarginalLikelihood, effects_of, expected_rows, fixed_effects, tau_factor

MOST_EFFECTS = 4  # random effects that are integrated out


def marginal_link(link: LinkTarget) -> pm.Model:
    """Give a PyMC model of gamma, sd, tau_corr and tau, u integrated out with many nodes.

    Raises
    ------
    SamplingError
        More than four random effects, or a posterior without a mode.
    """
    if link.target.n_random > MOST_EFFECTS:
        raise SamplingError(
            f"random effects are integrated out up to {MOST_EFFECTS}, and this model has "
            f"{link.target.n_random}: model.pymc(data, marginal=False)"
        )
    density, priors = link_density(link).finer, link.target.priors
    with pm.Model(coords={**coords(link.target.design), **link.target.law.coords}) as result:
        gamma, factor = fixed_effects(priors, link.target.design.free), tau_factor(priors)
        cuts = _cuts(priors.level1)[1] if isinstance(priors.level1, CutsPrior) else pt.zeros(0)
        pm.Potential("likelihood", MarginalLink(density)(gamma, factor, cuts)[0])
    return result


class MarginalLink(MarginalLikelihood):
    """log p(y | gamma, tau, cuts) and its gradients in gamma (F,), a root of tau (q, q) and cuts (T,)."""

    __props__ = ("density",)

    def __init__(self, density: LinkDensity) -> None:
        self.density = density

    def make_node(self, gamma: Any, factor: Any, cuts: Any) -> Apply:
        """Take tensors, give the value and three gradients."""
        inputs = [pt.as_tensor(gamma), pt.as_tensor(factor), pt.as_tensor(cuts)]
        return Apply(self, inputs, [pt.dscalar(), pt.dvector(), pt.dmatrix(), pt.dvector()])

    def perform(self, node: Apply, inputs: Any, outputs: Any) -> None:
        """Evaluate in NumPy; a place too far out has no density, and a sampler turns back from it."""
        gamma, factor, cuts = (np.asarray(x, dtype=float) for x in inputs)
        try:
            found = self.density.of_parameters(gamma, factor, cuts)
        except (EstimationError, np.linalg.LinAlgError):
            found = OfParameters(-np.inf, *map(np.zeros_like, (gamma, factor, cuts)))
        for store, value in zip(outputs, found, strict=True):
            store[0] = np.asarray(value, dtype=float)


def on_link(link: LinkTarget) -> pm.Model:
    """Give a PyMC model of gamma, sd, tau_corr, tau and u."""
    rows = rows_of(link.target.design, link.data)
    size = link.law.row_sizes(link.data, rows.row)
    known = {**coords(link.target.design), **link.target.law.coords, "row": np.arange(len(rows.y))}
    with pm.Model(coords=known) as result:
        if isinstance(link.law, Multinomial):
            eta = _of_categories(link, rows, len(link.law.categories) - 1)
        else:
            eta = expected_rows(link.target.priors, link.target.design, rows) + link.law.offset(size)
        _outcome(link.law, eta, rows.y, size, link.target.priors.level1)
    return result


def _cuts(prior: CutsPrior) -> tuple[Any, Any]:
    """Add the cuts of an ordinal outcome to the model at hand; give their distances and them."""
    gaps = pm.LogNormal("gaps", prior.mean, prior.sd, dims="cut")
    return gaps, pm.Deterministic("cuts", pt.cumsum(gaps), dims="cut")


def _of_categories(link: LinkTarget, rows: Rows, K: int) -> Any:
    """Give the linear predictors of every row for all categories but the last, (N, K)."""
    gamma, u = effects_of(link.target.priors, link.target.design)
    x, z = (pt.as_tensor(each.reshape(len(each), K, -1)) for each in (rows.x, rows.z))
    expected = pt.sum(x * gamma.reshape((K, -1)), axis=2)
    return (
        expected if u is None else expected + pt.sum(z * u[rows.unit].reshape((len(rows.y), K, -1)), axis=2)
    )


@singledispatch
def _outcome(law: Outcome, eta: Any, y: np.ndarray, size: np.ndarray, prior: Any) -> None:
    """Add the rows, at their linear predictor ``eta`` with its offset, to the model at hand.

    ``prior`` is that of level 1, of cuts where there are any.
    """
    raise NotImplementedError


@_outcome.register
def _(law: Ordinal, eta: Any, y: np.ndarray, size: np.ndarray, prior: CutsPrior) -> None:
    gaps, cuts = _cuts(prior)
    at = eta[:, None] + pt.concatenate([pt.zeros(1), cuts])
    below, above = -pt.softplus(-at), -pt.softplus(at)  # log P(y <= m) and log P(y > m)
    inside = below[:, 1:] + above[:, :-1] + pt.log1mexp(-gaps)
    log_p = pt.concatenate([below[:, :1], inside, above[:, -1:]], axis=1)
    pm.Categorical("y", logit_p=log_p, observed=np.unique(y, return_inverse=True)[1], dims="row")


@_outcome.register
def _(law: Multinomial, eta: Any, y: np.ndarray, size: np.ndarray, prior: Any) -> None:
    logit = pt.concatenate([eta, pt.zeros((len(y), 1))], axis=1)
    pm.Categorical("y", logit_p=logit, observed=np.searchsorted(law.categories, y), dims="row")


@_outcome.register
def _(law: Binomial, eta: Any, y: np.ndarray, size: np.ndarray, prior: Any) -> None:
    y = y.astype(int)
    logit = _LOGIT[law.link_name](eta)
    if law.size is None:
        pm.Bernoulli("y", logit_p=logit, observed=y, dims="row")
    else:
        pm.Binomial("y", n=size.astype(int), logit_p=logit, observed=y, dims="row")


@_outcome.register
def _(law: Poisson, eta: Any, y: np.ndarray, size: np.ndarray, prior: Any) -> None:
    pm.Poisson("y", pt.exp(eta), observed=y.astype(int), dims="row")


def _of_cloglog(eta: Any) -> Any:
    hazard = pt.exp(eta)
    return pt.log(-pt.expm1(-hazard)) + hazard


def _of_probit(eta: Any) -> Any:
    return _log_normal_cdf(eta) - _log_normal_cdf(-eta)


def _log_normal_cdf(eta: Any) -> Any:
    """Give log Phi; PyMC's own takes the root of 2 in single precision."""
    z = eta * np.sqrt(0.5)
    far = pt.log(0.5 * pt.erfcx(-pt.minimum(z, 0.0))) - z**2
    return pt.switch(eta < -1.0, far, pt.log1p(-0.5 * pt.erfc(pt.maximum(z, -1.0))))


# the logit keeps its digits where a probability is rounded to 0 or 1
_LOGIT = {"logit": lambda eta: eta, "probit": _of_probit, "cloglog": _of_cloglog}
