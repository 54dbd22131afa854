"""What a posterior predicts: likelihoods of units and rows, new outcomes, and the same of the prior."""

from __future__ import annotations

import warnings
from functools import singledispatch
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np

from ..arguments import seed_or_new, whole
from ..density.conditional import Draws, coefficients, draw_effects
from ..density.coordinates import correlation_factor
from ..density.prior_density import correlation_shapes
from ..density.target import Target, target_for
from ..equations.model import TwoLevelModel
from ..errors import SamplingError, warn
from ..estimation.prepare import Level1Asked, law_and_counting
from ..labelled import tree
from ..laws.multinomial import Multinomial
from ..laws.ordinal import Ordinal
from ..likelihood.criterion import LOG_2PI
from ..likelihood.rows import Rows, rows_of
from ..priors.priors import Priors
from ..sampling import container
from ..sampling.arrange import observed, posterior_values
from ..words import some
from .predictive_link import kept_draws, log_shares, rows_drawn
from .record import Drawn, LinkSample, PosteriorSample

MOST_BYTES = 4 << 30  # of new outcomes by row

if TYPE_CHECKING:
    import xarray as xr


def with_log_likelihood[D: Drawn](posterior: D, by: Literal["unit", "row"]) -> D:
    """Give the posterior with its group log_likelihood.

    ``by="unit"``: log p(y_j | gamma, tau, sigma), u_j integrated out, what leave-one-unit-out needs.
    ``by="row"``: log p(y_ij | b_j, sigma), what leave-one-row-out needs.
    """
    if by not in ("unit", "row"):
        raise SamplingError(f'the log-likelihood is by "unit" or by "row", got {by!r}')
    if by == "unit":
        values = posterior.unit_logliks()
        known: dict[str, Any] = container.coords(posterior.target.design)
    else:
        values, row = row_logliks(posterior)
        known = {"row": row}
    shaped = values.reshape(posterior.settings.chains, posterior.settings.draws, -1)
    group = container.dataset({"y": shaped}, known, dims={"y": (by,)})
    return posterior.with_group("log_likelihood", group)


@singledispatch
def row_logliks(posterior: Drawn) -> tuple[np.ndarray, np.ndarray]:
    """Give the log-likelihood of rows given their unit's b, (B, N), and their places in the data, (N,)."""
    raise NotImplementedError


@row_logliks.register
def _(posterior: PosteriorSample) -> tuple[np.ndarray, np.ndarray]:
    rows = _rows(posterior)
    b = posterior.values("b").reshape(-1, *posterior.values("b").shape[2:])
    law, level1 = posterior.target.law, posterior.parameter_draws.phi[:, posterior.target.level1]
    values, terms = np.empty((len(b), len(rows.y))), law.row_terms(rows, posterior.data_by_row)
    for i in range(len(b)):
        residual = rows.y - np.einsum("np,np->n", rows.d, b[i, rows.unit])
        log_sigma2 = law.row_log_sigma2(level1[i : i + 1], terms)[0]
        values[i] = -0.5 * (LOG_2PI + log_sigma2 + residual**2 * np.exp(-log_sigma2))
    return values, rows.row


@row_logliks.register
def _(posterior: LinkSample) -> tuple[np.ndarray, np.ndarray]:
    rows, law = rows_drawn(posterior), posterior.link.law
    b = posterior.values("b")
    b = b.reshape(-1, *b.shape[2:])
    if isinstance(law, Multinomial):
        is_in = law.is_in(rows.y)[:, None]
        return law.value(rows.of_categories(b), is_in, rows.size), rows.row
    eta = rows.predictors(b) + law.offset(rows.size)
    if isinstance(law, Ordinal):
        return log_shares(eta, container.flat(posterior.tree, "cuts"), rows.y), rows.row
    return law.value(eta, rows.y, law.counts(rows.size)) + law.constant(rows.y, rows.size), rows.row


def _rows(posterior: PosteriorSample) -> Rows:
    return rows_of(posterior.target.design, posterior.data_by_row)


def loo(posterior: Drawn, by: Literal["unit", "row"]) -> Any:
    """Give Pareto-smoothed leave-one-out cross-validation by unit or row; see `Posterior.loo`."""
    from arviz_stats import loo as arviz_loo

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Estimated shape parameter")  # said below, with the units
        found = arviz_loo(with_log_likelihood(posterior, by).tree, var_name="y")
    (high,) = np.nonzero(np.asarray(found.pareto_k) > found.good_k)
    if len(high):
        left_out = found.pareto_k[found.pareto_k.dims[0]].values[high]
        warn(
            f"leave-one-out is not reliable for {len(high)} of {found.n_data_points} {by}s (Pareto k above "
            f"{found.good_k:.2f}; {by} {some(left_out, 5)}): the posterior without them is too far from "
            "these draws. Draw more, and judge differences between models with care"
        )
    return found


def with_predictive(posterior: PosteriorSample, seed: int | None, draws: int) -> PosteriorSample:
    """Give the posterior with its group posterior_predictive.

    ``unit_mean`` and ``unit_sd``: mean and sd of a new set of outcomes of the same units, u as drawn,
    with the predictors they have. ``y``: the new outcome of every row, where there are rows.
    """
    settings, target = posterior.settings, posterior.target
    rng = np.random.default_rng([settings.seed if seed is None else whole("seed", seed, 0, SamplingError), 4])
    kept = kept_draws(posterior, whole("draws", draws, 1, SamplingError))
    parameters = posterior.parameter_draws.take(kept)
    b = coefficients(target, parameters.gamma)
    if container.has(posterior.tree, "u"):
        u = container.flat(posterior.tree, "u")[kept]
    else:  # not kept: drawn again, which is exact
        u = draw_effects(target, parameters, rng, keep=True).draws
    b[:, :, target.design.random] += u
    known: dict[str, Any] = container.coords(target.design)
    if posterior.data is None or not posterior.target.single_rows:
        values = _new_unit_means(target, b, parameters, rng)
    else:
        rows = _rows(posterior)
        if 8 * len(b) * len(rows.y) > MOST_BYTES:
            raise SamplingError(
                f"{len(b)} new outcomes of each of {len(rows.y)} rows do not fit into memory: ask for fewer "
                f"with draws=, now {len(kept) // settings.chains} of each chain, or take unit means from a "
                "posterior of moments"
            )
        values = _new_rows(target, rows, b, parameters, rng, target.law.row_terms(rows, posterior.data))
        known["row"] = rows.row
    values = {name: v.reshape(settings.chains, -1, v.shape[-1]) for name, v in values.items()}
    dims = {"unit_mean": ("unit",), "unit_sd": ("unit",), "y": ("row",)}
    return posterior.with_group("posterior_predictive", container.dataset(values, known, dims=dims))


def _new_unit_means(
    target: Target, b: np.ndarray, draws: Draws, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw the mean of a new set of outcomes of every unit, b (B, J, p)."""
    design = target.design
    expected = np.einsum("bjp,pj->bj", b, design.products.mean)
    variance = target.law.noise(draws.phi[:, target.level1])
    return {"unit_mean": expected + np.sqrt(variance) / design.n * rng.standard_normal(expected.shape)}


def _new_rows(
    target: Target, rows: Rows, b: np.ndarray, draws: Draws, rng: np.random.Generator, terms: np.ndarray
) -> dict[str, np.ndarray]:
    """Draw a new outcome of every row, and each unit's mean and sd of them, b (B, J, p).

    ``terms`` are those of `Level1.row_terms`.
    """
    B, J, _ = b.shape
    level1 = draws.phi[:, target.level1]
    n = np.bincount(rows.unit, minlength=J)
    y = np.empty((B, len(rows.y)))
    mean, sd = np.empty((B, J)), np.full((B, J), np.nan)
    for i in range(B):
        log_sigma2 = target.law.row_log_sigma2(level1[i : i + 1], terms)[0]
        new = np.einsum("np,np->n", rows.d, b[i, rows.unit])
        new += np.exp(0.5 * log_sigma2) * rng.standard_normal(len(new))
        y[i] = new
        mean[i] = np.bincount(rows.unit, new, minlength=J) / n
        square = np.bincount(rows.unit, (new - mean[i, rows.unit]) ** 2, minlength=J)
        sd[i, n > 1] = np.sqrt(square[n > 1] / (n[n > 1] - 1))
    return {"y": y, "unit_mean": mean, "unit_sd": sd}


def prior_predictive(
    model: TwoLevelModel, data: Any, priors: Priors | None, *, draws: int, seed: int | None,
    **level1: Unpack[Level1Asked],
) -> xr.DataTree:  # fmt: skip
    """Draw parameters and the units' means from the prior, before the data are seen.

    Parameters
    ----------
    model : TwoLevelModel
    data : TwoLevelData or Moments
        Their predictors are used, and the scales of default priors come from them.
    priors : Priors, optional
    draws : int
    seed : int, optional
        Same seed, same draws.
    **level1
        ``frequency``, ``precision``, ``variance_known`` or ``sigma2``, as `hlmbayes.Model.sample` has them.

    Returns
    -------
    xarray.DataTree
        Groups prior (gamma, sd, tau, tau_corr, sigma), prior_predictive (unit_mean), observed_data.

    Raises
    ------
    SamplingError
        A prior is flat: there is nothing to draw from.

    Warns
    -----
    HLMWarning
        Some draws are too large for a number.
    """
    law, weights = law_and_counting(model, **level1)
    target = target_for(model, data, priors, law=law, weights=weights)
    if not target.priors.proper:
        raise SamplingError("a flat prior cannot be drawn from: give every fixed effect a normal prior")
    with np.errstate(over="ignore", invalid="ignore"):  # some priors have draws that no number holds
        drawn = _prior_predictive(target, target.design.terms.of(data), draws, seed)
    values = drawn["prior"]["tau"].values
    lost = float(np.mean(~np.isfinite(values).all(axis=(-1, -2)))) if values.size else 0.0
    if lost:
        warn(
            f"{100 * lost:.0f} % of the draws from this prior are no finite numbers: it lets the variances "
            "be as large as you like"
        )
    return drawn


def _prior_predictive(target: Target, data: Any, draws: int, seed: int | None) -> xr.DataTree:
    """Draw them, for a target that is known to have proper priors."""
    resolved, q = target.priors, target.n_random
    rng = np.random.default_rng([seed_or_new(seed, SamplingError), 5])
    draws = whole("draws", draws, 1, SamplingError)
    noise = rng.standard_normal((draws, target.design.n_fixed))
    gamma = resolved.gamma_mean + noise / np.sqrt(resolved.gamma_precision)
    factor = _prior_factor(target, draws, rng)
    phi = np.zeros((draws, target.size))  # of which only the part of level 1 is asked for
    phi[:, target.level1] = target.law.draw_prior(rng, draws)
    drawn = Draws(phi, gamma, factor @ factor.transpose(0, 2, 1))
    b = coefficients(target, gamma)
    noise = rng.standard_normal((draws, target.design.n_units, q))
    b[:, :, target.design.random] += np.einsum("bqk,bjk->bjq", factor, noise)
    known = container.coords(target.design) | target.law.coords
    values = {k: v[None] for k, v in posterior_values(target, drawn).items()}
    predicted = {name: v[None] for name, v in _new_unit_means(target, b, drawn, rng).items()}
    groups = {
        "prior": container.dataset(values, known),
        "prior_predictive": container.dataset(predicted, known, dims={"unit_mean": ("unit",)}),
        "observed_data": observed(target, known, data),
    }
    equations = target.design.model.equations()
    return tree(groups, {"model": equations, "priors_in_words": resolved.describe()})


def _prior_factor(target: Target, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw roots of tau (B, q, q) from the prior."""
    priors, q = target.priors, target.n_random
    if priors.tau is not None:
        df, root = priors.tau.df, np.linalg.cholesky(np.linalg.inv(priors.tau.scale))
        a = np.tril(rng.standard_normal((draws, q, q)), -1)
        a[:, np.arange(q), np.arange(q)] = np.sqrt(rng.chisquare(df - np.arange(q), size=(draws, q)))
        return np.linalg.inv(root @ a).transpose(0, 2, 1)
    shapes = correlation_shapes(target.pattern, priors.eta)
    partial = 2.0 * rng.beta(shapes, shapes, size=(draws, len(shapes))) - 1.0
    sd = np.array([prior.draw(rng, draws) for prior in priors.sd]).reshape(q, draws).T
    return np.asarray(sd[:, :, None] * correlation_factor(partial, target.pattern))
