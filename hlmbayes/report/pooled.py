"""The listing of results pooled over imputed data sets or plausible values, laid out as HLM's tables."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..equations.names import component_names
from ..errors import OutputError
from ..hglm.estimates import GeneralizedEstimates
from ..inference.likelihood_tables import WORDS
from ..many_fits.pooled_fit import PooledEstimates, pooled_fixed
from ..many_fits.pooled_generalized import PooledGeneralized, pooled_cuts, pooled_ratios
from ..many_fits.rubin import Pooled, PooledTest
from ..words import some
from . import generalized, listing
from .header import level1_terms
from .json_text import plain
from .layout import Column, figure, ruled, set_out
from .pooled_page import limits_of, pooled_shares, variances_of
from .tables import Level1Term, p_text

RULE = " " + "-" * 86
MOST_NAMED = 10  # data sets whose names are listed


def pooled_listing(
    pooled: PooledEstimates, *, each: bool = False, data_sources: Sequence[str] = (), **run: Any
) -> str:
    """Return the pooled tables as text, with ``each`` after the listing of every data set."""
    if data_sources and len(data_sources) != pooled.m:
        raise OutputError(f"{len(data_sources)} data_sources for {pooled.m} data sets: name one for each")
    parts = []
    for k, (name, fit) in enumerate(zip(pooled.names, pooled.fits, strict=True)) if each else ():
        own = {"data_source": data_sources[k]} if data_sources else {}
        parts += [f" DATA SET {name}", ""] if pooled.m > 1 else []
        if isinstance(fit, GeneralizedEstimates):
            parts += [generalized.listing(fit), ""]
        else:
            parts += [listing(fit, **(run | own)), ""]
    return "\n".join([*parts, _pooled_tables(pooled)])


def _pooled_tables(pooled: PooledEstimates) -> str:
    first = pooled.fits[0]
    what = "plausible values" if len({f.model.outcome for f in pooled.fits}) > 1 else "imputed data sets"
    title = f"Results pooled over {pooled.m} {what} ({some(pooled.names, MOST_NAMED)}) by Rubin's rules"
    sampling = [line for said in (*pooled.given, *pooled.about_sampling) for line in textwrap.wrap(said, 85)]
    lines = [
        f" {title if pooled.m > 1 else 'Results with standard errors from replicate weights'}",
        "",
        f"  Method of estimation: {'restricted' if pooled.method == 'REML' else 'full'} maximum likelihood",
        f"  {first.n_rows} level-1 records in {first.n_units} level-2 units"
        + (" in each of them" if pooled.m > 1 else ""),
        *(f"  {line}" for line in sampling),
        "",
    ]
    for said, robust in pooled.tables.values():
        if not (first.counting.pseudo and robust is False):
            averaged = ", averaged" if pooled.m > 1 else ""
            lines += _fixed(pooled, robust, f"Final estimation of fixed effects{averaged}{said}:")
    lines += _ratios_and_cuts(pooled) if isinstance(pooled, PooledGeneralized) else []
    lines += (
        _components(pooled) if pooled.fits[0].design.n_random or pooled.model.outcome_law.is_normal else []
    )
    missing = " Fraction missing: of the information about the parameter." if pooled.m > 1 else ""
    lines += [
        f"{missing} Approx. d.f.: {pooled.df_source}.",
        *(f" {line}" for warning in pooled.warnings for line in textwrap.wrap(f"WARNING: {warning}", 85)),
    ]
    return "\n".join(lines) + "\n"


def _fixed(pooled: PooledEstimates, robust: bool | None, title: str) -> list[str]:
    table = pooled_fixed(pooled, robust)
    terms = level1_terms(pooled.model)
    names = [f"{gamma.name:>15}, {gamma.gamma}" for term in terms for gamma in term.terms]
    return _table(
        title,
        ["Fixed Effect", *names],
        Column(("", "Coefficient"), 14, [figure(v, 6) for v in table.estimate]),
        Column(("Standard", "Error"), 10, [figure(v, 6) for v in table.se]),
        Column(("", "T-ratio"), 10, [figure(v, 3) for v in table.t_ratio]),
        Column(("Approx.", "d.f."), 10, [f"{v:.0f}" if v < 1e7 else "infinite" for v in table.df]),
        Column(("", "P-value"), 10, [p_text(float(v)) for v in table.p_value]),
        *([Column(("Fraction", "missing"), 10, [figure(v, 3) for v in table.fmi])] if pooled.m > 1 else []),
        terms=terms,
    )


def _ratios_and_cuts(pooled: PooledGeneralized) -> list[str]:
    """Return the tables of ratios, where the link has any, and of cuts between categories."""
    lines, link, names = [], pooled.model.outcome_law.link, pooled.model.fixed_parameters.name_of
    if link in WORDS:
        rows = pooled_ratios(pooled)
        lines += _table(
            f"{WORDS[link].capitalize()}s, of the averaged fixed effects:",
            ["Fixed Effect", *(f"{names[row.name]}, {row.name.upper()}" for row in rows)],
            Column(("", WORDS[link].capitalize()), 18, [figure(row.ratio, 6) for row in rows]),
            Column(("95 % interval", "from"), 14, [figure(row.low, 6) for row in rows]),
            Column(("", "to"), 14, [figure(row.high, 6) for row in rows]),
        )
    cuts, found = pooled_cuts(pooled)
    if cuts:
        lines += _table(
            "Cuts between categories, from the lowest, averaged:",
            ["Cut", *(cut.upper() for cut in cuts)],
            Column(("", "Estimate"), 14, [figure(v, 6) for v in found.estimate]),
            Column(("Standard", "Error"), 14, [figure(v, 6) for v in found.se]),
            Column(("Fraction", "missing"), 12, [figure(v, 3) for v in found.fmi]),
        )
    return lines


def _table(title: str, names: list[str], *columns: Column, terms: Sequence[Level1Term] = ()) -> list[str]:
    """Set a table out; the gammas of each of ``terms`` have a line before them."""
    wide = max([22, *(len(name) + 1 for name in names)])
    heads, rows, extra = set_out([f" {name:{wide}}" for name in ("", *names)], *columns)
    place = 0
    for term in terms:
        own = [f" For {term.label:>12}, {term.symbol}"] if term.terms else []
        rows[place:place] = own
        place += len(own) + len(term.terms)
    return [f" {title}", *ruled(RULE + "-" * (wide - 22 + extra), heads, rows), ""]


def _components(pooled: PooledEstimates) -> list[str]:
    names, table = variances_of(pooled)
    known = component_names(pooled.model.coefficients)
    shown = [f"{known[name]}, {name.upper()}" for name in names]
    sd = ["" if "," in n else figure(v**0.5, 5) for n, v in zip(names, table.estimate.tolist(), strict=True)]
    averaged = ", averaged" if pooled.m > 1 else ""
    return _table(
        f"Final estimation of variance components{averaged}:",
        ["Random Effect", *shown],
        Column(("Standard", "Deviation"), 14, sd),
        Column(("Variance", "Component"), 14, [figure(v, 5) for v in table.estimate]),
        Column(("Standard", "Error"), 14, [figure(v, 5) for v in table.se]),
        *([Column(("Fraction", "missing"), 12, [figure(v, 3) for v in table.fmi])] if pooled.m > 1 else []),
    )


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
    """Return the pooled results, and the estimates of every data set, as JSON text."""
    for test in tests:
        if not isinstance(test, PooledTest):
            raise OutputError(f"tests= wants tests that wald or compare gave, got {type(test).__name__}")
    gammas, first = pooled.model.gamma_names, pooled.fits[0]
    names, components = variances_of(pooled)
    tested = ("name", "hypothesis", "f_ratio", "df", "df_denominator", "p_value", "notes")
    result = {
        "m": pooled.m,
        "outcome": pooled.model.outcome,
        "method": pooled.method,
        **{
            key: _rows(gammas, columns_of(pooled_fixed(pooled, robust)))
            for key, (_, robust) in pooled.tables.items()
        },
        "given": list(pooled.given),
        "sampling_variance": list(pooled.about_sampling),
        "variance_components": _rows(names, columns_of(components, "variance", tests=False)),
        "intervals": {code: asdict(interval) for code, interval in limits_of(pooled).items()},
        **(_of_link(pooled) if isinstance(pooled, PooledGeneralized) else _of_normal(pooled)),
        "tests": [{name: getattr(test, name) for name in tested} for test in tests],
        "data": {"level1_units": first.n_rows, "level2_units": first.n_units},
        "equations": pooled.model.equations(),
        "warnings": [*pooled.warnings, *warnings],
    }
    return json.dumps(plain(result), indent=2, allow_nan=False) + "\n"


def _of_normal(pooled: PooledEstimates) -> dict[str, Any]:
    """Give what only normal outcomes have, and what theirs differ in."""
    return {
        "shares": [asdict(share) for share in pooled_shares(pooled)[0]],
        "each": [own | {"sigma2": fit.sigma2} for own, fit in _each(pooled)],
    }


def _of_link(pooled: PooledGeneralized) -> dict[str, Any]:
    """Give the same of outcomes that are not normal, by the keys of a single fit's JSON."""
    law = pooled.model.outcome_law
    cuts, found = pooled_cuts(pooled)
    return {
        "distribution": {"family": law.family, "link": law.link, "size": law.size},
        "categories": list(pooled.fits[0].law.labels),
        "ratios": {row.name: asdict(row) for row in pooled_ratios(pooled)} if law.link in WORDS else {},
        "cuts": _rows(cuts, columns_of(found, "estimate", tests=False)),
        "each": [own | {"cuts": fit.law.fixed_cuts.tolist()} for own, fit in _each(pooled)],
    }


def _each(pooled: PooledEstimates) -> list[tuple[dict[str, Any], Any]]:
    """Give name, gamma, tau and deviance of the fit to each data set, and the fit."""
    return [
        (
            {
                "name": name,
                "gamma": list(fit.gamma),
                "tau": np.asarray(fit.tau).tolist(),
                "deviance": fit.deviance,
                "converged": fit.converged,
            },
            fit,
        )
        for name, fit in zip(pooled.names, pooled.fits, strict=True)
    ]
