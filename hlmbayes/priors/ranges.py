"""Priors too tight, too wide or too far away for the digits of a computer are refused, by name.

They are judged in units of the default prior's scale: the same is refused whatever the units of the data.
"""

from __future__ import annotations

import numpy as np

from ..errors import SamplingError
from .distributions import InverseGamma, Normal, SdPrior
from .resolved import CutsPrior, ResolvedPriors, SigmaPrior

LEAST, MOST = 1e-7, 1e8  # in units of the default's scale
WIDEST_GAP = 100.0  # between two cuts on the scale of the link: no row is ever outside it


def within(what: str, value: float, unit: float = 1.0, least: float = LEAST) -> None:
    """Refuse a number of a prior that is not between ``least`` and `MOST` units: SamplingError."""
    if not least * unit <= value <= MOST * unit:
        raise SamplingError(
            f"Priors: {what} is {value:.4g}, which the digits of a computer do not carry beside these data: "
            f"give it a number from {least * unit:.2g} to {MOST * unit:.2g}"
        )


def normal_within(name: str, prior: Normal, mean: float, unit: float) -> None:
    """Refuse a normal prior that is too tight, too wide, or too far from the ``mean`` of the default."""
    within(f"the sd of the prior of {name}", prior.sd, unit)
    within(
        f"the distance from {mean:.4g} to the mean of the prior of {name}", abs(prior.mean - mean), unit, 0.0
    )


def refuse_beyond_digits(found: ResolvedPriors, sd_units: np.ndarray, y_sd: float) -> None:
    """Refuse such priors of standard deviations, correlations and cuts.

    ``sd_units`` (q,) and ``y_sd`` are the scales of the default priors of sds and of sigma.
    """
    within("eta of LKJ", found.eta)
    if found.tau is not None:
        within("df of InverseWishart", found.tau.df)
        for name, scale, unit in zip(found.random_names, np.diag(found.tau.scale), sd_units, strict=True):
            within(f"the scale of InverseWishart for {name}", float(scale), float(unit) ** 2, LEAST**2)
    for name, prior, unit in zip(found.random_names, found.sd, sd_units, strict=True):
        _sd_within(f"sd[{name}]", prior, float(unit))
    if isinstance(found.level1, SigmaPrior):
        _sd_within("sigma", found.level1.sigma, y_sd)
    if isinstance(found.level1, CutsPrior):
        _cuts_within(found.level1)


def _sd_within(name: str, prior: SdPrior, unit: float) -> None:
    what = f"the scale of the prior of {name}"
    if not isinstance(prior, InverseGamma):
        within(what, float(prior.scale or unit), unit)
        return
    within(f"the shape of the prior of {name}", prior.shape, least=0.0)
    middle = prior.scale / max(1.0, prior.shape)
    within(
        what if prior.of == "sd" else f"{what} as an sd", middle if prior.of == "sd" else middle**0.5, unit
    )


def _cuts_within(prior: CutsPrior) -> None:
    for name, mean, sd in zip(prior.names, prior.mean.tolist(), prior.sd.tolist(), strict=True):
        within(f"the sd of the prior of {name}", sd)
        if abs(mean) > np.log(WIDEST_GAP):
            distance = float(np.exp(min(mean, 700.0)))
            raise SamplingError(
                f"Priors: the prior of {name} is of the logarithm of its distance to the cut below, and its "
                f"mean, {mean:.4g}, says a distance of {distance:.4g} on the scale of the link: "
                f"give hlm.Normal(np.log(d), sd) with d from {1.0 / WIDEST_GAP:g} to {WIDEST_GAP:g}"
            )
