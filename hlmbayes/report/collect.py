"""Read a Fit into `Tables`: the only place where the report meets the estimation."""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
from scipy.special import chdtrc, stdtr

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
from .header import Run, header_of, level1_terms, shown
from .hlm_p_values import chi2_p_value, t_p_value, z_p_value
from .remarks import odd_p_values, remarks
from .tables import (
    AlphaRow,
    ChiSquare,
    FixedRow,
    Heterogeneity,
    IterationRow,
    LeastSquares,
    Matrix,
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
        Names of files, title, tests and warnings of the run.
    optimum : Estimates, optional
        The exact fit of the same model to the same data by the same method: it is compared with `fit`.
    """
    run = run or Run()
    rows, robust = _fixed(fit, ModelBased()), _fixed(fit, CR0())
    components = _variance_components(fit)
    q, varying = fit.design.n_random, _heterogeneity(fit)
    se_tau, se_sigma2 = variance_standard_errors(fit)
    return Tables(
        header=header_of(fit, run),
        stop_line=_stop_line(fit),
        iteration=fit.iterations,
        sigma2=float(fit.sigma2),
        tau=_matrix(fit.components.tau),
        tau_corr=_matrix(np.asarray(fit.tau_corr)),
        reliability=tuple(float(v) for v in reliability(fit)),
        loglik=float(fit.loglik),
        fixed=rows,
        fixed_robust=robust,
        variance_components=components,
        deviance=float(fit.deviance),
        n_parameters=fit.n_parameters,
        algorithm=cast(Literal["hlm", "exact"], fit.algorithm),
        converged=fit.converged,
        se_sigma2=None if fit.law.n_parameters == 0 else float(se_sigma2),
        se_tau=_matrix(se_tau) if q else None,
        n_units_full_rank=int(fit.design.full_rank.sum()),
        unit_regressions=_unit_regressions(fit, run.ols_units),
        average_ols=_average_ols(fit),
        least_squares=_least_squares(fit) if run.full_output else None,
        start=_start(fit, rows),
        log=tuple(IterationRow(i.number, float(i.loglik), float(i.sigma2), _matrix(i.tau)) for i in fit.log),
        full_output=run.full_output,
        heterogeneity=varying,
        comparison=run.comparison,
        hypotheses=run.hypotheses,
        homogeneity=run.homogeneity,
        notes=(
            *remarks(fit, rows, run.warnings, run.not_done),
            *odd_p_values(rows, robust, components, _tests(run, varying)),
            *run.notes,
        ),
        optimum=None if optimum is None else _optimum(fit, optimum),
    )


def _tests(run: Run, varying: Heterogeneity | None) -> dict[str, ChiSquare | AlphaRow]:
    """Name the tests that follow the tables of estimates."""
    found: dict[str, ChiSquare | AlphaRow] = {
        f"hypothesis test {k}": hypothesis.test for k, hypothesis in enumerate(run.hypotheses, 1)
    }
    if run.comparison is not None:
        found["model comparison test"] = run.comparison
    if run.homogeneity is not None:
        found["test of homogeneity"] = run.homogeneity
    if varying is not None:
        found |= {alpha.alpha: alpha for alpha in varying.alphas}
        found["homogeneous against heterogeneous sigma squared"] = varying.comparison
    return found


def _stop_line(fit: Estimates) -> str:
    return fit.stop_reason if fit.algorithm == "hlm" else f"Iterations stopped ({fit.stop_reason})"


def _matrix(values: np.ndarray) -> Matrix:
    return tuple(tuple(float(v) for v in row) for row in np.asarray(values))


def _fixed(fit: Estimates, kind: Covariance) -> tuple[FixedRow, ...]:
    rows = {row.name: row for row in fixed_effects(fit, kind)}
    return tuple(
        FixedRow(
            coef=coefficient.symbol,
            level1=coefficient.label,
            level2=term.name,
            gamma=term.gamma,
            constrained=constrained,
            estimate=rows[name].coefficient,
            se=rows[name].se,
            t=rows[name].t_ratio,
            df=rows[name].df,
            p=rows[name].p_value,
            p_text=_t_text(fit, rows[name].t_ratio, rows[name].df, rows[name].p_value),
        )
        for name, coefficient, term, constrained in shown(fit.model)
    )


def _rows_of(fit: Estimates, gamma: np.ndarray, se: np.ndarray, df: list[float]) -> tuple[FixedRow, ...]:
    """Return a table of fixed effects for estimates that are not the final ones."""
    position = {name: k for k, name in enumerate(fit.model.gamma_names)}
    rows = []
    for name, coefficient, term, constrained in shown(fit.model):
        k = position[name]
        t = float(gamma[k] / se[k]) if se[k] > 0 else float("nan")  # all units may have the same score
        p = float(2.0 * stdtr(df[k], -abs(t)))
        rows.append(
            FixedRow(
                coefficient.symbol,
                coefficient.label,
                term.name,
                term.gamma,
                constrained,
                float(gamma[k]),
                float(se[k]),
                t,
                df[k],
                p,
                _t_text(fit, t, df[k], p),
            )
        )
    return tuple(rows)


def _least_squares(fit: Estimates) -> LeastSquares:
    ols = least_squares(fit)
    df = [ols.df] * len(ols.gamma)
    n_parameters = 1 + (fit.design.n_fixed if fit.method == "ML" else 0)
    return LeastSquares(
        sigma2=ols.sigma2,
        fixed=_rows_of(fit, ols.gamma, ols.se, df),
        fixed_robust=_rows_of(fit, ols.gamma, ols.se_robust, df),
        loglik=ols.loglik,
        n_parameters=n_parameters,
    )


def _start(fit: Estimates, rows: tuple[FixedRow, ...]) -> StartingValues | None:
    if fit.start is None:
        return None
    tau, raw = fit.start.tau, fit.start.tau_raw
    repaired = not np.array_equal(tau, raw)
    gamma, se = starting_effects(fit)
    return StartingValues(
        sigma2=float(fit.start.sigma2),
        tau=_matrix(tau),
        tau_raw=_matrix(raw) if repaired else None,
        fixed=_rows_of(fit, gamma, se, fixed_df(fit)) if rows else (),
    )


def _variance_components(fit: Estimates) -> tuple[VarianceRow, ...]:
    terms = [term for term in level1_terms(fit.model) if term.random]
    found = variance_components(fit)
    rows = [
        VarianceRow(
            name=term.label,
            effect=term.effect,
            sd=row.sd,
            variance=row.variance,
            df=row.df,
            chi2=row.chi2,
            p=row.p_value,
            p_text=chi_square(row.chi2, row.df, fit).p_text,
        )
        for term, row in zip(terms, found, strict=False)
    ]
    rows += [VarianceRow("level-1", "R", row.sd, row.variance) for row in found[len(terms) :]]
    return tuple(rows)


def _heterogeneity(fit: Estimates) -> Heterogeneity | None:
    found = fit.law
    if not isinstance(found, EstimatedLogLinear):
        return None
    alphas = tuple(
        AlphaRow(
            alpha.variable or "INTRCPT1", f"alpha{k}", alpha.estimate, alpha.se, float(z), float(p),
            _z_text(fit, float(z), float(p)),
        )
        for k, (alpha, z, p) in enumerate(zip(found.alphas, found.z_ratio, found.p_value, strict=True))
    )  # fmt: skip
    return Heterogeneity(
        macro_iteration=found.macro_iterations,
        alphas=alphas,
        homogeneous_deviance=float(found.homogeneous_deviance),
        homogeneous_parameters=found.homogeneous_parameters,
        heterogeneous_deviance=float(fit.deviance),
        heterogeneous_parameters=fit.n_parameters,
        comparison=chi_square(
            float(found.homogeneous_deviance - fit.deviance),
            fit.n_parameters - found.homogeneous_parameters,
            fit,
        ),
    )


# HLM's p-values are approximations whose error shows in the third decimal; far out it cannot show.
FAR_OUT = 1e-6


def _approximate(fit: Estimates, p: float) -> bool:
    """Tell whether the listing prints HLM's own approximation instead of the accurate p-value."""
    return fit.algorithm == "hlm" and p >= FAR_OUT  # not where p is nan


def _t_text(fit: Estimates, t: float, df: float, p: float) -> str:
    return p_text(t_p_value(t, df) if _approximate(fit, p) else p)


def _z_text(fit: Estimates, z: float, p: float) -> str:
    return p_text(z_p_value(z) if _approximate(fit, p) else p)


def chi_square(chi2: float, df: float, fit: Estimates, decimals: int | None = None) -> ChiSquare:
    """Return a chi-square test; a negative chi-square (deviances in the wrong order) has p = 1.

    `decimals` of the printed p-value are those of a hypothesis test; None: HLM's usual form.
    """
    positive = max(chi2, 0.0)
    p = float(chdtrc(df, positive)) if df > 0 else float("nan")
    shown = chi2_p_value(positive, df) if _approximate(fit, p) else p
    text = p_text(shown, chi_square=True) if decimals is None else f"{shown:.{decimals}f}"
    return ChiSquare(chi2, df, p, text)


def _unit_regressions(fit: Estimates, most: int) -> tuple[UnitRegression, ...]:
    """Return the OLS regressions of the first `most` units, those without full rank left out, as HLM does."""
    if most <= 0 or not fit.design.n_random:
        return ()
    values = unit_regressions(fit.law.plain(fit.design))
    return tuple(
        UnitRegression(_unit_name(fit.design.unit_ids[j]), tuple(float(v) for v in values[j]))
        for j in range(min(most, fit.n_units))
        if fit.design.full_rank[j]
    )


def _unit_name(unit: object) -> str:
    """Return an id as its file shows it: 1224 for 1224.0."""
    if isinstance(unit, (float, np.floating)) and float(unit).is_integer():
        return str(int(unit))
    return str(unit)


def _average_ols(fit: Estimates) -> tuple[float, ...]:
    ok = fit.design.full_rank
    if not fit.design.n_random or not ok.any():
        return ()
    return tuple(float(v) for v in unit_regressions(fit.law.plain(fit.design))[ok].mean(axis=0))


def _optimum(fit: Estimates, exact: Estimates) -> Optimum:
    deviance = -2.0 * loglik_on_hlms_constant(exact)
    rows = [OptimumRow("Deviance", float(fit.deviance), deviance)]
    if fit.law.one_sigma2:
        rows.append(OptimumRow("Sigma_squared", float(fit.sigma2), float(exact.sigma2)))
    pairs = zip(fit.law.alphas, exact.law.alphas, strict=True)
    rows += [OptimumRow(f"alpha{k}", a.estimate, b.estimate) for k, (a, b) in enumerate(pairs)]
    names = [term.variable for term in level1_terms(fit.model) if term.random]
    for a, first in enumerate(names):
        for b, second in enumerate(names[: a + 1]):
            label = f"Tau {first}" if a == b else f"Tau {second}, {first}"
            rows.append(OptimumRow(label, float(fit.components.tau[a, b]), float(exact.components.tau[a, b])))
    for name, _, term, _ in shown(fit.model):
        rows.append(OptimumRow(term.gamma, float(fit.gamma[name]), float(exact.gamma[name])))
    return Optimum(tuple(rows), float(fit.deviance), deviance, float(exact.deviance))
