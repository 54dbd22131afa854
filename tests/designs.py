"""Generated designs: units of their own, single rows, collinear and constant columns, huge and tiny units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import hlmbayes as hlm

CENTRING = ("{}", "{}", "group({})", "grand({})")
SCALES = (1.0, 1.0, 1.0, 1e-15, 1e-6, 1e6, 1e15)


@dataclass
class Case:
    """A model, data, and the arguments of a fit; ``words`` say what is odd in it."""

    model: str
    columns: dict[str, np.ndarray]
    options: dict[str, Any]
    words: tuple[str, ...]

    def fit(self) -> hlm.Fit:
        return hlm.Model(self.model).fit(hlm.read(self.columns), **self.options)


def level1_columns(rng: np.random.Generator, unit: np.ndarray, words: list[str]) -> dict[str, np.ndarray]:
    """Give x1 and x2, each of an odd kind now and then."""
    J, N = unit[-1] + 1, len(unit)
    x1, x2 = rng.normal(size=N) + rng.normal(size=J)[unit], rng.normal(size=N)
    kind = rng.choice(["plain", "plain", "dummy", "year", "time", "rare", "in one unit"])
    x1 = {
        "dummy": (x1 > 0) * 1.0, "year": 2000.0 + rng.integers(0, 9, N), "rare": (np.arange(N) == 0) * 1.0,
        "time": np.arange(N) - np.flatnonzero(np.diff(unit, prepend=-1))[unit] * 1.0,
        "in one unit": (unit == 0) * x1,
    }.get(str(kind), x1)  # fmt: skip
    bad = rng.choice(["fine"] * 7 + ["copy", "near", "constant", "zero", "of units", "near constant"])
    x2 = {
        "copy": 2.0 * x1 + 1.0, "near": x1 + 1e-5 * x2, "constant": np.full(N, 3.0), "zero": np.zeros(N),
        "of units": x2[:J][unit], "near constant": 5.0 + 1e-9 * x2,
    }.get(str(bad), x2)  # fmt: skip
    words += [f"x1 {kind}", f"x2 {bad}"]
    return {"x1": x1, "x2": x2}


def level2_columns(rng: np.random.Generator, J: int, words: list[str]) -> dict[str, np.ndarray]:
    """Give w and v (J,), each of an odd kind now and then."""
    w, v = rng.normal(size=J), rng.normal(size=J)
    kind = rng.choice(["plain", "plain", "own unit", "own unit", "two units", "dummy", "constant"])
    w = {
        "own unit": (np.arange(J) == 0) * 1.0, "two units": (np.arange(J) < 2) * 1.0, "dummy": (w > 0) * 1.0,
        "constant": np.ones(J),
    }.get(str(kind), w)  # fmt: skip
    bad = rng.choice(["fine"] * 6 + ["copy", "rest", "near"])
    v = {"copy": -w, "rest": 1.0 - w, "near": w + 1e-6 * v}.get(str(bad), v)
    words += [f"w {kind}", f"v {bad}"]
    return {"w": w, "v": v}


def outcome(
    rng: np.random.Generator, unit: np.ndarray, x: np.ndarray, w: np.ndarray, words: list[str]
) -> np.ndarray:
    """Give y: ordinary, without variance between or within units, a copy of a predictor, constant."""
    J, N = unit[-1] + 1, len(unit)
    kind = rng.choice(
        ["plain"] * 8 + ["no tau", "large tau", "large tau", "of units", "copy", "constant", "binary"]
    )
    words.append(f"y {kind}")
    u, r = rng.normal(size=(2, J)), rng.normal(size=N)
    size = {"no tau": 0.0, "large tau": float(rng.choice([30.0, 1e4]))}.get(str(kind), 1.0)
    y = r + w[unit] + x + size * (u[0] + 0.5 * u[1] * np.nan_to_num(x / (x.std() or 1.0)).mean())[unit]
    y += size * 0.5 * u[1, unit] * (x - x.mean()) / (x.std() or 1.0)
    return {
        "of units": u[0, unit], "copy": 2.0 * x, "constant": np.full(N, 5.0), "binary": (y > 0) * 1.0,
    }.get(str(kind), y)  # fmt: skip


def random_case(seed: int) -> Case:
    """Draw a design: its model, data, and how it is to be fitted."""
    rng = np.random.default_rng([20271, seed])
    words: list[str] = []
    J = int(rng.integers(2, 16))
    sizes = rng.choice(["some", "some", "single rows", "few", "balanced", "one huge"])
    n = rng.integers(1, 9, J)
    n = {
        "single rows": np.where(rng.random(J) < 0.6, 1, n), "few": rng.integers(1, 4, J),
        "balanced": np.full(J, 4), "one huge": np.where(np.arange(J) == 0, 300, n),
    }.get(str(sizes), n)  # fmt: skip
    words.append(f"J {J}, {sizes}")
    unit = np.repeat(np.arange(J), n)
    x, w = level1_columns(rng, unit, words), level2_columns(rng, J, words)
    y = outcome(rng, unit, x["x1"], w["w"], words)
    sy, sx, sw = rng.choice(SCALES, 3)
    words.append(f"scales {sy:g} {sx:g} {sw:g}")
    columns = {"id": unit, "y": sy * y, "x1": sx * x["x1"], "x2": sx * x["x2"]}
    columns |= {name: sw * values[unit] for name, values in w.items()}
    columns |= {"g": (rng.random(len(unit)) < 0.5) * 1.0, "k": rng.integers(1, 4, len(unit))}
    columns |= {
        "pw": rng.choice(SCALES) * rng.uniform(0.2, 3.0, len(unit)),
        "uw": rng.uniform(0.2, 3.0, J)[unit],
    }
    columns["v1"] = sy**2 * rng.choice([1e-8, 1.0, 1e8]) * rng.uniform(0.1, 2.0, len(unit))
    if rng.random() < 0.1:
        columns["x2"] = columns["x2"].copy()
        columns["x2"][rng.random(len(unit)) < 0.3] = np.nan
    options: dict[str, Any] = {"method": str(rng.choice(["REML", "ML"]))}
    law = str(rng.choice(["", "", "", "", "sampling", "frequency", "precision", "known", "held", "log"]))
    laws: dict[str, dict[str, Any]] = {
        "sampling": {"weights": hlm.Weights("pw", "uw", scaling=str(rng.choice(["hlm", "size", "none"])))},
        "frequency": {"frequency": hlm.Frequencies("k")}, "precision": {"precision": "pw"},
        "known": {"variance_known": "v1"}, "held": {"sigma2": float(sy**2)},
    }  # fmt: skip
    options |= laws.get(law, {})
    if rng.random() < 0.25:
        options["algorithm"] = "hlm"
    words.append(f"{law or 'plain'} {options}")
    return Case(equations(rng, law), columns, options, tuple(words))


def equations(rng: np.random.Generator, law: str) -> str:
    """Draw a model of at most three coefficients."""
    terms = [str(rng.choice(CENTRING)).format(name) for name in ("x1", "x2")][: int(rng.integers(0, 3))]
    intercept = not terms or rng.random() < 0.9
    names = (["b0"] if intercept else []) + [f"b{k}" for k in range(1, len(terms) + 1)]
    first = (["b0"] if intercept else []) + [f"b{k}*{term}" for k, term in enumerate(terms, 1)]
    q = (
        int(rng.integers(0, len(names) + 1))
        if rng.random() < 0.3
        else min(len(names), int(rng.integers(1, 3)))
    )
    lines = [f"y = {' + '.join(first)} + r"]
    for at, name in enumerate(names):
        k = name[1:]
        of = [f"g{k}0", *[f"g{k}{s}*{v}" for s, v in ((1, "w"), (2, "v")) if rng.random() < 0.4]]
        lines.append(f"{name} = {' + '.join(of)}" + (f" + u{k}" if at < q else ""))
    if law == "log":
        lines.append("log(sigma2) = a0 + a1*" + str(rng.choice(["g", "w"])))
    return "\n".join(lines)


def questions(fit: hlm.Fit) -> dict[str, Callable[[], Any]]:
    """Everything public that a fit answers, by name."""
    names = list(fit.model.gamma_names)
    every = {name: [float(k == at) for k in range(len(names))] for at, name in enumerate(names)}
    singles = [{name: 1.0} for name in names]
    ask: dict[str, Callable[[], Any]] = {}
    for kind in (None, False, True, "CR1", "CR2"):
        ask[f"confint {kind}"] = partial(fit.confint, robust=kind)
        ask[f"wald of all {kind}"] = partial(fit.wald, every, robust=kind)
        for df in (None, "hlm", "satterthwaite", "kenward-roger"):
            ask[f"fixed_effects {kind} {df}"] = partial(fit.fixed_effects, kind, df=df)
            if names and df != "hlm":
                ask[f"wald {kind} {df}"] = partial(fit.wald, *singles, robust=kind, df=df)
                ask[f"contrast {kind} {df}"] = partial(fit.contrast, names[-1], robust=kind, df=df)
    for name in ("x1", "w"):
        ask[f"test_variable {name}"] = partial(fit.test_variable, name)
    for name in ("vcov", "vcov_robust", "tau_corr", "se_tau", "se_sigma2", "aic", "bic"):
        ask[name] = partial(getattr, fit, name)
    return ask | {
        "variance_components": fit.variance_components, "reliability": fit.reliability,
        "residuals 2": fit.residuals, "residuals 1": partial(fit.residuals, 1), "influence": fit.influence,
        "check": fit.check, "icc": fit.icc, "r2": fit.r2, "homogeneity": fit.homogeneity,
        "log_sigma2": fit.log_sigma2, "plausible_range": fit.plausible_range, "json": fit.to_json,
        "html": fit.to_html, "listing": partial(fit.listing, full_output=True), "repr": partial(repr, fit),
        "variance_explained": partial(fit.variance_explained, fit),
        "compare": partial(fit.compare, deviance=fit.deviance + 3.0, n_parameters=fit.n_parameters + 1),
        "bootstrap": lambda: fit.bootstrap(2, seed=1).intervals(),
    }  # fmt: skip
