"""Fits of outcomes that are not normal against lme4, glmmTMB and brute force, and what they say in words."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import DataError, EstimationError
from hlmbayes.hglm.fit import fit_by_likelihood

ORACLES = Path(__file__).parents[1] / "oracles"
KNOWN = json.loads((ORACLES / "hglm.json").read_text())
KEYS = [key for key in KNOWN if key != "provenance"]
ONE = "b0 = g00 + g01*w + u0; b1 = g10"
LEFT = {
    ("binomial", False): "logit(y)",
    ("binomial", True): "logit(y, trials=n)",
    ("poisson", True): "log(y, exposure=n)",
}


def frame_of(name):
    return pd.read_csv(ORACLES / "data" / f"hglm_{name}.csv")


def fitted(key, **how):
    name, q = key.rsplit("_", 1)
    left = LEFT[KNOWN[key]["family"], KNOWN[key]["sized"]]
    model = hlm.Model(f"{left} = b0 + b1*x; {ONE}{' + u1' if q == '2' else ''}")
    return fit_by_likelihood(model, hlm.read(frame_of(name), id="id"), **how)


def by_lme4(found):
    """Give gamma in lme4's order: intercept, x, w."""
    return found.gamma_free[[0, 2, 1]], np.sqrt(np.diag(found.vcov_free))[[0, 2, 1]]


@pytest.mark.parametrize("key", KEYS)
def test_the_optimum_is_that_of_brute_force(key):
    found, known = fitted(key), KNOWN[key]["brute_force"]
    gamma, se = by_lme4(found)
    assert found.converged
    assert found.deviance == pytest.approx(known["deviance"], abs=1e-6)
    np.testing.assert_allclose(gamma, known["gamma"], atol=1e-5)
    np.testing.assert_allclose(found.tau, known["tau"], atol=3e-5)
    np.testing.assert_allclose(se, known["se"], rtol=1e-3)


@pytest.mark.parametrize("key", KEYS)
def test_laplace_is_that_of_lme4_and_glmmtmb(key):
    found, lme4, tmb = fitted(key, laplace=True), KNOWN[key]["laplace"], KNOWN[key]["glmmTMB"]
    gamma, se = by_lme4(found)
    assert found.converged
    assert found.deviance == pytest.approx(min(lme4["deviance"], tmb["deviance"]), abs=2e-5)
    np.testing.assert_allclose(gamma, tmb["gamma"], atol=5e-4)
    if not found.boundary:
        np.testing.assert_allclose(se, tmb["se"], rtol=2e-3)
    assert "Laplace" in found.warnings[0]


@pytest.mark.parametrize("key", [key for key in KEYS if key.endswith("_1")])
@pytest.mark.parametrize("n", [9, 25])
def test_so_many_nodes_are_lme4s(key, n):
    found, known = fitted(key, n_nodes=n), KNOWN[key][f"nodes_{n}"]
    np.testing.assert_allclose(by_lme4(found)[0], known["gamma"], atol=1e-4)
    np.testing.assert_allclose(found.tau_values, known["tau"], atol=2e-4)
    assert found.n_nodes == (n,)


def test_a_singular_tau_is_said():
    found = fitted("trials_2")
    assert "a combination of u0 (intercept) and u1 (x slope) has zero variance" in found.boundary[0]
    assert np.isnan(found.se_tau).all()
    assert np.linalg.eigvalsh(found.tau_values)[0] == pytest.approx(0.0, abs=1e-12)


def test_no_random_effect_is_a_generalized_linear_model():
    frame = frame_of("binary")
    found = fit_by_likelihood(hlm.Model("logit(y) = b0 + b1*x; b0 = g00; b1 = g10"), hlm.read(frame, id="id"))
    x, gamma = np.column_stack([np.ones(len(frame)), frame.x]), found.gamma_free
    mean = 1 / (1 + np.exp(-x @ gamma))
    np.testing.assert_allclose(x.T @ (frame.y - mean), 0.0, atol=1e-6)
    information = (x.T * (mean * (1 - mean))) @ x
    np.testing.assert_allclose(found.vcov_free, np.linalg.inv(information), rtol=1e-6)
    assert found.n_parameters == 2
    assert found.tau.shape == (0, 0)


def test_effects_held_equal():
    frame = frame_of("binary")
    frame["v"] = np.round(np.sin(np.arange(len(frame))), 1)
    apart = "logit(y) = b0 + b1*x + b2*v; b0 = g00 + u0; b1 = g10; b2 = g20"
    held = fit_by_likelihood(hlm.Model(apart + "; g10 = g20"), hlm.read(frame, id="id"))
    frame["both"] = frame.x + frame.v
    one = fit_by_likelihood(
        hlm.Model("logit(y) = b0 + b1*both; b0 = g00 + u0; b1 = g10"), hlm.read(frame, id="id")
    )
    assert held.deviance == pytest.approx(one.deviance, abs=1e-7)
    np.testing.assert_allclose(held.gamma, one.gamma_free[[0, 1, 1]], atol=1e-6)
    assert held.n_parameters == one.n_parameters == 3


def test_rows_without_trials_are_left_out():
    frame = frame_of("trials").astype(float)
    model = hlm.Model(f"logit(y, trials=n) = b0 + b1*x; {ONE}")
    frame.loc[[3, 77], "n"] = np.nan
    found = fit_by_likelihood(model, hlm.read(frame, id="id"))
    without = fit_by_likelihood(model, hlm.read(frame.dropna(), id="id"))
    assert found.n_rows == without.n_rows == len(frame) - 2
    assert found.deviance == pytest.approx(without.deviance, abs=1e-8)


def test_units_scale_with_the_data():
    """Another unit of measurement changes coefficients as it should, and nothing else."""
    frame = frame_of("binary")
    found = fitted("binary_2")
    frame["x"] = 1000.0 + 10.0 * frame.x
    model = hlm.Model(f"logit(y) = b0 + b1*x; {ONE} + u1")
    other = fit_by_likelihood(model, hlm.read(frame, id="id"))
    assert other.deviance == pytest.approx(found.deviance, abs=2e-6)
    assert other.gamma["g10"] == pytest.approx(found.gamma["g10"] / 10.0, abs=1e-6)
    assert other.tau["b1", "b1"] == pytest.approx(found.tau["b1", "b1"] / 100.0, rel=1e-4)


def test_the_robust_errors_are_the_sandwich_of_unit_scores():
    found = fitted("binary_1")
    np.testing.assert_allclose(found.unit_scores.sum(axis=0), 0.0, atol=1e-4)
    meat = found.unit_scores.T @ found.unit_scores
    np.testing.assert_allclose(found.sandwich, found.covariance @ meat @ found.covariance, rtol=1e-10)


def test_more_than_four_effects_are_laplaces_and_that_is_said():
    frame = frame_of("counts")
    rng = np.random.default_rng(0)
    for k in range(2, 6):
        frame[f"v{k}"] = rng.integers(-1, 2, len(frame))
    level1 = " + ".join(f"b{k}*v{k}" for k in range(2, 6))
    slopes = "; ".join(f"b{k} = g{k}0 + u{k}" for k in range(2, 6))
    apart = "".join(f"; cov(u{a}, u{b}) = 0" for a in (0, *range(2, 6)) for b in (0, *range(2, 6)) if a < b)
    model = hlm.Model(f"log(y, exposure=n) = b0 + {level1}; b0 = g00 + u0; {slopes}{apart}")
    found = fit_by_likelihood(model, hlm.read(frame, id="id"))
    assert found.n_nodes == (1,) * 5
    assert "up to 4 random effects and this model has 5" in found.warnings[0]
    with pytest.raises(EstimationError, match="n_nodes is for up to 4"):
        fit_by_likelihood(model, hlm.read(frame, id="id"), n_nodes=3)


# --- outcomes without an estimate ---------------------------------------------------------------


def fit_of(frame, model):
    return fit_by_likelihood(hlm.Model(model), hlm.read(frame, id="id"))


def test_complete_separation_is_named():
    frame = frame_of("binary")
    frame["y"] = (frame.x > 0).astype(int)
    with pytest.raises(EstimationError, match=r"g10 \(x\) separates the outcomes of y: on one side"):
        fit_of(frame, "logit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")


@pytest.mark.parametrize("left", ["logit(y)", "probit(y)", "cloglog(y)", "log(y)"])
def test_an_empty_cell_is_named(left):
    """Quasi-complete separation: where a dummy is 1 nothing ever happens."""
    frame = frame_of("binary")
    frame["rarely"] = (np.arange(len(frame)) % 7 == 0).astype(int)
    frame.loc[frame.rarely == 1, "y"] = 0
    with pytest.raises(EstimationError, match=r"g20 \(rarely\) separates the outcomes of y"):
        fit_of(frame, f"{left} = b0 + b1*x + b2*rarely; b0 = g00 + g01*w + u0; b1 = g10; b2 = g20")


def test_a_level_2_predictor_can_separate():
    frame = frame_of("binary")
    frame["kind"] = (frame.id % 10 == 0).astype(int)
    frame.loc[frame.kind == 1, "y"] = 1
    with pytest.raises(EstimationError, match=r"g01 \(kind\) separates"):
        fit_of(frame, "logit(y) = b0 + b1*x; b0 = g00 + g01*kind + u0; b1 = g10")


def test_units_all_alike_have_no_variance_within():
    frame = frame_of("binary")
    frame["y"] = frame.id % 2
    with pytest.raises(EstimationError, match="the rows of each unit have one and the same y"):
        fit_of(frame, "logit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")


def test_single_rows_of_one_trial_have_no_variance_between():
    frame = frame_of("binary").assign(id=lambda f: np.arange(len(f)))
    with pytest.raises(EstimationError, match="single row of one trial"):
        fit_of(frame, "logit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")


def test_single_rows_of_counts_are_overdispersed():
    frame = frame_of("counts").assign(id=lambda f: np.arange(len(f)))
    found = fit_of(frame, "log(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")
    assert found.converged
    assert found.tau_values[0, 0] > 0


@pytest.mark.parametrize(
    ("model", "values", "said"),
    [
        ("logit(y)", [0, 1, 2], "0 or 1 in every row"),
        ("logit(y)", [0, 0, 0], "never a success"),
        ("logit(y)", [1, 1, 1], "always a success"),
        ("logit(y, trials=n)", [3, 3, 2], "whole numbers of at least 1"),
        ("log(y)", [0, -1, 2], "whole numbers"),
        ("log(y)", [0, 0.5, 2], "whole numbers"),
        ("log(y)", [0, 0, 0], "0 in every row"),
        ("logit(y, trials=n)", [0, 7, 1], "more successes than trials"),
    ],
)
def test_wrong_outcomes_are_one_line(model, values, said):
    frame = frame_of("binary")
    frame["y"], frame["n"] = np.resize(values, len(frame)), np.resize([3, 4, 0], len(frame))
    if "more" in said:
        frame["n"] = 3
    with pytest.raises(DataError, match=said) as caught:
        fit_of(frame, f"{model} = b0 + b1*x; b0 = g00 + u0; b1 = g10")
    assert "\n" not in str(caught.value)


def test_overdispersion_has_no_likelihood():
    with pytest.raises(EstimationError, match="overdispersed outcome has no likelihood"):
        fit_of(frame_of("counts"), "log(y, overdispersed=yes) = b0; b0 = g00 + u0")
