"""What a report says of the model and the run: names of files, equations in HLM's words, weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from ..equations.model import Coefficient, TwoLevelModel
from ..equations.names import variable_labels
from ..equations.text import tau_words
from ..estimation.estimates import Estimates
from .tables import NO_WEIGHTS, ChiSquare, Header, Hypothesis, Level1Term, Level2Term, NoteGroup, Weight

if TYPE_CHECKING:
    from ..residuals.exploratory import Candidate

FROM_RUN = ("max_iterations", "title", "data_source", "command_file", "output_file")


@dataclass(frozen=True, slots=True)
class Run:
    """What a listing says about the run beyond the fit itself."""

    title: str = "no title"
    data_source: str = ""
    command_file: str = ""
    output_file: str = ""
    max_iterations: int = 100
    full_output: bool = False
    ols_units: int = 10
    weights: tuple[Weight, ...] = NO_WEIGHTS
    warnings: tuple[str, ...] = ()
    not_done: tuple[str, ...] = ()
    comparison: ChiSquare | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    homogeneity: ChiSquare | None = None
    exploration: tuple[Candidate, ...] = ()
    notes: tuple[NoteGroup, ...] = ()
    hlm: str = "6"


def level1_terms(model: TwoLevelModel) -> tuple[Level1Term, ...]:
    """Return the model's coefficients under HLM's names."""
    return tuple(_level1_term(c) for c in model.coefficients)


def _level1_term(coefficient: Coefficient) -> Level1Term:
    name, how = coefficient.predictor.variable, coefficient.predictor.centering
    terms = tuple(
        Level2Term(g.predictor.variable or "INTRCPT2", g.name.upper(), g.predictor.centering)
        for g in coefficient.gammas
    )
    symbol, slope = coefficient.name.upper(), name is not None
    return Level1Term(symbol, name or "INTRCPT1", slope, coefficient.random, terms, how)


def shown(model: TwoLevelModel) -> tuple[tuple[str, Level1Term, Level2Term, bool], ...]:
    """Return the gammas HLM lists (of a constrained set the first) with whether they are constrained."""
    order = {name: k for k, name in enumerate(model.gamma_names)}
    firsts = {min(names, key=order.__getitem__) for names in model.constraints}
    hidden = {name for names in model.constraints for name in names} - firsts
    every = ((c, term) for c in level1_terms(model) for term in c.terms)
    terms = ((name, c, term) for name, (c, term) in zip(model.gamma_names, every, strict=True))
    return tuple((name, c, term, name in firsts) for name, c, term in terms if name not in hidden)


def header_of(fit: Estimates, run: Run) -> Header:
    """Return what a report says of the model and the run."""
    model, n_dropped = fit.model, fit.design.moments.n_dropped
    return Header(
        outcome=model.outcome,
        coefficients=level1_terms(model),
        n_rows=int(fit.n_rows),
        n_rows_in_data=int(fit.n_rows + n_dropped) if n_dropped else None,
        n_units=fit.n_units,
        method=cast(Literal["REML", "ML"], fit.method),
        **{name: getattr(run, name) for name in FROM_RUN},
        constraints=tuple(tuple(name.upper() for name in names) for names in model.constraints),
        sigma2_variables=model.variance_variables,
        heterogeneous=not fit.law.one_sigma2,
        equations=tuple(model.equations().splitlines()),
        mixed=model.mixed(),
        tau=tau_words(model.blocks),
        weights=_weights(fit) if run.weights == NO_WEIGHTS else run.weights,
        labels=_labels(fit),
        hlm=run.hlm,
    )


def _labels(fit: Estimates) -> tuple[tuple[str, str], ...]:
    """Return the labels of the outcome and the predictors; none where the fit came from moments."""
    known = {} if fit.data is None else fit.data.labels
    return tuple(variable_labels((fit.model.outcome, *fit.model.predictors), known).items())


def _weights(fit: Estimates) -> tuple[Weight, ...]:
    """Return HLM's table of weights: design weights of both levels, and the known level-1 variance."""
    counting, (first, second) = fit.counting, fit.counting.normalized
    return (
        Weight("Level 1", counting.level1, first),
        Weight("Level 2", counting.level2, second),
        Weight("Precision", next(iter(fit.law.columns), None)),
    )
