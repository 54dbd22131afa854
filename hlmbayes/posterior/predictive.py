"""What a posterior predicts: likelihoods of units and rows, new outcomes, and the same of the prior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import SamplingError
from ..likelihood.criterion import LOG_2PI
from ..posterior import container
from .conditional import Draws, coefficients, unit_log_likelihood
from .marginal import correlation_factor, correlation_shapes

if TYPE_CHECKING:
    import xarray as xr

    from ..equations.model import Model
    from ..residuals.rows import Rows
    from .marginal import Target
    from .posterior import Posterior
    from .priors import Priors


def with_log_likelihood(posterior: Posterior, by: Literal["unit", "row"]) -> Posterior:
    """Give the posterior with its group log_likelihood.

    ``by="unit"``: log p(y_j | gamma, tau, sigma), u_j integrated out, what leave-one-unit-out needs.
    ``by="row"``: log p(y_ij | b_j, sigma), what leave-one-row-out needs.
    """
    if by not in ("unit", "row"):
        raise SamplingError(f'the log-likelihood is by "unit" or by "row", got {by!r}')
    if by == "unit":
        values = unit_log_likelihood(posterior.target, posterior.parameter_draws)
        known: dict[str, Any] = container.coords(posterior.target.design)
    else:
        rows, b, sigma = _row_parts(posterior)
        known = {"row": rows.row}
        values = np.empty((len(b), len(rows.y)))
        for i in range(len(b)):
            residual = rows.y - np.einsum("np,np->n", rows.d, b[i, rows.unit])
            values[i] = -0.5 * (LOG_2PI + 2.0 * np.log(sigma[i]) + (residual / sigma[i]) ** 2)
    shaped = values.reshape(posterior.settings.chains, posterior.settings.draws, -1)
    group = container.dataset({"y": shaped}, known, dims={"y": (by,)})
    return posterior.with_group("log_likelihood", group)


def _row_parts(posterior: Posterior) -> tuple[Rows, np.ndarray, np.ndarray]:
    """Give the rows, b of every draw (B, J, p) and sigma (B,)."""
    from ..residuals.rows import rows_of

    if posterior.rows is None:
        raise SamplingError("this needs the level-1 rows, and the posterior was made from moments or a file")
    rows = rows_of(posterior.target.design, posterior.rows)
    b = posterior.draws("b")
    return rows, b.reshape(-1, *b.shape[2:]), posterior.parameter_draws.sigma


def loo(posterior: Posterior, by: Literal["unit", "row"]) -> Any:
    """Give Pareto-smoothed leave-one-out cross-validation by unit or row; see `Posterior.loo`."""
    from arviz_stats import loo as arviz_loo

    return arviz_loo(with_log_likelihood(posterior, by).data, var_name="y")


def with_predictive(posterior: Posterior, seed: int | None, draws: int) -> Posterior:
    """Give the posterior with its group posterior_predictive.

    ``unit_mean`` and ``unit_sd``: mean and sd of a new set of outcomes of the same units, u as drawn,
    with the predictors they have. ``y``: the new outcome of every row, where there are rows.
    """
    posterior.need_one_sigma()
    rng = np.random.default_rng([posterior.settings.seed if seed is None else seed, 4])
    b = posterior.draws("b")
    keep = np.unique(np.linspace(0, b.shape[1] - 1, min(draws, b.shape[1])).astype(int))
    b = b[:, keep]
    sigma = container.values(posterior.data, "sigma")[:, keep]
    known: dict[str, Any] = container.coords(posterior.target.design)
    if posterior.rows is None:
        values = _new_unit_means(posterior.target, b, sigma, rng)
    else:
        from ..residuals.rows import rows_of

        rows = rows_of(posterior.target.design, posterior.rows)
        values = _new_rows(rows, b, sigma, rng)
        known["row"] = rows.row
    dims = {"unit_mean": ("unit",), "unit_sd": ("unit",), "y": ("row",)}
    return posterior.with_group("posterior_predictive", container.dataset(values, known, dims=dims))


def _new_unit_means(
    target: Target, b: np.ndarray, sigma: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    design = target.design
    expected = np.einsum("cdjp,pj->cdj", b, design.products.mean)
    noise = rng.standard_normal(expected.shape) / np.sqrt(design.n)
    return {"unit_mean": expected + sigma[..., None] * noise}


def _new_rows(
    rows: Rows, b: np.ndarray, sigma: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    C, D, J, _ = b.shape
    n = np.bincount(rows.unit, minlength=J)
    y = np.empty((C, D, len(rows.y)), dtype=np.float32)
    mean, sd = np.empty((C, D, J)), np.full((C, D, J), np.nan)
    for c in range(C):
        for d in range(D):
            new = np.einsum("np,np->n", rows.d, b[c, d, rows.unit])
            new += sigma[c, d] * rng.standard_normal(len(new))
            y[c, d] = new
            mean[c, d] = np.bincount(rows.unit, new, minlength=J) / n
            square = np.bincount(rows.unit, (new - mean[c, d, rows.unit]) ** 2, minlength=J)
            sd[c, d] = np.sqrt(square / np.maximum(n - 1, 1))
    return {"y": y, "unit_mean": mean, "unit_sd": sd}


def prior_predictive(
    model: Model, data: Any, priors: Priors | None = None, *, draws: int = 500, seed: int = 0
) -> xr.DataTree:
    """Draw parameters and the units' means from the prior, before the data are seen.

    Parameters
    ----------
    model : Model
    data : TwoLevelData or Moments
        Their predictors are used, and the scales of default priors come from them.
    priors : Priors, optional
    draws : int
    seed : int

    Returns
    -------
    xarray.DataTree
        Groups prior (gamma, sd, tau, tau_corr, sigma), prior_predictive (unit_mean), observed_data.

    Raises
    ------
    SamplingError
        A prior is flat: there is nothing to draw from.
    """
    from .sampling import observed, posterior_values, target_for

    if model.log_sigma2 is not None:
        raise SamplingError("the prior predictive check is for models with one level-1 variance")
    target = target_for(model, data, priors)
    resolved, q = target.priors, target.n_random
    if not resolved.proper:
        raise SamplingError("a flat prior cannot be drawn from: give every fixed effect a normal prior")
    rng = np.random.default_rng([seed, 5])
    gamma = resolved.gamma_mean + rng.standard_normal((draws, target.design.n_fixed)) / np.sqrt(
        resolved.gamma_precision
    )
    factor = _prior_factor(target, draws, rng)
    sigma = resolved.sigma.draw(rng, draws)
    drawn = Draws(np.zeros((draws, target.size)), gamma, factor @ factor.transpose(0, 2, 1), sigma)
    b = coefficients(target, gamma)
    noise = rng.standard_normal((draws, target.design.n_units, q))
    b[:, :, target.design.random] += np.einsum("bqk,bjk->bjq", factor, noise)
    known = container.coords(target.design)
    values = {k: v[None] for k, v in posterior_values(target, drawn).items()}
    predicted = _new_unit_means(target, b[None], sigma[None], rng)
    groups = {
        "prior": container.dataset(values, known),
        "prior_predictive": container.dataset(predicted, known, dims={"unit_mean": ("unit",)}),
        "observed_data": observed(target, known, data),
    }
    return container.tree(groups, {"model": model.equations(), "priors_in_words": resolved.describe()})


def _prior_factor(target: Target, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw roots of tau (B, q, q) from the prior."""
    priors, q = target.priors, target.n_random
    if priors.tau is not None:
        df, root = priors.tau.df, np.linalg.cholesky(np.linalg.inv(priors.tau.scale))
        a = np.tril(rng.standard_normal((draws, q, q)), -1)
        a[:, np.arange(q), np.arange(q)] = np.sqrt(rng.chisquare(df - np.arange(q), size=(draws, q)))
        return np.linalg.inv(root @ a).transpose(0, 2, 1)
    shapes = correlation_shapes(q, priors.eta)
    partial = 2.0 * rng.beta(shapes, shapes, size=(draws, len(shapes))) - 1.0
    sd = np.array([prior.draw(rng, draws) for prior in priors.sd]).reshape(q, draws).T
    return sd[:, :, None] * correlation_factor(partial, q)
