"""Tables of a posterior: summary, comparison with a fit, effects, derived quantities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from .. import container
from ..arguments import check_prob
from ..errors import SamplingError
from ..inference.plausible import middle_of
from ..inference.same_data import refuse_different_rows

if TYPE_CHECKING:
    import pandas as pd

    from ..estimation.estimates import Estimates
    from .posterior import Posterior


def scalars(posterior: Posterior) -> dict[str, np.ndarray]:
    """Give every reported parameter by name, each (chain, draw).

    gammas by their names, sd[b0], corr[b1,b0], tau[b1,b0], sigma, sigma2; a0, ... of log(sigma2).
    """
    data = posterior.data
    gamma = np.moveaxis(container.values(data, "gamma"), 2, 0)
    result = dict(zip(posterior.model.gamma_names, gamma, strict=True))
    tau, sd, corr = (container.values(data, name) for name in ("tau", "sd", "tau_corr"))
    names = posterior.model.random
    for i, name in enumerate(names):
        result[f"sd[{name}]"] = sd[:, :, i]
    for i, name in enumerate(names):
        result |= {f"corr[{name},{names[j]}]": corr[:, :, i, j] for j in range(i)}
    for i, name in enumerate(names):
        result |= {f"tau[{name},{names[j]}]": tau[:, :, i, j] for j in range(i + 1)}
    if container.has(data, "alpha"):
        alpha = container.values(data, "alpha")
        names_a = posterior.model.log_sigma2.names if posterior.model.log_sigma2 else ()
        return result | {name: alpha[:, :, k] for k, name in enumerate(names_a)}
    return result | {name: container.values(data, name) for name in ("sigma", "sigma2")}


def interval(values: np.ndarray, prob: float, kind: Literal["eti", "hdi"]) -> tuple[float, float]:
    """Give an interval of draws of any shape, nan left out."""
    from arviz_stats.base import array_stats

    if kind not in ("eti", "hdi") or not 0 < prob < 1:
        raise SamplingError(
            f'an interval is "eti" or "hdi" with a probability in (0, 1), got {kind!r}, {prob!r}'
        )
    kept = values[np.isfinite(values)]
    if kind == "eti":
        low, high = np.quantile(kept, [0.5 - prob / 2, 0.5 + prob / 2])
    else:
        low, high = array_stats.hdi(kept, prob)
    return float(low), float(high)


def bounds(prob: float, kind: Literal["eti", "hdi"]) -> tuple[str, str]:
    """Name the columns of an interval's ends: "eti95_low", "eti95_high"."""
    return f"{kind}{100 * prob:g}_low", f"{kind}{100 * prob:g}_high"


def summary(posterior: Posterior, ci_prob: float, ci_kind: Literal["eti", "hdi"]) -> pd.DataFrame:
    """Tabulate every parameter; see `Posterior.summary`."""
    import pandas as pd

    rows = {}
    for name, values in scalars(posterior).items():
        low, high = interval(values, ci_prob, ci_kind)
        checks = diagnostics(values)
        rows[name] = [
            float(np.mean(values)), float(np.median(values)), float(np.std(values, ddof=1)), low, high,
            checks["r_hat"], checks["ess_bulk"], checks["ess_tail"], checks["mcse_mean"],
        ]  # fmt: skip
    columns = [
        "mean", "median", "sd", *bounds(ci_prob, ci_kind), "r_hat", "ess_bulk", "ess_tail", "mcse_mean",
    ]  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("parameter")


def diagnostics(values: np.ndarray) -> dict[str, float]:
    """Give R-hat, bulk and tail effective draws and the error of the mean of draws (chain, draw)."""
    from arviz_stats.base import array_stats

    if not np.isfinite(values).all() or np.ptp(values) == 0:
        return dict.fromkeys(("r_hat", "ess_bulk", "ess_tail", "mcse_mean"), float("nan"))
    return {
        # one chain is compared with itself in halves
        "r_hat": float(array_stats.rhat(values)),
        "ess_bulk": float(array_stats.ess(values, method="bulk")),
        "ess_tail": float(array_stats.ess(values, method="tail", prob=(0.05, 0.95))),
        "mcse_mean": float(array_stats.mcse(values, method="mean")),
    }


def compare(posterior: Posterior, fit: Estimates, ci_prob: float) -> pd.DataFrame:
    """Tabulate a fit beside the posterior; see `Posterior.compare`.

    ``shift``: posterior median minus estimate, in posterior sds. ``overlap``: area common to the
    posterior and the normal distribution the fit's standard error stands for; nan without one.
    """
    import pandas as pd

    refuse_other_model(posterior, fit)
    estimates, known = fit_scalars(fit), scalars(posterior)
    refuse_different_rows(fit.design, posterior.target.design)
    method = f"{fit.method.lower()}_{fit.algorithm}"
    low_name, high_name = bounds(ci_prob, "eti")
    rows = []
    for name, (estimate, se) in estimates.items():
        draws = known[name].ravel()
        low, high = interval(draws, ci_prob, "eti")
        sd, median = float(np.std(draws, ddof=1)), float(np.median(draws))
        rows.append(
            {
                method: estimate, "se": se, "mean": float(draws.mean()), "median": median, "sd": sd,
                low_name: low, high_name: high, "shift": (median - estimate) / sd,
                "overlap": overlap(draws, estimate, se),
            }
        )  # fmt: skip
    return pd.DataFrame(rows, index=pd.Index(estimates, name="parameter"))


def refuse_other_model(posterior: Posterior, fit: Estimates) -> None:
    """Raise where a fit is none, or not of the posterior's model: its parameters mean something else then."""
    if not hasattr(fit, "gamma_free"):
        raise SamplingError(f"a Fit is wanted beside the posterior, got {type(fit).__name__}")
    own, other = (model.equations().lower() for model in (posterior.model, fit.model))
    if own != other:
        raise SamplingError(
            f"the fit and the posterior are not of the same model; the fit's is\n{fit.model.equations()}"
        )


def fit_scalars(fit: Estimates) -> dict[str, tuple[float, float]]:
    """Give estimate and standard error of a fit's parameters, by the names of `scalars`."""
    se = np.sqrt(np.diag(fit.vcov))
    result = {name: (float(v), float(s)) for (name, v), s in zip(fit.gamma.items(), se, strict=True)}
    names = fit.random_names
    tau, se_tau = np.asarray(fit.tau), np.asarray(fit.se_tau)
    for i, name in enumerate(names):
        for j in range(i + 1):
            result[f"tau[{name},{names[j]}]"] = float(tau[i, j]), float(se_tau[i, j])
    if fit.variance_model is not None:
        found = fit.variance_model
        pairs = zip(found.alpha.tolist(), found.se.tolist(), strict=True)
        return result | dict(zip(found.names, pairs, strict=True))
    return result | {"sigma2": (fit.sigma2, fit.se_sigma2)}


def overlap(draws: np.ndarray, mean: float, sd: float) -> float:
    """Give the area under the lower of a histogram of draws and a normal density."""
    from scipy.special import ndtr

    if not (np.isfinite(sd) and sd > 0):
        return float("nan")
    low, high = min(draws.min(), mean - 6 * sd), max(draws.max(), mean + 6 * sd)
    edges = np.linspace(low, high, 200)
    width = max(3.5 * draws.std() / len(draws) ** (1 / 3), (high - low) / 200)
    edges = np.arange(low, high + width, width)
    share = np.histogram(draws, edges)[0] / len(draws)
    return float(np.minimum(share, np.diff(ndtr((edges - mean) / sd))).sum())


def effects(posterior: Posterior) -> pd.DataFrame:
    """Tabulate mean and sd of every unit's random effects."""
    import pandas as pd

    data = posterior.data["constant_data"]
    columns = {}
    for k, coefficient in enumerate(c for c in posterior.model.coefficients if c.random):
        columns[f"{coefficient.effect}_mean"] = np.asarray(data["u_mean"].values)[:, k]
        columns[f"{coefficient.effect}_sd"] = np.asarray(data["u_sd"].values)[:, k]
    return pd.DataFrame(columns, index=pd.Index(posterior.target.design.unit_ids, name="unit"))


def icc(posterior: Posterior) -> np.ndarray:
    """Give draws of tau_00 / (tau_00 + sigma2)."""
    intercept = next((c for c in posterior.model.coefficients if c.predictor.variable is None), None)
    if intercept is None or not intercept.random:
        raise SamplingError("the intraclass correlation needs a random intercept, which this model has not")
    if posterior.model.log_sigma2 is not None:
        raise SamplingError(
            "log(sigma2) depends on variables, so there is not one intraclass correlation: work it out from "
            "the draws of tau and alpha for the rows in question"
        )
    tau = posterior[f"tau[{intercept.name},{intercept.name}]"]
    return tau / (tau + container.values(posterior.data, "sigma2"))


def plausible_range(
    posterior: Posterior, coefficient: str, level: float, at: Mapping[str, float] | None
) -> pd.DataFrame:
    """Give the ends of the range that holds ``level`` of the units' coefficients.

    Its rows are the range's low end, middle and high end (mean +- z sd over units with the level-2 values
    ``at``; Raudenbush & Bryk 2002, ch. 4), the columns their posterior median and 95 % interval.

    Raises
    ------
    HypothesisError
        What `Fit.plausible_range` refuses.
    """
    import pandas as pd
    from scipy.special import ndtri

    check_prob(level)
    weights, _ = middle_of(posterior.model, posterior.target.design, coefficient, at)
    middle = sum(weight * posterior[name].ravel() for name, weight in weights.items())
    reach = ndtri(0.5 + level / 2) * posterior[f"sd[{coefficient.strip().lower()}]"].ravel()
    rows = {"low": middle - reach, "middle": middle + 0.0 * reach, "high": middle + reach}
    table = {k: [float(np.median(v)), *interval(v, 0.95, "eti")] for k, v in rows.items()}
    return pd.DataFrame.from_dict(table, orient="index", columns=["median", *bounds(0.95, "eti")])
