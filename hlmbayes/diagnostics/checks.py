"""Checks of a model's assumptions, with a verdict in plain words; the same for a fit and a posterior.

Each check returns a small `Check`; `check` runs them all. Verdicts are aids to looking, not proofs:
with many units trifles are significant, with few serious misfit is not. The figures are in `plots`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import chdtrc, ndtr

from .. import notebook
from ..errors import OutputError
from ..inference.homogeneity import compare_variances
from ..words import p_text
from . import diagnostic_tree
from .diagnostic_tree import level1, level2
from .diagnostic_tree import tree as tree

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

ALPHA = 0.01  # a check of many rows or units should not cry wolf
COOK_LIMIT = 1.0  # moves the fixed effects by a standard error each, on average
FARTHEST = 10  # units that are listed
SERIOUS_SHIFT = 1.0  # of one fixed effect, in standard errors


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """One check: what was looked at, ``ok`` or to be looked at closer, why, and the numbers behind it.

    ``figure``: the function of `hlmbayes.plots` that shows what to look at.
    """

    name: str
    ok: bool
    verdict: str
    table: pd.DataFrame
    figure: str = ""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Checks:
    """All checks of a fit or posterior; printed as a list, a table in ``frame()``, by name in brackets."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing calls for a closer look."""
        return all(check.ok for check in self.checks)

    def frame(self) -> pd.DataFrame:
        """Tabulate names, ok and verdicts."""
        import pandas as pd

        rows = [[check.name, check.ok, check.verdict] for check in self.checks]
        return pd.DataFrame(rows, columns=["check", "ok", "verdict"]).set_index("check")

    def __getitem__(self, name: str) -> Check:
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(f"{name!r}: the checks are {', '.join(c.name for c in self.checks)}")

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    def _repr_html_(self) -> str:
        each = ((f"{'ok' if check.ok else 'LOOK'}: {check.name}.", check.verdict) for check in self.checks)
        return notebook.shown(notebook.listed(each))

    def __repr__(self) -> str:
        import textwrap

        lines = []
        for check in self.checks:
            head = f"{'ok   ' if check.ok else 'LOOK '} {check.name}: "
            see = f" (figure: plots.{check.figure})" if check.figure and not check.ok else ""
            lines.append(textwrap.fill(head + check.verdict + see, 96, subsequent_indent="      "))
        return "\n".join(lines)


def check(source: Any) -> Checks:
    """Run every check that a Fit, a Posterior or a DataTree (as `tree` makes it) has what it takes for."""
    data = tree(source)
    groups = set(data.children)
    found = []
    if "level2" in groups:
        if int(data["level2"].attrs["rank"]):
            found += [normality_level2(data), outliers(data)]
        found.append(homogeneity(data))
    if "level1" in groups:
        found.append(normality_level1(data))
    if "influence" in groups:
        found.append(influence(data))
    return Checks(tuple(found))


def _row(figures: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([figures])


def _by_unit(data: xr.Dataset, which: np.ndarray, columns: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    index = pd.Index(data["unit"].values[which], name=str(data.attrs["id_name"]))
    return pd.DataFrame(columns, index=index)


def normality_level2(source: Any) -> Check:
    """Compare mdist with its chi-square distribution: Cramer-von Mises on chi-square probabilities.

    Under normality mdist is chi-square with d.f. the rank of tau, so p_j = P(chi2 > mdist_j) is uniform.
    The p-value is that of Csorgo & Faraway's (1996) limiting distribution; estimated parameters make the
    test lean towards "ok".
    """
    data = level2(source)
    df = int(data.attrs["rank"])
    if not df:
        raise OutputError("all variances of the random effects are estimated as zero: nothing to check")
    mdist = data["mdist"].values
    statistic = cramer_von_mises(chdtrc(df, mdist))
    p = cramer_von_mises_p(statistic)
    ranked, expected = np.sort(mdist), np.sort(data["chipct"].values)
    flat = np.ptp(ranked) == 0 or np.ptp(expected) == 0
    correlation = float("nan") if flat else float(np.corrcoef(ranked, expected)[0, 1])
    ok = p >= ALPHA
    verdict = (
        f"the units' distances {'follow' if ok else 'do not follow'} the chi-square distribution "
        f"that normal random effects give ({p_text(p)}"
        + (
            "; all are the same: no Q\u2013Q correlation)."
            if flat
            else f"; Q\u2013Q correlation {correlation:.3f})."
        )
        + ("" if ok else " Robust standard errors are the safer ones.")
    )
    figures = {"n_units": len(mdist), "df": df, "W2": statistic, "p_value": p, "r_qq": correlation}
    return Check("normality of random effects", ok, verdict, _row(figures), "chi2_qq")


def cramer_von_mises(p: np.ndarray) -> float:
    """Give the Cramer-von Mises statistic of values that should be uniform."""
    n = len(p)
    return float(1 / (12 * n) + np.sum((np.sort(p) - (2 * np.arange(1, n + 1) - 1) / (2 * n)) ** 2))


def cramer_von_mises_p(statistic: float) -> float:
    """Give the upper tail of the limiting distribution: that of sum_k chi2_1 / (k pi)^2.

    By Imhof's inversion of its characteristic function, whose modulus and angle have closed forms:
    the product over k of (1 - 2it / (k pi)^2) is sin(z) / z with z^2 = 2it (Anderson & Darling 1952).
    """
    if statistic <= 0.02:  # below the distribution's support for all that matters (its 0.01 % point)
        return 1.0
    t = np.linspace(1e-6, 2500.0, 250_001)
    z = np.sqrt(2j * t)
    # log(sin(z) / z) without overflow: |Im z| is large
    log_phi = -0.5 * (-1j * z + np.log1p(-np.exp(2j * z)) - np.log(-2j * z))
    integrand = np.exp(log_phi.real) * np.sin(np.unwrap(log_phi.imag) - t * statistic) / t
    step = t[1] - t[0]
    integral = step * (integrand.sum() - 0.5 * (integrand[0] + integrand[-1]))
    return float(np.clip(0.5 + integral / np.pi, 0.0, 1.0))


def outliers(source: Any) -> Check:
    """List units whose mdist is too large for chance: p < 0.01 after Bonferroni's correction for J units."""
    data = level2(source)
    df = int(data.attrs["rank"])
    mdist = data["mdist"].values
    p = np.minimum(chdtrc(df, mdist) * len(mdist), 1.0)
    worst = np.argsort(-mdist, kind="stable")[:FARTHEST]
    units = data["unit"].values
    columns = {"mdist": mdist[worst], "p_bonferroni": p[worst], "nj": data["n"].values[worst]}
    far = [str(u) for u in units[worst][p[worst] < ALPHA]]
    n = int((p < ALPHA).sum())
    verdict = (
        f"no unit is farther from the others than chance allows; the farthest is {units[worst[0]]} "
        f"(squared distance {mdist[worst[0]]:.2f}, corrected {p_text(float(p[worst[0]]))})."
        if not n
        else f"{n} unit{'s are' if n > 1 else ' is'} farther out than chance allows: {', '.join(far[:5])}"
        + (f" and {n - 5} more" if n > 5 else "")
        + ". Look at the data of each before anything else."
    )
    return Check("outlying units", not n, verdict, _by_unit(data, worst, columns), "chi2_qq")


def homogeneity(source: Any) -> Check:
    """Ask whether units differ in level-1 spread, by Bartlett's test of their own regressions' residuals.

    Rows are divided by their sigma first where the model says that it differs between them. (HLM's
    chi-square, `Fit.homogeneity`, rejects too often where units are small.)
    """
    data = level2(source)
    rss, f = data["own_rss"].values, data["own_df"].values
    used = np.isfinite(rss)
    if used.sum() < 2:
        verdict = "too few units have a residual spread of their own to compare."
        return Check("equal level-1 variances", True, verdict, _row({"n_units": int(used.sum())}))
    found = compare_variances(rss[used], f[used])
    df = int(used.sum()) - 1
    p = float(chdtrc(df, found.bartlett))
    unlike = np.flatnonzero(used)[np.argsort(-np.abs(found.d), kind="stable")[:3]]
    ok = p >= ALPHA
    verdict = (
        f"the units' residual variances {'do not differ' if ok else 'differ'} more than by chance "
        f"(Bartlett's chi-square {found.bartlett:.1f}, {df} d.f., {p_text(p)})."
    )
    if not ok:
        names = ", ".join(str(u) for u in data["unit"].values[unlike])
        verdict += (
            f" Most unlike the rest: {names}. A left-out level-1 predictor, a slope that varies or tails "
            "heavier than normal do this; an equation for log(sigma2) lets a variable explain it."
        )
    table = _row({"n_units": int(used.sum()), "chi2": found.bartlett, "df": df, "p_value": p})
    return Check("equal level-1 variances", ok, verdict, table, "log_sd_histogram")


def normality_level1(source: Any) -> Check:
    """Look at skewness and excess kurtosis of the level-1 residuals, and how many are beyond 3 sigma."""
    data = level1(source)
    z = data["residual"].values / data["sigma"].values
    z = (z - z.mean()) / z.std()
    skew, kurtosis = float(np.mean(z**3)), float(np.mean(z**4) - 3.0)
    beyond, expected = int((np.abs(z) > 3).sum()), float(2 * ndtr(-3.0) * len(z))
    ok = abs(skew) < 0.5 and abs(kurtosis) < 1.0 and beyond <= expected + 4 * np.sqrt(expected) + 1
    shape = []
    if abs(skew) >= 0.2:
        shape.append(f"a longer {'right' if skew > 0 else 'left'} tail")
    if abs(kurtosis) >= 0.4:
        shape.append(f"{'heavier' if kurtosis > 0 else 'lighter'} tails than the normal distribution")
    verdict = (
        f"skewness {skew:z.2f}, excess kurtosis {kurtosis:z.2f}, {beyond} of {len(z)} residuals beyond "
        f"3 s.d. ({expected:.0f} expected): "
        + (" and ".join(shape) if shape else "much like a normal distribution")
        + ("." if ok else ". Robust standard errors are the safer ones.")
    )
    figures = {"n_rows": len(z), "skewness": skew, "kurtosis": kurtosis}
    figures |= {"beyond_3_sd": beyond, "expected": expected}
    return Check("normality of level-1 residuals", ok, verdict, _row(figures), "level1_qq")


def influence(source: Any) -> Check:
    """List the units that move the fixed effects most, each left out in turn (tau and sigma2 held)."""
    data = diagnostic_tree.influence(source)
    cook, z, units = data["cook"].values, data["change_in_se"].values, data["unit"].values
    effects = [str(e) for e in data["fixed_effect"].values]
    size = np.max(np.abs(np.where(np.isfinite(z), z, 0.0)), axis=1)
    size = np.where(np.isinf(cook), np.inf, size)
    worst = np.argsort(-np.where(np.isinf(cook), 1e300, cook), kind="stable")[:FARTHEST]
    moved = [effects[int(np.argmax(np.abs(np.nan_to_num(row))))] for row in z[worst]]
    table = _by_unit(data, worst, {"cook": cook[worst], "most_moved": moved, "in_se": size[worst]})
    bad = (cook > COOK_LIMIT) | (size > SERIOUS_SHIFT)
    first = worst[0]
    titles = dict(zip(effects, data["effect_title"].values, strict=True))
    effect = str(titles[moved[0]])
    rests = "a conclusion may rest on it. Report the results without it, too." if bad.any() else "harmless."
    verdict = (
        f"leaving out unit {units[first]} moves the fixed effects most (Cook's distance "
        f"{cook[first]:.3f}; {effect} by {size[first]:.2f} standard errors): {rests}"
    )
    if np.isinf(cook[first]):
        carries = f"unit {units[first]} alone carries a fixed effect"
        verdict = f"{carries}: without it the effect cannot be estimated."
    return Check("influence of single units", not bad.any(), verdict, table, "influence")
