"""A posterior as a record: the DataTree of its draws, and what they were drawn from."""

# ruff: noqa: D102 (what a method gives is said once, where it is abstract)

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, Self

import numpy as np

from ..data.two_level import TwoLevelData
from ..density.conditional import Draws, unit_log_likelihood
from ..density.link import LinkTarget
from ..density.link_density import LinkDensity, link_density
from ..density.target import Target, target_for
from ..equations.model import TwoLevelModel
from ..equations.names import variable_labels
from ..errors import OutputError, SamplingError
from ..faces import record_of
from ..laws.law import Need
from ..laws.outcomes import Outcome
from ..likelihood.pattern import elements
from ..naming import Parameters
from ..priors.priors import Priors
from ..sampling import container
from ..sampling.container import Held
from ..sampling.settings import Settings
from .convergence import Convergence, convergence
from .mixing import Mixing, mixing
from .point import PosteriorPoint, posterior_point

if TYPE_CHECKING:
    import xarray as xr


class Together[Sample](Protocol):
    """Draws given one data set, or several taken together; ``samples`` are the posteriors given each."""

    @property
    def samples(self) -> tuple[Sample, ...]: ...
    def scalar(self, name: str) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Drawn(ABC):
    """Draws from the posterior of a model: ``tree``, laid out as `hlmbayes.sampling.container` says.

    ``held`` has the tree, and what can be had without it.

    ``target`` is the density that was sampled, ``data`` the rows, where it came from rows.
    """

    held: Held
    model: TwoLevelModel
    priors: Priors
    settings: Settings
    target: Target
    data: TwoLevelData | None = None

    @property
    def samples(self) -> tuple[Self]:
        """The posterior itself, given its one data set."""
        return (self,)

    @property
    def tree(self) -> xr.DataTree:
        """All of it, as a DataTree."""
        return self.held.tree

    @property
    def sampler(self) -> dict[str, Any]:
        """What the sampler says of itself: its name, k-hat, seconds, ..."""
        said: dict[str, Any] = json.loads(self.held.attrs["sampler"])
        return said

    def values(self, name: str) -> np.ndarray:
        """Give the draws of "gamma", "sigma", "tau", "sd", "tau_corr", "u" or "b", (chain, draw, ...)."""
        if name in ("u", "b") and not container.has(self.tree, name):
            why = "" if self.settings.keep_effects is False else ": there are too many"
            raise SamplingError(
                f"the draws of {name} were not kept{why}. Posterior.effects() has their mean and sd; "
                "sample(..., keep_effects=True) keeps them"
            )
        return self.held.values(name)

    def scalar(self, name: str) -> np.ndarray:
        """Give the draws of one of the `scalars`, (chain, draw), by its code or by its variables."""
        return self.scalars[self.parameters.find(name, SamplingError)]

    @property
    def labels(self) -> dict[str, str]:
        """The labels that the data have for the model's predictors."""
        return {} if self.data is None else variable_labels(self.model.predictors, self.data.labels)

    @cached_property
    def parameters(self) -> Parameters:
        """The `scalars` with their names."""
        known = self.model.scalar_parameters
        return Parameters(known.kind, (*known.each, *self.target.law.parameters)).only(self.scalars)

    @cached_property
    def scalars(self) -> Mapping[str, np.ndarray]:
        """Every reported parameter by name, each (chain, draw).

        gammas by their names, sd[b0], corr[b1,b0], tau[b1,b0], sigma, sigma2; a0, ... of log(sigma2).
        """
        gamma = np.moveaxis(self.held.values("gamma"), 2, 0)
        result = dict(zip(self.model.gamma_names, gamma, strict=True))
        tau, sd, corr = map(self.held.values, ("tau", "sd", "tau_corr"))
        names = self.model.random
        lower = list(zip(*elements(self.target.pattern), strict=True))
        result |= {f"sd[{name}]": sd[:, :, i] for i, name in enumerate(names)}
        result |= {f"corr[{names[i]},{names[j]}]": corr[:, :, i, j] for i, j in lower if i > j}
        result |= {f"tau[{names[i]},{names[j]}]": tau[:, :, i, j] for i, j in lower}
        law = self.target.law.scalars(self.held.group("posterior"))
        return result | {name: np.asarray(values) for name, values in law.items()}

    @cached_property
    def convergence(self) -> Convergence:
        """Whether the draws can be used, in words and figures."""
        names = {each.code: str(each) for each in self.parameters.each}
        shown, stats = [names[code] for code in self.scalars], self.held.group("sample_stats")
        khat = float(self.sampler.get("khat", np.nan))
        return convergence(shown, self.mixing, self.settings.chains, stats, khat)

    @cached_property
    def mixing(self) -> Mixing:
        """R-hat, effective draws and the error of the mean, of the `scalars` in their order."""
        return mixing(np.stack(list(self.scalars.values())))

    @abstractmethod
    def unit_logliks(self) -> np.ndarray:
        """Give log p(y_j | the parameters), u_j integrated out, chains run together, (B, J)."""

    def with_group(self, name: str, group: xr.Dataset) -> Self:
        """Give the posterior with one more group in its DataTree."""
        import xarray as xr

        tree = self.tree.copy()  # the arrays are shared
        tree[name] = xr.DataTree(group)
        return replace(self, held=Held.of(tree))


@dataclass(frozen=True, eq=False)
class LinkSample(Drawn):
    """Draws from the posterior of a model whose outcome is not normal, all on the scale of the link."""

    @property
    def link(self) -> LinkTarget:
        """What was sampled: the target, with its law and rows."""
        law = self.target.law.law
        assert isinstance(law, Outcome)
        assert self.data is not None  # a file has the rows too
        return LinkTarget(self.target, law, self.data)

    @cached_property
    def density(self) -> LinkDensity:
        """The density of the draws."""
        return link_density(self.link)

    @cached_property
    def points(self) -> np.ndarray:
        """The draws as points of the density, chains run together, (B, P)."""
        design = self.target.design
        gamma = container.flat(self.tree, "gamma")[:, design.first_of_free]
        phi = container.flat(self.tree, "phi", "variance_parameters")
        return np.column_stack([phi, np.linalg.solve(design.to_gamma, gamma.T).T])

    def unit_logliks(self) -> np.ndarray:
        return np.asarray(self.density.unit_logliks(self.points) + self.density.unit_constants)


@dataclass(frozen=True, eq=False)
class PosteriorSample(Drawn):
    """Draws from the posterior of a model whose outcome is normal."""

    @property
    def data_by_row(self) -> TwoLevelData:
        """The rows, each of which is one row of the design; a SamplingError where there are none."""
        counting = self.target.counting
        if self.data is None:
            raise SamplingError(
                "this needs the level-1 rows, and the posterior was made from moments or a file"
            )
        if not self.target.single_rows:
            raise SamplingError(
                f"this needs rows that are single ones, and those of this posterior have "
                f"{counting.lacks[Need.SINGLE_ROWS]}: write them out in full, a record for each row"
            )
        return self.data

    @cached_property
    def parameter_draws(self) -> Draws:
        """Draws of everything but the random effects, chains run together."""
        design = self.target.design
        phi = container.flat(self.tree, "phi", "variance_parameters")
        return Draws(
            phi, container.flat(self.tree, "gamma")[:, design.first_of_free], container.flat(self.tree, "tau")
        )

    @cached_property
    def point(self) -> PosteriorPoint:
        """The posterior at its means, as residuals and checks want it."""
        return posterior_point(self.target, self.tree, self.parameter_draws, self.data)

    def target_of(self, model: TwoLevelModel, priors: Priors) -> Target:
        """Give the density of another model or of other priors on the same moments."""
        own, level1 = self.target.design, self.target.law
        law = None if level1.groups is not None else level1.law  # an equation of log(sigma2) is the model's
        found = target_for(model, own.moments, priors, law=law, groups=level1.groups)
        return replace(found, design=replace(found.design, terms=own.terms), counting=self.target.counting)

    def unit_logliks(self) -> np.ndarray:
        return unit_log_likelihood(self.target, self.parameter_draws)


def drawn_of(source: Any) -> Drawn:
    """Give the record of a posterior, whatever the outcome; an OutputError where it is none."""
    record = record_of(source)
    return record if isinstance(record, Drawn) else _refuse(source, "a posterior")


def posterior_of(source: Any) -> PosteriorSample:
    """Give the record of a posterior of a normal outcome; an OutputError where it is none."""
    record = record_of(source)
    if isinstance(record, LinkSample):
        raise OutputError(
            f"this is of posteriors of normal outcomes, and {record.model.outcome} is "
            f"{record.model.outcome_law.name}: post.check() holds new data against the data"
        )
    return record if isinstance(record, PosteriorSample) else _refuse(source, "a Posterior")


def _refuse(source: Any, what: str) -> NoReturn:
    raise OutputError(f"{what} is wanted here, got {type(source).__name__}: post = model.sample(data)")
