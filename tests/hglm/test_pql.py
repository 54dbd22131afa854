"""Penalised quasi-likelihood against MASS::glmmPQL and dense matrices with one row a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.hglm.fit import fit_by_likelihood
from hlmbayes.hglm.pql import PQLEstimates, pql
from hlmbayes.inference.covariances import CR0

ORACLES = Path(__file__).parents[1] / "oracles"
CASES = json.loads((ORACLES / "pql.json").read_text())
NAMES = ("binary", "slopes", "probit", "cloglog", "counts")


def model_of(name: str, overdispersed: bool) -> hlm.Model:
    case = CASES[name]
    size = {{"binomial": "trials", "poisson": "exposure"}[case["family"]]: "n"} if case["sized"] else {}
    return hlm.Model(
        f"y = b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10 {'+ u1' * (case['q'] == 2)}",
        family=case["family"], link=case["link"], overdispersed=overdispersed, **size,
    )  # fmt: skip


def data_of(name: str) -> hlm.TwoLevelData:
    return hlm.read(ORACLES / "data" / f"pql_{name}.csv", id="id")


def fitted(name: str, key: str) -> PQLEstimates:
    free, method = key.split("_")
    return pql(model_of(name, free == "free"), data_of(name), method)


ORDER = [0, 2, 1]  # gammas of the oracle are of 1, x, w


@pytest.mark.parametrize("key", ["one_ML", "one_REML", "free_ML", "free_REML"])
@pytest.mark.parametrize("name", NAMES)
def test_the_fixed_point_and_its_errors_are_those_of_dense_matrices(name: str, key: str) -> None:
    found, right = fitted(name, key), CASES[name][key]
    assert found.converged
    assert found.working.gamma_free == pytest.approx(np.array(right["gamma"])[ORDER], abs=2e-6)
    assert np.asarray(found.working.components.tau) == pytest.approx(np.array(right["tau"]), abs=1e-5)
    assert found.working.components.sigma2 == pytest.approx(right["sigma2"], abs=1e-5)
    for fit, own in ((found.working, right), (found.population, right["average"])):
        assert fit.gamma_free == pytest.approx(np.array(own["gamma"])[ORDER], abs=5e-6)
        assert np.sqrt(np.diag(fit.vcov_free)) == pytest.approx(np.array(own["se"])[ORDER], abs=5e-6)
        robust = np.sqrt(np.diag(CR0().matrix(fit)))
        assert robust == pytest.approx(np.array(own["se_robust"])[ORDER], abs=5e-6)


@pytest.mark.parametrize("name", NAMES)
def test_ml_with_a_free_scale_is_glmmpql(name: str) -> None:
    found = fitted(name, "free_ML")
    for which in ("carried_on", "glmmPQL"):  # the second stops early: with cloglog 4e-4 before the end
        right = CASES[name][which]
        near = 5e-4 if (name, which) == ("cloglog", "glmmPQL") else 1e-4
        assert found.working.gamma_free == pytest.approx(np.array(right["gamma"])[ORDER], abs=near)
        assert found.working.components.sigma2 == pytest.approx(right["sigma2"], abs=near)


def test_listing_page_and_json_take_the_likelihood_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"id": np.repeat(range(20), 8), "y": rng.integers(0, 2, 160)})
    fit = hlm.Model("logit(y) = b0; b0 = g00 + u0").fit(hlm.read(frame, id="id"), algorithm="hlm")
    calls = []

    def counted(*args: Any, **options: Any) -> Any:
        calls.append(options)
        return fit_by_likelihood(*args, **options)

    monkeypatch.setattr("hlmbayes.report.nonlinear.fit_by_likelihood", counted)
    assert fit.listing() == fit.listing()
    assert fit.to_json()
    assert fit.to_html()
    assert calls == [{"laplace": False}]
