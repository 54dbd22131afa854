"""Fits to moments of which a part is in memory at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.errors import DataError, EstimationError, HypothesisError
from hlmbayes.estimation import streamed

MODEL4 = "mathach = b0 + b1*group(ses) + r; b0 = g00 + g01*sector + g02*meanses + u0"
MODELS = {
    "model 4": f"{MODEL4}; b1 = g10 + g11*sector + g12*meanses + u1",
    "grand means": "mathach = b0 + b1*grand(ses) + b2*female + r; b0 = g00 + g01*grand(meanses) + u0; "
    "b1 = g10 + u1; b2 = g20",
    "one sd is zero": "mathach = b0 + b1*group(ses) + b2*group(female) + r; b0 = g00 + g01*meanses + u0; "
    "b1 = g10 + g11*sector + u1; b2 = g20 + u2",
    "independent": "mathach = b0 + b1*ses + r; b0 = g00 + u0; b1 = g10 + u1; cov(u0, u1) = 0",
    "held equal": "mathach = b0 + b1*ses + b2*female + r; b0 = g00 + u0; b1 = g10; b2 = g20; g10 = g20",
    "no random effect": "mathach = b0 + b1*ses + r; b0 = g00; b1 = g10",
}


@pytest.fixture(scope="module")
def hsb(tmp_path_factory):
    """High School and Beyond: its moments, and the same as a stream of two files, 30 units at a time."""
    data, folder = hlm.datasets.hsb(), tmp_path_factory.mktemp("stream")
    moments = hlm.moments(data, columns=["mathach", "ses", "female"], level2=["sector", "meanses"])
    paths = [folder / "a.parquet", folder / "b.parquet"]
    for path, units in zip(paths, (slice(0, 70), slice(70, None)), strict=True):
        streamed._some(moments, units).save(path)
    return moments, replace(hlm.stream_moments(paths), size=30)


def close(found, wanted, tolerance=1e-9) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("name", MODELS)
def test_a_streamed_fit_is_that_of_moments_in_memory(hsb, monkeypatch, name, method) -> None:
    monkeypatch.setattr(streamed, "SAMPLE", 50)
    moments, stream = hsb
    model = hlm.Model(MODELS[name])
    wanted, found = model.fit(moments, method=method), model.fit(stream, method=method)
    for what in (
        "gamma",
        "vcov",
        "vcov_robust",
        "tau",
        "se_tau",
        "sigma2",
        "se_sigma2",
        "deviance",
        "aic",
        "bic",
    ):
        close(getattr(found, what), getattr(wanted, what), 1e-7 if what in ("tau", "se_tau") else 1e-9)
    assert (found.n_units, found.n_rows, found.n_parameters) == (160, 7185, wanted.n_parameters)
    assert found.boundary == wanted.boundary
    assert found.converged
    assert found.fixed_effects(True).to_string() == wanted.fixed_effects(True).to_string()
    assert str(found.confint()) == str(wanted.confint(parameters=list(wanted.fixed_effects().index)))


def test_tests_and_tables_are_those_of_all_units(hsb) -> None:
    moments, stream = hsb
    model, smaller = hlm.Model(MODELS["model 4"]), hlm.Model(f"{MODEL4}; b1 = g10 + g11*sector + g12*meanses")
    fit, wanted = model.fit(stream), model.fit(moments)
    assert str(fit.wald("g11 = 0")) == str(wanted.wald("g11 = 0"))
    assert str(fit.contrast("g11 - g12")) == str(wanted.contrast("g11 - g12"))
    assert str(fit.compare(smaller.fit(stream))) == str(wanted.compare(smaller.fit(moments)))
    assert fit.variance_components().loc["r", "variance"] == pytest.approx(wanted.sigma2)
    assert "7,185 rows in 160 units" in str(fit.summary())
    assert "R2" not in str(fit.summary())
    assert "streamed moments: REML, converged" in repr(fit)


def test_a_formula_finds_the_level_of_its_variables(hsb) -> None:
    moments, stream = hsb
    model = hlm.Model("mathach ~ ses + sector + (ses | id)")
    close(model.fit(stream).gamma, model.fit(moments).gamma)


def test_what_needs_all_units_is_refused_in_words(hsb) -> None:
    _, stream = hsb
    model = hlm.Model(MODELS["model 4"])
    fit = model.fit(stream)
    for ask in (lambda: fit.residuals(2), lambda: fit.r2(), lambda: fit.listing()):
        with pytest.raises(AttributeError, match="needs all units in memory"):
            ask()
    for ask in (
        lambda: fit.fixed_effects("CR2"),
        lambda: fit.fixed_effects(df="kenward-roger"),
        lambda: fit.wald("g11 = 0", df="satterthwaite"),
    ):
        with pytest.raises(HypothesisError, match="needs all units in memory"):
            ask()
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = fit.nothing
    with pytest.raises(EstimationError, match="needs all units in memory"):
        model.fit(stream, algorithm="hlm")
    with pytest.raises(EstimationError, match="without sigma2="):
        model.fit(stream, sigma2=1.0)
    with pytest.raises(EstimationError, match="without an equation for log"):
        hlm.Model(f"{MODEL4}; b1 = g10; log(sigma2) = a0 + a1*female").fit(stream)
    with pytest.raises(DataError, match=r"sector\*meanses is to be made of level-2 variables"):
        hlm.Model("mathach ~ ses + sector * meanses + (ses | id)").fit(stream)
    with pytest.raises(DataError, match="minority"):
        hlm.Model("mathach = b0 + b1*minority + r; b0 = g00 + u0; b1 = g10").fit(stream)
    with pytest.raises(EstimationError, match="normal outcomes"):
        hlm.Model("logit(female) = b0; b0 = g00 + u0").fit(stream)


def test_a_missing_level2_value_in_any_part_is_named(hsb, tmp_path) -> None:
    moments, _ = hsb
    meanses = moments.level2["meanses"].copy()
    meanses[151] = np.nan
    replace(moments, level2={**moments.level2, "meanses": meanses}).save(tmp_path / "m.parquet")
    stream = replace(hlm.stream_moments(tmp_path / "m.parquet"), size=50)
    with pytest.raises(DataError, match="meanses is missing in 1 of"):
        hlm.Model(MODELS["model 4"]).fit(stream)


def test_some_units_hold_no_memory_of_the_others(hsb) -> None:
    moments, _ = hsb
    some = streamed._some(moments, slice(None, None, 7))
    assert some.n_units == -(-moments.n_units // 7)
    for name in ("unit_ids", "n", "mean", "sscp"):
        assert not np.shares_memory(getattr(some, name), getattr(moments, name))
