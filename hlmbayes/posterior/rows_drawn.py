"""The rows of an outcome that is not normal at draws of their units' coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_expit

from ..errors import SamplingError
from ..laws.law import Need
from ..likelihood.rows import analysed_rows, level1_values, outcome_values
from .record import LinkSample

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
