"""Are residuals and random effects normal? Q-Q plots and a histogram; ``source`` as in `level2_plots`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import betaincinv, chdtri, ndtri

from ..diagnostics.diagnostic_tree import level1, level2, own_level2
from ..diagnostics.points import outcome_of
from ..errors import OutputError
from .plot_style import BLUE, GREY, HEAVY, PALE, VERMILLION, axes, evenly, finish, legend, thinned
from .wording import coefficient_index, label_extremes, of_units, residual_name, units_word

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

BAND = 0.95


def chi2_qq(source: Any, ax: Axes | None = None, *, label: int = 5) -> Axes:
    """Draw chipct against mdist: under normality of the random effects the points follow the diagonal.

    Parameters
    ----------
    source : Fit, Posterior or DataTree
    ax : Axes, optional
    label : int
        How many units, those farthest out, are labelled with their ids.

    Notes
    -----
    The band holds 95 % of each order statistic of J independent chi-squares (beta quantiles).
    """
    data = own_level2(source)
    x, y, df = data["mdist"].values, data["chipct"].values, int(data.attrs["rank"])
    if not df:
        raise OutputError(
            "all variances of the random effects are estimated as zero: there is no distance to draw"
        )
    ax = axes(ax)
    low, high = order_band(len(x))
    expected = chdtri(df, 1.0 - (np.arange(len(x)) + 0.5) / len(x))
    ax.fill_betweenx(
        expected, chdtri(df, 1.0 - low), chdtri(df, 1.0 - high), color=PALE, alpha=0.6, linewidth=0,
        label=f"{100 * BAND:g} % of samples from a normal distribution",
    )  # fmt: skip
    top = 1.06 * max(x.max(), y.max())
    ax.plot([0, top], [0, top], color=GREY, linewidth=1.2, label="45-degree line")
    points = evenly(x, y)
    ax.scatter(points[0], points[1], s=22, color=BLUE, alpha=0.75, linewidth=0, zorder=3)
    ax.set(xlim=(0, top), ylim=(0, top))
    finish(
        ax, "Are the random effects normal? Chi-square Q–Q plot",
        "Squared Mahalanobis distance of the unit's residuals (mdist)",
        f"Expected chi-square quantile, {df} d.f. (chipct)",
    )  # fmt: skip
    legend(ax, loc="lower right")
    label_extremes(ax, data, x, y, np.argsort(-x)[:label])
    return ax


def order_band(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the ends of central intervals of n uniform order statistics: beta(i, n + 1 - i) quantiles."""
    i = np.arange(1, n + 1)
    tail = 0.5 - 0.5 * BAND
    return betaincinv(i, n + 1 - i, tail), betaincinv(i, n + 1 - i, 1.0 - tail)


def log_sd_histogram(source: Any, ax: Axes | None = None, *, variable: str = "mdrsvar") -> Axes:
    """Draw the histogram of mdrsvar: how much the units differ in their level-1 spread."""
    data = own_level2(source)
    values = _finite(data, variable)
    ax = axes(ax)
    ax.hist(values, bins="fd", color=BLUE, alpha=0.85, edgecolor="white", linewidth=0.8)
    ax.axvline(values.mean(), color=VERMILLION, linewidth=1.6)
    ax.annotate(
        f"mean {values.mean():.2f}", (values.mean(), 1.0), xycoords=("data", "axes fraction"), xytext=(5, -4),
        textcoords="offset points", va="top", color=VERMILLION,
    )  # fmt: skip
    ax.set_ylim(top=ax.get_ylim()[1] * 1.08)
    return finish(
        ax, f"Do the {units_word(data)} differ in their level-1 spread?", _log_sd_label(data, variable),
        f"Number of {units_word(data)}", counts="y",
    )  # fmt: skip


def log_sd_qq(source: Any, ax: Axes | None = None, *, variable: str = "mdrsvar", label: int = 4) -> Axes:
    """Draw the normal Q-Q plot of standardised mdrsvar, with a 95 % band of each order statistic."""
    data = own_level2(source)
    _finite(data, variable)
    kept = np.isfinite(data[variable].values)
    values = data[variable].values[kept]
    z = (values - values.mean()) / values.std(ddof=1)
    ax = axes(ax)
    x = normal_qq(ax, z)
    finish(
        ax, "Normal Q–Q plot of the units' level-1 spread", "Expected normal quantile",
        f"Standardised {_log_sd_label(data, variable)}",
    )  # fmt: skip
    label_extremes(ax, data.isel(unit=np.flatnonzero(kept)), x, z, np.argsort(-np.abs(z))[:label])
    return ax


def level1_qq(source: Any, ax: Axes | None = None) -> Axes:
    """Draw the normal Q-Q plot of level-1 residuals divided by sigma."""
    data = level1(source)
    z = data["residual"].values / data["sigma"].values
    standard = bool(data.attrs["scale"])  # quantile residuals, whose spread is told from 1
    if not standard:
        z = z / z.std()  # EB residuals vary less than sigma: the fitted value has seen them
    n, (z,) = len(z), evenly(np.sort(z))
    ax = axes(ax)
    normal_qq(ax, z)
    title = thinned("Are the level-1 residuals normal? Normal Q–Q plot", len(z), n)
    residual = residual_name(data)
    label = residual if standard else f"Standardised {residual[:1].lower()}{residual[1:]}"
    return finish(ax, title, "Expected normal quantile", label)


def effects_qq(source: Any, ax: Axes | None = None, *, coefficient: str = "b0", label: int = 4) -> Axes:
    """Draw the normal Q-Q plot of a random effect of an outcome that is not normal.

    Each unit has one draw of u from what is known of it, over the standard deviation of u: draws have the
    distribution of u, however few rows a unit has, and predicted effects have not.

    Raises
    ------
    OutputError
        A normal outcome, which `chi2_qq` is for; a variance estimated as zero.
    """
    data = level2(source)
    if "draw" not in data:
        raise OutputError("effects_qq is for outcomes that are not normal: chi2_qq draws it of normal ones")
    k = coefficient_index(data, coefficient)
    sd = float(data["tau_sd"].values[k])
    effect = f"u{str(data['coef'].values[k])[1:]}"
    if not sd:
        raise OutputError(f"the variance of {effect} is estimated as zero: there is nothing to draw")
    z = data["draw"].values[:, k] / sd
    ax = axes(ax)
    x = normal_qq(ax, z)
    finish(
        ax, f"Are the random effects normal? Normal Q–Q plot of {of_units(data, k)}",
        "Expected normal quantile",
        f"{effect} / its s.d., one draw from what is known of each {units_word(data)[:-1]}",
    )  # fmt: skip
    label_extremes(ax, data, x, z, np.argsort(-np.abs(z))[:label])
    return ax


def normal_qq(ax: Axes, z: np.ndarray) -> np.ndarray:
    """Draw standardised values against normal quantiles with line and band; give the quantile of each."""
    order = np.argsort(z)
    x = ndtri((np.arange(len(z)) + 0.5) / len(z))
    low, high = order_band(len(z))
    ax.fill_between(
        x, ndtri(low), ndtri(high), color=PALE, alpha=0.6, linewidth=0,
        label=f"{100 * BAND:g} % of samples from a normal distribution",
    )  # fmt: skip
    ax.plot(x[[0, -1]], x[[0, -1]], color=GREY, linewidth=1.2, label="normal distribution")
    heavy = len(z) > HEAVY
    ax.scatter(x, z[order], s=16, color=BLUE, alpha=0.7, linewidth=0, zorder=3, rasterized=heavy)
    ax.margins(0.04)
    legend(ax, loc="upper left")
    return x[np.argsort(order)]


def _finite(data: xr.Dataset, variable: str) -> np.ndarray:
    if variable not in ("lntotvar", "olsrsvar", "mdrsvar"):
        raise OutputError(f"variable={variable!r} is not known: use lntotvar, olsrsvar or mdrsvar")
    values = data[variable].values
    values = values[np.isfinite(values)]
    if len(values) < 3 or np.ptp(values) == 0:
        raise OutputError(f"fewer than three units have a value of {variable}: there is nothing to draw")
    return np.asarray(values)


def _log_sd_label(data: xr.Dataset, variable: str) -> str:
    what = {"lntotvar": "total", "olsrsvar": "OLS residual", "mdrsvar": "residual"}[variable]
    return f"ln of the {what} s.d. of {outcome_of(data)} ({variable})"
