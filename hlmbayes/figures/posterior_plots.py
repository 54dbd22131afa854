"""Figures of a posterior: ranks, pairs of tau, forests beside REML, predictions by unit, effects, priors."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import one_or_several
from ..diagnostics.points import in_sentence
from ..equations.outcome_law import SCALES
from ..errors import OutputError, SamplingError
from ..estimation.estimates import Estimates
from ..hglm.pql import PQLEstimates
from ..naming import TIMES
from ..posterior import summaries
from ..posterior.beside_fit import AnyEstimates, fit_beside, fit_of, fit_scalars
from ..posterior.predictive import with_predictive
from ..posterior.record import Drawn, drawn_of, posterior_of
from ..sampling import container
from ..writing import write_whole
from .plot_style import (
    BLUE,
    CYCLE,
    DASHES,
    GREY,
    MANY_UNITS,
    PALE,
    SIZE,
    STYLE,
    VERMILLION,
    axes,
    evenly_of,
    finish,
    legend,
    number,
    plain,
    shortened,
    thinned,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 20
MOST_LABELS = 6  # of variables, below a figure


def main_parameters(posterior: Drawn) -> tuple[str, ...]:
    """Name what is worth a panel: gammas, standard deviations, correlations, sigma."""
    return tuple(n for n in posterior.scalars if not n.startswith("tau[") and n != "sigma2")


def asked(posterior: Drawn, parameters: str | Sequence[str]) -> tuple[str, ...]:
    """Give the codes of the parameters that are asked for, by code or name."""
    return tuple(posterior.parameters.find(name, SamplingError) for name in one_or_several(parameters))


def in_words(posterior: Drawn, code: str) -> str:
    """Name a parameter in a figure: "ses × sector (g11)"."""
    name = posterior.parameters.name_of[code].replace(TIMES, " × ").replace(",", ", ")  # where lines may end
    return f"{name} ({code})"


def _outcome(posterior: Drawn) -> str:
    """Give the outcome's label, or its name."""
    name = posterior.model.outcome
    return (posterior.data.labels.get(name.lower()) if posterior.data else None) or name


def labels_below(posterior: Drawn, text: str) -> str:
    """Put the labels of variables under a text."""
    labels = [f"{name}: {label}" for name, label in posterior.labels.items()]
    return "\n".join([text, *(shortened(line, 90) for line in labels[:MOST_LABELS])])


def grid(count: int, height: float = 1.9, wide: int = 3) -> tuple[Figure, list[Axes]]:
    """Lay out panels, three beside each other."""
    import matplotlib.pyplot as plt

    columns = min(wide, count)
    rows = -(-count // columns)
    with plt.rc_context(STYLE):  # type: ignore[arg-type]
        figure, panels = plt.subplots(
            rows, columns, figsize=(SIZE[0], 0.7 + height * rows), layout="constrained", squeeze=False
        )
    for unused in panels.flat[count:]:
        unused.axis("off")
    return figure, list(panels.flat[:count])


def head_panel(ax: Axes, text: str) -> None:
    """Write what a panel shows above it."""
    ax.set_title(text, loc="left", fontsize=10.5, **plain(text))


def ranks(source: Any, parameters: Sequence[str] = ()) -> Figure:
    """Draw the ranks of each chain's draws among all draws: bars of equal height where chains agree."""
    posterior = drawn_of(source)
    names = asked(posterior, parameters) or main_parameters(posterior)
    figure, panels = grid(len(names))
    highest = 2.0
    for ax, name in zip(panels, names, strict=True):
        values = posterior.scalar(name)
        rank = np.argsort(np.argsort(values.ravel())).reshape(values.shape)
        edges = np.linspace(0, values.size, BINS + 1)
        for chain in range(len(values)):
            counts = np.histogram(rank[chain], edges)[0] * BINS / values.shape[1]
            highest = max(highest, 1.05 * float(counts.max()))
            look: dict[str, Any] = {
                "color": CYCLE[chain % len(CYCLE)],
                "linestyle": DASHES[chain % len(DASHES)],
            }
            ax.stairs(counts, edges / values.size, baseline=None, linewidth=1.3, **look)
        ax.axhline(1.0, color=GREY, linewidth=0.9, linestyle="--")
        ax.set(xticks=[0, 0.5, 1])
        head_panel(ax, wrapped(in_words(posterior, name), 30))
    for ax in panels:
        ax.set_ylim(0, highest)
        ax.set_yticks([0, 1, 2] if highest == 2.0 else [0, 1, round(highest)])
    figure.suptitle("Ranks of the draws by chain: level lines mean the chains agree", fontweight="bold")
    figure.supxlabel("Rank of a draw among all chains (0 lowest, 1 highest)")
    figure.supylabel("Share of the draws, relative")
    return figure


def tau_pair(source: Any, fit: Any = None) -> Figure:
    """Draw standard deviations and correlation of the first two random coefficients against each other.

    Where these are independent there is no second panel.
    """
    posterior = drawn_of(source)
    fit = None if fit is None else fit_beside(posterior, fit)
    names = posterior.model.random
    if len(names) < 2:
        raise SamplingError("a pair plot of tau needs two random coefficients, and the model has fewer")
    first, second = f"sd[{names[0]}]", f"sd[{names[1]}]"
    correlation = f"corr[{names[1]},{names[0]}]"
    pairs = [(first, second), *([(second, correlation)] if correlation in posterior.scalars else [])]
    figure, panels = grid(len(pairs), height=3.6, wide=2)
    for ax, (x, y) in zip(panels, pairs, strict=True):
        drawn = posterior.scalar(x).ravel(), posterior.scalar(y).ravel()
        ax.plot(*drawn, ".", color=BLUE, markersize=3, alpha=0.25, mew=0)
        ax.set_xlabel(in_words(posterior, x), **plain(in_words(posterior, x)))
        ax.set_ylabel(wrapped(in_words(posterior, y), 34), **plain(in_words(posterior, y)))
        ax.set_xlim(left=0)
        if fit is not None:
            known = _fitted_sd(fit)
            ax.plot(known[x], known[y], "D", color=VERMILLION, markersize=8, label=_fit_name(fit))
            legend(ax, loc="best")
    panels[0].set_ylim(bottom=0)
    what = "standard deviations" + (" and their correlation" if len(pairs) > 1 else "")
    figure.suptitle(f"Draws of the {what}", fontweight="bold")
    return figure


def _fit_name(fit: AnyEstimates) -> str:
    if isinstance(fit, PQLEstimates):
        return "penalised quasi-likelihood"
    return f"{fit.method}, " + ("the optimum" if fit.algorithm == "exact" else "HLM's stop")


def _fitted_sd(fit: AnyEstimates) -> dict[str, float]:
    """Give standard deviations and correlations of a fit by the names of the summary."""
    fit = fit.working if isinstance(fit, PQLEstimates) else fit
    names, tau, corr = fit.random_names, np.asarray(fit.tau), np.asarray(fit.tau_corr)
    known = {f"sd[{name}]": float(v) ** 0.5 for name, v in zip(names, np.diag(tau), strict=True)}
    if isinstance(fit, Estimates):
        known["sigma"] = fit.sigma2**0.5
    for i, name in enumerate(names):
        known |= {f"corr[{name},{other}]": float(corr[i, j]) for j, other in enumerate(names[:i])}
    return known


def gamma_forest(source: Any, fit: Any = None, ax: Axes | None = None) -> Axes:
    """Draw posterior medians and 50 and 95 per cent intervals of the fixed effects, a fit's beside them.

    Intercepts are written below them where there are others: far from zero, they would leave these no room.
    """
    posterior = drawn_of(source)
    fit = None if fit is None else fit_beside(posterior, fit)
    names, intercepts = _slopes(posterior)
    ax = axes(ax, (SIZE[0], 1.6 + 0.55 * len(names)))
    place = np.arange(len(names))[::-1].astype(float)
    for at, name in zip(place, names, strict=True):
        above = at if fit is None else at + 0.13
        _bars(ax, posterior.scalar(name), above, "posterior" if name == names[0] else None)
        if fit is not None:
            estimate, se = fit_scalars(fit)[name]
            ax.errorbar(
                estimate, at - 0.13, xerr=1.96 * se, fmt="D", color=VERMILLION, markersize=5, linewidth=1.4,
                label=f"{_fit_name(fit)}, ± 1.96 se" if name == names[0] else None,
            )  # fmt: skip
    titles = [wrapped(in_words(posterior, name), 34) for name in names]
    ax.set_yticks(place, titles, **plain(*titles))
    ax.set_ylim(-0.7, len(names) - 0.3)
    ax.axvline(0.0, color=GREY, linewidth=0.9, zorder=0.5)
    legend(ax, outside=True)
    outcome = in_sentence(_outcome(posterior), posterior.model.outcome)
    scale = SCALES.get(posterior.model.outcome_law.link, "")
    what = "Posterior median, 50 % and 95 % intervals" + (f", {scale}" if scale else "")
    finish(ax, f"Fixed effects on {outcome}", what, "")
    below = ax.get_xlabel()
    for code in intercepts:
        below += f"\nNot drawn: {_in_numbers(posterior, code)}"
    below = labels_below(posterior, below)
    ax.set_xlabel(below, **plain(below))
    return ax


def _slopes(posterior: Drawn) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the fixed effects of variables, and the intercepts where they are left out for their sake."""
    model = posterior.model
    alone = tuple(
        gamma.name for c in model.coefficients for gamma in c.gammas
        if c.predictor.variable is None and gamma.predictor.variable is None
    )  # fmt: skip
    others = tuple(name for name in model.gamma_names if name not in alone)
    return (others, alone) if others else (tuple(model.gamma_names), ())


def _in_numbers(posterior: Drawn, code: str) -> str:
    """Say a parameter's median and interval."""
    draws = posterior.scalar(code)
    low, high = (number(float(end)) for end in summaries.interval(draws, 0.95))
    return f"{in_words(posterior, code)} {number(float(np.median(draws)))} (95 % interval {low} to {high})"


def _bars(ax: Axes, draws: np.ndarray, at: float, label: str | None = None) -> None:
    """Draw a median with its 50 and 95 per cent intervals."""
    for prob, width in ((0.95, 1.4), (0.5, 4.0)):
        ends = summaries.interval(draws, prob)
        ax.plot(ends, [at, at], color=BLUE, linewidth=width, solid_capstyle="butt")
    ax.plot(np.median(draws), at, "o", color=BLUE, markersize=6, label=label)


def predictive_by_unit(source: Any, ax: Axes | None = None) -> Axes:
    """Draw each unit's observed mean over what the posterior predicts, units in order of prediction."""
    posterior = posterior_of(source)
    if not container.has(posterior.tree, "unit_mean", "posterior_predictive"):
        posterior = with_predictive(posterior, None, 100)
    ax = axes(ax)
    new = container.flat(posterior.tree, "unit_mean", "posterior_predictive")
    seen = np.asarray(posterior.tree["observed_data"]["unit_mean"].values)
    middle = np.median(new, axis=0)
    order = evenly_of(np.argsort(middle), MANY_UNITS)
    low, high = np.quantile(new, [0.025, 0.975], axis=0)
    outside = int(((seen < low) | (seen > high)).sum())  # of all units, drawn or not
    low, high = low[order], high[order]
    place = np.arange(len(order))
    inside = (seen[order] >= low) & (seen[order] <= high)
    ax.vlines(place, low, high, color=PALE, linewidth=max(1.0, 250 / len(order)), label="95 % interval")
    ax.plot(place, middle[order], "-", color=GREY, linewidth=1.2, label="predicted median")
    ax.plot(place[inside], seen[order][inside], "o", color=BLUE, markersize=3.5, label="observed mean")
    if not inside.all():
        ax.plot(
            place[~inside], seen[order][~inside], "D", color=VERMILLION, markersize=5,
            label=f"observed, outside its 95 % interval ({outside} of {len(seen):,})",
        )  # fmt: skip
    legend(ax, loc="upper left")
    outcome = _outcome(posterior)
    title = f"Means of {in_sentence(outcome, posterior.model.outcome)}: observed and predicted"
    units = thinned("Units, in order of prediction", len(order), len(seen))
    return finish(ax, title, units, outcome, counts="x")


def sensitivity_forest(
    posteriors: Mapping[str, Drawn],
    parameters: Sequence[str] = (),
    fit: Any = None,
    path: str | Path | None = None,
) -> Figure:
    """Draw one panel a parameter, one row a prior; lines at the estimates of one or more fits."""
    first = next(iter(posteriors.values()))
    names = asked(first, parameters) or tuple(f"sd[{n}]" for n in first.model.random) or ("sigma",)
    priors = list(posteriors)
    labels = ["\n".join(textwrap.wrap(prior, 18)) for prior in priors]
    lines = max(label.count("\n") + 1 for label in labels)
    fits = [] if fit is None else [fit_of(f) for f in (fit if isinstance(fit, list | tuple) else [fit])]
    height = 0.55 + 0.2 * len(fits) + (0.2 + 0.13 * lines) * len(priors)
    figure, panels = grid(len(names), height=height, wide=1 if len(names) < 3 else 2)
    place = np.arange(len(priors))[::-1].astype(float)
    for ax, name in zip(panels, names, strict=True):
        for at, prior in zip(place, priors, strict=True):
            _bars(ax, posteriors[prior].scalar(name), at)
        title = [in_words(first, name)]
        for k, one in enumerate(fits):
            value = {**_fitted_sd(one), **{n: v for n, (v, _) in fit_scalars(one).items()}}.get(name)
            if value is not None:
                color, style = (VERMILLION, GREY)[k % 2], ("-", "--")[k % 2]
                ax.axvline(value, color=color, linewidth=1.4, linestyle=style, zorder=0.6)
                title.append(f"{_fit_name(one)} {number(value)} ({('solid', 'dashed')[k % 2]})")
        ax.set_yticks(place, labels, **plain(*labels))
        ax.set_ylim(-0.7, len(priors) - 0.3)
        head_panel(ax, "\n".join(title))
    figure.suptitle("The same data under different priors", fontweight="bold")
    figure.supxlabel("Posterior median, 50 % and 95 % intervals", fontsize=11.5)
    if path is not None:
        if not Path(path).name:
            raise OutputError(f"path= wants the name of a file, got {str(path)!r}")
        write_whole(Path(path).with_suffix(Path(path).suffix or ".png"), figure.savefig)
    return figure
