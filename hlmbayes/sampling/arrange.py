"""Draws put into their DataTree, every name and dimension as `container` has them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..density.conditional import Draws, Effects, coefficients, complete, draw_effects, full_log_prior
from ..density.link_density import LinkDensity
from ..density.target import Target
from ..equations.model import one_set
from ..labelled import tree
from ..laws.outcomes import Outcome
from ..likelihood.pattern import pairs
from ..likelihood.rows import analysed_rows, outcome_values
from ..priors.priors import Priors
from ..unit_moments.record import Moments
from ..version import __version__
from . import container
from .container import Held
from .posterior_file import FORMAT
from .settings import Settings, VarianceDraws

if TYPE_CHECKING:
    import xarray as xr

KEEP_BYTES = 1 << 29  # draws of u and b beyond this are not kept, only their means and sds
SUMMARISED = 400  # draws that these are of, where each is dear


def keeps_effects(target: Target, settings: Settings) -> bool:
    """Say whether draws of u and b are kept: as asked, else while they take less than `KEEP_BYTES`."""
    if settings.keep_effects is not None:
        return settings.keep_effects
    columns = target.n_random + len(target.design.w)
    return 8 * target.design.n_units * columns * settings.draws * settings.chains <= KEEP_BYTES


def finish(target: Target, drawn: VarianceDraws, settings: Settings, priors: Priors, data: Any) -> Held:
    """Draw gamma given the variance parameters, and u when it is asked for; give all its place and name."""
    rng = np.random.default_rng([settings.seed, 2])
    draws = complete(target, drawn.all_phi, rng, drawn.batch)
    effects = partial(_effects, target, draws, rng, keep=keeps_effects(target, settings))
    return arrange(target, drawn, draws, effects, settings, priors, data)


def _effects(target: Target, draws: Draws, rng: np.random.Generator, *, keep: bool) -> Effects:
    """Draw u, the same however often."""
    return draw_effects(target, draws, deepcopy(rng), keep=keep)


def finish_link(density: LinkDensity, drawn: VarianceDraws, settings: Settings, priors: Priors) -> Held:
    """Give the points of a density, fixed effects among them, and u given them, their places and names."""
    x, target, data = drawn.all_phi, density.target, density.link.data
    drawn = drawn._replace(phi=drawn.phi[:, :, : target.size])
    draws = Draws.of(target, drawn.all_phi, density.gamma(x))
    return arrange(target, drawn, draws, partial(_link_effects, density, x, settings), settings, priors, data)


def _link_effects(density: LinkDensity, x: np.ndarray, settings: Settings) -> Effects:
    """Draw u given points of a density; where it is not kept some of them, for its mean and sd."""
    rng, keep = np.random.default_rng([settings.seed, 2]), keeps_effects(density.target, settings)
    used = x if keep else x[np.unique(np.linspace(0, len(x) - 1, min(len(x), SUMMARISED)).astype(int))]
    u = density.effects(used, rng)
    return Effects(u if keep else None, u.mean(axis=0), u.std(axis=0))


def arrange(
    target: Target, drawn: VarianceDraws, draws: Draws, effects: Callable[[], Effects], settings: Settings,
    priors: Priors, data: Any,
) -> Held:  # fmt: skip
    """Hold draws, chains run together; ``effects`` gives the random effects, when the tree is asked for."""
    values = {k: _by_chain(v, settings) for k, v in posterior_values(target, draws).items()}
    attrs = attributes(target, drawn, settings, priors)
    ready = {
        "posterior": values, "sample_stats": drawn.stats, "variance_parameters": {"phi": drawn.phi},
    }  # fmt: skip
    make = partial(_whole, target, drawn, draws, effects, settings, data, ready, attrs)
    return Held(attrs, make, ready)


def _by_chain(values: np.ndarray, settings: Settings) -> np.ndarray:
    return values.reshape(settings.chains, settings.draws, *values.shape[1:])


def _whole(
    target: Target, drawn: VarianceDraws, draws: Draws, random: Callable[[], Effects], settings: Settings,
    data: Any, ready: Mapping[str, Mapping[str, np.ndarray]], attrs: Mapping[str, Any],
) -> xr.DataTree:  # fmt: skip
    """Put draws into their DataTree."""
    effects, quantities = random(), dict(ready["posterior"])
    log_prior = _by_chain(full_log_prior(target, draws), settings)
    known = container.coords(target.design) | target.law.coords
    if effects.draws is not None:
        b = coefficients(target, draws.gamma)
        for k, r in enumerate(target.design.random):  # in place: an index of them all makes copies
            b[:, :, r] += effects.draws[:, :, k]
        quantities |= {"u": _by_chain(effects.draws, settings), "b": _by_chain(b, settings)}
    whole = {name: quantities.pop(name) for name in ("tau_corr", *([] if target.pattern.full else ["tau"]))}
    groups = {
        "posterior": container.dataset(quantities, known),
        container.MATRICES: container.dataset(whole, known),
        "variance_parameters": container.dataset({"phi": drawn.phi}, {"parameter": parameter_names(target)}),
        "sample_stats": container.dataset(drawn.stats, {}),
        "observed_data": observed(target, known, data),
        "constant_data": constant(target, effects, known),
        "moments": container.moments_dataset(target.design.moments),
        "log_prior": container.dataset({"parameters": log_prior}, {}),
    }
    if target.law.law.weighing is not None:
        groups["weighed_rows"] = container.weighing_dataset(target.law.law.weighing)
    if isinstance(target.law.law, Outcome):
        groups["rows"] = container.rows_dataset(target.design, data, target.law.law.columns)
    if target.law.groups is not None:
        groups["variance_groups"] = container.groups_dataset(target.law.groups)
    return tree(groups, attrs)


def posterior_values(target: Target, draws: Draws) -> dict[str, np.ndarray]:
    """Give gamma, the parameters of level 1, tau and what follows from them, leading axis the draw."""
    sd = np.sqrt(np.einsum("bqq->bq", draws.tau))
    with np.errstate(divide="ignore", invalid="ignore"):
        corr = draws.tau / (sd[:, :, None] * sd[:, None, :])
    index, (rows, cols) = np.arange(corr.shape[1]), pairs(target.pattern)
    corr[:, index, index] = 1.0
    found = {
        "gamma": draws.gamma[:, target.design.free],
        **target.law.quantities(draws.phi[:, target.level1]),
        "tau": draws.tau,
        "sd": sd,
        "tau_corr": corr,
    }
    return found | ({"corr": corr[:, rows, cols]} if len(rows) else {})


def parameter_names(target: Target) -> list[str]:
    """Name the sampler's own coordinates."""
    names = target.priors.random_names
    free = [f"{names[i]},{names[j]}" for i, j in zip(*pairs(target.pattern), strict=True)]
    return [
        *(f"sd[{n}]/ref" for n in names), *(f"atanh partial corr[{p}]" for p in free), *target.law.names,
    ]  # fmt: skip


def observed(target: Target, known: Mapping[str, Any], data: Any) -> Any:
    """Give the outcome: every unit's mean, and the rows where there are rows."""
    design = target.design
    mean = design.moments.mean[:, design.moments.column(design.model.outcome)]
    values, coords, dims = {"unit_mean": mean}, dict(known), {"unit_mean": ("unit",)}
    if data is not None and not isinstance(data, Moments) and target.single_rows:
        row, _ = analysed_rows(design, data, target.law.law.columns)
        values["y"], coords["row"], dims["y"] = outcome_values(design, data, row), row, ("row",)
    return container.dataset(values, coords, (), dims)


def constant(target: Target, effects: Effects, known: Mapping[str, Any]) -> Any:
    """Give what does not change from draw to draw: rows, and the mean and sd of every unit's u."""
    values = {"n": target.design.n, "u_mean": effects.mean, "u_sd": effects.sd}
    dims = {"n": ("unit",), "u_mean": ("unit", "coef"), "u_sd": ("unit", "coef")}
    return container.dataset(values, known, (), dims)


def attributes(target: Target, drawn: VarianceDraws, settings: Settings, priors: Priors) -> dict[str, Any]:
    """Give what a file must say to be read and drawn again."""
    terms = target.design.terms
    written = (
        {"written": one_set(terms.written).equations()}
        if terms.written and (terms.made or terms.lost)
        else {}
    )
    return written | {
        "format": FORMAT,
        "hlmbayes_version": __version__,
        "model": one_set(target.design.model).equations(),
        "priors": priors.to_json(),
        "priors_in_words": target.priors.describe(),
        "settings": json.dumps(asdict(settings)),
        "level1": json.dumps(target.law.law.arguments),
        "frequency": json.dumps(target.counting.arguments),
        "sampler": json.dumps(drawn.says),
    }
