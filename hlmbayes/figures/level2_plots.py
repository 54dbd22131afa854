"""Plots of the level-2 residual file: one a function, each takes axes and returns them, none shows.

``source`` is a Fit, a Posterior, or the DataTree of `hlmbayes.diagnostics.tree`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import betaincinv, chdtri, ndtri

from ..diagnostics.diagnostic_tree import (
    is_tree,
    kind_of_effects,
    level2,
    level2_variable,
    level2_variables,
    outcome_of,
    point_of,
)
from ..errors import OutputError
from .plot_style import (
    BLUE,
    GREY,
    ORANGE,
    PALE,
    VERMILLION,
    axes,
    finish,
    id_text,
    jitter,
    label_ends,
    label_points,
    legend,
    named,
    number,
    smooth,
    zero_line,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

FEW = 6  # a variable with at most so many values is drawn as categories
NAMED_UNITS = 40  # a caterpillar of at most so many units names each
BAND = 0.95


def coefficient_index(data: xr.Dataset, coefficient: str) -> int:
    """Find a random coefficient by name ("b0") or by the name of its effect ("u0").

    Raises
    ------
    OutputError
        The model has no such random effect.
    """
    names = [str(name) for name in data["coef"].values]
    wanted = coefficient.lower()
    wanted = "b" + wanted[1:] if wanted[:1] == "u" else wanted
    if wanted not in names:
        raise OutputError(
            f"{coefficient!r} has no random effect in this model, so there is nothing to draw; random are "
            f"{', '.join(names)}"
        )
    return names.index(wanted)


def _effect_name(data: xr.Dataset, k: int) -> str:
    what = "Posterior mean" if data.attrs["engine"] == "posterior" else "EB residual"
    return f"{what} of the {data['coef_title'].values[k]} (u{_number(data, k)}){_label(data, 'coef', k)}"


def _number(data: xr.Dataset, k: int) -> str:
    return str(data["coef"].values[k])[1:]


def _label(data: xr.Dataset, dim: str, k: int) -> str:
    """Return ": Socioeconomic status of the student", or nothing where the variable has no label."""
    label = str(data[f"{dim}_label"].values[k])
    return f": {label}" if label else ""


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
    data = level2(source)
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
    ax.scatter(x, y, s=22, color=BLUE, alpha=0.75, linewidth=0, zorder=3)
    ax.set(xlim=(0, top), ylim=(0, top))
    finish(
        ax, "Are the random effects normal? Chi-square Q–Q plot",
        "Squared Mahalanobis distance of the unit's residuals (mdist)",
        f"Expected chi-square quantile, {df} d.f. (chipct)",
    )  # fmt: skip
    legend(ax, loc="lower right")
    _label_extremes(ax, data, x, y, np.argsort(-x)[:label])
    return ax


def order_band(n: int, prob: float = BAND) -> tuple[np.ndarray, np.ndarray]:
    """Give the ends of central intervals of n uniform order statistics: beta(i, n + 1 - i) quantiles."""
    i = np.arange(1, n + 1)
    tail = 0.5 - 0.5 * prob
    return betaincinv(i, n + 1 - i, tail), betaincinv(i, n + 1 - i, 1.0 - tail)


def _label_extremes(ax: Axes, data: xr.Dataset, x: np.ndarray, y: np.ndarray, which: np.ndarray) -> None:
    if len(which):
        texts = [id_text(unit) for unit in data["unit"].values[which]]
        label_points(ax, x[which], y[which], texts, x, y)


def log_sd_histogram(source: Any, ax: Axes | None = None, *, variable: str = "mdrsvar") -> Axes:
    """Draw the histogram of mdrsvar: how much the units differ in their level-1 spread."""
    data = level2(source)
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
        ax, f"Do the {_units(data)} differ in their level-1 spread?", _log_sd_label(data, variable),
        f"Number of {_units(data)}", counts="y",
    )  # fmt: skip


def log_sd_qq(source: Any, ax: Axes | None = None, *, variable: str = "mdrsvar", label: int = 4) -> Axes:
    """Draw the normal Q-Q plot of standardised mdrsvar, with a 95 % band of each order statistic."""
    data = level2(source)
    _finite(data, variable)
    kept = np.isfinite(data[variable].values)
    values = data[variable].values[kept]
    z = (values - values.mean()) / values.std(ddof=1)
    ax = axes(ax)
    order = normal_qq(ax, z)
    finish(
        ax, "Normal Q–Q plot of the units' level-1 spread", "Expected normal quantile",
        f"Standardised {_log_sd_label(data, variable)}",
    )  # fmt: skip
    x = np.empty_like(z)
    x[order] = ndtri((np.arange(len(z)) + 0.5) / len(z))
    _label_extremes(ax, data.isel(unit=np.flatnonzero(kept)), x, z, np.argsort(-np.abs(z))[:label])
    return ax


def normal_qq(ax: Axes, z: np.ndarray) -> np.ndarray:
    """Draw standardised values against normal quantiles with line and band; give their order."""
    order = np.argsort(z)
    x = ndtri((np.arange(len(z)) + 0.5) / len(z))
    low, high = order_band(len(z))
    ax.fill_between(
        x, ndtri(low), ndtri(high), color=PALE, alpha=0.6, linewidth=0,
        label=f"{100 * BAND:g} % of samples from a normal distribution",
    )  # fmt: skip
    ax.plot(x[[0, -1]], x[[0, -1]], color=GREY, linewidth=1.2, label="normal distribution")
    ax.scatter(x, z[order], s=16, color=BLUE, alpha=0.7, linewidth=0, zorder=3)
    ax.margins(0.04)
    legend(ax, loc="upper left")
    return order


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


def _short(data: xr.Dataset, k: int) -> str:
    """Return "intercept (u0)" or "slope of ses (u1)"."""
    title = str(data["coef_title"].values[k])
    return f"{title} (u{_number(data, k)})"


def _units(data: xr.Dataset) -> str:
    """Return what the units of a dataset are called."""
    return unit_word(str(data.attrs["id_label"]), str(data.attrs["id_name"]))


def unit_word(label: str, name: str) -> str:
    """Return what units are called: "schools" where the id's label is the one word School, else "units"."""
    return f"{label.lower()}s" if label.isalpha() and label.lower() != name.lower() else "units"


def effect_against(
    source: Any, variable: str, ax: Axes | None = None, *, coefficient: str = "b0", label: int = 3
) -> Axes:
    """Draw EB residuals against a level-2 variable, in the model or not, with a smooth.

    A trend says the variable belongs in the model; a curve, that its effect is not a straight line.
    A variable with few values is drawn as categories with their means.
    """
    data = level2(source)
    k = coefficient_index(data, coefficient)
    x, title, variable = level2_variable(source, variable)
    y = data["eb"].values[:, k]
    ax = axes(ax)
    zero_line(ax)
    categories = np.unique(x[np.isfinite(x)])
    if len(categories) <= FEW:
        shown = _categories(ax, source, variable, x, y, categories)
    else:
        shown = x
        ax.scatter(x, y, s=24, color=BLUE, alpha=0.65, linewidth=0)
        ax.plot(*smooth(x, y), color=VERMILLION, linewidth=2.2, label="smooth (local lines)")
        legend(ax, loc="best")
    finish(ax, f"Is {variable} related to what is left?", named(title, variable), _effect_name(data, k))
    kept = np.isfinite(shown)
    outer = np.flatnonzero(kept)[np.argsort(-np.abs(y[kept]))[:label]]
    _label_extremes(ax, data, shown, y, outer)
    return ax


def _categories(
    ax: Axes, source: Any, variable: str, x: np.ndarray, y: np.ndarray, categories: np.ndarray
) -> np.ndarray:
    """Draw points beside each other per category, with the categories' means; give where they were drawn."""
    shown = np.full(len(x), np.nan)
    for place, value in enumerate(categories):
        mine = x == value
        shown[mine] = place + jitter(int(mine.sum()))
        ax.plot([place - 0.25, place + 0.25], [y[mine].mean()] * 2, color=VERMILLION, linewidth=2.4, zorder=4,
                label="mean" if place == 0 else None)  # fmt: skip
    ax.scatter(shown, y, s=24, color=BLUE, alpha=0.65, linewidth=0)
    ax.set_xticks(np.arange(len(categories)), [value_text(source, variable, v) for v in categories])
    ax.set_xlim(-0.5, len(categories) - 0.5)
    legend(ax, loc="best")
    return shown


def value_text(source: Any, variable: str, value: float) -> str:
    """Return a value's label, or the value."""
    if is_tree(source):
        for name, values in level2_variables(source).data_vars.items():
            if str(name).lower() == variable.lower():
                labels = json.loads(values.attrs.get("value_labels", "{}"))
                return str(labels.get(str(float(value)), number(float(value))))
        return number(float(value))
    known = getattr(point_of(source).data, "value_labels", {})
    return str(known.get(variable.lower(), {}).get(value, number(float(value))))


def caterpillar(
    source: Any,
    ax: Axes | None = None,
    *,
    coefficient: str = "b0",
    prob: float = 0.95,
    label: int = 3,
) -> Axes:
    """Draw the units' EB residuals in order, with intervals; those whose interval leaves out 0 stand out.

    Parameters
    ----------
    source : Fit, Posterior or DataTree
    ax : Axes, optional
    coefficient : str
        A random coefficient, "b0".
    prob : float
        Probability of the intervals (a DataTree has its own): normal for a fit (gamma and variances
        taken as known), equal-tailed posterior intervals for a posterior.
    label : int
        How many units at either end are labelled; up to 40 units are all named.
    """
    data = level2(source, prob)
    k = coefficient_index(data, coefficient)
    order = np.argsort(data["eb"].values[:, k], kind="stable")
    eb, low, high = (data[name].values[order, k] for name in ("eb", "eb_low", "eb_high"))
    place = np.arange(len(eb))
    named_all = len(eb) <= NAMED_UNITS
    ax = axes(ax, (8.0, max(3.5, 0.22 * len(eb) + 1.2)) if named_all else (8.0, 5.0))
    kind = np.where(low > 0, 1, np.where(high < 0, -1, 0))
    for value, colour, text in ((0, GREY, "holds 0"), (1, BLUE, "above 0"), (-1, VERMILLION, "below 0")):
        mine = kind == value
        if not mine.any():
            continue
        lines = ax.hlines if named_all else ax.vlines
        lines(place[mine], low[mine], high[mine], color=colour, linewidth=1.1, alpha=0.75)
        x, y = (eb[mine], place[mine]) if named_all else (place[mine], eb[mine])
        ax.scatter(x, y, s=14, color=colour, zorder=3, linewidth=0, label=f"{text} ({mine.sum()})")
    prob = float(data.attrs["interval_prob"])
    title = f"Which {_units(data)} differ? {100 * prob:g} % intervals of the {_short(data, k)}"
    rank, value_label = f"{_units(data).capitalize()}, lowest to highest", _effect_name(data, k)
    ids = [id_text(unit) for unit in data["unit"].values[order]]
    if named_all:
        ax.axvline(0.0, color=GREY, linewidth=0.9, zorder=0.5)
        ax.set_yticks(place, ids)
        ax.set_ylim(-0.7, len(eb) - 0.3)
        finish(ax, title, value_label, str(data.attrs["id_label"]))
        legend(ax, loc="lower right", title="Interval")
        return ax
    zero_line(ax)
    ax.set_xlim(-0.1 * len(eb), 1.1 * len(eb))
    finish(ax, title, rank, value_label)
    legend(ax, loc="upper left", title="Interval")
    for ends, side in ((place[:label], "left"), (place[len(place) - label :], "right")):
        label_ends(ax, ends.astype(float), eb[ends], [ids[i] for i in ends], side)
    return ax


def shrinkage(source: Any, ax: Axes | None = None, *, coefficients: tuple[str, ...] | None = None) -> Axes:
    """Draw each unit's OLS and EB coefficients, joined by a line: how far the estimate was drawn in.

    With two random coefficients (``coefficients`` names which) they are the axes; with one, the EB
    residual is drawn against the OLS residual. Units without an OLS estimate of their own are left out.
    """
    data = level2(source)
    if coefficients is None:
        coefficients = tuple(str(c) for c in data["coef"].values[:2])
    index = [coefficient_index(data, c) for c in coefficients]
    ok = np.isfinite(data["ols"].values[:, index]).all(axis=1)
    if not ok.any():
        raise OutputError(
            "no unit has enough rows for OLS coefficients of its own: there is no shrinkage to draw"
        )
    ax = axes(ax)
    if len(index) == 1:
        return _shrinkage_one(ax, data, index[0], ok)
    names = list(data["coefficient"].values)
    columns = [names.index(str(data["coef"].values[k])) for k in index]
    eb = data["b"].values[ok][:, columns]
    ols = data["fitted"].values[ok][:, columns] + data["ols"].values[ok][:, index]
    from matplotlib.collections import LineCollection

    joined = list(np.stack([ols, eb], axis=1))
    ax.add_collection(LineCollection(joined, colors=GREY, linewidths=0.7, alpha=0.55))
    ax.scatter(
        ols[:, 0], ols[:, 1], s=20, facecolor="white", edgecolor=ORANGE, linewidth=1.2, zorder=3,
        label="OLS, the unit alone",
    )  # fmt: skip
    kind = kind_of_effects(data.attrs["engine"])
    ax.scatter(
        eb[:, 0], eb[:, 1], s=20, color=BLUE, linewidth=0, label=f"{kind}, all units together", zorder=4
    )
    legend(ax, loc="best")
    titles = [str(data["coefficient_title"].values[c]) for c in columns]
    x, y = (
        f"{title[:1].upper()}{title[1:]} ({names[c]}){_label(data, 'coefficient', c)}"
        for title, c in zip(titles, columns, strict=True)
    )
    return finish(ax, f"Shrinkage: each unit's own estimate and its {kind} estimate", x, y)


def _shrinkage_one(ax: Axes, data: xr.Dataset, k: int, ok: np.ndarray) -> Axes:
    ols, eb, n = data["ols"].values[ok, k], data["eb"].values[ok, k], data["n"].values[ok]
    ends = [min(ols.min(), eb.min()), max(ols.max(), eb.max())]
    ax.plot(ends, ends, color=GREY, linewidth=1.2, label="no shrinkage")
    zero_line(ax)
    ax.scatter(
        ols, eb, s=10 + 60 * n / n.max(), color=BLUE, alpha=0.6, linewidth=0, label="larger: more rows"
    )
    legend(ax, loc="upper left")
    title = str(data["coef_title"].values[k])
    return finish(
        ax,
        f"Shrinkage of the {_short(data, k)}",
        f"OLS residual of the {title}, the unit alone",
        _effect_name(data, k),
    )


__all__ = [
    "caterpillar", "chi2_qq", "coefficient_index", "effect_against", "log_sd_histogram", "log_sd_qq",
    "shrinkage",
]  # fmt: skip
