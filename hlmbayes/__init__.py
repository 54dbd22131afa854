"""Two-level hierarchical linear models: HLM 6.08's tables and the same models in PyMC.

>>> import hlmbayes as hlm
>>> data = hlm.datasets.hsb()
>>> fit = hlm.Model("mathach = b0 + r; b0 = g00 + u0").fit(data)
>>> print(fit.listing())

Importing the package imports nothing else: public names are found when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__ as __version__

if TYPE_CHECKING:
    from . import datasets as datasets
    from . import diagnostics as diagnostics
    from . import errors as errors
    from . import plots as plots
    from .data.imputed import read_imputed as read_imputed
    from .data.two_level import TwoLevelData as TwoLevelData
    from .data.two_level import read as read
    from .data.weights import Frequencies as Frequencies
    from .data.weights import Weights as Weights
    from .data.wide import long as long
    from .errors import HLMError as HLMError
    from .errors import HLMWarning as HLMWarning
    from .front.command_files import read_command_file as read_command_file
    from .front.fit import Fit as Fit
    from .front.imputed_fits import fit_imputed as fit_imputed
    from .front.model import Model as Model
    from .front.pooled_posterior import sample_imputed as sample_imputed
    from .front.posterior import Posterior as Posterior
    from .front.replicates import fit_replicates as fit_replicates
    from .model_tables.table import ModelTable as ModelTable
    from .model_tables.table import table as table
    from .unit_moments.distinct_rows import counts as counts
    from .unit_moments.engines import moments as moments
    from .unit_moments.record import Moments as Moments
    from .unit_moments.record import load_moments as load_moments
    from .unit_moments.stream import MomentsStream as MomentsStream
    from .unit_moments.stream import stream_moments as stream_moments

# A public name must not be the name of a module of the package: whoever imports hlmbayes.x binds the
# attribute x of the package to the module, so which of the two a user gets would depend on the order of
# imports.  (So moments are made in the package unit_moments, and `moments` is the function only.)
SUBMODULES = ("datasets", "diagnostics", "errors", "plots")
MODULES = {
    "data.imputed": "read_imputed",
    "data.two_level": "read TwoLevelData",
    "data.weights": "Frequencies Weights",
    "data.wide": "long",
    "errors": "HLMError HLMWarning",
    "front.command_files": "read_command_file",
    "front.fit": "Fit",
    "front.model": "Model",
    "front.imputed_fits": "fit_imputed",
    "front.pooled": "PooledFit",
    "front.pooled_posterior": "PooledPosterior sample_imputed",
    "front.draws": "load_posterior power_scale prior_predictive sensitivity",
    "front.posterior": "Posterior",
    "front.replicates": "ReplicateFit fit_replicates",
    "model_tables.table": "ModelTable table",
    "priors.distributions": "Exponential Flat HalfCauchy HalfNormal HalfT InverseGamma InverseWishart LKJ "
    "Normal",
    "priors.priors": "Priors",
    "unit_moments.distinct_rows": "counts",
    "unit_moments.engines": "moments",
    "unit_moments.record": "Moments load_moments",
    "unit_moments.stream": "MomentsStream stream_moments",
}
PUBLIC = {name: module for module, names in MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in SUBMODULES:
        return import_module(f"hlmbayes.{name}")
    if name not in PUBLIC:
        raise AttributeError(f"module 'hlmbayes' has no attribute {name!r}")
    try:
        value = getattr(import_module(f"hlmbayes.{PUBLIC[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != f"hlmbayes.{PUBLIC[name]}":  # the part is there, a package it needs is not
            raise
        raise AttributeError(f"module 'hlmbayes' has no attribute {name!r}") from error
    globals()[name] = value  # found once
    return value


def __dir__() -> list[str]:
    return sorted(["__version__", *SUBMODULES, *PUBLIC])
