"""Estimates by penalised quasi-likelihood as a listing, a page, or JSON."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
from scipy.special import stdtrit

from ..arguments import accepted
from ..errors import HLMError, HypothesisError
from ..estimation.estimates import Estimates
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.fit import fit_by_likelihood
from ..hglm.pql import PQLEstimates
from ..inference.covariances import CR0, ModelBased
from ..inference.hlm_tables import fixed_df
from ..inference.kept import once_per_fit
from ..inference.likelihood_tables import WORDS
from ..laws.ordinal import Ordinal
from . import json_text
from .collect import fixed_rows, rows_of, tables
from .header import Run, level1_terms
from .mathml import typeset
from .nonlinear_page import page
from .nonlinear_tables import Effects, Likelihood, MacroRow, Nonlinear, RatioRow
from .nonlinear_text import listing
from .tables import NO_WEIGHTS, FixedRow, Header, NoteGroup, Tables

__all__ = ["listing", "nonlinear_tables", "page", "to_json"]

PROB = 0.95
EXPLAINED = (
    "Algorithm: hlm, penalised quasi-likelihood (PQL): {n} macro iterations linearised the model about the "
    "predicted random effects, and in each the normal model of the working outcome was estimated by {method} "
    "to its optimum (its micro iterations).",
    "PQL is biased: variances and fixed effects are too small in size where units have few rows and tau is "
    'large. The likelihood itself is taken by --algorithm exact, in Python algorithm="exact".',
    "There is no deviance: the likelihood printed is that of the last working outcome, and cannot be "
    "compared with another model's.",
)
TWO_MODELS = (
    "Unit-specific effects are at one and the same random effect; population-average effects compare means "
    "over all units, and are smaller (Zeger, Liang & Albert 1988). Intervals are exp of t intervals."
)
ONE_MODEL = (
    "Effects are unit-specific, at one and the same random effects. Intervals are exp of t intervals. "
    "Population-average effects are in Python, fixed_effects(average=True)."
)


def nonlinear_tables(found: PQLEstimates, laplace: bool = False, **run: Any) -> Nonlinear:
    """Return what a listing of estimates by penalised quasi-likelihood prints, the likelihood's beside them.

    ``laplace``: Laplace's approximation too; ``run`` are fields of `hlmbayes.report.header.Run`.
    """
    asked = Run(**accepted(Run, run, "listing"))
    base = tables(found.working, asked)
    unit_specific = _effects(found.working, found, asked.hlm)
    kept = [group for group in base.notes if group.heading != "Estimation"]
    law, labels = found.working.model.outcome_law, found.law.labels
    told = tuple(text.format(n=len(found.macro), method=found.working.method) for text in EXPLAINED)
    told = (*told, ONE_MODEL if law.by_category else TWO_MODELS)
    warned = [NoteGroup("read this before using the numbers", found.of_linearising, warning=True)]
    if labels:
        kept.append(NoteGroup(found.law.heading, (found.law.sentence,)))
    header = base.header
    n_own = len(header.coefficients) - found.law.n_parameters  # the cuts of an ordinal outcome are last
    header = replace(header, weights=NO_WEIGHTS, coefficients=header.coefficients[:n_own])
    base = replace(
        base, stop_line=f"Macro iterations stopped due to {found.stop_reason}", converged=found.converged,
        iteration=found.macro[-1].micro, algorithm="hlm", deviance=float("nan"), header=header,
        fixed=unit_specific.fixed, fixed_robust=unit_specific.fixed_robust,
        notes=(*(warned if found.of_linearising else []), *kept, NoteGroup("Estimation", told)),
    )  # fmt: skip
    macro = tuple(
        MacroRow(m.number, m.micro, float(m.sigma2), tuple(map(tuple, m.tau.tolist())), m.change)
        for m in found.macro
    )
    average = None if law.by_category else _effects(found.population, found, asked.hlm)
    likelihood = _by_likelihood(found, asked.hlm)
    approximate = _by_likelihood(found, asked.hlm, laplace=True) if laplace else None
    if likelihood is not None:
        base = replace(base, notes=(*base.notes, _beside(base, likelihood)))
    return Nonlinear(
        base, law, _of_one_category(found, header) if law.by_category else header, labels,
        found.limits.most, macro, unit_specific, average, likelihood, approximate,
    )  # fmt: skip


def _of_one_category(found: PQLEstimates, header: Header) -> Header:
    """Return the header of the equations of category m, where each category has its own."""
    model = typeset(found.design.terms.written or found.written)
    terms = tuple(
        c._replace(symbol=_with_m(c.symbol), terms=tuple(t._replace(gamma=_with_m(t.gamma)) for t in c.terms))
        for c in level1_terms(model)
    )
    constraints = tuple(tuple(_with_m(name.upper()) for name in names) for names in model.constraints)
    return replace(header, coefficients=terms, constraints=constraints)


def _with_m(symbol: str) -> str:
    """Return a symbol of category m, which M, the last, is not: B0[m]."""
    return symbol.removesuffix("[M]") + "[m]"


@once_per_fit  # a listing, a page and JSON of one fit ask for it each
def _fitted(found: PQLEstimates, laplace: bool) -> GeneralizedEstimates | None:
    """Fit the same model by the likelihood, or Laplace's; None where it has none, or no optimum."""
    try:
        fit = fit_by_likelihood(found.design.terms.written or found.written, found.data, laplace=laplace)
    except HLMError:
        return None
    return fit if fit.converged else None


def _by_likelihood(found: PQLEstimates, hlm: str, laplace: bool = False) -> Likelihood | None:
    """Return the same model by the likelihood; None where it has none, or no optimum."""
    fit = _fitted(found, laplace)
    if fit is None:
        return None
    law = fit.law
    cuts, se_cuts = (law.cuts, law.se_cuts) if isinstance(law, Ordinal) else ((), ())
    gamma, se = np.r_[np.asarray(fit.gamma), cuts], np.r_[np.sqrt(np.diag(fit.vcov)), se_cuts]
    rows = _named(rows_of(found.working, gamma, se, fixed_df(found.working, hlm), hlm), len(cuts))
    tau = tuple(map(tuple, fit.tau_values.tolist()))
    return Likelihood(fit.integration, rows, tau, fit.deviance, fit.n_parameters)


def _beside(tables: Tables, likelihood: Likelihood) -> NoteGroup:
    """Say how the estimates stand to those of the likelihood."""
    random = tables.header.random
    alike = len({term.variable for term in random}) < len(random)  # several categories have it
    pairs = [
        (f"Tau {term.symbol if alike else term.variable}", tables.tau[k][k], likelihood.tau[k][k])
        for k, term in enumerate(random)
    ]
    pairs += [(b.gamma, a.estimate, b.estimate) for a, b in zip(tables.fixed, likelihood.fixed, strict=True)]
    listed = "; ".join(f"{name} {here:.5f} and {there:.5f}" for name, here, there in pairs)
    return NoteGroup(
        "HLM's answer and the likelihood's",
        (
            f"Penalised quasi-likelihood, and maximum likelihood ({likelihood.how}): {listed}. Deviance "
            f"{likelihood.deviance:.6f}, {likelihood.n_parameters} parameters.",
        ),
    )


def _effects(fit: Estimates, found: PQLEstimates, hlm: str) -> Effects:
    """Return the tables of fixed effects of one of the two models."""
    n = found.law.n_parameters
    rows, robust = (_named(fixed_rows(fit, kind(hlm=hlm)), n) for kind in (ModelBased, CR0))
    has = found.working.model.outcome_law.link in WORDS
    return Effects(rows, robust, *(ratio_rows(each) if has else () for each in (rows, robust)))


def _named(rows: tuple[FixedRow, ...], n_cuts: int) -> tuple[FixedRow, ...]:
    """Return rows of fixed effects, those of the cuts of an ordinal outcome, the last, by their names."""
    first = len(rows) - n_cuts
    cuts = [
        row._replace(level1=row.level1.removesuffix(" slope"), coef=f"d{k}")
        for k, row in enumerate(rows[first:], start=2)
    ]
    return (*rows[:first], *cuts)


def ratios_of(found: PQLEstimates, robust: bool, average: bool) -> tuple[RatioRow, ...]:
    """Return exp of the fixed effects with 95 % intervals; raise HypothesisError where it means nothing."""
    link = found.model.outcome_law.link
    if link not in WORDS:
        raise HypothesisError(f"exp of an effect means nothing with a {link} link: see fixed_effects()")
    fit = found.population if average else found.working
    return ratio_rows(fixed_rows(fit, CR0() if robust else ModelBased()))


def ratio_rows(rows: tuple[FixedRow, ...]) -> tuple[RatioRow, ...]:
    """Return exp of fixed effects and of the ends of their t intervals."""
    found = []
    for row in rows:
        half = float(stdtrit(row.df, 0.5 + 0.5 * PROB)) * row.se if row.df > 0 else float("nan")
        with np.errstate(over="ignore"):
            ends = np.exp([row.estimate, row.estimate - half, row.estimate + half]).tolist()
        found.append(RatioRow(row, *ends))
    return tuple(found)


def to_json(found: Nonlinear) -> str:
    """Return the results as JSON text: the keys of other listings, and those of this one."""
    document = json_text.document(found.tables)
    document["outcome"] = asdict(found.law)
    names = "number micro sigma2 tau change"
    document["macro_iterations"] = [json_text.values_of(row, names) for row in found.macro]
    if found.population_average is not None:
        document["population_average"] = _json_effects(found.population_average, found.ratio)
    document |= {
        k: v for k, v in _json_effects(found.unit_specific, found.ratio).items() if k not in document
    }
    for name, by in (("likelihood", found.likelihood), ("laplace", found.laplace)):
        if by is not None:
            fixed = [json_text.values_of(row, json_text.FIXED) for row in by.fixed]
            document[name] = json_text.values_of(by, "how tau deviance n_parameters") | {"fixed": fixed}
    return json_text.written(document)


def _json_effects(effects: Effects, ratio: str) -> dict[str, Any]:
    tidy: dict[str, Any] = {}
    for name in ("fixed", "fixed_robust"):
        tidy[name] = [json_text.values_of(row, json_text.FIXED) for row in getattr(effects, name)]
    if ratio:
        key = f"{ratio.replace(' ', '_')}s"
        for name, rows in ((key, effects.ratios), (f"{key}_robust", effects.ratios_robust)):
            tidy[name] = [
                {"gamma": r.row.gamma, "ratio": r.ratio, "low": r.low, "high": r.high} for r in rows
            ]
    return tidy
