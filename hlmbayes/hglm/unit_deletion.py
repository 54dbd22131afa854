"""Estimates without one unit: by one step of Newton from the optimum, or by the search itself.

At the optimum the likelihood of the other units has the score -s_j and the information I - I_j, so that one
step is -(I - I_j)^-1 s_j for all units at once. Where little of the information is left, or the expansion is
not that of a maximum, the step says nothing, and the unit is really left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import EstimationError
from .counted_rows import CountedRows, starts_of
from .cuts import Cuts
from .estimates import GeneralizedEstimates
from .fitted_rows import Optimum, at_optimum
from .marginal import Marginal, marginal, sums_at
from .newton import FLOOR
from .search import FEW_STEPS, GAIN, climb, moved, search, snapped
from .separation import refuse_separated, refuse_unbounded_tau

LEFT = 0.3  # of the information along every direction: with less the step is not trusted
CARRIED = 1e-9  # share of its information an effect keeps without the unit: below it the unit alone has it
MOST_REFITS = 50  # of units whose step is not trusted, those with the least left first


@dataclass(frozen=True, slots=True, eq=False)
class Deleted:
    """Changes of the estimates without each unit, in the units of the data; nan where there are none then.

    ``gamma`` (J, F): of the free fixed effects; ``cuts`` (J, T); ``tau`` (J, q, q); ``refitted`` (J,): the
    unit was really left out; ``leverage`` (J,): tr(I^-1 I_j), the unit's share of the information, which add
    up to the number of parameters.
    """

    gamma: np.ndarray
    cuts: np.ndarray
    tau: np.ndarray
    refitted: np.ndarray
    leverage: np.ndarray


def unit_deletion(fit: GeneralizedEstimates, refit: bool = False) -> Deleted:
    """Estimate without each unit; ``refit`` leaves each really out, which takes J searches."""
    best = at_optimum(fit)
    at, rows = best.evaluated(), best.laid.rows
    steps, share, leverage = _newton_steps(rows, best, at)
    really = np.ones(len(steps), dtype=bool) if refit else np.zeros(len(steps), dtype=bool)
    worst = np.argsort(share, kind="stable")[:MOST_REFITS]
    really[worst[share[worst] < LEFT]] = True
    points = [moved(rows, at, step) for step in steps]
    gammas, chols = (np.array(each) for each in zip(*points, strict=True))
    for j in np.flatnonzero(really):
        gammas[j], chols[j] = _without(fit, best, at, int(j))
    F, columns = fit.design.n_fixed, rows.tau_columns
    gamma = gammas[:, :F] @ fit.design.to_gamma.T - fit.gamma_free
    tau = columns.to_data(chols @ chols.swapaxes(1, 2)) - fit.tau_values
    return Deleted(gamma, gammas[:, F:] - fit.law.fixed_cuts, tau, really, leverage)


def _newton_steps(
    rows: CountedRows, best: Optimum, at: Marginal
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give each unit's step (J, P), the least share of information left (J,), and its leverage (J,)."""
    own = sums_at(rows, best.laid.of_rows, at).unit_informations(at.gamma)
    scale = np.sqrt(np.maximum(np.abs(np.diag(at.information)), 1e-300))
    values, vectors = np.linalg.eigh(at.information / np.outer(scale, scale))
    kept = values > FLOOR  # turns of a singular tau have no information
    root = vectors[:, kept] / np.sqrt(values[kept]) / scale[:, None]  # root' I root = 1
    part = root.T @ own @ root
    left = np.eye(part.shape[1]) - part
    size, turn = np.linalg.eigh(left)
    score = ((at.unit_scores - at.score / len(own)) @ root)[:, None] @ turn
    steps = -(score / np.maximum(np.abs(size), LEFT)[:, None]) @ turn.swapaxes(1, 2)
    return steps[:, 0] @ root.T, size[:, 0], np.einsum("jaa->j", part)


def _without(
    fit: GeneralizedEstimates, best: Optimum, at: Marginal, j: int
) -> tuple[np.ndarray | float, np.ndarray | float]:
    """Estimate without unit j, from the optimum of all; nan where the others have no estimate."""
    law, rows, others = best.laid.of_rows, less_unit(best.laid.rows, j), np.arange(len(at.unit_loglik)) != j
    try:
        with np.errstate(all="ignore"):
            refuse_unbounded_tau(rows, law, fit.model.outcome)
            here = marginal(rows, law, at.gamma, at.chol, at.rule, at.modes.t[:, others])
            found = climb(rows, law, here, GAIN, FEW_STEPS)
            found = found if found.converged else search(rows, law)
            refuse_separated(rows, law, fit.design, found)
            there = snapped(rows, law, found.at)
    except (EstimationError, np.linalg.LinAlgError):
        return np.nan, np.nan
    F = rows.n_fixed
    white = np.linalg.inv(np.linalg.cholesky(at.information[:F, :F]))
    kept = np.linalg.eigvalsh(white @ there.information[:F, :F] @ white.T)[0] > CARRIED
    return (there.gamma, there.chol) if found.converged and kept else (np.nan, np.nan)


def less_unit(rows: CountedRows, j: int) -> CountedRows:
    """Give the rows of all units but the j-th."""
    keep, others = rows.unit != j, np.arange(rows.n_units) != j
    unit = rows.unit[keep]
    unit = unit - (unit > j)
    return replace(
        rows, d=rows.d[:, keep], x=rows.x[others], y=rows.y[..., keep], size=rows.size[keep],
        offset=rows.offset[keep], unit=unit, starts=starts_of(unit),
        weight=rows.weight[others], cuts=Cuts(rows.cuts.counts[others], rows.cuts.first),
    )  # fmt: skip
