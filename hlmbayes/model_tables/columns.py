"""What one model says in a table of several: fixed effects, variances, facts; plain values.

A kind of model registers its `column_of`: a fit, a posterior, a pooled fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from ..data.rows import Rows
from ..derived.generalized_shares import generalized_icc, generalized_r2
from ..derived.r2 import R2, r2
from ..equations.model import TwoLevelModel
from ..equations.names import component_names, gamma_parameters
from ..equations.outcome_law import OutcomeLaw
from ..errors import HLMError, HypothesisError, OutputError
from ..estimation.estimates import Estimates
from ..estimation.streamed import StreamedEstimates, refuse_stream
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.pql import PQLEstimates
from ..inference.covariances import table_kind
from ..inference.intervals import EffectRow, alpha_rows, effect_rows
from ..inference.likelihood_tables import WORDS, Cut, cuts
from ..laws.law import Need
from ..laws.outcomes import Outcome
from ..many_fits.imputed_posterior import PooledSample
from ..many_fits.pooled_derived import pooled_icc, pooled_r2
from ..many_fits.pooled_fit import PooledEstimates, pooled_fixed
from ..many_fits.pooled_generalized import PooledGeneralized, pooled_cuts
from ..many_fits.rubin import Pooled
from ..posterior import derived
from ..posterior.record import Drawn, LinkSample, PosteriorSample
from ..posterior.summaries import interval

NONE = float("nan")
COEFFICIENTS = "coefficients"
CUT = "THOLD"  # what HLM calls the cuts of ratings
POOLED, KNOWN = "pooled by Rubin's rules", ", level-1 variance known, not estimated"
UNITS, ROWS = "Level-2 units (J)", "Level-1 rows (N)"


class Effect(NamedTuple):
    """A fixed effect: estimate, standard error (a posterior's sd), limits, p-value (nan of a posterior)."""

    estimate: float
    se: float
    low: float
    high: float
    p_value: float

    @property
    def ratio(self) -> Effect:
        """Its exp, the standard error by the delta method."""
        with np.errstate(over="ignore"):
            middle, low, high = np.exp([self.estimate, self.low, self.high]).tolist()
        return Effect(middle, middle * self.se, low, high, self.p_value)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of every model: probability of intervals, kind of standard errors and their d.f.

    ``ratios``: exp of the fixed effects, of models of which it is an odds, event rate or hazard ratio.
    """

    prob: float = 0.95
    robust: bool | str | None = None
    df: str | None = None
    ratios: bool = False

    def scaled(self, law: OutcomeLaw, effects: Mapping[str, Effect]) -> tuple[dict[str, Effect], str]:
        """Give effects on the scale that is asked for, and its name; cuts of ratings are no effects."""
        word = WORDS.get(law.link)
        if not self.ratios or word is None:
            return dict(effects), COEFFICIENTS
        found = {name: e if name.startswith(CUT) else e.ratio for name, e in effects.items()}
        return found, f"{word}s (exp of the coefficients; standard errors by the delta method)"


@dataclass(frozen=True, slots=True)
class Column:
    """One model: ``effects`` and ``variances`` by name, ``facts`` by name; what is said of it in notes.

    ``errors``: what its standard errors are, in words; ``how``: the method of estimation; ``scale``: what its
    effects are.
    """

    outcome: str
    effects: Mapping[str, Effect]
    variances: Mapping[str, float]
    facts: Mapping[str, float]
    errors: str
    how: str
    warnings: tuple[str, ...] = ()
    scale: str = COEFFICIENTS


@singledispatch
def column_of(model: Any, asked: Asked) -> Column:
    """Give the column of a model's record.

    Raises
    ------
    OutputError
        What is given is no fitted model.
    """
    raise OutputError(
        f"a table is of fits, posteriors and pooled fits, got {type(model).__name__}: fit = model.fit(data)"
    )


@column_of.register
def _(model: Estimates, asked: Asked) -> Column:
    return _of_normal(model, asked, lambda: r2(model))


@column_of.register
def _(model: StreamedEstimates, asked: Asked) -> Column:
    return _of_normal(model, asked, lambda: refuse_stream("R2"))


def _of_normal(model: Estimates, asked: Asked, r2: Callable[[], R2]) -> Column:
    kind = table_kind(model, asked.robust, asked.df)
    effects = _effects(model, asked)
    effects |= {f"log variance: {row.name}": _effect(row) for row in alpha_rows(model, prob=asked.prob)}
    tau = np.asarray(model.components.tau)
    sigma2 = model.sigma2 if model.has(Need.ONE_SIGMA2, Need.ROWS_ALIKE) else NONE
    variances = variances_of(model.model, tau, sigma2)
    of_intercept = float(tau[0, 0] / (tau[0, 0] + sigma2)) if len(tau) else NONE
    facts = shares(model.model, lambda: of_intercept, r2)
    facts |= {"Deviance": model.deviance, "Parameters": float(model.n_parameters)}
    facts |= {UNITS: float(model.n_units), ROWS: float(model.n_rows)}
    how = model.method if model.algorithm == "exact" else f"{model.method} as HLM stops"
    how += KNOWN if model.law.known else ""
    return Column(model.model.outcome, effects, variances, facts, kind.words, how, model.warnings)


@column_of.register
def _(model: GeneralizedEstimates, asked: Asked) -> Column:
    kind = table_kind(model, asked.robust, asked.df)
    effects = _effects(model, asked)
    facts = shares(model.model, lambda: generalized_icc(model).icc, lambda: generalized_r2(model))  # type: ignore[union-attr]
    facts |= {"Deviance": model.deviance, "Parameters": float(model.n_parameters)}
    facts |= {UNITS: float(model.n_units), ROWS: float(model.n_rows)}
    law = model.model.outcome_law
    how = f"{_linked(law, model.law)}, {model.method} by {model.integration}"
    variances = variances_of(model.model, model.tau_values, NONE)
    effects, scale = asked.scaled(law, effects)
    effects |= {f"{CUT}{cut.cut[1:]}": _of_cut(cut, asked.prob) for cut in cuts(model)}
    outcome = _valued(model.law, model.model, model.data)
    return Column(outcome, effects, variances, facts, kind.words, how, model.warnings, scale)


def _linked(written: OutcomeLaw, law: Outcome) -> str:
    """Name the law and its link, and what effects are of where it is not plain."""
    return f"{written.name}, {written.link} link" + (f" ({law.direction})" if law.direction else "")


def _valued(law: Outcome, model: TwoLevelModel, data: Rows | None) -> str:
    labels = {} if data is None else data.value_labels
    return law.valued(model.outcome, labels.get(model.outcome.lower(), {}))


def _of_cut(cut: Cut, prob: float) -> Effect:
    reach = float(ndtri(0.5 + prob / 2.0)) * cut.se
    return Effect(cut.estimate, cut.se, cut.estimate - reach, cut.estimate + reach, NONE)


@column_of.register
def _(model: PQLEstimates, asked: Asked) -> Column:
    fit, law = model.working, model.model.outcome_law
    kind = table_kind(fit, asked.robust, asked.df)
    effects = _effects(fit, asked)
    how = f"{_linked(law, model.law)}, unit-specific, penalised quasi-likelihood ({fit.method})"
    variances = variances_of(fit.model, np.asarray(fit.components.tau), NONE)
    facts = {UNITS: float(fit.n_units), ROWS: float(fit.n_rows)}
    effects, scale = asked.scaled(law, effects)
    return Column(fit.model.outcome, effects, variances, facts, kind.words, how, model.warnings, scale)


def _effects(fit: Estimates | GeneralizedEstimates, asked: Asked) -> dict[str, Effect]:
    rows = effect_rows(fit, prob=asked.prob, robust=asked.robust, df=asked.df)
    return {row.name: _effect(row) for row in rows}


def _effect(row: EffectRow) -> Effect:
    return Effect(row.estimate, row.se, row.low, row.high, row.p)


@column_of.register
def _(model: Drawn, asked: Asked) -> Column:
    effects, law = {}, model.model.outcome_law
    named = dict(zip(effect_names(model.model), model.model.gamma_names, strict=True))
    named |= {f"{CUT}{code[1:]}": code for code in model.scalars if re.fullmatch(r"d\d+", code)}
    medians = asked.ratios and law.link in WORDS  # exp of a median is a median
    for name, code in named.items():
        draws = model.scalar(code)
        sd = float(draws.std(ddof=1))
        effects[name] = Effect(
            float((np.median if medians else np.mean)(draws)), sd, *interval(draws, asked.prob), NONE
        )
    effects, scale = asked.scaled(law, effects)
    tau = np.median(model.values("tau"), axis=(0, 1)).reshape(2 * (len(model.model.random),))
    sigma2 = float(np.median(model.scalars["sigma2"])) if "sigma2" in model.scalars else NONE
    outcome, facts = model.model.outcome, dict[str, float]()
    design = model.target.design
    said = "posterior (medians)" if medians else "posterior (means; medians of variances)"
    if isinstance(model, LinkSample):
        outcome = _valued(model.link.law, model.model, model.data)
        said = f"{_linked(law, model.link.law)}, {said}"
        facts = shares(model.model, lambda: derived.icc_on_link(model).icc, lambda: derived.r2_on_link(model))  # type: ignore[union-attr]
    elif isinstance(model, PosteriorSample):
        facts = shares(model.model, lambda: derived.icc(model).icc, lambda: derived.r2(model))  # type: ignore[union-attr]
    facts |= {UNITS: float(design.n_units), ROWS: float(design.n_rows)}
    warnings = () if model.convergence.ok else (str(model.convergence),)
    variances = variances_of(model.model, tau, sigma2)
    return Column(outcome, effects, variances, facts, "posterior sd", said, warnings, scale)


@column_of.register
def _(model: PooledGeneralized, asked: Asked) -> Column:
    if asked.df not in (None, "rubin"):
        raise HypothesisError(f"df={asked.df!r} is for normal outcomes: leave it out")
    first, law = model.fits[0], model.model.outcome_law
    effects, scale = asked.scaled(
        law, _pooled(effect_names(model.model), pooled_fixed(model, asked.robust), asked)
    )
    codes, between = pooled_cuts(model)
    for name, row in _pooled([f"{CUT}{code[1:]}" for code in codes], between, asked).items():
        effects[name] = row._replace(p_value=NONE)
    how = f"{_linked(law, first.law)}, {model.method}"
    outcome = _valued(first.law, model.model, first.data)
    variances = variances_of(model.model, np.asarray(model.tau), NONE)
    return Column(outcome, effects, variances, _sizes(model), POOLED, how, model.warnings, scale)


@column_of.register
def _(model: PooledEstimates, asked: Asked) -> Column:
    found = pooled_fixed(model, asked.robust, "rubin" if asked.df is None else asked.df)
    effects = _pooled(effect_names(model.model), found, asked)
    tau, sigma2 = np.asarray(model.tau), float(model.sigma2)
    facts = shares(model.model, lambda: pooled_icc(model).icc, lambda: pooled_r2(model))  # type: ignore[union-attr]
    how = model.method + (KNOWN if model.fits[0].law.known else "")
    return Column(
        model.model.outcome, effects, variances_of(model.model, tau, sigma2), facts | _sizes(model), POOLED,
        how, model.warnings,
    )  # fmt: skip


@column_of.register
def _(model: PooledSample, asked: Asked) -> Column:
    raise OutputError(
        "draws given several data sets have no column: summary() is their table, and posteriors has the "
        "posterior given each, which have one"
    )


def _sizes(model: PooledEstimates) -> dict[str, float]:
    first = model.fits[0]
    return {UNITS: float(first.n_units), ROWS: float(first.n_rows), "Data sets": float(model.m)}


def _pooled(names: Sequence[str], found: Pooled, asked: Asked) -> dict[str, Effect]:
    """Give pooled effects with t limits by their names."""
    reach = found.quantile(asked.prob) * found.se
    b = found.estimate
    values = np.stack([b, found.se, b - reach, b + reach, found.p_value], axis=1).tolist()
    return {name: Effect(*row) for name, row in zip(names, values, strict=True)}


def effect_names(model: TwoLevelModel) -> tuple[str, ...]:
    """Name the fixed effects by their variables; the same effect has one name in all models."""
    return gamma_parameters(model.coefficients).names


def variances_of(model: TwoLevelModel, tau: np.ndarray, sigma2: float) -> dict[str, float]:
    """Name the free elements of tau (q, q), variances before covariances, and sigma2 where there is one."""
    names = component_names(model.coefficients)
    q = len(tau)
    effects = model.effects
    found = {names[effects[k]]: float(tau[k, k]) for k in range(q)}
    block = [next(k for k, b in enumerate(model.blocks) if effect in b) for effect in effects]
    pairs = [(i, j) for i in range(q) for j in range(i) if block[i] == block[j]]
    found |= {f"{names[effects[i]]} with {names[effects[j]]}": float(tau[i, j]) for i, j in pairs}
    return found if np.isnan(sigma2) else found | {"level-1 residual": sigma2}


def shares(model: TwoLevelModel, icc: Callable[[], float], r2: Callable[[], R2]) -> dict[str, float]:
    """Give shares of the variance, where there are any.

    The intraclass correlation, where it is one number: a random intercept and nothing else random.
    """
    found = {}
    alone = [c.predictor.variable for c in model.coefficients if c.random] == [None]
    with suppress(HLMError):
        if alone and not np.isnan(between := icc()):
            found["ICC"] = between
    with suppress(HLMError):
        parts = r2()
        found |= {"R2 marginal": parts.marginal, "R2 conditional": parts.conditional}
    return found
