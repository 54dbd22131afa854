"""The model as a `pymc.Model`, with named coordinates, to look at, sample or extend.

Two forms. ``marginal=True``: gamma, the standard deviations, correlations and sigma are parameters; u is
integrated out and the likelihood comes from the moments, as an Op with its analytic gradient.
``marginal=False``: the textbook model, u_j = diag(sd) C z_j with z_j standard normal, on the rows.
"""

from __future__ import annotations

import warnings
from typing import Any, Unpack

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import generate_fallback_impl, numba_funcify

from ..data.weights import Frequencies, Weights
from ..density.marginal import fixed_gamma
from ..density.prior_density import correlation_shapes
from ..density.target import Target, target_for
from ..equations.model import TwoLevelModel
from ..errors import SamplingError
from ..estimation.prepare import Level1Asked, law_and_counting
from ..laws.law import Law, Need
from ..likelihood.design import Design
from ..likelihood.pattern import mask
from ..likelihood.rows import Rows, rows_of
from ..priors.distributions import Exponential, HalfNormal, HalfT, InverseWishart, SdPrior
from ..priors.priors import Priors, ready_to_sample, resolve
from ..priors.resolved import AlphaPrior, CutsPrior, NoPrior, ResolvedPriors, SigmaPrior
from ..unit_moments.record import Moments
from .container import coords


def build(
    model: TwoLevelModel, data: Any, priors: Priors | None = None, *, marginal: bool = True,
    **level1: Unpack[Level1Asked],
) -> pm.Model:  # fmt: skip
    """Give a PyMC model of gamma, sd, tau_corr, tau, sigma (or alpha), and u where not ``marginal``.

    ``level1``: ``frequency``, ``precision``, ``variance_known`` or ``sigma2``, as `hlmbayes.Model.sample` has
    them; a variance that is known is no parameter.

    Raises
    ------
    SamplingError
        Rows are needed and there are none, or log(sigma2) depends on variables and ``marginal``.
    """
    law, weights = law_and_counting(model, **level1)
    if not marginal:
        return on_rows(model, data, priors, law, weights)
    target = target_for(model, data, priors, law=law, weights=weights)
    if isinstance(target.priors.level1, AlphaPrior):
        raise SamplingError("log(sigma2) depends on variables: the PyMC model needs marginal=False")
    with pm.Model(coords=coords(target.design)) as result:
        gamma, factor = fixed_effects(target.priors, target.design.free), tau_factor(target.priors)
        sigma = _sigma(target.priors.level1, target.law.law)
        pm.Potential("likelihood", MarginalLikelihood(target)(gamma, factor, sigma)[0])
    return result


def on_rows(
    model: TwoLevelModel, data: Any, priors: Priors | None, law: Law | None = None,
    weights: Weights | Frequencies | None = None,
) -> pm.Model:  # fmt: skip
    """Give the model on rows; ``law`` and ``weights`` as for `hlmbayes.estimation.prepare.prepare`."""
    prepared, groups = ready_to_sample(model, data, law, weights)
    if isinstance(data, Moments):
        raise SamplingError("marginal=False needs the level-1 rows, and these are moments")
    if Need.SINGLE_ROWS in prepared.counting.lacks:
        raise SamplingError(
            "marginal=False needs every row by itself, and these have frequencies: write the data out in "
            "full, a record for each row and unit, or leave marginal=False out"
        )
    resolved, data = resolve(priors, prepared.plain, groups, prepared.law), prepared.source
    rows = rows_of(prepared.plain, data)
    spread = prepared.law.row_sigma(prepared.design, data, rows.row, rows.unit, 1.0)
    with pm.Model(coords={**coords(prepared.design), "row": np.arange(len(rows.y))}) as result:
        expected = expected_rows(resolved, prepared.design, rows)
        if isinstance(resolved.level1, AlphaPrior):
            sigma = _row_sigma(rows, resolved.level1)
        else:
            sigma = _sigma(resolved.level1, prepared.law) * spread
        pm.Normal("y", expected, sigma, observed=rows.y, dims="row")
    return result


def expected_rows(priors: ResolvedPriors, design: Design, rows: Rows) -> Any:
    """Give the linear predictor of every row (N,); adds gamma, u and tau to the model at hand."""
    gamma, u = effects_of(priors, design)
    expected = pt.dot(pt.as_tensor(rows.x), gamma)
    return expected if u is None else expected + pt.sum(pt.as_tensor(rows.z) * u[rows.unit], axis=1)


def effects_of(priors: ResolvedPriors, design: Design) -> tuple[Any, Any]:
    """Add gamma, u and tau to the model at hand; give the free fixed effects (F,) and u (J, q) or None."""
    gamma, factor = fixed_effects(priors, design.free), tau_factor(priors)
    if not len(priors.random_names):
        return gamma, None
    z = pm.Normal("z", dims=("unit", "coef"))
    return gamma, pm.Deterministic("u", pt.dot(z, factor.T), dims=("unit", "coef"))


def _sigma(prior: SigmaPrior | CutsPrior | NoPrior, law: Law) -> Any:
    """Give the level-1 standard deviation of rows as they are weighed: a parameter, or what is known."""
    if isinstance(prior, SigmaPrior):
        return _sd("sigma", prior.sigma)
    assert law.held is not None  # a variance without a prior is known
    return pt.as_tensor(np.sqrt(law.held))


def _row_sigma(rows: Rows, prior: AlphaPrior) -> Any:
    """Give the level-1 standard deviation of every row where log(sigma2) depends on variables."""
    alpha = pm.Normal("alpha", prior.mean, prior.sd, shape=len(prior.mean))
    return pt.exp(0.5 * pt.dot(pt.as_tensor(rows.covariates), alpha))


def fixed_effects(priors: ResolvedPriors, free: np.ndarray) -> Any:
    """Give the free fixed effects (F,); "gamma" has all of them, those held equal repeated."""
    proper = priors.gamma_precision > 0
    sd = np.where(proper, priors.gamma_precision, 1.0) ** -0.5
    f = len(sd)
    if proper.all():
        values = pm.Normal("gamma_free", priors.gamma_mean, sd, shape=f)
    else:
        values = pm.Flat("gamma_free", shape=f)
        if proper.any():
            prior = pm.logp(pm.Normal.dist(priors.gamma_mean[proper], sd[proper]), values[proper])
            pm.Potential("gamma_prior", prior.sum())
    pm.Deterministic("gamma", values[free], dims="fixed_effect")
    return values


def _sd(name: str, prior: SdPrior, *, signed: bool = False) -> Any:
    """Give a standard deviation, ``signed`` so that zero is no wall; walled priors have no sign."""
    if isinstance(prior, HalfNormal):
        return pm.Normal(name, 0.0, prior.scale) if signed else pm.HalfNormal(name, prior.scale)
    if isinstance(prior, HalfT):
        return (pm.StudentT if signed else pm.HalfStudentT)(name, nu=prior.df, sigma=prior.scale)
    if isinstance(prior, Exponential):
        return pm.Laplace(name, 0.0, prior.scale) if signed else pm.Exponential(name, scale=prior.scale)
    if prior.of == "sd":
        return pm.InverseGamma(name, alpha=prior.shape, beta=prior.scale)
    variance = pm.InverseGamma(f"{name}_squared", alpha=prior.shape, beta=prior.scale)
    return pm.Deterministic(name, pt.sqrt(variance))


def tau_factor(priors: ResolvedPriors) -> Any:
    """Give a square root of tau (q, q); adds sd, tau_corr and tau to the model at hand."""
    q = len(priors.random_names)
    if not q:
        return pt.zeros((0, 0))
    factor = _signed_factor(priors, q) if priors.tau is None else _wishart_factor(priors.tau, q)
    tau = pm.Deterministic("tau", pt.dot(factor, factor.T), dims=("coef", "coef_bis"))
    sd = pm.Deterministic("sd", pt.sqrt(pt.diagonal(tau)), dims="coef")
    pm.Deterministic("tau_corr", tau / pt.outer(sd, sd), dims=("coef", "coef_bis"))
    return factor


def _signed_factor(priors: ResolvedPriors, q: int) -> Any:
    named = zip(priors.random_names, priors.sd, strict=True)
    scale = [_sd(f"s_{name}", prior, signed=True) for name, prior in named]
    b, free = correlation_shapes(priors.pattern, priors.eta), np.tril(mask(priors.pattern), -1)
    partial = 2.0 * pm.Beta("partial_corr01", b, b, shape=len(b)) - 1.0 if len(b) else pt.zeros(0)
    rows, at = [], 0
    for i in range(q):
        left, row = pt.as_tensor(1.0), [pt.as_tensor(0.0)] * q
        for j in np.flatnonzero(free[i]).tolist():
            row[j] = partial[at] * left
            left = left * pt.sqrt(1.0 - partial[at] ** 2)
            at += 1
        row[i] = left
        rows.append(pt.stack(row) * scale[i])
    return pt.stack(rows)


def _wishart_factor(prior: InverseWishart, q: int) -> Any:
    """Give a root of tau whose inverse is Wishart, by Bartlett's decomposition."""
    root = np.linalg.cholesky(np.linalg.inv(prior.scale))
    diagonal = pt.sqrt(pm.ChiSquared("wishart_diagonal", prior.df - np.arange(q), shape=q))
    a = pt.diag(diagonal)
    if q > 1:
        rows, cols = np.tril_indices(q, -1)
        a = pt.set_subtensor(a[rows, cols], pm.Normal("wishart_below", shape=len(rows)))
    return pt.linalg.inv(pt.dot(pt.as_tensor(root), a)).T


class MarginalLikelihood(Op):  # type: ignore[misc]
    """log p(y | gamma, tau, sigma) and its gradients in gamma (F,), a root of tau (q, q) and sigma."""

    __props__ = ("target",)

    def __init__(self, target: Target) -> None:
        self.target = target

    def make_node(self, gamma: Any, factor: Any, sigma: Any) -> Apply:
        """Take tensors, give the value and three gradients."""
        inputs = [pt.as_tensor(gamma), pt.as_tensor(factor), pt.as_tensor(sigma)]
        outputs = [pt.dscalar(), pt.dvector(), pt.dmatrix(), pt.dscalar()]
        return Apply(self, inputs, outputs)

    def perform(self, node: Apply, inputs: Any, outputs: Any) -> None:
        """Evaluate in NumPy."""
        gamma, factor, sigma = (np.asarray(x, dtype=float) for x in inputs)
        for store, value in zip(outputs, fixed_gamma(self.target, gamma, factor, float(sigma)), strict=True):
            store[0] = np.asarray(value, dtype=float)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """The gradients are outputs; they have none of their own."""
        if isinstance(cotangents[0].type, DisconnectedType):
            return [disconnected_type() for _ in inputs]
        return [cotangents[0] * gradient for gradient in outputs[1:]]


@numba_funcify.register(MarginalLikelihood)  # type: ignore[untyped-decorator]
def _in_object_mode(op: MarginalLikelihood, node: Apply, **kwargs: Any) -> Any:
    """Let compiled graphs call `perform`; PyTensor would do the same with a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return generate_fallback_impl(op, node, **kwargs)
