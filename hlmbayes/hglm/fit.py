"""From a model whose outcome is not normal, and data, to estimates by maximum likelihood."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..arguments import whole
from ..data.two_level import TwoLevelData
from ..data.weights import Frequencies, Weights
from ..equations.model import TwoLevelModel
from ..equations.outcome_law import OutcomeLaw
from ..errors import EstimationError
from ..estimation.prepare import prepare
from ..estimation.zero_variance import describe_boundary
from ..laws.counting import ONCE, Counting
from ..laws.multinomial import Multinomial
from ..laws.ordinal import law_of
from ..laws.outcomes import Outcome
from ..likelihood.design import Design
from ..unit_moments.record import Moments
from .category_layout import with_found_categories
from .counted_rows import CountedRows, distinct_units
from .enough_nodes import MOST_NODES
from .estimates import GeneralizedEstimates
from .fixed_nodes import search_with
from .marginal import Marginal
from .newton import FLOOR
from .ordinal_rows import rows_of_law
from .search import SEVERAL, Found, search
from .separation import refuse_separated, refuse_unbounded_tau

LAPLACE = (
    "Laplace's approximation was used, not the likelihood itself: with few rows a unit it is off in tau and "
    "in the coefficients, and so is its deviance."
)
TOO_MANY = (
    "Quadrature is for up to 4 random effects and this model has {q}: Laplace's approximation was used, "
    "which is off where units have few rows."
)
LARGEST_SD = 10.0  # on the scale of the link: e^10 is 22,000
MOST_ASKED = 255


def fit_by_likelihood(
    model: TwoLevelModel, data: TwoLevelData | Moments, *, weights: Weights | Frequencies | None = None,
    n_nodes: int | None = None, laplace: bool = False,
) -> GeneralizedEstimates:  # fmt: skip
    """Estimate by maximum likelihood, the random effects integrated out by adaptive quadrature.

    Parameters
    ----------
    weights : Weights or Frequencies, optional
        How often rows and units count. With sampling weights w_i|j and W_j it is the pseudo-likelihood,
        sum_j W_j log of the integral of prod_i f(y_ij | u)^w_i|j (Rabe-Hesketh & Skrondal 2006, eq. 5).
    n_nodes : int, optional
        Nodes for each random effect; by default as many as make the deviance stand still to 1e-6.
    laplace : bool
        Laplace's approximation, as with one node.

    Raises
    ------
    DataError, EquationError, EstimationError
        As for normal outcomes; outcomes that the law cannot give, or that predictors separate.
    """
    law = law_of(model.outcome_law)
    _check(model.outcome_law, n_nodes, laplace)
    prepared = prepare(model, data, law=law, weights=weights)
    complete = prepared.complete
    if not isinstance(complete, TwoLevelData):
        raise EstimationError(f"an outcome that is {model.outcome_law.name} needs the rows, got moments")
    if isinstance(law, Multinomial):
        law, design = with_found_categories(law, prepared.design, complete)
        prepared = replace(prepared, design=design)
    counts = _counts(prepared.design.n_random, n_nodes, laplace)
    own, law, rows = rows_of_law(law, prepared.design, complete, prepared.counting)
    refuse_unbounded_tau(rows, law, model.outcome)
    with np.errstate(all="ignore"):  # a step that leaves the numbers there are is shortened
        found = search(rows, law) if counts is None else search_with(rows, law, counts)
        refuse_separated(rows, law, prepared.design, found)
    asked, counting = counts is not None, prepared.counting
    return estimates_of(prepared.design, complete, own, rows, found, asked, counting)


def _check(law: OutcomeLaw, n_nodes: int | None, laplace: bool) -> None:
    """Refuse an outcome without a likelihood, and nodes that there cannot be."""
    if law.overdispersed:
        raise EstimationError(
            "an overdispersed outcome has no likelihood, only a mean and a variance: use "
            'algorithm="hlm", or give each row a random effect of its own'
        )
    if n_nodes is not None and laplace:
        raise EstimationError("laplace=True is one node: give it or n_nodes=, not both")
    if n_nodes is not None and whole("n_nodes", n_nodes, 1, EstimationError) > MOST_ASKED:
        raise EstimationError(f"n_nodes is at most {MOST_ASKED}, got {n_nodes}")


def _counts(q: int, n_nodes: int | None, laplace: bool) -> tuple[int, ...] | None:
    """Give the nodes of each of q random effects that were asked for; None for as many as it takes."""
    if q > SEVERAL and (n_nodes or 1) > 1:
        raise EstimationError(f"n_nodes is for up to {SEVERAL} random effects, and this model has {q}")
    if (n_nodes or 1) ** q > MOST_NODES:
        raise EstimationError(
            f"{n_nodes} nodes for each of {q} random effects are too many: leave n_nodes out, and as "
            "many are taken as are needed"
        )
    if laplace or q > SEVERAL:
        return (1,) * q
    return None if n_nodes is None else (n_nodes,) * q


def estimates_of(
    design: Design, data: TwoLevelData, law: Outcome, rows: CountedRows, found: Found, asked: bool,
    counting: Counting = ONCE,
) -> GeneralizedEstimates:  # fmt: skip
    """Carry an optimum to the units of the data."""
    at, columns = found.at, rows.tau_columns
    F, G, scale, place = design.n_fixed, rows.n_fixed, columns.scale, distinct_units(design)
    places = np.arange(len(at.score))
    order = np.r_[places[:F], places[G:], places[F:G]]  # cuts go last
    to_data = np.eye(len(order))
    to_data[:G, :G] = rows.to_gamma(design)
    covariance = (to_data @ inverse(rows.scale * at.information) @ to_data.T)[np.ix_(order, order)]
    each = rows.scale / np.bincount(place)  # of one unit, where frequencies repeat it
    scores = np.linalg.solve(to_data.T, each * at.unit_scores.T).T[place][:, order]
    law = law.with_cuts(at.gamma[F:], np.sqrt(np.diag(covariance)[len(order) - (G - F) :]))
    theta, to_u = at.chol @ at.chol.T, scale @ at.chol
    var_t = at.second - at.mean[:, :, None] * at.mean[:, None]
    boundary = describe_boundary(design, columns, theta) if design.n_random else ()
    unit_loglik = (each * (at.unit_loglik + rows.cuts.unit_values(at.gamma)))[place]
    return GeneralizedEstimates(
        design, law, data, design.to_gamma @ at.gamma[:F], columns.to_data(theta), covariance,
        scores, _root(rows, at, scale), unit_loglik, rows.scale * at.loglik, (at.mean @ to_u.T)[place],
        (to_u @ var_t @ to_u.T)[place], at.rule.counts, asked, found.converged, found.reason, found.steps,
        boundary, (*_said(at.rule.counts), *_doubts(design, theta)), counting=counting,
    )  # fmt: skip


def _said(counts: tuple[int, ...]) -> tuple[str, ...]:
    """Warn of Laplace's approximation, and say why it was used where nobody asked for it."""
    if len(counts) > SEVERAL:
        return (TOO_MANY.format(q=len(counts)),)
    return (LAPLACE,) if counts and max(counts) == 1 else ()


def _doubts(design: Design, theta: np.ndarray) -> tuple[str, ...]:
    """Say of which random effects the variance is so large that it is hardly one."""
    spread = np.sqrt(np.diag(theta))  # of what each effect adds to a row's linear predictor
    names = [design.model.coefficients[r].effect for r in design.random]
    return tuple(
        f"{name} adds terms with a standard deviation of {sd:.3g} to linear predictors: units are nearly all "
        "or nothing in it, and a much larger variance would fit about as well."
        for name, sd in zip(names, spread.tolist(), strict=True)
        if sd > LARGEST_SD
    )


def inverse(information: np.ndarray) -> np.ndarray:
    """Invert the observed information; directions without any (turns of a singular tau) have no variance."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-300))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    kept = np.where(values > FLOOR, 1.0 / np.maximum(values, FLOOR), 0.0)
    return np.asarray((vectors * kept) @ vectors.T / np.outer(scale, scale))


def _root(rows: CountedRows, at: Marginal, scale: np.ndarray) -> np.ndarray:
    """Give d(free elements of tau) / d(free elements of chol), (m, m)."""
    free, columns = rows.free, []
    for a, b in free:
        change = np.zeros_like(at.chol)
        change[a] = at.chol[:, b]  # E chol' with E = e_a e_b'
        turned = scale @ (change + change.T) @ scale.T
        columns.append([turned[c, d] for c, d in free])
    return np.array(columns).reshape(len(free), len(free)).T
