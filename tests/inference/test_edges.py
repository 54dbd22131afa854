"""Models without fixed effects, random effects or an intercept: results or a reason, never a traceback."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from hlmbayes import Fit, Model
from hlmbayes.errors import HLMError
from tests.small import small

TEXTS = {
    "no fixed effect": "y = b0 + r\nb0 = u0",
    "no fixed effect, two random": "y = b0 + b1*x + r\nb0 = u0\nb1 = u1",
    "nothing random": "y = b0 + b1*x + r\nb0 = g00 + g01*w\nb1 = g10",
    "no intercept": "y = b1*x + r\nb1 = g10 + u1",
}
CALLS = {
    "table": lambda f: f.fixed_effects(),
    "CR2": lambda f: f.fixed_effects("CR2"),
    "satterthwaite": lambda f: f.fixed_effects(df="satterthwaite"),
    "kenward-roger": lambda f: f.fixed_effects(df="kenward-roger"),
    "wald": lambda f: f.wald("g00"),
    "variable": lambda f: f.test_variable("w"),
    "homogeneity": lambda f: f.homogeneity(),
    "icc": lambda f: f.icc(),
    "range": lambda f: f.plausible_range(),
    "explained": lambda f: f.variance_explained(f),
    "compare": lambda f: f.compare(f),
    "stored": lambda f: f.compare(deviance=200.0, n_parameters=9),
    "intervals": lambda f: f.confint(),
    "bootstrap": lambda f: f.bootstrap(3, seed=1).intervals(),
}
REASONS = {
    ("no fixed effect", "wald"): "it has none",
    ("nothing random", "icc"): "no random intercept",
    ("nothing random", "range"): "plausible range: none",
    ("nothing random", "compare"): "both models have",
    ("no intercept", "icc"): "no random intercept",
}


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("algorithm", ["exact", "hlm"])
@pytest.mark.parametrize("name", list(TEXTS))
def test_every_result_is_there_or_refused_in_words(name: str, algorithm: str, method: str) -> None:
    fit: Fit = Model(TEXTS[name]).fit(small(3, n_units=12).data(), method=method, algorithm=algorithm)
    for call, ask in CALLS.items():
        if (name, call) in REASONS:
            with pytest.raises(HLMError, match=REASONS[name, call]):
                ask(fit)
        else:
            with contextlib.suppress(HLMError):
                assert len(str(ask(fit))) > 5


def test_nothing_random_has_the_interval_of_regression() -> None:
    fit = Model(TEXTS["nothing random"]).fit(small(3, n_units=12).data())
    table = fit.confint()
    assert list(table.index) == ["g00", "g01", "g10", "sigma", "sigma2"]
    # the REML profile of sigma2: df (s2_hat / s2 - 1 + log(s2 / s2_hat)) = 3.84 at both limits
    ratio = table.loc["sigma2", ["low", "high"]].astype(float) / fit.sigma2
    rise = (fit.n_rows - 3) * (1 / ratio - 1 + np.log(ratio))
    np.testing.assert_allclose(rise, 3.841458820694124, rtol=1e-6)
