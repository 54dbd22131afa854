"""New outcomes from a posterior whose outcome is not normal: of the same rows, u as drawn."""

from __future__ import annotations

import numpy as np

from ..arguments import whole
from ..density.conditional import coefficients
from ..errors import SamplingError
from ..laws.multinomial import Multinomial
from ..laws.ordinal import Ordinal
from ..sampling import container
from .record import LinkSample
from .rows_drawn import new_categories, rows_drawn


def with_predictive(posterior: LinkSample, seed: int | None = None, draws: int = 100) -> LinkSample:
    """Give the posterior with its group posterior_predictive: ``y``, a new outcome of every row.

    From ``draws`` draws of each chain, with the predictors, trials and exposure that the rows have.
    """
    settings, law, rows = posterior.settings, posterior.link.law, rows_drawn(posterior)
    rng = np.random.default_rng([settings.seed if seed is None else whole("seed", seed, 0, SamplingError), 4])
    kept = kept_draws(posterior, whole("draws", draws, 1, SamplingError))
    b = coefficients_drawn(posterior, kept)
    eta = rows.of_categories(b) if isinstance(law, Multinomial) else rows.predictors(b)
    if isinstance(law, Ordinal):
        new = new_categories(eta, container.flat(posterior.tree, "cuts")[kept], np.unique(rows.y), rng)
    else:
        new = law.draw(rng, eta, rows.size)
    y = new.reshape(settings.chains, -1, len(rows.row))
    group = container.dataset({"y": y}, {"row": rows.row}, dims={"y": ("row",)})
    return posterior.with_group("posterior_predictive", group)


def kept_draws(posterior: LinkSample, draws: int) -> np.ndarray:
    """Give the places of ``draws`` draws of each chain, evenly taken, chains run together."""
    settings = posterior.settings
    keep = np.linspace(0, settings.draws - 1, min(draws, settings.draws)).astype(int)
    return np.asarray((np.arange(settings.chains)[:, None] * settings.draws + keep).ravel())


def coefficients_drawn(posterior: LinkSample, kept: np.ndarray) -> np.ndarray:
    """Give the level-1 coefficients of every unit in some draws, (B, J, p)."""
    b = coefficients(posterior.target, posterior.density.gamma(posterior.points[kept]))
    b[:, :, posterior.target.design.random] += effects_drawn(posterior, kept)
    return np.asarray(b)


def effects_drawn(posterior: LinkSample, kept: np.ndarray) -> np.ndarray:
    """Give the random effects of every unit in some draws, (B, J, q)."""
    if container.has(posterior.tree, "u"):
        return np.asarray(container.flat(posterior.tree, "u")[kept])
    # not kept: drawn again, which is as good
    rng = np.random.default_rng([posterior.settings.seed, 8])
    return posterior.density.effects(posterior.points[kept], rng)
