"""A model whose outcome is not normal as a `pymc.Model` on its rows: every u_j a parameter, non-centred."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from ..density.link import LinkTarget
from ..laws.ordinal import Ordinal
from ..laws.outcomes import Binomial, Outcome, Poisson
from ..likelihood.rows import rows_of
from ..priors.resolved import CutsPrior
from .container import coords
from .pymc_model import expected_rows


def on_link(link: LinkTarget) -> pm.Model:
    """Give a PyMC model of gamma, sd, tau_corr, tau and u."""
    rows = rows_of(link.target.design, link.data)
    size = link.law.row_sizes(link.data, rows.row)
    known = {**coords(link.target.design), **link.target.law.coords, "row": np.arange(len(rows.y))}
    with pm.Model(coords=known) as result:
        eta = expected_rows(link.target.priors, link.target.design, rows) + link.law.offset(size)
        _outcome(link.law, eta, rows.y, size, link.target.priors.level1)
    return result


@singledispatch
def _outcome(law: Outcome, eta: Any, y: np.ndarray, size: np.ndarray, prior: Any) -> None:
    """Add the rows, at their linear predictor ``eta`` with its offset, to the model at hand.

    ``prior`` is that of level 1, of cuts where there are any.
    """
    raise NotImplementedError


@_outcome.register
def _(law: Ordinal, eta: Any, y: np.ndarray, size: np.ndarray, prior: CutsPrior) -> None:
    gaps = pm.LogNormal("gaps", prior.mean, prior.sd, dims="cut")
    cuts = pm.Deterministic("cuts", pt.cumsum(gaps), dims="cut")
    at = eta[:, None] + pt.concatenate([pt.zeros(1), cuts])
    below, above = -pt.softplus(-at), -pt.softplus(at)  # log P(y <= m) and log P(y > m)
    inside = below[:, 1:] + above[:, :-1] + pt.log1mexp(-gaps)
    log_p = pt.concatenate([below[:, :1], inside, above[:, -1:]], axis=1)
    pm.Categorical("y", logit_p=log_p, observed=np.unique(y, return_inverse=True)[1], dims="row")


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
