"""Likelihood-ratio tests of variances: the chi-bar-square distribution of the deviance difference.

Adding m random coefficients to k adds k m covariances, free in sign, and an m x m covariance matrix that
cannot be indefinite; where tau has blocks, those of the same block, and such a matrix in each block. Under
the simpler model the deviance difference is distributed as the sum of a chi-square on the free parameters
and the squared length of a normal vector's projection on the cone of positive semi-definite matrices, in the
metric of the information (Self & Liang 1987; Stram & Lee 1994; Shapiro 1988). m = 1: an equal mixture of two
chi-squares; m > 1: simulated.
"""

from __future__ import annotations

import numpy as np
from scipy.special import chdtrc

from ..estimation.estimates import Estimates
from ..laws.law import Need
from ..likelihood.pattern import Pattern, elements, pattern_basis
from ..likelihood.symmetric import from_eigen
from .component_errors import information_at
from .same_data import Fitted, random_keys

DRAWS = 4000
INSTEAD = " bootstrap=1000 gives one by simulation."
SEED = 1988  # a p-value must not change from one call to the next


def boundary_p_value(simple: Fitted, general: Fitted, chi2: float, df: int) -> tuple[float | None, str]:
    """Give the tail of the mixture beyond ``chi2`` and a note; None where it is not available."""
    keys, before = random_keys(general), set(random_keys(simple))
    added = [k for k, key in enumerate(keys) if key not in before]
    m, pattern = len(added), _of_added(general, added)
    free = df - pattern.n_free
    covaries = simple.design.pattern.n_free < general.design.pattern.n_free
    if simple.boundary and covaries:
        return None, (
            "No boundary-corrected p-value: a variance of the simpler model is itself estimated as zero."
            + INSTEAD
        )
    if m == 0:
        return tail(chi2, df), ""
    if m == 1:
        return 0.5 * (tail(chi2, free) + tail(chi2, free + 1)), ""
    if not (isinstance(simple, Estimates) and isinstance(general, Estimates)):
        return None, (
            "No boundary-corrected p-value for two or more variances: the outcome is not normal." + INSTEAD
        )
    if not general.has(Need.ESTIMATED_SIGMA2):
        known = "No boundary-corrected p-value for two or more variances where level-1 variances are known."
        return None, known
    if not (simple.has(Need.ONE_SIGMA2) and general.has(Need.ONE_SIGMA2)):
        return None, "No boundary-corrected p-value for two or more variances where sigma2 is heterogeneous."
    lengths = cone_lengths(_metric(simple, general, added), pattern)
    left = chi2 - lengths
    # the chi-square on 0 d.f. is the constant 0
    beyond = chdtrc(free, np.maximum(left, 0.0)) if free else 0.0
    p = float(np.mean(np.where(left <= 0, 1.0, beyond)))
    return p, f"The boundary-corrected p-value is simulated ({DRAWS} draws, within about 0.01)."


def _of_added(general: Fitted, added: list[int]) -> Pattern:
    """Give the blocks of the added coefficients' covariance matrix."""
    blocks = ([added.index(k) for k in block if k in added] for block in general.design.pattern.blocks)
    return Pattern(tuple(tuple(block) for block in blocks if block))


def tail(x: float, df: int) -> float:
    """Give P(chi-square_df >= x); the chi-square on 0 d.f. is the constant 0."""
    if x <= 0:
        return 1.0
    return float(chdtrc(df, x)) if df > 0 else 0.0


def _metric(simple: Estimates, general: Estimates, added: list[int]) -> np.ndarray:
    """Give the information of the added covariance matrix's free elements, all others eliminated.

    At the simpler model's estimates; in orthonormal coordinates of symmetric matrices (see `cone_lengths`).
    """
    q = general.design.n_random
    tau = np.zeros((q, q))
    at = [random_keys(general).index(key) for key in random_keys(simple)]
    tau[np.ix_(at, at)] = simple.components.tau
    information = information_at(general.system, tau, simple.components.sigma2, general.method == "REML")
    rows, cols = elements(general.design.pattern)
    tested = np.flatnonzero(np.isin(rows, added) & np.isin(cols, added))
    rest = np.setdiff1d(np.arange(len(information)), tested)
    corner = information[np.ix_(tested, rest)]
    through = np.linalg.solve(information[np.ix_(rest, rest)], corner.T)
    kept = information[np.ix_(tested, tested)] - corner @ through
    # the cone does not change when the coefficients are rescaled; the search gets easier
    diagonal = rows[tested] == cols[tested]
    scale = dict(zip(rows[tested][diagonal], np.diag(kept)[diagonal] ** -0.25, strict=True))
    unit = np.array([scale[a] * scale[b] for a, b in zip(rows[tested], cols[tested], strict=True)])
    unit[~diagonal] /= np.sqrt(2.0)
    return np.asarray(kept * np.outer(unit, unit))


def cone_lengths(metric: np.ndarray, pattern: Pattern, draws: int = DRAWS) -> np.ndarray:
    """Simulate squared lengths (draws,) of normal vectors' projections on the cone of semi-definite matrices.

    ``metric`` (m, m) is the inverse covariance of the vector, and the metric of the projection; free elements
    of the ``pattern`` in its order, off-diagonal ones times sqrt 2.
    """
    rng = np.random.default_rng(SEED)
    chol = np.linalg.cholesky(metric)
    z = np.linalg.solve(chol.T, rng.normal(size=(len(metric), draws))).T
    basis = pattern_basis(pattern)
    basis = basis / np.sqrt(basis.sum(axis=(1, 2)))[:, None, None]
    step = 1.0 / np.linalg.eigvalsh(metric)[-1]
    c = moved = np.zeros_like(z)
    momentum = 1.0
    for _ in range(500):  # accelerated projected gradient (Beck & Teboulle 2009)
        matrices = np.einsum("dk,kab->dab", moved - step * (moved - z) @ metric, basis)
        values, vectors = np.linalg.eigh(matrices)
        new = np.einsum("dab,kab->dk", from_eigen(np.maximum(values, 0.0), vectors), basis)
        change = float(np.abs(new - c).max())
        following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
        moved = new + (momentum - 1.0) / following * (new - c)
        c, momentum = new, following
        if change < 1e-4 * float(np.abs(z).max()):
            break
    return np.asarray(np.einsum("dk,kl,dl->d", c, metric, c))
