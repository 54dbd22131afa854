"""Parametric bootstrap of outcomes that are not normal: every data set fitted by hand gives the same."""

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import HLMError, HypothesisError
from tests.hglm.test_fit import ONE, frame_of


def refits(model, fit, frame, n, seed):
    """Fit the model to simulated data sets, from the start; None where that is refused."""
    name = fit.model.outcome
    simulated = fit.simulate(n, seed)
    for y in (simulated[column] for column in simulated):
        try:
            found = model.fit(frame.assign(**{name: y.reindex(frame.index)}), id="id")
        except HLMError:
            yield None
        else:
            yield found if found.converged else None


def rated(frame):
    rng, unit = np.random.default_rng(3), frame.id.astype(int)
    latent = rng.logistic(size=len(frame)) + 0.6 * frame.x + rng.normal(size=unit.max() + 1)[unit]
    return frame.assign(rating=np.digitize(latent, [-1, 0.3, 1.2]))


CASES = {
    "binary": ("logit(y)", frame_of("binary"), ONE),
    "counts": ("log(y, exposure=n)", frame_of("counts"), f"{ONE} + u1"),
    "ratings": ("cumlogit(rating)", rated(frame_of("binary")), ONE),
    "categories": ("mlogit(rating)", rated(frame_of("binary")), "b0 = g00 + u0; b1 = g10"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_estimates_are_those_of_simulated_data_fitted_from_the_start(name):
    left, frame, level2 = CASES[name]
    model = hlm.Model(f"{left} = b0 + b1*x; {level2}")
    fit = model.fit(frame, id="id")
    found = fit.bootstrap(4, seed=2)
    others = list(refits(model, fit, frame, 4, 2))
    assert found.n + found.n_failed == 4
    np.testing.assert_allclose(found.gamma, [each.gamma for each in others if each], atol=2e-4)
    np.testing.assert_allclose(found.tau, [each.tau for each in others if each], atol=5e-4)
    codes = [interval.parameter for interval in found.intervals()]
    if name == "ratings":
        np.testing.assert_allclose(found.cuts, [each.cuts().estimate for each in others if each], atol=2e-4)
        assert codes[-2:] == ["d2", "d3"]
        assert found.se_cuts["d3"] == pytest.approx(found.cuts[:, 1].std(ddof=1))
    else:
        assert found.cuts.shape == (found.n, 0)
    assert found.n_boundary == sum(bool(each.boundary) for each in others if each)
    np.testing.assert_array_equal(fit.bootstrap(4, seed=2).gamma, found.gamma)
    assert "4 data sets (seed 2)" in str(found)


def test_data_sets_without_an_estimate_are_counted():
    rng = np.random.default_rng(8)
    unit, x = np.repeat(np.arange(12), 5), np.tile([0.0, 0, 0, 0, 1], 12)
    y = (rng.random(60) < 0.45) * (x == 0) + (np.arange(60) == 4)  # one success where x is 1
    frame = pd.DataFrame({"id": unit, "x": x, "y": y.astype(int)})
    model = hlm.Model("logit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")
    fit = model.fit(frame, id="id")
    others, seen = list(refits(model, fit, frame, 12, 1)), []
    found = fit.bootstrap(12, seed=1, progress=lambda done, n: seen.append((done, n)))
    assert found.n_failed == sum(each is None for each in others) > 0
    assert f"{found.n_failed} further ones could not be estimated" in str(found)
    assert seen == [(k, 12) for k in range(1, 13)]
    np.testing.assert_allclose(found.gamma, [each.gamma for each in others if each], atol=2e-4)


def test_a_likelihood_ratio_is_compared_with_those_of_simulated_data():
    frame = frame_of("binary")
    simple = hlm.Model("logit(y) = b0 + b1*x; b0 = g00 + g01*w; b1 = g10")
    general = hlm.Model(f"logit(y) = b0 + b1*x; {ONE}")
    low, high = (model.fit(frame, id="id") for model in (simple, general))
    differences = [
        first.deviance - second.deviance
        for first, second in zip(
            refits(simple, low, frame, 9, 5), refits(general, low, frame, 9, 5), strict=True
        )
    ]
    found = high.compare(low, bootstrap=9, seed=5)
    count = sum(each >= found.chi2 for each in differences)
    assert found.p_bootstrap == pytest.approx((1 + count) / 10)
    assert high.test_variance("u0", bootstrap=9, seed=5).p_bootstrap == found.p_bootstrap
    assert "Parametric bootstrap: p = " in str(found)


def test_two_variances_have_a_p_value_by_simulation_only():
    left, frame, _ = CASES["categories"]
    found = hlm.Model(f"{left} = b0 + b1*x; b0 = g00 + u0; b1 = g10").fit(frame, id="id")
    test = found.test_variance("u0", bootstrap=3, seed=1)
    assert test.p_boundary is None
    assert any("bootstrap=1000 gives one" in note for note in test.notes)
    assert test.p_bootstrap >= 0.25


def test_what_cannot_be_simulated_is_refused():
    frame = frame_of("binary").assign(copies=2, weight=1.5)
    model = hlm.Model(f"logit(y) = b0 + b1*x; {ONE}")
    fit = model.fit(frame, id="id")
    with pytest.raises(HypothesisError, match="at least 2, got 1"):
        fit.bootstrap(1)
    with pytest.raises(HypothesisError, match="at least 1, got 0"):
        fit.simulate(0)
    repeated = model.fit(frame, id="id", frequency=hlm.Frequencies("copies"))
    weighted = model.fit(frame, id="id", weights=hlm.Weights("weight"))
    for ask in ("bootstrap", "simulate"):
        with pytest.raises(HypothesisError, match="with frequencies, whose records stand for several"):
            getattr(repeated, ask)(5)
        with pytest.raises(HypothesisError, match="pseudo-likelihood only"):
            getattr(weighted, ask)(5)
