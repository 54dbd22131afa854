"""From a model, data and priors to a posterior, from a file to one, and from one to another like it."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import seed_or_new
from ..data.weights import Frequencies, Weights
from ..density.link import LinkTarget, link_target
from ..density.link_density import LinkDensity, link_density
from ..density.sampled import OfMoments
from ..density.target import Target, target_for
from ..equations.model import TwoLevelModel, one_set
from ..errors import SamplingError, warn
from ..estimation.prepare import law_of
from ..hglm.search import SEVERAL
from ..laws.counting import Repeated
from ..laws.law import Law
from ..priors.priors import Priors
from ..sampling import container, posterior_file
from ..sampling.arrange import finish, finish_link
from ..sampling.container import Held
from ..sampling.hierarchical import ON_ROWS, refuse_direct, sample_link, sample_rows
from ..sampling.sampling import draw
from ..sampling.settings import Settings, checked
from ..terms.expand import Terms
from ..unit_moments.record import Moments
from .record import Drawn, LinkSample, PosteriorSample

if TYPE_CHECKING:
    import xarray as xr


def draw_posterior(
    model: TwoLevelModel, data: Any, priors: Priors | None, settings: Settings, *, marginal: bool = True,
    law: Law | None = None, weights: Weights | Frequencies | None = None,
) -> PosteriorSample:  # fmt: skip
    """Draw from the posterior distribution of a model; see `hlmbayes.front.draws.sample`.

    ``marginal=False`` samples the textbook model on rows; ``law`` and ``weights`` as for `prepare`.
    """
    priors = Priors() if priors is None else priors
    settings = checked(settings)
    if marginal:
        target = target_for(model, data, priors, law=law, weights=weights)
        data = target.design.terms.of(data)
        held = finish(target, draw(OfMoments(target), settings), settings, priors, data)
    else:
        target, held = sample_rows(model, data, priors, settings, law, weights)
    rows = None if isinstance(data, Moments) else target.design.terms.of(data)
    return _warned(PosteriorSample(held, target.design.model, priors, settings, target, rows))


def draw_link(
    model: TwoLevelModel, data: Any, priors: Priors | None, settings: Settings, *, marginal: bool = True
) -> LinkSample:
    """Draw from the posterior of a model whose outcome is not normal.

    From the marginal density where there are few random effects, else by NUTS on the rows, as always where
    not ``marginal``.
    """
    priors, settings = Priors() if priors is None else priors, checked(settings)
    if not marginal:
        refuse_direct(settings)
    link = link_target(model, data, priors)
    held = _link_draws(link, priors, settings, marginal)
    return _warned(LinkSample(held, link.target.design.model, priors, settings, link.target, link.data))


def _link_draws(link: LinkTarget, priors: Priors, settings: Settings, marginal: bool) -> Held:
    q = link.target.n_random
    if settings.sampler == "direct" and q > SEVERAL:
        raise SamplingError(
            f'quadrature is for up to {SEVERAL} random effects and this model has {q}: use sampler="nuts"'
        )
    few = q <= LinkDensity.direct_up_to or (settings.sampler is not None and q <= SEVERAL)
    if not (marginal and few):
        return sample_link(link, priors, settings)
    density = link_density(link)
    return finish_link(density, draw(density, settings), settings, priors)


def rerun(posterior: PosteriorSample, **changes: Any) -> PosteriorSample:
    """Draw again from the moments a posterior carries; see `Posterior.rerun`."""
    priors, settings = _changed(posterior, changes)
    if posterior.sampler["sampler"] == ON_ROWS:
        moments, own = posterior.target.design.moments, posterior.target.law
        law = None if own.groups is not None else own.law
        return draw_posterior(
            posterior.model, posterior.data or moments, priors, settings, marginal=False, law=law
        )
    target = posterior.target_of(posterior.model, priors)
    held = finish(target, draw(OfMoments(target), settings), settings, priors, posterior.data)
    return _warned(replace(posterior, held=held, priors=priors, settings=settings, target=target))


def rerun_link(posterior: LinkSample, **changes: Any) -> LinkSample:
    """Draw again from the rows a posterior carries; see `GeneralizedPosterior.rerun`."""
    priors, settings = _changed(posterior, changes)
    marginal, own = posterior.sampler["sampler"] != ON_ROWS, posterior.target.design.terms
    found = draw_link(one_set(posterior.model), posterior.link.data, priors, settings, marginal=marginal)
    target = replace(found.target, design=replace(found.target.design, terms=own))
    return replace(found, target=target)


def _changed(posterior: Drawn, changes: dict[str, Any]) -> tuple[Priors, Settings]:
    """Give the priors and settings of a rerun; refuse other changes."""
    priors = changes.pop("priors", posterior.priors) or Priors()
    known = [field.name for field in fields(Settings)]
    odd = [name for name in changes if name not in known]
    if odd:
        raise SamplingError(f"{', '.join(odd)}: rerun can change priors, {', '.join(known)}")
    if "seed" in changes:
        changes["seed"] = seed_or_new(changes["seed"], SamplingError)
    return priors, checked(replace(posterior.settings, **changes))


def read(path: str | Path) -> PosteriorSample | LinkSample:
    """Read what `Posterior.save` wrote."""
    tree = posterior_file.read(path)
    held = Held.of(tree)
    try:
        model, priors = TwoLevelModel(tree.attrs["model"]), Priors.from_json(tree.attrs["priors"])
        settings = Settings(**json.loads(tree.attrs["settings"]))
        if not model.outcome_law.is_normal:
            link = link_target(model, container.rows_from(tree), priors)
            model, target = link.target.design.model, _with_written(link.target, tree)
            return LinkSample(held, model, priors, settings, target, link.data)
        moments, law = container.moments_from(tree["moments"]), _law_in(tree, model)
        target = target_for(model, moments, priors, law=law, groups=container.groups_from(tree))
        frequency = json.loads(tree.attrs.get("frequency", "{}"))
        if frequency:
            target = replace(target, counting=Repeated(**frequency))
        return PosteriorSample(held, model, priors, settings, _with_written(target, tree))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise SamplingError(f"{path}: its parts do not fit together ({error}); save it again") from None


def _with_written(target: Target, tree: xr.DataTree) -> Target:
    """Give a target that knows the model as it was written, whose terms the file has as columns."""
    if "written" not in tree.attrs:
        return target
    terms = Terms(TwoLevelModel(tree.attrs["written"]), lost=True)
    return replace(target, design=replace(target.design, terms=terms))


def _law_in(tree: xr.DataTree, model: TwoLevelModel) -> Law:
    """Give the law of level 1 of a posterior that was saved."""
    law = law_of(model, **json.loads(tree.attrs.get("level1", "{}")))
    weighing = container.weighing_from(tree)
    return law if weighing is None else law.weighed_as(weighing)


def _warned[D: Drawn](posterior: D) -> D:
    """Issue a warning of what should be known of priors or draws; give the posterior itself."""
    for caution in posterior.target.priors.cautions:
        warn(caution)
    if not posterior.convergence.ok:
        warn(str(posterior.convergence))
    return posterior
