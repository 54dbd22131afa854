"""New outcomes from a posterior whose outcome is not normal: of the same rows, u as drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_expit

from ..arguments import whole
from ..density.conditional import coefficients
from ..errors import SamplingError
from ..laws.law import Need
from ..laws.multinomial import Multinomial
from ..laws.ordinal import Ordinal
from ..laws.outcomes import Outcome
from ..likelihood.rows import analysed_rows, level1_values, outcome_values
from ..sampling import container
from .record import Drawn, LinkSample

MOST_BYTES = 4 << 30  # of values by draw and row


@dataclass(frozen=True, slots=True, eq=False)
class RowsDrawn:
    """N rows: place in the data, unit, outcome, trials or exposure, level-1 columns (p, N).

    Where categories have equations of their own the columns are those of one set.
    """

    row: np.ndarray
    unit: np.ndarray
    y: np.ndarray
    size: np.ndarray
    d: np.ndarray

    def predictors(self, b: np.ndarray) -> np.ndarray:
        """Give the linear predictor (B, N), without an offset, at coefficients (B, J, p)."""
        if 8 * len(b) * len(self.y) > MOST_BYTES:
            raise SamplingError(
                f"{len(b)} values of each of {len(self.y)} rows do not fit into memory: ask for fewer with "
                "draws=, or for units with by="
            )
        found = np.zeros((len(b), len(self.y)))
        for k, column in enumerate(self.d):
            found += column * b[:, self.unit, k]
        return found

    def of_categories(self, b: np.ndarray) -> np.ndarray:
        """Give the linear predictors (K, B, N) of all categories but the last, b (B, J, K p)."""
        p = len(self.d)
        return np.stack([self.predictors(b[:, :, k : k + p]) for k in range(0, b.shape[2], p)])


def rows_drawn(posterior: LinkSample) -> RowsDrawn:
    """Lay out the rows of a posterior."""
    link, design = posterior.link, posterior.target.design
    row, unit = analysed_rows(design, link.data, link.law.columns)
    sets = len(link.law.labels) - 1 if Need.ONE_EQUATION in link.law.lacks else 1
    one = range(design.n_coefficients // sets)
    columns = [level1_values(design, link.data, k, row, unit) for k in one]
    return RowsDrawn(
        row, unit, outcome_values(design, link.data, row), link.law.row_sizes(link.data, row),
        np.array(columns),
    )  # fmt: skip


def log_shares(eta: np.ndarray, cuts: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Give the log probability of the category of each row at draws, eta (B, N) and cuts (B, T); (B, N)."""
    category, B = np.unique(y, return_inverse=True)[1], len(cuts)
    at = np.column_stack([np.full(B, -np.inf), np.zeros(B), cuts, np.full(B, np.inf)])
    below, above = eta + at[:, category + 1], eta + at[:, category]
    gaps = np.column_stack([np.zeros(B), np.log(-np.expm1(-np.diff(at[:, 1:-1], axis=1))), np.zeros(B)])
    return np.asarray(log_expit(below) + log_expit(-above) + gaps[:, category])


def new_categories(
    eta: np.ndarray, cuts: np.ndarray, values: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw a category of each row, one of ``values`` (K,), at draws, eta (B, N) and cuts (B, T)."""
    latent = rng.logistic(size=eta.shape) - eta
    found = (latent > 0.0).astype(int)
    for cut in cuts.T:
        found += latent > cut[:, None]
    return np.asarray(values[found])


def new_outcomes(
    law: Outcome, eta: np.ndarray, cuts: np.ndarray | None, y: np.ndarray, size: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Draw an outcome of each row, at draws, eta (B, N), of categories without an order (K, B, N); (B, N).

    ``cuts`` (B, T) are of ratings, whose categories are those in ``y``; ``size`` (N,) is of the rows.
    """
    return law.draw(rng, eta, size) if cuts is None else new_categories(eta, cuts, np.unique(y), rng)


def with_predictive(posterior: LinkSample, seed: int | None = None, draws: int = 100) -> LinkSample:
    """Give the posterior with its group posterior_predictive: ``y``, a new outcome of every row.

    From ``draws`` draws of each chain, with the predictors, trials and exposure that the rows have.
    """
    settings, law, rows = posterior.settings, posterior.link.law, rows_drawn(posterior)
    rng = np.random.default_rng([settings.seed if seed is None else whole("seed", seed, 0, SamplingError), 4])
    kept = kept_draws(posterior, whole("draws", draws, 1, SamplingError))
    b = coefficients_drawn(posterior, kept)
    eta = rows.of_categories(b) if isinstance(law, Multinomial) else rows.predictors(b)
    cuts = container.flat(posterior.tree, "cuts")[kept] if isinstance(law, Ordinal) else None
    new = new_outcomes(law, eta, cuts, rows.y, rows.size, rng)
    y = new.reshape(settings.chains, -1, len(rows.row))
    group = container.dataset({"y": y}, {"row": rows.row}, dims={"y": ("row",)})
    return posterior.with_group("posterior_predictive", group)


def kept_draws(posterior: Drawn, draws: int) -> np.ndarray:
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
