"""From a model, data and priors to a posterior, from a file to one, and from one to another like it."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ..arguments import seed_or_new
from ..density.target import target_for
from ..equations.model import TwoLevelModel
from ..errors import SamplingError, warn
from ..priors.priors import Priors
from ..sampling import container, posterior_file
from ..sampling.arrange import finish
from ..sampling.hierarchical import ON_ROWS, sample_rows
from ..sampling.sampling import draw
from ..sampling.settings import Settings, checked
from ..unit_moments.record import Moments
from .record import PosteriorSample


def draw_posterior(
    model: TwoLevelModel, data: Any, priors: Priors | None, settings: Settings, *, marginal: bool = True
) -> PosteriorSample:
    """Draw from the posterior distribution of a model; see `hlmbayes.front.posterior.sample`.

    ``marginal=False`` samples the textbook model on rows.
    """
    priors = Priors() if priors is None else priors
    settings = checked(settings)
    if marginal:
        target = target_for(model, data, priors)
        data = target.design.terms.of(data)
        tree = finish(target, draw(target, settings), settings, priors, data)
    else:
        target, tree = sample_rows(model, data, priors, settings)
    rows = None if isinstance(data, Moments) else target.design.terms.of(data)
    return _warned(PosteriorSample(tree, target.design.model, priors, settings, target, rows))


def rerun(posterior: PosteriorSample, **changes: Any) -> PosteriorSample:
    """Draw again from the moments a posterior carries; see `Posterior.rerun`."""
    priors = changes.pop("priors", posterior.priors) or Priors()
    known = [field.name for field in fields(Settings)]
    odd = [name for name in changes if name not in known]
    if odd:
        raise SamplingError(f"{', '.join(odd)}: rerun can change priors, {', '.join(known)}")
    if "seed" in changes:
        changes["seed"] = seed_or_new(changes["seed"], SamplingError)
    settings = checked(replace(posterior.settings, **changes))
    if posterior.sampler["sampler"] == ON_ROWS:
        moments = posterior.target.design.moments
        return draw_posterior(posterior.model, posterior.data or moments, priors, settings, marginal=False)
    target = posterior.target_of(posterior.model, priors)
    tree = finish(target, draw(target, settings), settings, priors, posterior.data)
    return _warned(replace(posterior, tree=tree, priors=priors, settings=settings, target=target))


def read(path: str | Path) -> PosteriorSample:
    """Read what `Posterior.save` wrote."""
    tree = posterior_file.read(path)
    try:
        model, priors = TwoLevelModel(tree.attrs["model"]), Priors.from_json(tree.attrs["priors"])
        moments = container.moments_from(tree["moments"])
        target = target_for(model, moments, priors, groups=container.groups_from(tree))
        return PosteriorSample(tree, model, priors, Settings(**json.loads(tree.attrs["settings"])), target)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise SamplingError(f"{path}: its parts do not fit together ({error}); save it again") from None


def _warned(posterior: PosteriorSample) -> PosteriorSample:
    """Issue a warning of what should be known of priors or draws; give the posterior itself."""
    for caution in posterior.target.priors.cautions:
        warn(caution)
    if not posterior.convergence.ok:
        warn(str(posterior.convergence))
    return posterior
