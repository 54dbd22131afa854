"""Few rows, laws and algorithms by chance: a result or a refusal in words, and deviances that are right."""

from __future__ import annotations

import warnings
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import hlmbayes as hlm
from hlmbayes.errors import HLMError, HLMWarning
from hlmbayes.faces import record_of
from hlmbayes.hglm.fitted_rows import plain_rows

LEFT = (
    "logit(y)", "probit(y)", "cloglog(y)", "logit(y, trials=n)", "log(y)", "log(y, exposure=n)",
    "cumlogit(y)", "mlogit(y)",
)  # fmt: skip
LOG_ODDS = {  # logarithms of the probabilities of a success and of a failure
    "logit": lambda eta: (-np.logaddexp(0, -eta), -np.logaddexp(0, eta)),
    "probit": lambda eta: (special.log_ndtr(eta), special.log_ndtr(-eta)),
    "cloglog": lambda eta: (np.log(-np.expm1(-np.exp(eta))), -np.exp(eta)),
}


def random_case(rng: np.random.Generator) -> tuple[str, str, pd.DataFrame]:
    """Draw a law, equations of 1 or 2 random coefficients or none, and at most 30 units of 1 to 9 rows."""
    left = str(rng.choice(LEFT))
    J, q = int(rng.integers(3, 30)), int(rng.choice([0, 1, 1, 1, 2] if left != "mlogit(y)" else [0, 1]))
    unit = np.repeat(np.arange(J), rng.integers(1, 10, J))
    N = len(unit)
    x = (
        rng.normal(size=(2, N)) * rng.choice([0.1, 1, 30])
        + rng.choice([0, 0, 5]) * rng.normal(size=(2, J))[:, unit]
    )
    if rng.random() < 0.4:
        x[0] = x[0] > 0
    u = rng.choice([0, 0.3, 1, 1, 6]) * rng.normal(size=(3, J))
    scale = rng.choice([0, 0.5, 3]) / x.std()
    eta = (
        rng.choice([-4, -1, 0, 2]) + u[0, unit] + scale * x[0] + (u[1, unit] * x[0] / x.std() if q > 1 else 0)
    )
    n = rng.integers(1, 6, N)
    mean = special.expit(eta)
    if left.startswith("log("):
        y = rng.poisson(np.exp(np.clip(eta, -9, rng.choice([3, 12]))))
    elif left in ("cumlogit(y)", "mlogit(y)"):
        y = np.digitize(eta + rng.logistic(size=N), [-1, 0.5, 2][: int(rng.integers(2, 4))])
    else:
        y = rng.binomial(n if "trials" in left else 1, mean)
    lines = [f"{left} = b0 + b1*{rng.choice(['x1', 'group(x1)', 'grand(x1)'])} + b2*x2"]
    lines += [f"b{k} = g{k}0{' + g01*w' if not k else ''}" + (f" + u{k}" if k < q else "") for k in range(3)]
    if q > 1 and rng.random() < 0.4:
        lines.append("cov(u0, u1) = 0")
    frame = {"id": unit, "y": y, "n": n, "x1": x[0], "x2": x[1], "w": rng.normal(size=J)[unit]}
    return left, "\n".join(lines), pd.DataFrame(frame)


def by_trapezoids(fit) -> float:
    """Give the deviance of a fit with one random effect, or none, by trapezoids over 12 sd."""
    record = record_of(fit)
    rows = plain_rows(record)
    q = rows.z.shape[1]
    sd = float(np.sqrt(record.tau_values[0, 0])) if q else 0.0
    t = np.linspace(-12, 12, 40_001 if sd > 5 else 6001)
    y, size = rows.y[:, None], rows.size[:, None]
    log = np.zeros((record.n_units, len(t)))
    for first in range(0, len(rows.y), 20):  # a few rows at a time
        own = slice(first, first + 20)
        eta = rows.fixed[own, None] + (rows.z[own, :1] * sd * t if q else 0.0 * t)
        with np.errstate(over="ignore", divide="ignore"):
            if record.model.outcome_law.link == "log":
                density = stats.poisson.logpmf(y[own], np.exp(eta) * size[own])
            else:
                hit, miss = LOG_ODDS[record.model.outcome_law.link](np.clip(eta, -700, 700))
                density = stats.binom.logpmf(y[own], size[own], 0.5) + size[own] * np.log(2)
                density = density + y[own] * hit + (size[own] - y[own]) * miss
        np.add.at(log, rows.unit[own], density)
    weight = stats.norm.logpdf(t) + np.log(t[1] - t[0])
    return -2.0 * float(special.logsumexp(log + weight, axis=1).sum())


def ask_everything(fit) -> None:
    """Ask what there may be; what there is not is refused in words."""
    fit.listing()
    fit.to_json()
    names = (
        "summary",
        "ratios",
        "icc",
        "r2",
        "predict",
        "residuals",
        "influence",
        "explore",
        "variance_components",
    )
    for name in names:
        with suppress(HLMError):
            getattr(fit, name)()
    for options in ({"robust": True},):
        with suppress(HLMError):
            fit.fixed_effects(**options)


def look_at(seed: int) -> None:
    left, equations, frame = random_case(np.random.default_rng([20261129, seed]))
    for algorithm in ("exact", "hlm"):
        fit = None
        with suppress(HLMError):
            fit = hlm.Model(equations).fit(frame, id="id", algorithm=algorithm)
        if fit is None:
            continue
        assert np.isfinite(np.asarray(fit.gamma)).all()
        assert np.isfinite(np.asarray(fit.tau)).all()
        ask_everything(fit)
        few = fit.tau.shape[0] <= 1 and left[:2] not in ("cu", "ml")
        if algorithm == "exact" and fit.converged and few:
            assert fit.deviance == pytest.approx(by_trapezoids(fit), abs=1e-6)


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(k, marks=pytest.mark.slow) for k in range(3, 30))]
)
def test_small_data_give_a_result_or_a_refusal(seed: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", HLMWarning)
        look_at(seed)


# --- what a walk through wrong and extreme outcomes found -----------------------------------------


def units(seed: int = 3) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(20), 6)
    x, w = rng.normal(size=120).round(2), rng.normal(size=20).round(2)
    return pd.DataFrame({"id": unit, "x": x, "w": w[unit], "c": 1.0}), rng.normal(size=20)[unit]


ONE = "b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10"


def test_counts_of_hundred_millions_have_their_likelihood():
    frame, u = units()
    frame["y"] = (1e8 * np.exp(0.3 * u + 0.1 * frame.x)).round()
    fit = hlm.Model(f"log(y) = {ONE}").fit(frame, id="id")
    assert fit.converged
    t = np.linspace(-3e-3, 3e-3, 24_001)  # about each unit's own mean, which is all but known
    eta = fit.gamma["g00"] + fit.gamma["g01"] * frame.w + fit.gamma["g10"] * frame.x
    own, sd = fit.residuals(2).ebintrcp.to_numpy(), np.sqrt(fit.tau["b0", "b0"])
    total = 0.0
    for j in range(20):
        rows = frame.id == j
        r = (eta + own[j] - np.log(frame.y))[rows].to_numpy()[:, None] + t
        log = frame.y[rows].to_numpy()[:, None] * (r - np.expm1(r)) - 0.5 * np.log(
            2 * np.pi * frame.y[rows].to_numpy()[:, None]
        )
        total += special.logsumexp(log.sum(axis=0) + stats.norm.logpdf(own[j] + t, 0, sd)) + np.log(
            t[1] - t[0]
        )
    # the logarithm of 1e8 has an error of 2e-15, and the row's density one of 2e-7
    assert fit.deviance == pytest.approx(-2 * total, abs=1e-5)
    assert hlm.Model(f"log(y) = {ONE}").fit(frame, id="id", algorithm="hlm").warnings == ()


def test_counts_without_digits_are_refused():
    frame, u = units()
    frame["y"] = (1e15 * np.exp(0.3 * u)).round()
    with pytest.raises(HLMError, match="counts are at most 1e"):
        hlm.Model(f"log(y) = {ONE}").fit(frame, id="id")


def test_a_model_without_fixed_effects():
    frame, u = units()
    frame["y"] = (np.random.default_rng(1).random(120) < special.expit(u)).astype(int)
    fit = hlm.Model("logit(y) = b0; b0 = u0").fit(frame, id="id")
    assert fit.deviance == pytest.approx(by_trapezoids(fit), abs=1e-6)


@pytest.mark.parametrize("algorithm", ["exact", "hlm"])
def test_separated_ratings_are_refused_by_both_algorithms(algorithm):
    frame, _ = units()
    frame["y"] = np.digitize(frame.x, [-0.5, 0.5])
    with pytest.raises(HLMError, match=r"g10 \(x\) separate"):
        hlm.Model("cumlogit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10").fit(frame, id="id", algorithm=algorithm)


def test_a_variance_that_is_nothing_is_zero_and_said():
    frame, _ = units()
    frame["y"] = (np.arange(120) == 5).astype(int)
    fit = hlm.Model(f"logit(y) = {ONE}").fit(frame, id="id")
    assert fit.tau["b0", "b0"] == 0.0
    assert "estimated as zero" in fit.warnings[0]


@pytest.mark.slow
def test_a_variance_without_end_is_said():
    frame, _ = units()
    frame = frame[frame.id < 8].assign(y=lambda f: (f.id + (f.index == 0)) % 2)
    fit = hlm.Model(f"logit(y) = {ONE}").fit(frame, id="id")
    assert any("all or nothing" in text for text in fit.warnings)


def test_exposures_of_any_size_are_no_linear_predictors_gone_astray():
    frame, u = units()
    frame["y"] = np.random.default_rng(1).poisson(np.exp(0.5 * u))
    frame["e"] = np.random.default_rng(2).uniform(0.5, 2, 120)
    model, fits = hlm.Model(f"log(y, exposure=e) = {ONE}"), []
    for size in (1.0, 1e9):
        fits.append(model.fit(frame.assign(e=frame.e * size), id="id", algorithm="hlm"))
        assert fits[-1].warnings == ()
    assert fits[1].gamma["g00"] == pytest.approx(fits[0].gamma["g00"] - np.log(1e9))


def test_candidates_nobody_named_may_be_alike_in_all_units():
    frame, u = units()
    frame["y"] = (np.random.default_rng(1).random(120) < special.expit(u)).astype(int)
    frame["v"] = frame.w**2
    fit = hlm.Model(f"logit(y) = {ONE}").fit(frame, id="id")
    assert list(fit.explore().frame().variable) == ["v"]
