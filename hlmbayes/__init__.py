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

if TYPE_CHECKING:
    from hlmbayes import datasets as datasets
    from hlmbayes import diagnostics as diagnostics
    from hlmbayes import errors as errors
    from hlmbayes import plots as plots
    from hlmbayes.data import TwoLevelData as TwoLevelData
    from hlmbayes.data import read as read
    from hlmbayes.engines import moments as moments
    from hlmbayes.equations import Model as Model
    from hlmbayes.errors import HLMError as HLMError
    from hlmbayes.errors import HLMWarning as HLMWarning
    from hlmbayes.fit import Fit as Fit
    from hlmbayes.imputation import fit_imputed as fit_imputed
    from hlmbayes.imputed_data import read_imputed as read_imputed
    from hlmbayes.imputed_posterior import sample_imputed as sample_imputed
    from hlmbayes.moments_file import load_moments as load_moments
    from hlmbayes.replicate_weights import fit_replicates as fit_replicates
    from hlmbayes.unit_moments import Moments as Moments
    from hlmbayes.weights import Frequencies as Frequencies
    from hlmbayes.weights import Weights as Weights

__version__ = "0.1.0"

# A public name must not be the name of a module of the package: whoever imports hlmbayes.x binds the
# attribute x of the package to the module, so which of the two a user gets would depend on the order of
# imports.  (So the record of moments is in unit_moments.py, and `moments` is the function only.)
SUBMODULES = ("datasets", "diagnostics", "errors", "plots")
PUBLIC = {
    "read": "data",
    "TwoLevelData": "data",
    "Model": "equations",
    "Moments": "unit_moments",
    "load_moments": "moments_file",
    "moments": "engines",
    "Fit": "fit",
    "Weights": "weights",
    "fit_imputed": "imputation",
    "fit_replicates": "replicate_weights",
    "read_imputed": "imputed_data",
    "sample_imputed": "imputed_posterior",
    "Frequencies": "weights",
    "Posterior": "posterior",
    "load_posterior": "posterior",
    "Priors": "priors",
    "prior_predictive": "predictive",
    "sensitivity": "prior_sensitivity",
    "power_scale": "prior_sensitivity",
    **dict.fromkeys(("HalfNormal", "HalfT", "HalfCauchy", "Exponential", "InverseGamma"), "distributions"),
    **dict.fromkeys(("LKJ", "InverseWishart", "Normal", "Flat"), "distributions"),
    "read_command_file": "command_file",
    "HLMError": "errors",
    "HLMWarning": "errors",
}


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
