"""Read a Fit into `Tables`: the only place where the report meets the estimation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, cast

import numpy as np
from scipy.special import chdtrc, stdtr

from ..arguments import hlm_version
from ..derived.between_studies import i2, why_not
from ..derived.plausible import prediction_interval
from ..errors import OutputError
from ..estimation.estimates import Estimates
from ..inference.component_errors import variance_standard_errors
from ..inference.covariances import CR0, Covariance, ModelBased
from ..inference.hlm_tables import fixed_df, fixed_effects, reliability, variance_components
from ..inference.least_squares import (
    least_squares,
    loglik_on_hlms_constant,
    starting_effects,
    unit_regressions,
)
from ..laws.log_linear import EstimatedLogLinear
from ..likelihood.pattern import elements
from .header import Run, header_of, level1_terms, shown
from .hlm_p_values import chi2_p_value, t_p_value, z_p_value
from .remarks import no_df, odd_p_values, remarks
from .tables import (
    AlphaRow,
    ChiSquare,
    FixedRow,
    Heterogeneity,
    IterationRow,
    LeastSquares,
    Matrix,
    MetaAnalysis,
    NoteGroup,
    Optimum,
    OptimumRow,
    StartingValues,
    Tables,
    UnitRegression,
    VarianceRow,
    p_text,
)


def tables(fit: Estimates, run: Run | None = None, optimum: Estimates | None = None) -> Tables:
    """Return everything a listing of `fit` prints.

    Parameters
    ----------
    fit : Estimates
    run : Run, optional
    optimum : Estimates, optional
        The exact fit of the same model to the same data by the same method: it is compared with `fit`.
    """
    run = run or Run()
    hlm = hlm_version(run.hlm, OutputError)
    rows, robust = fixed_rows(fit, ModelBased(hlm=hlm)), fixed_rows(fit, CR0(hlm=hlm))
    components, varying = _variance_components(fit, hlm), _heterogeneity(fit, hlm)
    meta, of_normal = _meta_analysis(fit), fit.law.of_normal  # a working outcome's OLS means nothing
    se_tau, se_sigma2 = variance_standard_errors(fit)
    return Tables(
        header=header_of(fit, replace(run, hlm=hlm)),
        stop_line=fit.stop_reason if fit.algorithm == "hlm" else f"Iterations stopped ({fit.stop_reason})",
        iteration=fit.iterations,
        sigma2=float(fit.sigma2),
        tau=_matrix(fit.components.tau),
        tau_corr=_matrix(fit.tau_corr),
        reliability=tuple(reliability(fit).tolist()),
        loglik=float(fit.loglik),
        fixed=rows,
        fixed_robust=robust,
        variance_components=components,
        deviance=float(fit.deviance),
        n_parameters=fit.n_parameters,
        algorithm=cast(Literal["hlm", "exact"], fit.algorithm),
        converged=fit.converged,
        se_sigma2=None if fit.law.n_parameters == 0 else float(se_sigma2),
        se_tau=_matrix(se_tau) if fit.design.n_random else None,
        n_units_full_rank=int(fit.design.full_rank.sum()),
        unit_regressions=_unit_regressions(fit, run.ols_units) if of_normal else (),
        average_ols=_average_ols(fit) if of_normal else (),
        least_squares=_least_squares(fit, hlm) if run.full_output and of_normal else None,
        start=_start(fit, rows, hlm),
        log=tuple(IterationRow(i.number, float(i.loglik), float(i.sigma2), _matrix(i.tau)) for i in fit.log),
        full_output=run.full_output,
        heterogeneity=varying,
        comparison=run.comparison,
        hypotheses=run.hypotheses,
        homogeneity=run.homogeneity,
        exploration=run.exploration,
        meta_analysis=meta,
        notes=(
            *remarks(fit, rows, run.warnings, run.not_done),
            *([] if meta is None else [NoteGroup("Meta-analysis", meta.sentences)]),
            *(odd_p_values(rows, robust, components, _tests(run, varying)) if hlm == "6" else ()),
            *no_df(rows, hlm),
            *run.notes,
        ),
        optimum=None if optimum is None else _optimum(fit, optimum),
    )


def _meta_analysis(fit: Estimates) -> MetaAnalysis | None:
    """Say how much studies with known variances differ; None where there is no I2."""
    if why_not(fit.design, fit.law):
        return None
    found = i2(fit)
    limits = found.limits
    low, high = limits["tau2"]
    sentences = [
        f"{found}.",
        "I2 is the share of the variance that is between studies and not sampling error. Its limits follow "
        f"from those of tau by profile likelihood, {low:.6g} to {high:.6g}.",
    ]
    new = None
    if not fit.model.level2_variables and len(fit.model.coefficients) == 1:
        expected = prediction_interval(fit)
        new = expected.low, expected.high
        sentences.append(
            f"A new study's true effect is expected between {new[0]:.6g} and {new[1]:.6g} (95 % prediction "
            f"interval, {expected.basis})."
        )
    return MetaAnalysis(
        found.i2, limits["i2"], found.h2, limits["h2"], limits["tau2"], found.typical_variance, new,
        tuple(sentences),
    )  # fmt: skip


def _tests(run: Run, varying: Heterogeneity | None) -> dict[str, ChiSquare | AlphaRow]:
    """Name the tests that follow the tables of estimates."""
    found: dict[str, ChiSquare | AlphaRow | None] = {
        f"hypothesis test {k}": hypothesis.test for k, hypothesis in enumerate(run.hypotheses, 1)
    }
    found |= {"model comparison test": run.comparison, "test of homogeneity": run.homogeneity}
    if varying is not None:
        found |= {alpha.alpha: alpha for alpha in varying.alphas}
        found["homogeneous against heterogeneous sigma squared"] = varying.comparison
    return {name: test for name, test in found.items() if test is not None}


def _matrix(values: np.ndarray) -> Matrix:
    return tuple(map(tuple, np.asarray(values, dtype=float).tolist()))


def _rows(
    fit: Estimates, found: Mapping[str, tuple[float, float, float, float, float]], hlm: str
) -> tuple[FixedRow, ...]:
    """Return a table of fixed effects: estimate, standard error, t-ratio, d.f. and p-value by gamma."""
    return tuple(
        FixedRow(
            coefficient.symbol, coefficient.label, term.name, term.gamma, constrained, *found[name],
            _t_text(fit, *found[name][2:], hlm),
        )
        for name, coefficient, term, constrained in shown(fit.model)
    )  # fmt: skip


def fixed_rows(fit: Estimates, kind: Covariance) -> tuple[FixedRow, ...]:
    """Return the table of fixed effects with one kind of standard errors."""
    rows = fixed_effects(fit, kind)
    found = {row.name: (row.coefficient, row.se, row.t_ratio, row.df, row.p_value) for row in rows}
    return _rows(fit, found, kind.hlm)


def rows_of(
    fit: Estimates, gamma: np.ndarray, se: np.ndarray, df: list[float], hlm: str
) -> tuple[FixedRow, ...]:
    """Return a table of fixed effects for estimates that are not the final ones."""
    t = np.divide(gamma, se, out=np.full(len(se), np.nan), where=se > 0)  # all units may have the same score
    columns = gamma.tolist(), se.tolist(), t.tolist(), df, (2.0 * stdtr(df, -abs(t))).tolist()
    return _rows(fit, dict(zip(fit.model.gamma_names, zip(*columns, strict=True), strict=True)), hlm)


def _least_squares(fit: Estimates, hlm: str) -> LeastSquares:
    ols = least_squares(fit)
    df = [ols.df] * len(ols.gamma)
    fixed, robust = (rows_of(fit, ols.gamma, se, df, hlm) for se in (ols.se, ols.se_robust))
    n_parameters = 1 + (fit.design.n_fixed if fit.method == "ML" else 0)
    return LeastSquares(ols.sigma2, fixed, robust, ols.loglik, n_parameters)


def _start(fit: Estimates, rows: tuple[FixedRow, ...], hlm: str) -> StartingValues | None:
    if fit.start is None:
        return None
    tau, raw = fit.start.tau, fit.start.tau_raw
    fixed = rows_of(fit, *starting_effects(fit), fixed_df(fit, hlm), hlm) if rows else ()
    before = None if np.array_equal(tau, raw) else _matrix(raw)
    return StartingValues(float(fit.start.sigma2), _matrix(tau), before, fixed)


def _variance_components(fit: Estimates, hlm: str) -> tuple[VarianceRow, ...]:
    terms = [term for term in level1_terms(fit.model) if term.random]
    found, rows = variance_components(fit), []
    for term, row in zip(terms, found, strict=False):
        text = chi_square(row.chi2, row.df, fit, hlm=hlm).p_text
        rows.append(
            VarianceRow(term.label, term.effect, row.sd, row.variance, row.df, row.chi2, row.p_value, text)
        )
    rows += [VarianceRow("level-1", "R", row.sd, row.variance) for row in found[len(terms) :]]
    return tuple(rows)


def _heterogeneity(fit: Estimates, hlm: str) -> Heterogeneity | None:
    law = fit.law
    if not isinstance(law, EstimatedLogLinear):
        return None
    tests = zip(law.alphas, law.z_ratio.tolist(), law.p_value.tolist(), strict=True)
    alphas = tuple(
        AlphaRow(a.variable or "INTRCPT1", f"alpha{k}", a.estimate, a.se, z, p, _z_text(fit, z, p, hlm))
        for k, (a, z, p) in enumerate(tests)
    )
    before, after = float(law.homogeneous_deviance), float(fit.deviance)
    counts = law.homogeneous_parameters, fit.n_parameters
    test = chi_square(before - after, counts[1] - counts[0], fit, hlm=hlm)
    return Heterogeneity(law.macro_iterations, alphas, before, counts[0], after, counts[1], test)


# HLM's p-values are approximations whose error shows in the third decimal; far out it cannot show.
FAR_OUT = 1e-6


def _approximate(fit: Estimates, p: float, hlm: str) -> bool:
    """Tell whether the listing prints HLM's own approximation, known of HLM 6 alone, not the accurate p."""
    return hlm == "6" and fit.algorithm == "hlm" and p >= FAR_OUT  # not where p is nan


def _t_text(fit: Estimates, t: float, df: float, p: float, hlm: str) -> str:
    return p_text(t_p_value(t, df) if _approximate(fit, p, hlm) else p, hlm=hlm)


def _z_text(fit: Estimates, z: float, p: float, hlm: str) -> str:
    return p_text(z_p_value(z) if _approximate(fit, p, hlm) else p, hlm=hlm)


def chi_square(
    chi2: float, df: float, fit: Estimates, decimals: int | None = None, hlm: str = "6"
) -> ChiSquare:
    """Return a chi-square test; a negative chi-square (deviances in the wrong order) has p = 1.

    `decimals` of the printed p-value are those of a hypothesis test of HLM 6; None: HLM's usual form.
    """
    positive = max(chi2, 0.0)
    p = float(chdtrc(df, positive)) if df > 0 else float("nan")
    shown = chi2_p_value(positive, df) if _approximate(fit, p, hlm) else p
    usual = decimals is None or hlm != "6"
    text = p_text(shown, chi_square=True, hlm=hlm) if usual else f"{shown:.{decimals}f}"
    return ChiSquare(chi2, df, p, text)


def _unit_regressions(fit: Estimates, most: int) -> tuple[UnitRegression, ...]:
    """Return the OLS regressions of the first `most` units, those without full rank left out, as HLM does."""
    if most <= 0 or not fit.design.n_random:
        return ()
    values, ids = unit_regressions(fit.law.plain(fit.design)), fit.design.unit_ids
    full = np.flatnonzero(fit.design.full_rank[:most])
    return tuple(UnitRegression(_unit_name(ids[j]), tuple(values[j].tolist())) for j in full)


def _unit_name(unit: object) -> str:
    """Return an id as its file shows it: 1224 for 1224.0."""
    if isinstance(unit, (float, np.floating)) and float(unit).is_integer():
        return str(int(unit))
    return str(unit)


def _average_ols(fit: Estimates) -> tuple[float, ...]:
    ok = fit.design.full_rank
    if not fit.design.n_random or not ok.any():
        return ()
    return tuple(unit_regressions(fit.law.plain(fit.design))[ok].mean(axis=0).tolist())


def _optimum(fit: Estimates, exact: Estimates) -> Optimum:
    deviance = -2.0 * loglik_on_hlms_constant(exact)
    rows = [OptimumRow("Deviance", float(fit.deviance), deviance)]
    if fit.law.one_sigma2:
        rows.append(OptimumRow("Sigma_squared", float(fit.sigma2), float(exact.sigma2)))
    pairs = zip(fit.law.alphas, exact.law.alphas, strict=True)
    rows += [OptimumRow(f"alpha{k}", a.estimate, b.estimate) for k, (a, b) in enumerate(pairs)]
    names = [term.variable for term in level1_terms(fit.model) if term.random]
    for a, b in zip(*elements(fit.design.pattern), strict=True):
        label = f"Tau {names[a]}" if a == b else f"Tau {names[b]}, {names[a]}"
        rows.append(OptimumRow(label, float(fit.components.tau[a, b]), float(exact.components.tau[a, b])))
    for name, _, term, _ in shown(fit.model):
        rows.append(OptimumRow(term.gamma, float(fit.gamma[name]), float(exact.gamma[name])))
    return Optimum(tuple(rows), float(fit.deviance), deviance, float(exact.deviance))
