"""Nearly collinear columns: the bound holds beside exact arithmetic; ordinary models are not warned about."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hlmbayes as hlm
from hlmbayes import datasets
from hlmbayes.estimation.lost_digits import MOST, fixed_loss, level1_loss
from hlmbayes.faces import record_of

MODELS = sorted((Path(__file__).parents[2] / "models").glob("*.hlm"))
UNIT = np.repeat(np.arange(20), 6)
HSB1, HSB2 = datasets.hsb_paths()


def loss(fit: hlm.Fit) -> float:
    record = record_of(fit)
    of_z = level1_loss(record.design).sum(axis=0)[: record.design.n_random]
    return float(max(of_z.max(initial=0.0), fixed_loss(record, level1_loss(record.design)).max()))


def exact_errors(columns: list[np.ndarray], tau: float, sigma2: float) -> np.ndarray:
    """Standard errors of a model with a random intercept, in rational numbers: no digit is lost."""
    p = len(columns) + 1
    a = [[Fraction(0)] * p for _ in range(p)]
    for unit in range(20):
        rows = [[Fraction(1), *map(Fraction, row)] for row in np.transpose(columns)[unit == UNIT].tolist()]
        shrink = Fraction(tau) / (Fraction(sigma2) + len(rows) * Fraction(tau))
        sums = [sum(row[k] for row in rows) for k in range(p)]
        for i in range(p):
            for k in range(p):
                a[i][k] += (sum(r[i] * r[k] for r in rows) - shrink * sums[i] * sums[k]) / Fraction(sigma2)
    whole = determinant(a)
    minors = [[[row[c] for c in range(p) if c != k] for r, row in enumerate(a) if r != k] for k in range(p)]
    return np.sqrt([float(determinant(minor) / whole) for minor in minors])


def determinant(a: list[list[Fraction]]) -> Fraction:
    a, value = [row[:] for row in a], Fraction(1)
    for i, pivot in enumerate(a):
        value *= pivot[i]
        for k in range(i + 1, len(a)):
            share = a[k][i] / pivot[i]
            a[k] = [x - share * y for x, y in zip(a[k], pivot, strict=True)]
    return value


def fitted(columns: list[np.ndarray], level2: bool, rng: np.random.Generator) -> hlm.Fit:
    names = [f"x{k}" for k in range(1, len(columns) + 1)]
    y = sum(x / np.std(x) for x in columns) + rng.normal(size=20)[UNIT] + rng.normal(size=120)
    data = hlm.read({"id": UNIT, "y": y, **dict(zip(names, columns, strict=True))})
    if level2:
        terms = " + ".join(f"g0{k}*{name}" for k, name in enumerate(names, 1))
        return hlm.Model(f"y = b0 + r; b0 = g00 + {terms} + u0").fit(data)
    first = " + ".join(f"b{k}*{name}" for k, name in enumerate(names, 1))
    rest = "; ".join(f"b{k} = g{k}0" for k in range(1, len(names) + 1))
    return hlm.Model(f"y = b0 + {first} + r; b0 = g00 + u0; {rest}").fit(data)


@settings(max_examples=25)
@given(
    st.integers(0, 10**6), st.floats(-5.8, -2), st.sampled_from(["rows", "units", "level 2", "sum"]),
    st.sampled_from([0.0, 1.0, 30.0]),
)  # fmt: skip
def test_the_bound_holds_and_what_is_printed_has_its_digits(
    seed: int, power: float, kind: str, level: float
) -> None:
    rng = np.random.default_rng(seed)
    level2 = kind == "level 2"
    x = level + (rng.normal(size=20)[UNIT] if level2 else rng.normal(size=120))
    rest = rng.normal(size=20)[UNIT] if kind in ("units", "level 2") else rng.normal(size=120)
    columns = [x, x + 10.0**power * rest]
    if kind == "sum":
        z = rng.normal(size=120)
        columns = [x, z, x + z + 10.0**power * rest]
    try:
        fit = fitted(columns, level2, rng)
    except hlm.HLMError as error:
        assert "collinear" in str(error)  # noqa: PT017
        assert 10**power < 1e-3 * max(level, 0.1)
        return
    errors = exact_errors(columns, float(fit.tau[0, 0]), fit.sigma2)
    lost = np.abs(np.sqrt(np.diag(fit.vcov)) / errors - 1).max()
    assert lost < loss(fit)
    between = 1 + 6 * float(fit.tau[0, 0]) / fit.sigma2  # so much less do units say than rows
    assert loss(fit) < 2e-14 * between * (1 + level) ** 2 / 100**power  # and is no alarm
    said = [caution for caution in fit.warnings if "collinear but for a small rest" in caution]
    assert bool(said) == (loss(fit) > MOST)
    assert all("x1" in caution and f"x{len(columns)}" in caution for caution in said)


def test_it_is_said_in_the_listing() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=120)
    fit = fitted([x, x + 1e-5 * rng.normal(size=120)], False, rng)
    said = "The columns of g10 (x1) and g20 (x2) are collinear but for a small rest"
    assert said in " ".join(fit.warnings)
    assert said in " ".join(fit.listing().split())
    assert said in fit.to_json()
    w = rng.normal(size=20)[UNIT]
    fit = fitted([w, w + 1e-5 * rng.normal(size=20)[UNIT]], True, rng)
    assert "The columns of g01 (x1) and g02 (x2) are collinear but for a small rest" in " ".join(fit.warnings)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_no_model_of_ours_is_warned_about(path: Path) -> None:
    command = hlm.read_command_file(path, level1=HSB1, level2=HSB2, id="id")
    assert loss(hlm.Model(command.model.equations()).fit(datasets.hsb())) < 1e-10


ORDINARY = {
    "dummies without a constant": "y = b1*d1 + b2*d2 + b3*d3 + r; b1 = g10 + u1; b2 = g20; b3 = g30",
    "dummies with a constant": "y = b0 + b1*d1 + b2*d2 + r; b0 = g00 + u0; b1 = g10; b2 = g20",
    "a rare dummy": "y = b0 + b1*rare + r; b0 = g00 + u0; b1 = g10",
    "years": "y = b0 + b1*year + r; b0 = g00 + u0; b1 = g10 + u1",
    "years squared": "y = b0 + b1*year + b2*year2 + r; b0 = g00 + u0; b1 = g10; b2 = g20",
    "years centred": "y = b0 + b1*grand(year) + r; b0 = g00 + u0; b1 = g10",
    "age to its fourth power": (
        "y = b0 + b1*age + b2*age2 + b3*age3 + b4*age4 + r; b0 = g00; b1 = g10; b2 = g20; b3 = g30; b4 = g40"
    ),
    "centred and its mean": "y = b0 + b1*group(age) + r; b0 = g00 + g01*agemean + u0; b1 = g10 + g11*agemean",
    "money": "y = b0 + b1*pay + r; b0 = g00 + g01*w + u0; b1 = g10 + g11*w + u1",
    "correlated 0.999": "y = b0 + b1*age + b2*near + r; b0 = g00 + u0; b1 = g10; b2 = g20",
    "a trend of the units": "y = b0 + b1*trend + r; b0 = g00 + g01*number + u0; b1 = g10",
}


@pytest.mark.parametrize("name", ORDINARY)
@pytest.mark.parametrize("seed", range(3))
def test_ordinary_models_are_not_warned_about(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kind, age = rng.integers(0, 3, 120), rng.integers(18, 66, 120) * 1.0
    year = 2000.0 + rng.integers(0, 11, 120)
    mean = np.array([age[j == UNIT].mean() for j in range(20)])[UNIT]
    rows = pd.DataFrame(
        {
            "id": UNIT, "y": rng.normal(size=120), **{f"d{k + 1}": (kind == k) * 1.0 for k in range(3)},
            "year": year, "year2": year**2, "age": age, "pay": 1e5 + 1e4 * rng.normal(size=120),
            **{f"age{k}": age**k for k in (2, 3, 4)}, "agemean": mean, "w": rng.normal(size=20)[UNIT],
            "near": age + 0.04 * age.std() * rng.normal(size=120), "rare": (np.arange(120) == 7) * 1.0,
            "trend": 1e3 * UNIT + rng.normal(size=120), "number": UNIT * 1.0,
        }
    )  # fmt: skip
    for y in (1.0, 1e-15, 1e15):
        scaled = rows.assign(
            y=y * rows.y, pay=y * rows.pay, age=y * rows.age if name == "money" else rows.age
        )
        fit = hlm.Model(ORDINARY[name]).fit(hlm.read(scaled))
        assert not [said for said in fit.warnings if "collinear" in said]
        assert loss(fit) < MOST / 3
