"""Digits that data far from zero, or a tau large beside sigma2, must not cost."""

from __future__ import annotations

import numpy as np
import pytest

from hlmbayes import Fit, Model
from hlmbayes.data.two_level import read
from hlmbayes.errors import EstimationError
from hlmbayes.estimation.prepare import prepare
from hlmbayes.faces import record_of
from tests import exact
from tests.small import MODELS, model, small

SLOPES = "y = b0 + b1*x + b2*z + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1\nb2 = g20 + u2"


def rows_of(fit: Fit, columns: dict[str, np.ndarray], unit: np.ndarray) -> tuple[np.ndarray, ...]:
    """y, X and Z of the model SLOPES."""
    w = record_of(fit).design.moments.level2["w"][unit]
    one = np.ones(len(unit))
    z = np.column_stack([one, columns["x"], columns["z"]])
    return (
        columns["y"],
        np.column_stack([one, w, columns["x"], columns["z"]]),
        z[:, record_of(fit).design.random],
    )


@pytest.mark.parametrize("spread", [1.0, 300.0, 3000.0])
@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("random", ["b1", "b1, b2"])
def test_the_deviance_is_exact_however_large_tau_is(spread: float, method: str, random: str) -> None:
    source = small(4, n_units=9)
    unit, columns = source.unit, dict(source.columns)
    u = np.random.default_rng(1).normal(size=(9, 3))[unit] * spread
    columns["y"] = columns["y"] + u[:, 0] + u[:, 1] * columns["x"] + (random != "b1") * u[:, 2] * columns["z"]
    text = SLOPES if random != "b1" else SLOPES.replace(" + u2", "")
    source.columns = columns
    fit = Model(text).fit(source.data(), method=method)
    assert fit.converged
    y, x, z = rows_of(fit, columns, unit)
    expected = exact.deviance(y, x, z, unit, record_of(fit).components.tau, fit.sigma2, method == "REML")
    assert fit.deviance == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["raw", "four"])
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_a_predictor_far_from_zero_costs_no_digits(name: str, method: str) -> None:
    near, far = small(6, n_units=30), small(6, n_units=30)
    shift = 2.0**17  # the shifted column is exact
    near.columns["x"] = np.round(near.columns["x"] * 2**20) / 2**20
    far.columns["x"] = near.columns["x"] + shift
    a, b = (model(name).fit(s.data(), method=method) for s in (near, far))
    assert b.deviance == pytest.approx(a.deviance, abs=1e-7)
    assert b.gamma["g10"] == pytest.approx(a.gamma["g10"], rel=1e-7)
    assert b.tau["b1", "b1"] == pytest.approx(a.tau["b1", "b1"], rel=1e-6)
    assert b.gamma["g00"] + b.gamma["g10"] * shift == pytest.approx(a.gamma["g00"], abs=1e-4)
    se_a, se_b = (f.fixed_effects(robust=True)["se"]["g10"] for f in (a, b))
    assert se_b == pytest.approx(se_a, rel=1e-5)
    chi_a, chi_b = (f.variance_components()["chi2"]["u1"] for f in (a, b))
    assert chi_b == pytest.approx(chi_a, rel=1e-5)


@pytest.mark.parametrize("name", list(MODELS))
def test_both_bases_are_orthonormal(name: str) -> None:
    m = model(name)
    source = small(3, n_units=30)
    source.columns["x"] = source.columns["x"] + 1e5
    design = prepare(m, source.data()).design
    bases, n, q = design.bases, design.n.sum(), design.n_random
    np.testing.assert_allclose(bases.dd[:q, :q].sum(axis=2), n * np.eye(q), atol=1e-9 * n)
    np.testing.assert_allclose(np.diag(bases.dd.sum(axis=2)), n, rtol=1e-9)
    white = bases.white @ bases.sums @ bases.white.T
    np.testing.assert_allclose(white, n * np.eye(design.n_fixed), atol=1e-9 * n)
    # D* = D B: its products are D's, as far as D's have kept their digits
    ordered = design.dd[:, design.order[:, None], design.order]
    turned = bases.basis.T @ ordered @ bases.basis
    np.testing.assert_allclose(bases.dd.transpose(2, 0, 1), turned, atol=1e-4 * n)


def dummies(seed: int = 0) -> tuple[dict, dict]:
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(8), 12)
    black = (rng.random(96) < 0.3).astype(float)
    rural = (np.arange(8) >= 6).astype(float)
    black[rural[unit] == 1] = 0.0  # nobody in a rural school
    y = rng.normal(size=96) + rng.normal(size=8)[unit]
    return {"id": unit, "y": y, "black": black}, {"id": np.arange(8), "rural": rural}


@pytest.mark.parametrize("predictor", ["black", "group(black)"])
def test_a_dummy_that_nobody_has_in_the_units_of_another_is_named(predictor: str) -> None:
    text = f"y = b0 + b1*{predictor} + r\nb0 = g00 + g01*rural + u0\nb1 = g10 + g11*rural"
    with pytest.raises(EstimationError, match=r"the column of g11 \(black x rural\) is zero in every row"):
        Model(text).fit(read(*dummies(), id="id"))


def test_of_predictors_that_hardly_differ_both_are_estimated() -> None:
    rng = np.random.default_rng(2)
    unit = np.repeat(np.arange(40), 10)
    x = rng.normal(size=400)
    z = x + 1e-5 * rng.normal(size=400)
    y = x - 2 * z + rng.normal(size=40)[unit] + rng.normal(size=400)
    m = "y = b0 + b1*x + b2*{} + r\nb0 = g00 + u0\nb1 = g10\nb2 = g20"
    hard = Model(m.format("z")).fit(read({"id": unit, "y": y, "x": x, "z": z}, id="id"), method="ML")
    easy = Model(m.format("d")).fit(read({"id": unit, "y": y, "x": x, "d": z - x}, id="id"), method="ML")
    assert hard.deviance == pytest.approx(easy.deviance, abs=1e-7)
    assert hard.gamma["g20"] == pytest.approx(easy.gamma["g20"], rel=1e-6)
    with pytest.raises(EstimationError, match=r"g10 \(x\), g20 \(z\) cannot be told apart"):
        Model(m.format("z")).fit(read({"id": unit, "y": y, "x": x, "z": x + 1e-9 * z}, id="id"))
