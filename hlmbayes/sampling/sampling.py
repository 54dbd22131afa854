"""From a model, data and priors to draws: which sampler, what it says of itself, and the DataTree."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from .. import container
from ..arguments import whole
from ..density.batch import Batch
from ..density.conditional import Draws, Effects, coefficients, complete, draw_effects
from ..density.coordinates import unpack
from ..density.prior_density import full_log_prior
from ..density.target import Target, build_target
from ..equations.model import TwoLevelModel
from ..errors import SamplingError, warn
from ..estimation.estimate import check_size, moments_for
from ..likelihood.build_design import build_design
from ..likelihood.row_groups import Groups, groups_of
from ..priors.priors import Priors, resolve
from ..unit_moments.record import Moments
from .direct import KHAT_LIMIT, find_proposal, matched, resample, weigh

if TYPE_CHECKING:
    import xarray as xr

SAMPLERS = ("direct", "nuts")
KEEP_BYTES = 1 << 29  # draws of u and b beyond this are not kept, only their means and sds
DIRECT_UP_TO = 4  # random coefficients
TRIES = 3  # proposals, before the direct sampler gives up
MANY_UNITS = 20_000  # beyond, points are dear and the posterior is near normal: as many are drawn as are kept


@dataclass(frozen=True, slots=True)
class Settings:
    """How a posterior was drawn; enough to draw it again."""

    sampler: Literal["direct", "nuts"] | None = None
    seed: int = 0
    draws: int = 1000
    chains: int = 4
    tune: int = 1000
    keep_effects: bool | None = None
    progressbar: bool = False


FEWEST = 25  # draws of all chains: the tail that Pareto smoothing looks at needs five points


class VarianceDraws(NamedTuple):
    """Folded phi (chain, draw, d), statistics of the sampler (chain, draw), and what else it says."""

    phi: np.ndarray
    stats: dict[str, np.ndarray]
    says: dict[str, Any]
    batch: Batch | None = None  # of all draws, chains run together, where it is known


def checked(settings: Settings) -> Settings:
    """Give settings with plain numbers; refuse those that cannot be meant.

    Raises
    ------
    SamplingError
    """
    if settings.sampler not in (None, *SAMPLERS):
        raise SamplingError(
            f'sampler {settings.sampler!r} is not known: use "direct" or "nuts", or leave it out'
        )
    found = replace(
        settings,
        draws=whole("draws", settings.draws, 4, SamplingError),
        chains=whole("chains", settings.chains, 1, SamplingError),
        tune=whole("tune", settings.tune, 1, SamplingError),
        seed=whole("seed", settings.seed, 0, SamplingError),
    )
    total = found.draws * found.chains
    if total < FEWEST:
        raise SamplingError(f"draws times chains must be at least {FEWEST}, got {total}: fewer say nothing")
    return found


def target_for(
    model: TwoLevelModel, data: Any, priors: Priors | None, *, groups: Groups | None = None
) -> Target:
    """Join model, data and priors; ``groups`` of rows where data are moments and log(sigma2) varies in units.

    Raises
    ------
    HLMError
        Whatever `Model.fit` would refuse, or priors that do not fit the model.
    """
    moments = moments_for(model, data)
    if moments.weighted:
        raise SamplingError(
            "these moments carry sampling weights, with which there is a pseudo-likelihood and no posterior: "
            "sample from the data, or fit with weights=hlm.Weights(...)"
        )
    design = build_design(model, moments)
    check_size(design)
    if model.log_sigma2 is not None and groups is None:
        groups = groups_of(design, data)
    return build_target(design, resolve(priors, design, groups), groups)


def draw(target: Target, settings: Settings) -> VarianceDraws:
    """Draw the variance parameters by the sampler asked for, or by the direct one if it passes its check.

    With many random coefficients a proposal covers the posterior badly, and has a density for every
    combination of signs: NUTS is the faster one then.
    """
    default = "direct" if target.n_random <= DIRECT_UP_TO else "nuts"
    if (settings.sampler or default) == "direct":
        drawn = draw_direct(target, settings)
        khat = drawn.says["khat"]
        if khat <= KHAT_LIMIT:
            return drawn
        warn(
            f"the direct sampler's own check failed (k-hat {khat:.2f}, limit {KHAT_LIMIT}): "
            "NUTS is used instead"
        )
    from .nuts import draw_nuts

    return draw_nuts(target, settings)


def draw_direct(target: Target, settings: Settings) -> VarianceDraws:
    """Draw independently: each chain resamples points of its own."""
    seeds = np.random.SeedSequence([settings.seed, 1]).spawn(settings.chains + 1)
    proposal, share = find_proposal(target, np.random.default_rng(seeds[0]))
    size = int(np.ceil(settings.draws * _oversampling(target, share)))
    generators = [np.random.default_rng(seed) for seed in seeds[1:]]
    for _ in range(TRIES):
        points = [proposal.draw(target, rng, size) for rng in generators]
        weighted = weigh(target, proposal, np.concatenate(points))
        if weighted.khat <= KHAT_LIMIT:
            break
        proposal = matched(weighted, proposal)  # many more points than a pilot's
    phi, log_weight, chosen = [], [], []
    for chain, rng in enumerate(generators):
        own = slice(chain * size, (chain + 1) * size)
        index = own.start + resample(weighted.log_weight[own], settings.draws, rng)
        chosen.append(index)
        phi.append(weighted.phi[index])
        log_weight.append(weighted.log_weight[index] + np.log(len(weighted.phi)))
    says = {"khat": weighted.khat, "share": weighted.share, "sampler": "direct"}
    if target.priors.proper:
        says["log_evidence"] = weighted.log_evidence
    batch = weighted.batch.take(np.concatenate(chosen))
    return VarianceDraws(np.stack(phi), {"log_weight": np.stack(log_weight)}, says, batch)


def _oversampling(target: Target, share: float) -> float:
    """Give how many points to draw for one that is kept: so many that those that count suffice."""
    if target.design.n_units > MANY_UNITS:
        return 1.0
    return float(np.clip(2.0 / max(share, 0.01), 2.0, 8.0))


def keeps_effects(target: Target, settings: Settings) -> bool:
    """Say whether draws of u and b are kept: as asked, else while they take less than `KEEP_BYTES`."""
    if settings.keep_effects is not None:
        return settings.keep_effects
    columns = target.n_random + len(target.design.w)
    return 8 * target.design.n_units * columns * settings.draws * settings.chains <= KEEP_BYTES


def finish(
    target: Target, drawn: VarianceDraws, settings: Settings, priors: Priors, data: Any
) -> xr.DataTree:
    """Draw gamma and u given the variance parameters and give everything its place and name."""
    rng = np.random.default_rng([settings.seed, 2])
    draws = complete(target, drawn.phi.reshape(-1, drawn.phi.shape[2]), rng, drawn.batch)
    effects = draw_effects(target, draws, rng, keep=keeps_effects(target, settings))
    return arrange(target, drawn, draws.gamma, effects, settings, priors, data)


def arrange(
    target: Target, drawn: VarianceDraws, gamma: np.ndarray, effects: Effects, settings: Settings,
    priors: Priors, data: Any,
) -> xr.DataTree:  # fmt: skip
    """Put draws into their DataTree; ``gamma`` (B, F) are the free fixed effects, chains run together."""
    chains, n_draws, d = drawn.phi.shape
    parts = unpack(target, drawn.phi.reshape(-1, d))
    draws = Draws(drawn.phi.reshape(-1, d), gamma, parts.tau, parts.sigma, parts.alpha)

    def by_chain(values: np.ndarray) -> np.ndarray:
        return values.reshape(chains, n_draws, *values.shape[1:])

    known = container.coords(target.design)
    quantities = {name: by_chain(value) for name, value in posterior_values(target, draws).items()}
    if draws.alpha is not None:
        known["log_sigma2"] = list(target.priors.alpha_names)
    if effects.draws is not None:
        b = coefficients(target, draws.gamma)
        for k, r in enumerate(target.design.random):  # in place: an index of them all makes copies
            b[:, :, r] += effects.draws[:, :, k]
        quantities |= {"u": by_chain(effects.draws), "b": by_chain(b)}
    groups = {
        "posterior": container.dataset(quantities, known),
        "variance_parameters": container.dataset({"phi": drawn.phi}, {"parameter": parameter_names(target)}),
        "sample_stats": container.dataset(drawn.stats, {}),
        "observed_data": observed(target, known, data),
        "constant_data": constant(target, effects, known),
        "moments": container.moments_dataset(target.design.moments),
        "log_prior": container.dataset({"parameters": by_chain(full_log_prior(target, draws))}, {}),
    }
    if target.grouped is not None:
        groups["variance_groups"] = container.groups_dataset(target.grouped.groups)
    return container.tree(groups, attributes(target, drawn, settings, priors))


def posterior_values(target: Target, draws: Draws) -> dict[str, np.ndarray]:
    """Give gamma, sigma (or alpha), tau and what follows from them, leading axis the draw."""
    sd = np.sqrt(np.einsum("bqq->bq", draws.tau))
    with np.errstate(divide="ignore", invalid="ignore"):
        corr = draws.tau / (sd[:, :, None] * sd[:, None, :])
    index = np.arange(corr.shape[1])
    corr[:, index, index] = 1.0
    level1 = (
        {"sigma": draws.sigma, "sigma2": draws.sigma**2} if draws.alpha is None else {"alpha": draws.alpha}
    )
    return {
        "gamma": draws.gamma[:, target.design.free],
        **level1,
        "tau": draws.tau,
        "sd": sd,
        "tau_corr": corr,
    }


def parameter_names(target: Target) -> list[str]:
    """Name the sampler's own coordinates."""
    names = target.priors.random_names
    pairs = [f"{names[i]},{names[j]}" for i in range(len(names)) for j in range(i)]
    level1 = ["log sigma"] if target.grouped is None else list(target.priors.alpha_names)
    return [f"sd[{n}]/ref" for n in names] + [f"atanh partial corr[{p}]" for p in pairs] + level1


def observed(target: Target, known: Mapping[str, Any], data: Any) -> Any:
    """Give the outcome: every unit's mean, and the rows where there are rows."""
    design = target.design
    moments = design.moments
    y = [c.lower() for c in moments.columns].index(design.model.outcome.lower())
    values, coords, dims = {"unit_mean": moments.mean[:, y]}, dict(known), {"unit_mean": ("unit",)}
    if data is not None and not isinstance(data, Moments):
        mask, _ = data.complete_rows(moments.columns)
        row = np.arange(data.n_rows) if mask is None else np.flatnonzero(mask)
        values["y"] = np.asarray(data.level1_column(design.model.outcome), dtype=float)[row]
        coords["row"], dims["y"] = row, ("row",)
    return container.dataset(values, coords, (), dims)


def constant(target: Target, effects: Effects, known: Mapping[str, Any]) -> Any:
    """Give what does not change from draw to draw: rows, and the mean and sd of every unit's u."""
    values = {"n": target.design.n, "u_mean": effects.mean, "u_sd": effects.sd}
    dims = {"n": ("unit",), "u_mean": ("unit", "coef"), "u_sd": ("unit", "coef")}
    return container.dataset(values, known, (), dims)


def attributes(target: Target, drawn: VarianceDraws, settings: Settings, priors: Priors) -> dict[str, Any]:
    """Give what a file must say to be read and drawn again."""
    from .. import __version__

    return {
        "format": container.FORMAT,
        "hlmbayes_version": __version__,
        "model": target.design.model.equations(),
        "priors": priors.to_json(),
        "priors_in_words": target.priors.describe(),
        "settings": json.dumps(asdict(settings)),
        "sampler": json.dumps(drawn.says),
    }
