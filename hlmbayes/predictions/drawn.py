"""Expected outcomes of rows in draws of a posterior whose outcome is not normal.

Each draw is averaged over its random effects by quadrature, as `hglm.averages` does at the estimates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from ..hglm.averages import nodes_of
from ..hglm.category_averages import are_small, averages_of_draws
from ..laws.multinomial import Multinomial
from ..laws.ordinal import Ordinal
from ..laws.outcomes import Outcome
from ..likelihood.design import Design
from ..likelihood.symmetric import semidefinite_roots
from ..posterior.record import LinkSample
from ..sampling import container
from .categories import by_category, outcomes

DRAWS = 250  # of each chain, of which rows are predicted
CELLS = 1 << 18  # draws by rows at a time


@dataclass(frozen=True, slots=True, eq=False)
class DrawnRows:
    """Rows at B draws: fixed effects ``gamma`` (B, F), ``tau`` (B, q, q), ``cuts`` (B, T) of ratings.

    What it gives is (n, K, B): K is 1 where the outcome has one mean, else the number of categories.
    """

    design: Design
    law: Outcome
    gamma: np.ndarray
    tau: np.ndarray
    cuts: np.ndarray

    @classmethod
    def of(cls, posterior: LinkSample, kept: np.ndarray | None = None) -> Self:
        """Take the draws at the places ``kept`` (B,), chains run together; all of them by default."""
        design, law = posterior.target.design, posterior.link.law
        at = slice(None) if kept is None else kept
        gamma = container.flat(posterior.tree, "gamma")[at][:, design.first_of_free]
        cuts = container.flat(posterior.tree, "cuts")[at] if isinstance(law, Ordinal) else gamma[:, :0]
        return cls(design, law, gamma, container.flat(posterior.tree, "tau")[at], cuts)

    def predictors(self, x: np.ndarray, z: np.ndarray, u: np.ndarray | None = None) -> np.ndarray:
        """Give linear predictors of rows x (n, F), z (n, q) at u = 0, or at u (B, n, q) of each row."""
        x, z = by_category(self.design, self.law, x, z)
        eta = np.einsum("nkf,bf->nkb", x, self.gamma, optimize=True)
        return np.asarray(eta) if u is None else eta + np.einsum("nkq,bnq->nkb", z, u, optimize=True)

    def outcomes(self, eta: np.ndarray) -> np.ndarray:
        """Give the expected outcome, or the probability of each category, of linear predictors."""
        return outcomes(self.law, eta, self.cuts.T)

    def averaged(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Give the outcomes of rows averaged over the random effects of units."""
        each, kind = np.unique(z, axis=0, return_inverse=True)
        root = self._root(by_category(self.design, self.law, x[: len(each)], each)[1])
        eta, kind = self.predictors(x, z), kind.reshape(-1)
        if not root.shape[2]:
            return self.outcomes(eta)
        at, weight = nodes_of(root.shape[2])
        if isinstance(self.law, Multinomial) and are_small(eta, root, at):
            return averages_of_draws(eta, root, kind)
        found = np.zeros(())
        with np.errstate(over="ignore"):
            for place, share in zip(at, weight, strict=True):
                moved = eta + np.einsum("nkdb,d->nkb", root, place)[kind]
                found = found + share * self.outcomes(moved)
        return found

    def _root(self, z: np.ndarray) -> np.ndarray:
        """Give a root of the predictors' covariance over units, (n, K, d, B), d <= K, of z (n, K, q)."""
        root = np.einsum("nkq,bqd->nkdb", z, semidefinite_roots(self.tau), optimize=True)
        K = root.shape[1]
        if root.shape[2] <= K:
            return np.asarray(root)
        if K == 1:
            return np.asarray(np.sqrt(np.sum(root**2, axis=2, keepdims=True)))
        square = np.einsum("nkdb,nldb->nbkl", root, root, optimize=True)
        return np.moveaxis(semidefinite_roots(square), 1, 3)
