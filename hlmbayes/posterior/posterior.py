"""The posterior of a model: draws with names, and what is asked of them a method away."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import container
from ..arguments import seed_or_new
from ..equations.model import TwoLevelModel
from ..errors import SamplingError, warn
from ..priors.priors import Priors
from ..sampling.sampling import Settings, checked, draw, finish, target_for

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ..density.conditional import Draws
    from ..density.target import Target
    from ..diagnostics.checks import Checks
    from ..estimation.estimates import Estimates
    from .convergence import Convergence

CI_PROB = 0.95
CI_KIND: Literal["eti"] = "eti"  # equal-tailed: the same whatever the scale


def sample(
    model: TwoLevelModel,
    data: Any,
    *,
    priors: Priors | None = None,
    seed: int | None = None,
    sampler: Literal["direct", "nuts"] | None = None,
    draws: int = 1000,
    chains: int = 4,
    tune: int = 1000,
    marginal: bool = True,
    keep_effects: bool | None = None,
    progressbar: bool = False,
) -> Posterior:
    """Draw from the posterior distribution of a model.

    Parameters
    ----------
    model : TwoLevelModel
    data : TwoLevelData or Moments
    priors : Priors, optional
        Weakly informative defaults where left out; `Priors.describe` says them in words.
    seed : int, optional
        Same seed, same draws.
    sampler : "direct" or "nuts", optional
        Independent draws by importance sampling (the default up to four random coefficients, where it
        passes its own check), or the No-U-Turn sampler.
    draws, chains, tune : int
        Draws a chain, chains, and (nuts) steps to adapt that are thrown away.
    marginal : bool
        False: the textbook model with every u_j a parameter, on the rows, sampled by PyMC. Slow; for
        checks and for models extended by hand (`Model.pymc`).
    keep_effects : bool, optional
        Keep every draw of u and b. By default while they take less than 512 MB; otherwise their mean
        and sd are kept (`Posterior.effects`).
    progressbar : bool
        Of NUTS.

    Raises
    ------
    HLMError
        What `Model.fit` would refuse, priors that do not fit the model, settings that cannot be meant.

    Warns
    -----
    HLMWarning
        The draws should not be used, the direct sampler gave way to NUTS, or a predictor is centred so that
        the priors say much about its slope's variance.
    """
    seed = seed_or_new(seed, SamplingError)
    settings = checked(Settings(sampler, seed, draws, chains, tune, keep_effects, progressbar))
    priors = Priors() if priors is None else priors
    if not marginal:
        from ..sampling.hierarchical import sample_rows

        return sample_rows(model, data, priors, settings)
    target = target_for(model, data, priors)
    tree = finish(target, draw(target, settings), settings, priors, data)
    posterior = Posterior(tree, model, priors, settings, None if hasattr(data, "sscp") else data)
    posterior.__dict__["target"] = target
    return posterior.warn()


def build(model: TwoLevelModel, data: Any, priors: Priors | None = None, *, marginal: bool = True) -> Any:
    """Give the model as a `pymc.Model`; see `hlmbayes.sampling.pymc_model.build`."""
    from ..sampling.pymc_model import build as build_pymc

    return build_pymc(model, data, priors, marginal=marginal)


@dataclass(frozen=True, eq=False, repr=False)
class Posterior:
    """Draws from the posterior of a model.

    Attributes
    ----------
    data : xarray.DataTree
        An ArviZ container; the layout is in `hlmbayes.container`.
    model : TwoLevelModel
    priors : Priors
    settings : Settings
        Sampler, seed, draws, chains.
    rows : TwoLevelData or None
        The rows, where it came from rows.
    """

    data: xr.DataTree
    model: TwoLevelModel
    priors: Priors
    settings: Settings
    rows: Any = None

    # --- draws ---

    def draws(self, name: str) -> np.ndarray:
        """Give the draws of "gamma", "sigma", "tau", "sd", "tau_corr", "u" or "b", (chain, draw, ...)."""
        if name in ("u", "b") and not container.has(self.data, name):
            why = "" if self.settings.keep_effects is False else ": there are too many"
            raise SamplingError(
                f"the draws of {name} were not kept{why}. Posterior.effects() has their mean and sd; "
                "sample(..., keep_effects=True) keeps them"
            )
        return container.values(self.data, name)

    def __getitem__(self, name: str) -> np.ndarray:
        """Give the draws of one scalar of the summary: post["g01"], post["tau[b1,b1]"], (chain, draw)."""
        from .summaries import scalars

        known, wanted = scalars(self), str(name).lower().replace(" ", "")
        if wanted not in known:
            raise SamplingError(f"no parameter {name!r}; there are {', '.join(known)}")
        return known[wanted]

    @cached_property
    def target(self) -> Target:
        """The density that was sampled, rebuilt from the moments where this came from a file."""
        return self.target_of(self.model, self.priors)

    def target_of(self, model: TwoLevelModel, priors: Priors) -> Target:
        """Give the density of a model on the moments this posterior carries."""
        moments = container.moments_from(self.data["moments"])
        return target_for(model, moments, priors, groups=container.groups_from(self.data))

    @cached_property
    def parameter_draws(self) -> Draws:
        """Draws of everything but the random effects, chains run together."""
        from ..density.conditional import Draws

        gamma = container.flat(self.data, "gamma")
        first = [
            int(np.flatnonzero(self.target.design.free == f)[0]) for f in range(self.target.design.n_fixed)
        ]
        return Draws(
            container.flat(self.data, "phi", "variance_parameters"), gamma[:, first],
            container.flat(self.data, "tau"), *self._level1_draws(),
        )  # fmt: skip

    def _level1_draws(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Give sigma (B,) and None, or ones and alpha (B, K)."""
        if self.model.log_sigma2 is None:
            return container.flat(self.data, "sigma"), None
        alpha = container.flat(self.data, "alpha")
        return np.ones(len(alpha)), alpha

    # --- tables ---

    def summary(self, ci_prob: float = CI_PROB, ci_kind: Literal["eti", "hdi"] = CI_KIND) -> pd.DataFrame:
        """Tabulate the parameters: mean, median, sd, interval, R-hat, effective draws, error of the mean.

        Parameters
        ----------
        ci_prob : float
            Probability of the interval.
        ci_kind : "eti" or "hdi"
            Equal-tailed or highest-density.
        """
        from .summaries import summary

        return summary(self, ci_prob, ci_kind)

    def compare(self, fit: Estimates, ci_prob: float = CI_PROB) -> pd.DataFrame:
        """Tabulate a fit beside the posterior: estimate, se, mean, median, sd, interval, shift, overlap."""
        from .summaries import compare

        return compare(self, fit, ci_prob)

    def effects(self) -> pd.DataFrame:
        """Tabulate the posterior mean and sd of every unit's random effects; index = unit ids."""
        from .summaries import effects

        return effects(self)

    def icc(self) -> np.ndarray:
        """Draws of the intraclass correlation tau_00 / (tau_00 + sigma2), (chain, draw)."""
        from .summaries import icc

        return icc(self)

    def plausible_range(
        self, coefficient: str = "b0", *, level: float = 0.95, at: Mapping[str, float] | None = None
    ) -> pd.DataFrame:
        """Give the range that holds ``level`` of the units' coefficients, as a posterior quantity.

        The same range as `Fit.plausible_range`: at level-2 predictors of zero, or ``at`` given values.
        """
        from .summaries import plausible_range

        return plausible_range(self, coefficient, level, at)

    # --- checks ---

    @cached_property
    def convergence(self) -> Convergence:
        """Whether the draws can be used, in words and figures."""
        from .convergence import convergence

        return convergence(self)

    def check(self) -> Checks:
        """Check normality, homogeneity, outliers and influence; each with a verdict in plain words."""
        from ..diagnostics.checks import check

        return check(self)

    def warn(self) -> Posterior:
        """Issue a warning of what should be known of priors or draws; give the posterior itself."""
        for caution in self.target.priors.cautions:
            warn(caution)
        if not self.convergence.ok:
            warn(str(self.convergence))
        return self

    def variance_is_zero(self, name: str) -> pd.Series:
        """Weigh the model against the one in which coefficient ``name`` ("b1" or "u1") does not vary."""
        from ..sampling.evidence import variance_is_zero

        return variance_is_zero(self, name)

    def loo(self, by: Literal["unit", "row"] = "unit") -> Any:
        """Cross-validate by leaving out units (u_j integrated out) or rows; an ArviZ ELPDData."""
        from .predictive import loo

        return loo(self, by)

    def with_log_likelihood(self, by: Literal["unit", "row"] = "unit") -> Posterior:
        """Give the posterior with its group log_likelihood, by unit (u_j integrated out) or by row."""
        from .predictive import with_log_likelihood

        return with_log_likelihood(self, by)

    def with_predictive(self, seed: int | None = None, draws: int = 100) -> Posterior:
        """Give the posterior with its group posterior_predictive, from ``draws`` draws of each chain."""
        from .predictive import with_predictive

        return with_predictive(self, seed, draws)

    def with_group(self, name: str, group: xr.Dataset) -> Posterior:
        """Give the posterior with one more group in its DataTree."""
        return replace(self, data=container.with_group(self.data, name, group))

    # --- files ---

    def save(self, path: str | Path) -> Path:
        """Write everything to a netCDF file (or zarr, where the name ends so); `load` reads it back."""
        return container.write(self.data, path)

    @classmethod
    def load(cls, path: str | Path) -> Posterior:
        """Read what `save` wrote."""
        data = container.read(path)
        settings = Settings(**json.loads(data.attrs["settings"]))
        return cls(data, TwoLevelModel(data.attrs["model"]), Priors.from_json(data.attrs["priors"]), settings)

    def rerun(self, **changes: Any) -> Posterior:
        """Draw again from the moments the posterior carries: the same draws, or with changed settings.

        Parameters
        ----------
        **changes
            ``priors``, ``seed`` (None: another one), ``sampler``, ``draws``, ``chains``, ``tune``,
            ``keep_effects``.
        """
        priors = changes.pop("priors", self.priors) or Priors()
        known = [field.name for field in fields(self.settings)]
        odd = [name for name in changes if name not in known]
        if odd:
            raise SamplingError(f"{', '.join(odd)}: rerun can change priors, {', '.join(known)}")
        if "seed" in changes:
            changes["seed"] = seed_or_new(changes["seed"], SamplingError)
        settings = checked(replace(self.settings, **changes))
        if self.sampler["sampler"] == "nuts on rows":
            from ..sampling.hierarchical import sample_rows

            moments = container.moments_from(self.data["moments"])
            return sample_rows(self.model, self.rows or moments, priors, settings)
        target = self.target_of(self.model, priors)
        tree = finish(target, draw(target, settings), settings, priors, self.rows)
        return Posterior(tree, self.model, priors, settings, self.rows).warn()

    @property
    def sampler(self) -> dict[str, Any]:
        """What the sampler says of itself: its name, k-hat, seconds, ..."""
        said: dict[str, Any] = json.loads(self.data.attrs["sampler"])
        return said

    def _repr_html_(self) -> str:
        from ..report.posterior_report import fragment

        return fragment(self)

    def __repr__(self) -> str:
        says, design = self.sampler, self.target.design
        table = self.summary().to_string(float_format="{:.4g}".format)
        return (
            f"Posterior of {self.model.outcome}: {self.settings.chains} chains of {self.settings.draws} "
            f"draws, sampler {says['sampler']!r}, seed {self.settings.seed}; {design.n_rows} rows in "
            f"{design.n_units} units\n{table}\n{self.convergence}"
        )


def load_posterior(path: str | Path) -> Posterior:
    """Read a posterior that `Posterior.save` wrote."""
    return Posterior.load(path)


__all__: Sequence[str] = ("Posterior", "Priors", "build", "load_posterior", "sample")
