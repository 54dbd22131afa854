"""Units of measurement: whatever y, predictors, variances and weights are multiplied by, no test moves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hlmbayes as hlm
from hlmbayes.errors import HLMError
from hlmbayes.faces import record_of
from tests.small import small

SLOPES = "y = b0 + b1*x + b2*z + r; b0 = g00 + g01*w + u0; b1 = g10 + g11*w + u1; b2 = g20"
MEANS = "y = b0 + r; b0 = g00 + g01*w + g02*v + u0"
GROUP = "y = b0 + b1*group(x) + r; b0 = g00 + g01*grand(w) + u0; b1 = g10 + u1"
BARE = "y = b1*d + b2*e + b3*x + r; b1 = g10 + g11*w + u1; b2 = g20 + g21*w + u2; b3 = g30"
PLAIN = "y = b0 + b1*x + r; b0 = g00 + g01*w; b1 = g10"
EQUAL = "y = b0 + b1*x + b2*z + r; b0 = g00 + u0; b1 = g10 + u1; b2 = g20; g10 = g20"
LOG = GROUP + "\nlog(sigma2) = a0 + a1*d"
LINES = "y = b0 + b1*x + r; b0 = g00 + g01*w + u0; b1 = g10 + u1; cov(u0, u1) = 0"


@dataclass(frozen=True)
class Factors:
    """What y, level-1 and level-2 predictors and weights are multiplied by."""

    y: float = 1.0
    x: float = 1.0
    w: float = 1.0
    weight1: float = 1.0
    weight2: float = 1.0


def columns(f: Factors) -> dict[str, np.ndarray]:
    source, rng = small(5, n_units=14), np.random.default_rng(9)
    unit = source.unit
    rows = {"id": unit, **source.columns, **{name: values[unit] for name, values in source.level2.items()}}
    own = {"y": f.y, "x": f.x, "z": f.x, "w": f.w, "v": f.w}
    rows |= {name: factor * np.asarray(rows[name]) for name, factor in own.items()}
    rows["known"] = f.y**2 * rng.uniform(0.2, 2.0, len(unit))
    rows["p1"] = f.weight1 * rng.uniform(0.3, 3.0, len(unit))
    rows["p2"] = f.weight2 * rng.uniform(0.3, 3.0, 14)[unit]
    rows["total"] = rows["p1"] * rows["p2"]
    half = rng.permuted(np.tile([0.5, 1.5], (14, 2)), axis=1)
    rows |= {f"rep{k}": rows["total"] * half[unit, k] for k in range(4)}
    return rows


def fitted(model: str, **options: Any) -> Callable[[Factors], hlm.Fit]:
    """Fit a model to rescaled data."""

    def of(f: Factors) -> hlm.Fit:
        held = {"sigma2": options["sigma2"] * f.y**2} if "sigma2" in options else {}
        return hlm.Model(model).fit(hlm.read(columns(f)), **{**options, **held})

    return of


CASES = {
    "slopes": fitted(SLOPES), "means": fitted(MEANS), "group": fitted(GROUP), "no intercept": fitted(BARE),
    "nothing random": fitted(PLAIN), "constrained": fitted(EQUAL), "ML": fitted(SLOPES, method="ML"),
    "independent": fitted(LINES), "log sigma2": fitted(LOG), "known": fitted(MEANS, variance_known="known"),
    "known slopes": fitted(SLOPES, variance_known="known"), "precision": fitted(SLOPES, precision="p1"),
    "held": fitted(MEANS, sigma2=1.3), "sampling": fitted(SLOPES, weights=hlm.Weights("p1", "p2")),
    "sampling, size": fitted(GROUP, weights=hlm.Weights("p1", "p2", scaling="size")),
    "sampling, units": fitted(MEANS, weights=hlm.Weights(level2="p2", scaling="size")),
}  # fmt: skip


def numbers(fit: hlm.Fit) -> dict[str, float]:
    """All that has no unit of measurement: tests, d.f., p-values, reliabilities, correlations, shares."""
    found: dict[str, float] = {}

    def table(what: str, ask: Callable[[], Any], *names: str) -> None:
        with suppress(HLMError):
            for index, row in ask().iterrows():
                found.update({f"{what} {index} {name}": float(row[name]) for name in names})

    def record(what: str, ask: Callable[[], Any], *names: str) -> None:
        with suppress(HLMError):
            result = ask()
            values = {f"{what} {name}": getattr(result, name) for name in names}
            found.update({name: float(value) for name, value in values.items() if value is not None})

    def array(what: str, ask: Callable[[], Any]) -> None:
        with suppress(HLMError):
            found.update({f"{what} {k}": float(value) for k, value in enumerate(np.ravel(ask()))})

    gammas = list(fit.model.gamma_names)
    all_but_one = {name: [float(k == at) for k in range(1, len(gammas))] for at, name in enumerate(gammas)}
    valid = () if record_of(fit).counting.pseudo else (False,)  # with sampling weights it is not
    for kind in (*valid, True, "CR1", "CR2"):
        for df in (None, "hlm", "satterthwaite", "kenward-roger"):
            table(f"{kind} {df}", partial(fit.fixed_effects, kind, df=df), "t_ratio", "df", "p_value")
            if (kind, df) != (False, "satterthwaite"):  # as lmerTest's, it depends on what predictors are in
                ask = partial(fit.wald, all_but_one, robust=kind, df=df)
                record(f"wald {kind} {df}", ask, "chi2", "df", "p_value", "df_denominator")
        for name in ("x", "w"):
            record(f"{name} {kind}", partial(fit.test_variable, name, robust=kind), "chi2", "df", "p_value")
    table("variances", fit.variance_components, "chi2", "df", "p_value")
    record("homogeneity", fit.homogeneity, "chi2", "df", "p_value")
    record("icc", fit.icc, "icc", "low", "high")
    array("reliability", fit.reliability)
    array("correlation", lambda: fit.tau_corr)
    array("cook", lambda: fit.influence()["cook"])
    array("mdist", lambda: fit.residuals(2)["mdist"])
    return found


BASE: dict[str, tuple[dict[str, float], hlm.Fit]] = {}


def compare(name: str, f: Factors) -> None:
    if name not in BASE:
        fit = CASES[name](Factors())
        BASE[name] = numbers(fit), fit
    (wanted, here), there = BASE[name], CASES[name](f)
    got = numbers(there)
    assert not got.keys() ^ wanted.keys(), got.keys() ^ wanted.keys()
    ours, theirs = np.array([[got[key], wanted[key]] for key in wanted]).T
    off = ~np.isclose(ours, theirs, rtol=1e-6, atol=1e-9, equal_nan=True)
    assert not off.any(), {key: (got[key], wanted[key]) for key, bad in zip(wanted, off, strict=True) if bad}
    assert there.warnings == here.warnings, "words"
    assert there.n_parameters == here.n_parameters


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("what", ["y", "x", "w", "opposite", pytest.param("all", marks=pytest.mark.slow)])
@pytest.mark.parametrize("power", [-15, 15])
def test_the_ends_of_the_scale(name: str, what: str, power: int) -> None:
    scale = 10.0**power
    f = {"all": Factors(scale, scale, scale), "opposite": Factors(scale, 1 / scale, scale)}.get(what)
    compare(name, f or Factors(**{what: scale}))


@pytest.mark.parametrize("name", [name for name in CASES if "sampling" in name or name == "precision"])
@pytest.mark.parametrize(
    ("one", "two"), [(1e-15, 1.0), (1e15, 1.0), (1.0, 1e-15), (1.0, 1e15), (1e15, 1e-15)]
)
def test_the_ends_of_weights(name: str, one: float, two: float) -> None:
    compare(name, Factors(weight1=one, weight2=two))


@pytest.mark.parametrize("f", [Factors(1e15, 1e-15, 1e15, 1e15, 1.0), Factors(1e-15, 1e15, 1.0, 1e-15, 1e15)])
def test_replicate_weights(f: Factors) -> None:
    ours, theirs = (
        hlm.fit_replicates(
            hlm.Model(MEANS), hlm.read(columns(each)), hlm.Weights("total"), [f"rep{k}" for k in range(4)],
            of="level1",
        ).fixed_effects()
        for each in (Factors(), f)
    )  # fmt: skip
    for name in ("t_ratio", "df", "p_value"):
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-6)


@pytest.mark.parametrize("power", [-15, 15])
def test_degrees_of_freedom_and_words_on_hlms_path(power: int) -> None:
    """HLM stops by the change of a log-likelihood that has units, and its rule for units takes x as it is."""
    path = fitted(GROUP, algorithm="hlm")
    here, there = path(Factors()), path(Factors(10.0**power, 1.0, 10.0**-power))
    assert there.warnings == here.warnings
    for ask in (hlm.Fit.fixed_effects, hlm.Fit.variance_components):
        np.testing.assert_array_equal(ask(there)["df"], ask(here)["df"])
        np.testing.assert_allclose(ask(there)["p_value"], ask(here)["p_value"], atol=0.003)


POWERS = st.integers(-15, 15).map(lambda k: 10.0**k)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@settings(max_examples=12)
@given(POWERS, POWERS, POWERS, POWERS, POWERS, st.floats(1, 10))
def test_any_scale(name: str, y: float, x: float, w: float, one: float, two: float, odd: float) -> None:
    compare(name, Factors(odd * y, odd * x, w / odd, odd * one, two / odd))
