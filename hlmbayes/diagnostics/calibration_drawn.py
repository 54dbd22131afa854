"""Calibration of a posterior: observed outcomes in groups of rows beside new ones drawn from it.

What rows are expected to have is averaged over random effects and draws. New outcomes of the same rows come
from single draws with new random effects, and so say how far observed means of groups may lie from that
(posterior predictive check; Gelman, Meng & Stern 1996). The data have been used for the posterior already:
where the model holds p-values are larger than uniform ones. Given u there is no such check: a unit's
own outcomes made its u, and new ones given that u do not say how far these lie from it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arguments import seed_or_none, whole
from ..errors import HypothesisError
from ..laws.multinomial import Multinomial
from ..laws.ordinal import Ordinal
from ..likelihood.symmetric import semidefinite_roots
from ..posterior.predictive_link import kept_draws, new_outcomes
from ..posterior.record import LinkSample
from ..predictions.drawn import CELLS, DRAWS, DrawnRows
from .calibration import Calibration, Grouping, of_sets
from .events import Laid, events_of, laid


def calibration_drawn(
    posterior: LinkSample, groups: int = 10, *, draws: int = DRAWS, seed: int | None = None
) -> Calibration:
    """Compare observed outcomes with those the posterior expects, in groups of rows with like expectations.

    As of a fit by the likelihood, averaged over random effects: of ratings at each cut, of categories without
    an order for each.

    Parameters
    ----------
    groups : int
        How many of about equal size; fewer where expected outcomes take few values.
    draws : int
        Draws of each chain, each of which gives new outcomes of all rows.
    seed : int, optional
        Of the new outcomes; by default the posterior's.

    Returns
    -------
    Calibration
        ``frame()`` has the groups, printing it what they say.

    Raises
    ------
    HypothesisError
        Fewer than two groups, or no draws.
    """
    whole("groups", groups, 2, HypothesisError)
    seed_or_none(seed, HypothesisError)
    kept = kept_draws(posterior, whole("draws", draws, 1, HypothesisError))
    link, design = posterior.link, posterior.target.design
    rows, events = laid(design, link.data, link.law), events_of(link.law, posterior.model.outcome)
    seed = posterior.settings.seed if seed is None else seed
    at, rng = DrawnRows.of(posterior, kept), np.random.default_rng([seed, 9])
    means = _in_parts(
        len(rows.y), len(kept), lambda here: at.averaged(rows.x[here], rows.z[here]).mean(axis=-1), 0
    )
    way = Grouping(events, rows, events.expected(means, rows), groups)
    new = _new_outcomes(at, rows, _new_effects(at, design.n_units, rng), rng)
    sets = np.array([way.differences(way.means, y) for y in new])
    return of_sets(
        {"equations": way}, {"equations": sets}, posterior.model.outcome, "drawn from the posterior"
    )


def _new_effects(at: DrawnRows, J: int, rng: np.random.Generator) -> np.ndarray:
    """Draw random effects of new units in each draw, (B, J, q)."""
    z = rng.normal(size=(len(at.tau), J, at.tau.shape[1]))
    return np.asarray(z @ semidefinite_roots(at.tau).swapaxes(1, 2))


def _in_parts(n: int, draws: int, of: Callable[[slice], np.ndarray], axis: int) -> np.ndarray:
    """Work some rows out at a time and put them together along an axis."""
    step = max(1, CELLS // draws)
    return np.concatenate([of(slice(a, a + step)) for a in range(0, n, step)], axis=axis)


def _new_outcomes(at: DrawnRows, rows: Laid, u: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw outcomes of all rows at random effects (B, J, q), (B, N)."""

    def part(here: slice) -> np.ndarray:
        eta = at.predictors(rows.x[here], rows.z[here], u[:, rows.unit[here]])  # (n, K, B)
        each = np.moveaxis(eta, 0, 2)  # (K, B, n)
        own = each if isinstance(at.law, Multinomial) else each[0]
        cuts = at.cuts if isinstance(at.law, Ordinal) else None
        return new_outcomes(at.law, own, cuts, rows.y, rows.size[here], rng)

    return _in_parts(len(rows.y), len(at.gamma), part, 1)
