"""How often is a true hypothesis rejected at 5 %? `python -m tests.bench.simulate_size [DATA SETS]`.

Rows are simulated from a known model, turned into moments and fitted; every test of the package is then
asked about something that is true. Three settings: many units, few units, and few units with many rows.
Data sets are drawn with random intercepts and slopes (tests of fixed effects; intervals) and without slope
variance (tests of variances; homogeneity).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hlmbayes import Model
from hlmbayes.estimation.estimates import Estimates
from hlmbayes.faces import record_of
from hlmbayes.inference.covariances import CR0, CR2, KenwardRoger, ModelBased
from hlmbayes.inference.hlm_tables import fixed_effects, variance_components
from hlmbayes.inference.profile import Search, _prepare
from hlmbayes.inference.profile_charts import Chart, RatioChart, SdChart, Sigma2Chart
from hlmbayes.unit_moments.record import Moments, unit_moments

TAU = np.array([[1.0, 0.2], [0.2, 0.4]])
SIGMA2 = 4.0
FULL = Model("y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10 + g11*w + u1")
WITHOUT_W = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1")
THREE = Model("y = b0 + b1*x + b2*z + r\nb0 = g00 + u0\nb1 = g10 + u1\nb2 = g20 + u2")
ONE_OF_THREE = Model("y = b0 + b1*x + b2*z + r\nb0 = g00 + u0\nb1 = g10\nb2 = g20")
NO_SLOPE = Model("y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10 + g11*w")
W = {"g01": [1, 0], "g11": [0, 1]}


@dataclass(frozen=True)
class Setting:
    """A name, the number of units, their sizes (from, to), and the families of tests to run."""

    name: str
    n_units: int
    rows: tuple[int, int]
    tests: tuple[str, ...]


SETTINGS = (
    Setting("150 units of 5 to 15 rows", 150, (5, 15), ("fixed", "variances", "two variances")),
    Setting("20 units of 5 to 15 rows", 20, (5, 15), ("fixed", "variances")),
    Setting("20 units of 60 to 100 rows", 20, (60, 100), ("variances",)),
)


class Source:
    """The fixed part of a setting: units, x and w; draws outcomes."""

    def __init__(self, setting: Setting, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        low, high = setting.rows
        n = self.rng.integers(low, high + 1, setting.n_units)
        self.unit = np.repeat(np.arange(setting.n_units), n)
        self.w = np.resize([0.0, 1.0], setting.n_units) + 0.3 * self.rng.normal(size=setting.n_units)
        self.x, self.z = self.rng.normal(size=(2, len(self.unit)))

    def moments(self, y: np.ndarray) -> Moments:
        """Take the moments of (y, x, z)."""
        n, weight, mean, sscp = unit_moments(self.unit, len(self.w), [y, self.x, self.z])
        ids = np.arange(len(self.w))
        return Moments("id", ids, ("y", "x", "z"), n, weight, mean, sscp, {"w": self.w})

    def draw(self, tau: np.ndarray) -> Moments:
        """Simulate an outcome on which w has no effect."""
        values, vectors = np.linalg.eigh(tau)
        root = vectors * np.sqrt(values)
        u = self.rng.normal(size=(len(self.w), 2)) @ root.T
        noise = np.sqrt(SIGMA2) * self.rng.normal(size=len(self.unit))
        y = 1.0 + u[self.unit, 0] + (0.5 + u[self.unit, 1]) * self.x + noise
        return self.moments(y)


def fixed_tests(data: Moments) -> Iterator[tuple[str, float]]:
    """Tests of gammas that are zero, and of values that are the true ones."""
    fit = FULL.fit(data)
    found = record_of(fit)
    rows = {
        "t, HLM's d.f.": fixed_effects(found, ModelBased()),
        "t, robust s.e., HLM's d.f.": fixed_effects(found, CR0()),
        "t, CR2, Satterthwaite d.f.": fixed_effects(found, CR2()),
        "t, Satterthwaite d.f.": fixed_effects(found, ModelBased(small=True)),
        "t, Kenward-Roger": fixed_effects(found, KenwardRoger()),
    }
    for name, table in rows.items():
        yield name, table[1].p_value
    yield "hypothesis of 2 rows, chi-square, robust (HLM)", fit.wald(W).p_value
    yield "hypothesis of 2 rows, chi-square, model-based", fit.wald(W, robust=False).p_value
    yield "variable as a whole, chi-square, robust", fit.test_variable("w").p_value
    yield "hypothesis of 2 rows, F, Satterthwaite", fit.wald(W, df="satterthwaite").p_value
    yield "hypothesis of 2 rows, F, Kenward-Roger", fit.wald(W, df="kenward-roger").p_value
    yield "hypothesis of 2 rows, F, CR2 (HTZ)", fit.wald(W, robust="CR2", df="satterthwaite").p_value
    ml = [m.fit(data, method="ML") for m in (FULL, WITHOUT_W)]
    yield "deviance, 2 fixed effects (ML)", ml[0].compare(ml[1]).p_value
    yield from interval_tests(found)


def interval_tests(fit: Estimates) -> Iterator[tuple[str, float]]:
    """1 where a 95 % interval holds the truth, 0 where it does not."""
    p, scale, e = _prepare(fit, 0.95)
    ratio = np.sqrt(TAU[0, 0] / SIGMA2) * scale[0]
    yield "interval of the intraclass correlation", rises(RatioChart(p, (0,)), ratio)
    yield "profile interval of sd[b0]", rises(SdChart(p, (0,)), scale[0] / e)
    yield "profile interval of sigma2", rises(Sigma2Chart(p), np.log(SIGMA2 / e**2))


def rises(chart: Chart, value: float) -> float:
    """Tell whether the profile deviance at the truth is below the cut: the interval holds it."""
    found = Search(chart, chart.ends[1]).minimum(float(value), chart.start)
    return float(found.value - chart.profile.minimum <= chart.profile.cut)


def variance_tests(data: Moments) -> Iterator[tuple[str, float]]:
    """Tests of a slope variance that is zero, and of level-1 variances that are equal."""
    simple, general = NO_SLOPE.fit(data), FULL.fit(data)
    test = general.compare(simple)
    yield "deviance, slope variance (REML), HLM's p", test.p_value
    if test.p_boundary is not None:
        yield "deviance, slope variance (REML), chi-bar-square", test.p_boundary
    yield "chi-square of the slope variance (HLM's table)", variance_components(record_of(general))[1].p_value
    same = simple.homogeneity()
    yield "homogeneity of level-1 variance, HLM's", same.p_value
    yield "homogeneity of level-1 variance, Bartlett", same.bartlett_p_value


def two_variance_tests(data: Moments) -> Iterator[tuple[str, float]]:
    """Tests of two slope variances at once."""
    test = THREE.fit(data).compare(ONE_OF_THREE.fit(data))
    yield "deviance, 2 slope variances (REML), HLM's p", test.p_value
    if test.p_boundary is not None:
        yield "deviance, 2 slope variances (REML), chi-bar-square", test.p_boundary


FAMILIES: dict[str, tuple[Callable[[Moments], Iterator[tuple[str, float]]], np.ndarray]] = {
    "fixed": (fixed_tests, TAU),
    "variances": (variance_tests, np.diag([1.0, 0.0])),
    "two variances": (two_variance_tests, np.diag([1.0, 0.0])),
}


def simulate(setting: Setting, n: int = 1000, seed: int = 2026) -> dict[str, tuple[float, int]]:
    """Give the share of rejections at 5 % and the number of data sets, by test."""
    source, counts = Source(setting, seed), dict[str, list[int]]()
    for _ in range(n):
        for tests, tau in (FAMILIES[name] for name in setting.tests):
            for name, p in tests(source.draw(tau)):
                count = counts.setdefault(name, [0, 0])
                count[0] += p < 0.05
                count[1] += 1
    return {name: (rejected / total, total) for name, (rejected, total) in counts.items()}


def table(results: dict[str, dict[str, tuple[float, int]]]) -> str:
    """Write the shares as a Markdown table, per cent."""
    lines = ["| Rejected at 5 % though true | " + " | ".join(results) + " |"]
    lines.append("|---" * (len(results) + 1) + "|")
    for name in dict.fromkeys(name for found in results.values() for name in found):
        shares = [f"{100 * found[name][0]:.1f} %" if name in found else "" for found in results.values()]
        lines.append(f"| {name} | " + " | ".join(shares) + " |")
    return "\n".join(lines)


def main(n: int) -> None:
    """Run all settings and print the table."""
    results = {setting.name: simulate(setting, n) for setting in SETTINGS}
    print(table(results))
    print(f"\n{n} data sets each; one standard error is {100 * np.sqrt(0.05 * 0.95 / n):.1f} points at 5 %.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
