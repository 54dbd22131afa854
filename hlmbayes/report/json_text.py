"""Results as JSON: the quantities HLM prints, at full precision, for programs to read.

Keys are those of ``tests/oracles/hlm608_tables.json`` (HLM 6.08's own printed tables); p-values are numbers;
a number that does not exist (nan, infinite) is null. Symbols are HLM's (B0, G01, U0).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .notes import note_groups
from .tables import Heterogeneity, Hypothesis, Tables

if TYPE_CHECKING:
    from .findings import Findings

FIXED = "coef level1 level2 gamma constrained estimate se t df p"
TEST = "chi2 df p"


def document(tables: Tables, found: Findings | None = None) -> dict[str, Any]:
    """Return the results as plain dicts, lists, strings and numbers."""
    header, groups = tables.header, note_groups(tables)
    results: dict[str, Any] = {
        **values_of(tables, "iteration sigma2 se_sigma2 tau se_tau tau_corr reliability"),
        "loglik_at": tables.iteration,
        "loglik": tables.loglik,
        "fixed": [values_of(row, FIXED) for row in tables.fixed],
        "fixed_robust": [values_of(row, FIXED) for row in tables.fixed_robust],
        "variance_components": [
            values_of(row, "name effect sd variance df chi2 p") for row in tables.variance_components
        ],
        **values_of(tables, "deviance n_parameters"),
        "method": header.method,
        "hlm": header.hlm,
        **values_of(tables, "algorithm converged"),
        "stop_reason": tables.stop_line,
        "data": {"level1_units": header.n_rows, "level2_units": header.n_units},
        "equations": header.equations,
        "labels": dict(header.labels),
        "units_used_for_reliability_and_chi2": tables.n_units_full_rank or header.n_units,
        **_optional(tables),
        "warnings": [s for group in groups if group.warning for s in group.sentences],
        "notes": [s for group in groups if not group.warning for s in group.sentences],
    }
    if found is not None:
        results["report"] = _report(found)
    tidy: dict[str, Any] = plain(results)
    return tidy


def text(tables: Tables, found: Findings | None = None) -> str:
    """Return the results as JSON text, one line break at the end."""
    return written(document(tables, found))


def written(document: dict[str, Any]) -> str:
    """Return a document as text; numbers that do not exist are null."""
    return json.dumps(plain(document), indent=1, allow_nan=False) + "\n"


def _report(found: Findings) -> dict[str, Any]:
    """Return what the page says beyond HLM's tables, by the fields of `Findings`."""
    names = "effects level1_variance components basis shares variance_parts told spread plausible checks"
    values = values_of(found, f"{names} methods references notes")
    for name in ["effects", "level1_variance", "components", "shares", "variance_parts", "checks"]:
        values[name] = [asdict(row) for row in values[name]]
    values["told"] = [
        {**values_of(told, "variable sentence"), "differences": [d._asdict() for d in told.differences]}
        for told in found.told
    ]
    return values


def _optional(tables: Tables) -> dict[str, Any]:
    """Return what only some runs have."""
    found: dict[str, Any] = {}
    if tables.comparison is not None:
        key = "variance_covariance_test" if tables.header.method == "REML" else "user_model_comparison"
        found[key] = values_of(tables.comparison, TEST)
    if tables.hypotheses:
        found["general_linear_hypothesis"] = _hypothesis(tables.hypotheses[0])
        found["general_linear_hypotheses"] = [_hypothesis(h) for h in tables.hypotheses]
    if tables.homogeneity is not None:
        found["homogeneity_of_level1_variance"] = values_of(tables.homogeneity, TEST)
    if tables.exploration:
        names = "coefficient variable n_units estimate se t effect effect_se chi2 p_value"
        found["exploratory_analysis"] = [values_of(candidate, names) for candidate in tables.exploration]
    if tables.meta_analysis is not None:
        names = "i2 i2_limits h2 h2_limits tau2_limits typical_variance prediction"
        found["meta_analysis"] = values_of(tables.meta_analysis, names)
    if tables.heterogeneity is not None:
        found |= _heterogeneity(tables.heterogeneity)
    if tables.unit_regressions:
        found["level1_ols_listing"] = {row.unit: row.coefficients for row in tables.unit_regressions}
    if tables.average_ols:
        found["average_ols"] = tables.average_ols
    if tables.start is not None:
        found["start"] = values_of(tables.start, "sigma2 tau tau_raw")
    if tables.log:
        found["iterations"] = [
            {"iteration": i.number, **values_of(i, "loglik sigma2 tau")} for i in tables.log
        ]
    if tables.optimum is not None:
        found["optimum"] = {
            "deviance": tables.optimum.true_deviance,
            "deviance_on_hlms_constant": tables.optimum.deviance_optimum,
            "values": {row.label: row.optimum for row in tables.optimum.rows},
        }
    return found


def values_of(record: Any, names: str) -> dict[str, Any]:
    """Return fields of a record by their names."""
    return {name: getattr(record, name) for name in names.split()}


def _hypothesis(hypothesis: Hypothesis) -> dict[str, Any]:
    contrasts = {gamma.lower(): values for gamma, values in hypothesis.contrasts if any(values)}
    return {"contrasts": contrasts, **values_of(hypothesis.test, TEST), "covariance": hypothesis.covariance}


def _heterogeneity(results: Heterogeneity) -> dict[str, Any]:
    names = (a.alpha if k == 0 else f"{a.alpha}({a.variable.lower()})" for k, a in enumerate(results.alphas))
    deviances = {
        "homogeneous": (results.homogeneous_deviance, results.homogeneous_parameters),
        "heterogeneous": (results.heterogeneous_deviance, results.heterogeneous_parameters),
    }
    return {
        "macro_iteration": results.macro_iteration,
        "alpha": [
            {"parameter": name, **values_of(a, "estimate se z p")}
            for name, a in zip(names, results.alphas, strict=True)
        ],
        **{kind: {"deviance": d, "n_parameters": n} for kind, (d, n) in deviances.items()},
        "model_comparison": values_of(results.comparison, TEST),
    }


def plain(value: Any) -> Any:
    """Return `value` with tuples as lists and numbers that do not exist as None."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
