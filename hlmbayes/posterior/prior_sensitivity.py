"""How much does the answer depend on the prior: refits under each, and power-scaling without refitting.

Not named `sensitivity`: a public function must not have the name of a module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import seed_or_new
from ..density.conditional import Draws
from ..density.prior_density import full_log_prior
from ..errors import SamplingError
from .summaries import bounds, interval, scalars

if TYPE_CHECKING:
    import pandas as pd

    from ..equations.model import TwoLevelModel
    from ..priors.priors import Priors
    from .posterior import Posterior

ALPHA = 0.99, 1.01  # powers of prior and likelihood: the derivative at 1 (Kallioinen et al. 2024)
SENSITIVE = 0.05


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Posteriors under several priors.

    Attributes
    ----------
    posteriors : mapping of str to Posterior
        By the name given to each prior.
    """

    posteriors: Mapping[str, Posterior]

    def frame(self, parameters: str | Sequence[str] = (), ci_prob: float = 0.95) -> pd.DataFrame:
        """Tabulate mean, median, sd and interval of each parameter under each prior.

        Parameters
        ----------
        parameters : str or tuple of str
            Names as in `Posterior.summary`; all of them by default.
        ci_prob : float
            Probability of the equal-tailed interval.

        Returns
        -------
        DataFrame
            Index (parameter, prior). ``shift``: the median's distance from that under the first
            prior, in its posterior sds.
        """
        import pandas as pd

        rows = []
        asked = [parameters] if isinstance(parameters, str) else parameters
        for name in asked or tuple(scalars(self.first)):
            base = self.first[name]
            for prior, posterior in self.posteriors.items():
                draws = posterior[name]
                median = float(np.median(draws))
                low, high = interval(draws, ci_prob, "eti")
                shift = (median - float(np.median(base))) / float(base.std())
                rows.append((name, prior, float(draws.mean()), median, float(draws.std()), low, high, shift))
        columns = ["parameter", "prior", "mean", "median", "sd", *bounds(ci_prob, "eti"), "shift"]
        return pd.DataFrame(rows, columns=columns).set_index(["parameter", "prior"])

    @property
    def first(self) -> Posterior:
        """The posterior under the prior named first, with which the others are compared."""
        return next(iter(self.posteriors.values()))

    def plot(self, parameters: tuple[str, ...] = (), fit: Any = None, path: str | Path | None = None) -> Any:
        """Draw a forest: one row a prior in each parameter's panel, a line at the fit's estimate.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from ..figures.posterior_plots import sensitivity_forest

        return sensitivity_forest(self, parameters, fit, path)

    def __repr__(self) -> str:
        table = self.frame().to_string(float_format="{:.4g}".format)
        return f"Sensitivity to {len(self.posteriors)} priors\n{table}"


def sensitivity(model: TwoLevelModel, data: Any, priors: Mapping[str, Priors], **options: Any) -> Sensitivity:
    """Draw from the posterior under each of several priors.

    Parameters
    ----------
    model : TwoLevelModel
    data : TwoLevelData or Moments
    priors : mapping of name to Priors
        The first is the one the others are compared with.
    **options
        As for `Model.sample`: seed, draws, chains, sampler. All have the same seed.

    Raises
    ------
    SamplingError
        No priors, or what `Model.sample` raises.
    """
    if not isinstance(priors, Mapping) or not priors:
        raise SamplingError(
            f'sensitivity wants {{"a name": Priors(...), "another": Priors(...)}}, got {priors!r}'
        )
    seed = seed_or_new(
        options.pop("seed", None), SamplingError
    )  # the same for all: they differ by their priors
    drawn = {name: model.sample(data, priors=p, seed=seed, **options) for name, p in priors.items()}
    return Sensitivity(drawn)


def power_scale(posterior: Posterior) -> pd.DataFrame:
    """Say how fast each parameter moves when the prior, or the likelihood, is weighted a little more.

    Importance weights p(theta)^(a - 1) for a slightly below and above 1, no refitting (Kallioinen,
    Paananen, Buerkner & Vehtari 2024, Statistics & Computing 34, 57). The prior is that of the
    standard deviations, correlations, sigma and gamma together.

    Returns
    -------
    DataFrame
        Index parameter: ``prior`` and ``likelihood``, the change of the posterior (cumulative
        Jensen-Shannon distance) for a doubling of the power, and ``diagnosis``.
    """
    import pandas as pd
    from arviz_stats.base import array_stats

    draws = posterior.parameter_draws
    shape = (posterior.settings.chains, posterior.settings.draws)
    parts = {
        "prior": full_log_prior(posterior.target, draws),
        "likelihood": _log_likelihood(posterior, draws),
    }
    weights = {part: _scaled(log.reshape(shape)) for part, log in parts.items()}
    rows = {}
    for name, values in scalars(posterior).items():
        sizes = [
            float(array_stats.power_scale_sense(values, *pair, lower_alpha=ALPHA[0], upper_alpha=ALPHA[1]))
            for pair in weights.values()
        ]
        rows[name] = [*sizes, _diagnosis(*sizes)]
    columns = [*parts, "diagnosis"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("parameter")


def _scaled(log: np.ndarray) -> list[np.ndarray]:
    """Give normalised weights for each power, shaped as the draws."""
    result = []
    for power in ALPHA:
        weight = np.exp((power - 1.0) * (log - log.max()))
        result.append(weight / weight.sum())
    return result


def _log_likelihood(posterior: Posterior, draws: Draws) -> np.ndarray:
    from ..density.conditional import unit_log_likelihood

    return unit_log_likelihood(posterior.target, draws).sum(axis=1)


def _diagnosis(prior: float, likelihood: float) -> str:
    if prior < SENSITIVE:
        return ""
    return (
        "prior and data may disagree" if likelihood >= SENSITIVE else "the data say little: the prior decides"
    )
