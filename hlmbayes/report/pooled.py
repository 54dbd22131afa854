"""The listing of results pooled over imputed data sets or plausible values, laid out as HLM's tables."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from ..many_fits.pooled_fit import PooledEstimates, pooled_components, pooled_fixed
from ..many_fits.rubin import Pooled, PooledTest
from . import listing
from .html_parts import document, main_element
from .json_text import plain
from .tables import p_text

RULE = " " + "-" * 86


def pooled_listing(
    pooled: PooledEstimates, *, each: bool = False, data_sources: Sequence[str] = (), **run: Any
) -> str:
    """Return the pooled tables as text, with ``each`` after the listing of every data set."""
    parts = []
    for k, (name, fit) in enumerate(zip(pooled.names, pooled.fits, strict=True)) if each else ():
        own = {"data_source": data_sources[k]} if data_sources else {}
        parts += [f" DATA SET {name}", "", listing(fit, **(run | own)), ""]
    return "\n".join([*parts, _pooled_tables(pooled)])


def _pooled_tables(pooled: PooledEstimates) -> str:
    first = pooled.fits[0]
    what = "plausible values" if len({f.model.outcome for f in pooled.fits}) > 1 else "imputed data sets"
    lines = [
        f" Results pooled over {pooled.m} {what} ({', '.join(pooled.names)}) by Rubin's rules",
        "",
        f"  Method of estimation: {'restricted' if pooled.method == 'REML' else 'full'} maximum likelihood",
        f"  {first.n_rows} level-1 records in {first.n_units} level-2 units in each of them",
        "",
    ]
    if not first.counting.pseudo:
        lines += _fixed(pooled, False, "Final estimation of fixed effects, averaged:")
    lines += _fixed(
        pooled, True, "Final estimation of fixed effects, averaged (with robust standard errors):"
    )
    lines += _components(pooled)
    lines += [
        " Fraction missing: of the information about the parameter. Approx. d.f.: Rubin (1987).",
        *(f" {line}" for warning in pooled.warnings for line in textwrap.wrap(f"WARNING: {warning}", 85)),
    ]
    return "\n".join(lines) + "\n"


def _fixed(pooled: PooledEstimates, robust: bool, title: str) -> list[str]:
    table = pooled_fixed(pooled, robust)
    head = [
        f" {title}",
        RULE,
        f" {'':22}{'':14}{'Standard':>10}{'':10}{'Approx.':>10}{'':10}{'Fraction':>10}",
        f" {'Fixed Effect':22}{'Coefficient':>14}{'Error':>10}{'T-ratio':>10}{'d.f.':>10}{'P-value':>10}"
        f"{'missing':>10}",
        RULE,
    ]
    rows, k = [], 0
    for coefficient in pooled.model.coefficients:
        if coefficient.gammas:
            variable = coefficient.predictor.variable
            label = "INTRCPT1" if variable is None else f"{variable} slope"
            rows.append(f" For {label:>12}, {coefficient.name.upper()}")
        for gamma in coefficient.gammas:
            name = f"{gamma.predictor.variable or 'INTRCPT2':>15}, {gamma.name.upper()}"
            rows.append(
                f" {name:22}{table.estimate[k]:>14.6f}{table.se[k]:>10.6f}{table.t_ratio[k]:>10.3f}"
                f"{_df(table.df[k]):>10}{p_text(float(table.p_value[k])):>10}{table.fmi[k]:>10.3f}"
            )
            k += 1
    return [*head, *rows, RULE, ""]


def _df(df: float) -> str:
    return f"{df:.0f}" if np.isfinite(df) and df < 1e7 else "infinite"


def _components(pooled: PooledEstimates) -> list[str]:
    names, table = pooled_components(pooled)
    head = [
        " Final estimation of variance components, averaged:",
        RULE,
        f" {'':22}{'Standard':>14}{'Variance':>14}{'Standard':>14}{'Fraction':>12}",
        f" {'Random Effect':22}{'Deviation':>14}{'Component':>14}{'Error':>14}{'missing':>12}",
        RULE,
    ]
    return [*head, *(_component(name, k, table) for k, name in enumerate(names)), RULE, ""]


def pooled_page(pooled: PooledEstimates, text: str) -> str:
    """Return a page of the pooled listing."""
    title = f"Two-level model of {pooled.model.outcome}: pooled results"
    return document(title, main_element(title, [f"<pre>{escape(text)}</pre>"]))


def columns_of(pooled: Pooled, estimate: str = "coefficient", tests: bool = True) -> dict[str, np.ndarray]:
    """Give the columns of a table of pooled numbers by name, each (k,); ``tests``: t-ratios and p-values."""
    return {
        estimate: pooled.estimate,
        "se": pooled.se,
        **({"t_ratio": pooled.t_ratio} if tests else {}),
        "df": pooled.df,
        **({"p_value": pooled.p_value} if tests else {}),
        "fmi": pooled.fmi,
        "riv": pooled.riv,
    }


def _rows(names: Sequence[str], columns: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Turn the columns of a table into its rows, by name."""
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    return {name: dict(zip(columns, row, strict=True)) for name, row in zip(names, values, strict=True)}


def pooled_json(
    pooled: PooledEstimates, tests: Sequence[PooledTest] = (), warnings: Sequence[str] = ()
) -> str:
    """Return the pooled results, and gamma, tau, sigma2 and deviance of every data set, as JSON text."""
    names, components = pooled_components(pooled)
    each = [
        {
            "name": name,
            "gamma": list(fit.gamma),
            "tau": np.asarray(fit.tau).tolist(),
            "sigma2": fit.sigma2,
            "deviance": fit.deviance,
        }
        for name, fit in zip(pooled.names, pooled.fits, strict=True)
    ]
    result = {
        "m": pooled.m,
        "method": pooled.method,
        "fixed": _rows(pooled.model.gamma_names, columns_of(pooled_fixed(pooled, False))),
        "fixed_robust": _rows(pooled.model.gamma_names, columns_of(pooled_fixed(pooled, True))),
        "variance_components": _rows(names, columns_of(components, "variance", tests=False)),
        "tests": [
            {
                "name": test.name, "hypothesis": test.hypothesis, "f_ratio": test.f_ratio, "df": test.df,
                "df_denominator": test.df_denominator, "p_value": test.p_value, "notes": list(test.notes),
            }
            for test in tests
        ],
        "each": each,
    }  # fmt: skip
    result = plain({**result, "warnings": [*pooled.warnings, *warnings]})
    return json.dumps(result, indent=2, allow_nan=False) + "\n"


def _component(name: str, k: int, table: Pooled) -> str:
    value = float(table.estimate[k])
    sd = "" if "," in name else f"{np.sqrt(value):.5f}"
    known = np.isfinite(table.se[k])
    se, fmi = (f"{table.se[k]:.5f}", f"{table.fmi[k]:.3f}") if known else ("n/a", "n/a")
    return f" {name.upper():22}{sd:>14}{value:>14.5f}{se:>14}{fmi:>12}"
