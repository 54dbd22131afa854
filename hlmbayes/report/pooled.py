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
from .header import level1_terms
from .html_parts import document, main_element
from .json_text import plain
from .layout import ruled
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
    title = "Final estimation of fixed effects, averaged"
    lines += [] if first.counting.pseudo else _fixed(pooled, False, f"{title}:")
    lines += _fixed(pooled, True, f"{title} (with robust standard errors):")
    lines += _components(pooled)
    lines += [
        " Fraction missing: of the information about the parameter. Approx. d.f.: Rubin (1987).",
        *(f" {line}" for warning in pooled.warnings for line in textwrap.wrap(f"WARNING: {warning}", 85)),
    ]
    return "\n".join(lines) + "\n"


def _fixed(pooled: PooledEstimates, robust: bool, title: str) -> list[str]:
    table = pooled_fixed(pooled, robust)
    heads = (
        f" {'':22}{'':14}{'Standard':>10}{'':10}{'Approx.':>10}{'':10}{'Fraction':>10}",
        f" {'Fixed Effect':22}{'Coefficient':>14}{'Error':>10}{'T-ratio':>10}{'d.f.':>10}{'P-value':>10}"
        f"{'missing':>10}",
    )
    rows, k = [], 0
    for term in level1_terms(pooled.model):
        rows += [f" For {term.label:>12}, {term.symbol}"] if term.terms else []
        for gamma in term.terms:
            name = f"{gamma.name:>15}, {gamma.gamma}"
            rows.append(
                f" {name:22}{table.estimate[k]:>14.6f}{table.se[k]:>10.6f}{table.t_ratio[k]:>10.3f}"
                f"{_df(table.df[k]):>10}{p_text(float(table.p_value[k])):>10}{table.fmi[k]:>10.3f}"
            )
            k += 1
    return [f" {title}", *ruled(RULE, heads, rows), ""]


def _df(df: float) -> str:
    return f"{df:.0f}" if np.isfinite(df) and df < 1e7 else "infinite"


def _components(pooled: PooledEstimates) -> list[str]:
    names, table = pooled_components(pooled)
    heads = (
        f" {'':22}{'Standard':>14}{'Variance':>14}{'Standard':>14}{'Fraction':>12}",
        f" {'Random Effect':22}{'Deviation':>14}{'Component':>14}{'Error':>14}{'missing':>12}",
    )
    rows = [_component(name, k, table) for k, name in enumerate(names)]
    return [" Final estimation of variance components, averaged:", *ruled(RULE, heads, rows), ""]


def pooled_page(pooled: PooledEstimates, text: str) -> str:
    """Return a page of the pooled listing."""
    title = f"Two-level model of {pooled.model.outcome}: pooled results"
    return document(title, main_element(title, [f"<pre>{escape(text)}</pre>"]))


def columns_of(pooled: Pooled, estimate: str = "coefficient", tests: bool = True) -> dict[str, np.ndarray]:
    """Give the columns of a table of pooled numbers by name, each (k,); ``tests``: t-ratios and p-values."""
    names = ("se", "t_ratio", "df", "p_value", "fmi", "riv") if tests else ("se", "df", "fmi", "riv")
    return {estimate: pooled.estimate, **{name: getattr(pooled, name) for name in names}}


def _rows(names: Sequence[str], columns: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Turn the columns of a table into its rows, by name."""
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    return {name: dict(zip(columns, row, strict=True)) for name, row in zip(names, values, strict=True)}


def pooled_json(
    pooled: PooledEstimates, tests: Sequence[PooledTest] = (), warnings: Sequence[str] = ()
) -> str:
    """Return the pooled results, and gamma, tau, sigma2 and deviance of every data set, as JSON text."""
    names, components = pooled_components(pooled)
    gammas = pooled.model.gamma_names
    tested = ("name", "hypothesis", "f_ratio", "df", "df_denominator", "p_value", "notes")
    result = {
        "m": pooled.m,
        "method": pooled.method,
        "fixed": _rows(gammas, columns_of(pooled_fixed(pooled, False))),
        "fixed_robust": _rows(gammas, columns_of(pooled_fixed(pooled, True))),
        "variance_components": _rows(names, columns_of(components, "variance", tests=False)),
        "tests": [{name: getattr(test, name) for name in tested} for test in tests],
        "each": [
            {"name": name, "gamma": list(fit.gamma), "tau": np.asarray(fit.tau).tolist(),
             "sigma2": fit.sigma2, "deviance": fit.deviance}
            for name, fit in zip(pooled.names, pooled.fits, strict=True)
        ],
        "warnings": [*pooled.warnings, *warnings],
    }  # fmt: skip
    return json.dumps(plain(result), indent=2, allow_nan=False) + "\n"


def _component(name: str, k: int, table: Pooled) -> str:
    value = float(table.estimate[k])
    sd = "" if "," in name else f"{np.sqrt(value):.5f}"
    known = np.isfinite(table.se[k])
    se, fmi = (f"{table.se[k]:.5f}", f"{table.fmi[k]:.3f}") if known else ("n/a", "n/a")
    return f" {name.upper():22}{sd:>14}{value:>14.5f}{se:>14}{fmi:>12}"
