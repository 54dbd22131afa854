"""Results as JSON: the quantities HLM prints, at full precision, for programs to read.

Keys are those of ``tests/oracles/hlm608_tables.json`` (HLM 6.08's own printed tables); p-values are numbers;
a number that does not exist (nan, infinite) is null. Symbols are HLM's (B0, G01, U0).
"""

from __future__ import annotations

import json
import math
from typing import Any

from .notes import note_groups
from .tables import ChiSquare, FixedRow, Heterogeneity, Hypothesis, Tables


def document(tables: Tables) -> dict[str, Any]:
    """Return the results as plain dicts, lists, strings and numbers."""
    results: dict[str, Any] = {
        "iteration": tables.iteration,
        "sigma2": tables.sigma2,
        "se_sigma2": tables.se_sigma2,
        "tau": tables.tau,
        "se_tau": tables.se_tau,
        "tau_corr": tables.tau_corr,
        "reliability": tables.reliability,
        "loglik_at": tables.iteration,
        "loglik": tables.loglik,
        "fixed": [_fixed(row) for row in tables.fixed],
        "fixed_robust": [_fixed(row) for row in tables.fixed_robust],
        "variance_components": [
            {"name": r.name, "effect": r.effect, "sd": r.sd, "variance": r.variance}
            | {"df": r.df, "chi2": r.chi2, "p": r.p}
            for r in tables.variance_components
        ],
        "deviance": tables.deviance,
        "n_parameters": tables.n_parameters,
        "method": tables.header.method,
        "algorithm": tables.algorithm,
        "converged": tables.converged,
        "stop_reason": tables.stop_line,
        "data": {"level1_units": tables.header.n_rows, "level2_units": tables.header.n_units},
        "equations": tables.header.equations,
        "units_used_for_reliability_and_chi2": tables.n_units_full_rank or tables.header.n_units,
        **_optional(tables),
        "warnings": [s for group in note_groups(tables) if group.warning for s in group.sentences],
        "notes": [s for group in note_groups(tables) if not group.warning for s in group.sentences],
    }
    tidy: dict[str, Any] = plain(results)
    return tidy


def text(tables: Tables) -> str:
    """Return the results as JSON text, one line break at the end."""
    return json.dumps(document(tables), indent=1, allow_nan=False) + "\n"


def _optional(tables: Tables) -> dict[str, Any]:
    """Return what only some runs have."""
    found: dict[str, Any] = {}
    if tables.comparison is not None:
        key = "variance_covariance_test" if tables.header.method == "REML" else "user_model_comparison"
        found[key] = _test(tables.comparison)
    if tables.hypotheses:
        found["general_linear_hypothesis"] = _hypothesis(tables.hypotheses[0])
        found["general_linear_hypotheses"] = [_hypothesis(h) for h in tables.hypotheses]
    if tables.homogeneity is not None:
        found["homogeneity_of_level1_variance"] = _test(tables.homogeneity)
    if tables.heterogeneity is not None:
        found |= _heterogeneity(tables.heterogeneity)
    if tables.unit_regressions:
        found["level1_ols_listing"] = {row.unit: row.coefficients for row in tables.unit_regressions}
    if tables.average_ols:
        found["average_ols"] = tables.average_ols
    if tables.start is not None:
        found["start"] = {
            "sigma2": tables.start.sigma2,
            "tau": tables.start.tau,
            "tau_raw": tables.start.tau_raw,
        }
    if tables.log:
        found["iterations"] = [
            {"iteration": i.number, "loglik": i.loglik, "sigma2": i.sigma2, "tau": i.tau} for i in tables.log
        ]
    if tables.optimum is not None:
        found["optimum"] = {
            "deviance": tables.optimum.true_deviance,
            "deviance_on_hlms_constant": tables.optimum.deviance_optimum,
            "values": {row.label: row.optimum for row in tables.optimum.rows},
        }
    return found


def _fixed(row: FixedRow) -> dict[str, Any]:
    names = ("coef", "level1", "level2", "gamma", "constrained", "estimate", "se", "t", "df", "p")
    return {name: getattr(row, name) for name in names}


def _test(test: ChiSquare) -> dict[str, Any]:
    return {"chi2": test.chi2, "df": test.df, "p": test.p}


def _hypothesis(hypothesis: Hypothesis) -> dict[str, Any]:
    contrasts = {gamma.lower(): values for gamma, values in hypothesis.contrasts if any(values)}
    return {"contrasts": contrasts, **_test(hypothesis.test), "covariance": hypothesis.covariance}


def _heterogeneity(results: Heterogeneity) -> dict[str, Any]:
    alphas = [
        {
            "parameter": a.alpha if position == 0 else f"{a.alpha}({a.variable.lower()})",
            "estimate": a.estimate,
            "se": a.se,
            "z": a.z,
            "p": a.p,
        }
        for position, a in enumerate(results.alphas)
    ]
    return {
        "macro_iteration": results.macro_iteration,
        "alpha": alphas,
        "homogeneous": {
            "deviance": results.homogeneous_deviance,
            "n_parameters": results.homogeneous_parameters,
        },
        "heterogeneous": {
            "deviance": results.heterogeneous_deviance,
            "n_parameters": results.heterogeneous_parameters,
        },
        "model_comparison": _test(results.comparison),
    }


def plain(value: Any) -> Any:
    """Return `value` with tuples as lists and numbers that do not exist as None."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
