"""Which fits may be compared: those of the same rows, the same likelihood, and nested models."""

from __future__ import annotations

import numpy as np

from ..equations.parts import Predictor
from ..errors import HypothesisError
from ..estimation.estimates import Estimates
from ..estimation.point import Point
from ..hglm.estimates import GeneralizedEstimates
from ..laws.law import Need
from ..likelihood.design import Design
from ..likelihood.pattern import mask

SAME_COLUMNS = 1e-6  # between the log-determinants of the same columns of X


type Fitted = Estimates | GeneralizedEstimates


def refuse_different_data(fit: Fitted, other: Fitted) -> None:
    """Raise where one is no fit, or two fits were not made from the same rows of the same outcome."""
    for each in (fit, other):
        if not isinstance(each, Estimates | GeneralizedEstimates):
            raise HypothesisError(f"a Fit is wanted to compare with, got {type(each).__name__}")
    refuse_different_rows(fit.design, other.design)


def refuse_different_rows(a: Design, b: Design) -> None:
    """Raise where two designs, of fits or posteriors, are not of the same rows of the same outcome."""
    if a.model.outcome.lower() != b.model.outcome.lower():
        raise HypothesisError(
            f"one model explains {a.model.outcome}, the other {b.model.outcome}: they cannot be compared"
        )
    if a.n_rows != b.n_rows or a.n_units != b.n_units:
        raise HypothesisError(
            f"the fits use different rows ({a.n_rows} rows in {a.n_units} units, {b.n_rows} in {b.n_units}): "
            "missing values of a variable that only one model has? Fit both to the rows that are complete"
        )
    y = [
        (d.moments.mean[:, k], d.moments.sscp[:, k, k])
        for d in (a, b)
        for k, name in enumerate(d.moments.columns)
        if name.lower() == d.model.outcome.lower()
    ]
    same = np.array_equal(a.unit_ids, b.unit_ids) and np.array_equal(a.n, b.n)
    if not same or not all(np.allclose(u, v, rtol=1e-9, atol=0) for u, v in zip(*y, strict=True)):
        raise HypothesisError("the fits use different rows, though equally many: fit both to the same data")


def refuse_different_values(a: Design, b: Design) -> None:
    """Raise where two designs are of different rows, or of other values of a variable that both have.

    Imputed data sets have the same outcomes, as a rule, and differ in the predictors.
    """
    refuse_different_rows(a, b)
    mine, theirs = _values(a), _values(b)
    odd = [name for name in mine.keys() & theirs.keys() if not _alike(mine[name], theirs[name])]
    if odd:
        raise HypothesisError(
            f"the values of {', '.join(sorted(odd))} are others in the one than in the other: use the same "
            "data, of imputed data the same data set"
        )


def _values(design: Design) -> dict[str, np.ndarray]:
    """Give by variable the mean of each unit and of its squares, (2, J); at level 2 the values."""
    moments = design.moments
    squares = np.einsum("jkk->kj", moments.sscp) / moments.weight + moments.mean.T**2
    level1 = zip(moments.columns, moments.mean.T, squares, strict=True)
    found = {name.lower(): v for name, v in moments.level2.items() if v.dtype.kind in "biuf"}
    return found | {name.lower(): np.stack(each) for name, *each in level1}


def _alike(u: np.ndarray, v: np.ndarray) -> bool:
    close = 1e-8 * np.nanmax(np.abs(u), initial=0.0)  # a mean may be zero but for rounding
    return u.shape == v.shape and np.allclose(u, v, rtol=1e-8, atol=close, equal_nan=True)


def refuse_different_likelihood(fit: Fitted, other: Fitted) -> None:
    """Raise where deviances of the same rows measure different things."""
    if fit.model.outcome_law != other.model.outcome_law:
        laws = " and ".join(f"{f.model.outcome_law.name} ({f.model.outcome_law.link})" for f in (fit, other))
        raise HypothesisError(f"the models take the outcome for different things, {laws}: take it for one")
    if _approximation(fit) != _approximation(other):
        raise HypothesisError(
            "one fit is by Laplace's approximation or a number of nodes of its own, whose deviance is not "
            "that of the other: fit both in the same way"
        )
    for each in (fit, other):
        each.require("a test of deviances", Need.LIKELIHOOD)
    if (fit.law.given, fit.counting) != (other.law.given, other.counting):
        raise HypothesisError("the fits are weighted differently: weight both in the same way")
    if fit.method != other.method:
        raise HypothesisError(
            f"one fit is {fit.method}, the other {other.method}: their deviances measure different things. "
            "Fit both by the same method"
        )
    if fit.algorithm != other.algorithm:
        raise HypothesisError(
            "one fit stopped where HLM stops, the other is at the optimum: the difference of their deviances "
            "would mix the two. Fit both with the same algorithm"
        )
    if fit.method == "REML" and _fixed_columns(fit) != _fixed_columns(other):
        raise HypothesisError(
            "the models differ in their fixed effects and were fitted by REML: such deviances belong to "
            'different likelihoods. Fit both with method="ML" to compare them'
        )
    if fit.method == "REML" and abs(_log_xx(fit) - _log_xx(other)) > SAME_COLUMNS:
        raise HypothesisError(
            "the predictors of the fixed effects have other values in the one fit than in the other (another "
            "scale?), and REML deviances depend on them. Fit both to the same columns"
        )


def _approximation(fit: Fitted) -> int:
    """Give the nodes that were asked for; 0 where the likelihood is what it is."""
    if not isinstance(fit, GeneralizedEstimates) or not fit.asked_nodes:
        return 0
    return max(fit.n_nodes, default=0)


def _log_xx(fit: Fitted) -> float:
    """Give log|X'X|, which does not depend on the order of the columns."""
    bases = fit.law.plain(fit.design).bases
    return float(-2.0 * (np.log(bases.whitener.diagonal()).sum() + np.log(bases.scale).sum()))


Key = tuple[str | None, str, str]
Term = tuple[Key, Key]


def _terms(fit: Fitted) -> list[Term]:
    """Name every gamma by its level-1 and its level-2 predictor, with centring."""
    coefficients = fit.model.coefficients
    return [
        (predictor_key(c.predictor, c.category), predictor_key(g.predictor))
        for c in coefficients for g in c.gammas
    ]  # fmt: skip


def predictor_key(predictor: Predictor, category: str = "") -> Key:
    """Tell a predictor from others: its variable, in small letters, its centring, its category."""
    return (predictor.variable.lower() if predictor.variable else None, predictor.centering, category)


def _fixed_columns(fit: Fitted) -> frozenset[frozenset[Term]]:
    """Give the columns of X as sets of terms: a constrained set is one column."""
    groups: dict[int, set[Term]] = {}
    for free, term in zip(fit.design.free, _terms(fit), strict=True):
        groups.setdefault(int(free), set()).add(term)
    return frozenset(frozenset(group) for group in groups.values())


def random_keys(fit: Point | GeneralizedEstimates) -> list[Key]:
    """Name every random coefficient by its level-1 predictor and centring."""
    random = [fit.model.coefficients[r] for r in fit.design.random]
    return [predictor_key(c.predictor, c.category) for c in random]


def not_nested(simple: Fitted, general: Fitted) -> str:
    """Say why the simpler model is not a special case of the other as written; empty if it is."""
    terms = list({*_terms(simple), *_terms(general)})
    columns = [np.zeros((len(terms), f.design.n_fixed)) for f in (simple, general)]
    for f, matrix in zip((simple, general), columns, strict=True):
        for free, term in zip(f.design.free, _terms(f), strict=True):
            matrix[terms.index(term), free] += 1.0
    both = np.hstack(columns)
    fixed = not both.size or np.linalg.matrix_rank(both) == np.linalg.matrix_rank(columns[1])
    if fixed and _covariances(simple) <= _covariances(general) and _noise(simple) <= _noise(general):
        return ""
    part = "fixed effects" if not fixed else "random effects"
    return (
        f"As they are written, the {part} of the simpler model are not among those of the other: "
        "the chi-square is right only if the one model is a special case of the other all the same."
    )


def _covariances(fit: Fitted) -> set[frozenset[Key]]:
    """Name the free elements of tau by their coefficients."""
    keys = random_keys(fit)
    free = np.argwhere(mask(fit.design.pattern)).tolist()
    return {frozenset((keys[a], keys[b])) for a, b in free}


def _noise(fit: Fitted) -> set[str]:
    return {name.lower() for name in fit.model.variance_variables}
