"""Predictions, means and slopes from a posterior whose outcome is not normal, on the scale of the outcome.

The twins of `response`: every draw's own mean over the random effects, by quadrature, has its turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..arguments import check_prob
from ..hglm.averages import between, nodes_along
from ..labelled import table
from ..laws.law import Need, refuse
from ..laws.outcomes import Outcome
from ..posterior.contrasts import DrawnContrast, of_values
from ..posterior.predictive_link import effects_drawn, kept_draws
from ..posterior.record import LinkSample
from ..sampling import container
from .expected import Expected
from .means import Means, asked_means, pairs_of
from .new_rows import new_rows, x_of
from .reference import Values, z_of
from .response import Scale, check_asked, check_scale
from .slopes import Slopes, asked_slopes

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 250  # of each chain, of which rows are predicted
CELLS = 1 << 21  # draws by rows at a time


def averaged(law: Outcome, eta: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Average the means of rows over a normal part of their linear predictor, elementwise."""
    found = np.zeros_like(eta)
    with np.errstate(over="ignore"):
        for at, weight in zip(*nodes_along(), strict=True):
            found += weight * law.inverse_link(eta + sd * at)
    return found


def predict_link(
    posterior: LinkSample, data: Any = None, *, level: int = 1, scale: Scale = "response",
    interval: Literal["confidence"] | None = None, prob: float = 0.95,
) -> pd.DataFrame:  # fmt: skip
    """Predict rows from the draws: those of the data, or others.

    Parameters
    ----------
    data : frame, file, mapping of arrays or TwoLevelData, optional
        Rows with the variables of the model, and the id where their units are known.
    level : 1 or 2
        1: given the unit's random effects, where it is known; 2: averaged over units.
    scale : "response" or "link"
        The probability of a success, or the count per unit of exposure; or the linear predictor.
    interval : "confidence", optional
        Of the expected outcome.
    prob : float
        Probability of the interval, which is equal-tailed.

    Returns
    -------
    DataFrame
        ``predicted``, the mean over draws, their ``sd``, and the interval's ``low`` and ``high``.
    """
    check_asked(level, scale, interval, prob)
    law, design = posterior.link.law, posterior.target.design
    refuse("predict()", law.lacks, Need.ONE_EQUATION)
    if scale == "response":
        refuse("predict()", law.lacks, Need.ONE_MEAN)
    rows = new_rows(design, posterior.data if data is None else data, posterior.data)
    kept, x = kept_draws(posterior, DRAWS), rows.x(design)
    gamma = container.flat(posterior.tree, "gamma")[kept][:, design.first_of_free]
    tau, unit = container.flat(posterior.tree, "tau")[kept], rows.unit
    own = effects_drawn(posterior, kept) if level == 1 else None
    parts = []
    for first in range(0, len(x), max(1, CELLS // len(kept))):
        here = slice(first, first + max(1, CELLS // len(kept)))
        eta, z = gamma @ x[here].T, rows.z[here]
        variance = np.einsum("na,bac,nc->bn", z, tau, z, optimize=True)
        if own is not None:
            known = unit[here] >= 0
            eta[:, known] += np.einsum("nq,bnq->bn", z[known], own[:, unit[here][known]])
            variance[:, known] = 0.0
        value = eta if scale == "link" else averaged(law, eta, np.sqrt(np.maximum(variance, 0.0)))
        ends = np.quantile(value, [0.5 - prob / 2.0, 0.5 + prob / 2.0], axis=0)
        parts.append(np.stack([value.mean(axis=0), value.std(axis=0, ddof=1), *ends]))
    predicted, sd, low, high = np.concatenate(parts, axis=1)
    limits = {"low": low, "high": high} if interval else {}
    return table({"predicted": predicted, "sd": sd} | limits, range(len(x)), "row")


def means_link(
    posterior: LinkSample, variable: str, *, values: Any = None, at: Mapping[str, Any] | None = None,
    scale: Scale = "response", prob: float = 0.95,
) -> Means:  # fmt: skip
    """Give the posterior of the expected outcome of typical rows at values of a variable, and differences.

    Parameters
    ----------
    variable, values, at, prob
        As for normal outcomes.
    scale : "response" or "link"
        Averaged over the random effects on the scale of the outcome; or on that of the link.

    Raises
    ------
    HypothesisError
        A variable the model does not have.
    """
    design = posterior.target.design
    refuse("means()", posterior.link.law.lacks, Need.ONE_EQUATION)
    name, chosen, rows = asked_means(design, posterior.data, variable, values, at)
    pairs, _ = pairs_of(chosen, rows)
    found = _expected(posterior, rows, scale)
    a, b = np.array([(chosen.index(p), chosen.index(q)) for p, q in pairs], dtype=int).reshape(-1, 2).T
    texts = [f"mean at {name} = {v}" for v in chosen]
    apart = [f"{texts[i]} - {texts[j]}" for i, j in zip(a, b, strict=True)]
    difference = _contrast(apart, found[a] - found[b], prob) if pairs else None
    return Means(name, chosen, _contrast(texts, found, prob), pairs, difference)


def slopes_link(
    posterior: LinkSample, variable: str, by: str | Mapping[str, Values] | None = None, *,
    at: Mapping[str, Values] | None = None, scale: Scale = "response", prob: float = 0.95,
) -> Slopes:  # fmt: skip
    """Give the posterior of the change of the expected outcome of typical rows with a variable.

    Parameters
    ----------
    variable, by, at, prob
        As for normal outcomes.
    scale : "response" or "link"
        The derivative of the expected outcome, averaged over the random effects; or of the linear predictor.

    Raises
    ------
    HypothesisError
        A variable the model does not have.
    """
    design = posterior.target.design
    refuse("slopes()", posterior.link.law.lacks, Need.ONE_EQUATION)
    asked = asked_slopes(design, posterior.data, variable, by, at)
    up, down, step = asked.sides(design)
    change = (_expected(posterior, up, scale) - _expected(posterior, down, scale)) / step
    texts = [f"slope of {asked.variable.name}"] * len(change)
    return Slopes(asked.variable.name, asked.at, _contrast(texts, change, prob))


def _expected(posterior: LinkSample, effects: np.ndarray, scale: Scale) -> np.ndarray:
    """Give the expected outcome of typical rows in every draw, (n, chain, draw)."""
    check_scale(scale)
    law, design = posterior.link.law, posterior.target.design
    gamma = container.values(posterior.tree, "gamma")[:, :, design.first_of_free]
    eta = np.einsum("cdf,nf->ncd", gamma, x_of(design, effects))
    if scale == "link":
        return np.asarray(eta)
    refuse("what is on the scale of the outcome", law.lacks, Need.ONE_MEAN)
    z, tau = z_of(design, effects), posterior.values("tau")
    variance = np.einsum("na,cdab,nb->ncd", z, tau, z, optimize=True)
    return averaged(law, eta, np.sqrt(np.maximum(variance, 0.0)))


def expected_drawn(posterior: LinkSample, x: np.ndarray, z: np.ndarray, prob: float) -> Expected:
    """Give expected outcomes of rows with fixed effects x (n, F) and random ones z (n, q) from the draws.

    Means over draws and equal-tailed limits; of ratings the probability of each category.
    """
    check_prob(prob)
    law, kept = posterior.link.law, kept_draws(posterior, DRAWS)
    refuse("a graph of probabilities", law.lacks, Need.ONE_EQUATION)
    gamma = container.flat(posterior.tree, "gamma")[kept][:, posterior.target.design.first_of_free]
    eta = (x @ gamma.T)[:, None]  # (n, cuts, B)
    if Need.ONE_MEAN in law.lacks:
        cuts = container.flat(posterior.tree, "cuts")[kept].T
        eta = eta + np.concatenate([np.zeros_like(cuts[:1]), cuts])
    variance = np.einsum("na,bac,nc->nb", z, container.flat(posterior.tree, "tau")[kept], z, optimize=True)
    sd = np.sqrt(np.maximum(variance, 0.0))[:, None]
    mean, at_zero = averaged(law.of_categories, eta, sd), law.of_categories.inverse_link(eta)
    if Need.ONE_MEAN in law.lacks:
        mean, at_zero = between(mean, 1.0), between(at_zero, 1.0)
    low, high = np.quantile(mean, [0.5 - prob / 2.0, 0.5 + prob / 2.0], axis=-1)
    return Expected(mean.mean(axis=-1), mean.std(axis=-1, ddof=1), low, high, at_zero.mean(axis=-1))


def _contrast(texts: list[str], draws: np.ndarray, prob: float) -> DrawnContrast:
    check_prob(prob)
    return of_values(tuple(texts), tuple(texts), np.zeros(len(draws)), draws, prob)
