"""Counts and trials so large that a likelihood has few digits left for its last steps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm

J, N = 40, 240


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    unit, x, w = np.repeat(np.arange(J), N // J), rng.normal(size=N), rng.normal(size=J)
    people = rng.integers(10**8, 10**9, N)
    eta = -1 + 0.3 * x + (0.2 * w + rng.normal(size=J) * 0.5)[unit]
    hit = rng.binomial(people, 1 / (1 + np.exp(-eta)))
    return pd.DataFrame({"id": unit, "x": x, "w": w[unit], "people": people, "y": hit})


def test_trials_of_populations_have_their_likelihood(frame):
    """Each unit's intercept is known but for 1e-4 of its sd: the rest is least squares on units."""
    text = "logit(y, trials=people) = b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10"
    fit = hlm.Model(text).fit(frame, id="id")
    share = frame["y"] / frame["people"]
    each = np.log(share / (1 - share)) - fit.gamma["g10"] * frame["x"]
    assert each.groupby(frame["id"]).std().max() < 2e-3
    a, w = each.groupby(frame["id"]).mean().to_numpy(), frame.groupby("id")["w"].first().to_numpy()
    known, rss, *_ = np.linalg.lstsq(np.column_stack([np.ones(J), w]), a, rcond=None)
    assert fit._record.converged
    assert fit.warnings == ()
    assert max(fit.n_nodes) < 20
    np.testing.assert_allclose([fit.gamma["g00"], fit.gamma["g01"]], known, atol=1e-3)
    assert float(np.asarray(fit.tau)[0, 0]) == pytest.approx(rss[0] / J, rel=1e-3)


def test_large_counts_that_do_not_fit_have_their_estimates(frame):
    """The score of a Poisson model, X'(y - mu), is zero: no step would go a thousandth of an error far."""
    counts = frame.assign(y=10**7, years=1 + frame["people"] / 1e6)
    fit = hlm.Model("log(y, exposure=years) = b0 + b1*x; b0 = g00 + g01*w; b1 = g10").fit(counts, id="id")
    x = np.column_stack([np.ones(N), frame["w"], frame["x"]])
    mean = counts["years"] * np.exp(x @ np.asarray(fit.gamma))
    assert fit._record.converged
    assert fit._record.iterations < 20
    error = np.sqrt(np.diag(np.linalg.inv(x.T @ (x * mean.to_numpy()[:, None]))))
    np.testing.assert_allclose(error * (x.T @ (counts["y"] - mean)), 0.0, atol=1e-3)
