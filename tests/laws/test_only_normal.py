"""Every door that is for normal outcomes refuses the others, in one line, before it computes anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import HLMError

REST = " = b0 + b1*x\nb0 = g00 + g01*w + u0\nb1 = g10"
LEFT = {"Bernoulli": "logit(y)", "binomial": "probit(y, trials=n)", "Poisson": "log(y, exposure=n)",
        "ordinal": "cumlogit(y)", "multinomial": "mlogit(y)"}  # fmt: skip
DOORS: dict[str, Callable[[hlm.Model, Any], Any]] = {
    "fit by precision": lambda m, d: m.fit(d, precision="p"),
    "fit with variance known": lambda m, d: m.fit(d, variance_known="p"),
    "fit with sigma2": lambda m, d: m.fit(d, sigma2=1.0),
    "sample with frequencies": lambda m, d: m.sample(d, frequency=hlm.Frequencies("n"), seed=1),
    "priors": lambda m, d: hlm.prior_predictive(m, d, seed=1),
    "imputed posterior with sigma2": lambda m, d: hlm.sample_imputed(m, [d, d], sigma2=1.0, seed=1),
    "replicates": lambda m, d: hlm.fit_replicates(m, d, hlm.Weights("p"), ["p", "n"], method="brr"),
    "moments": lambda m, d: hlm.moments(d, model=m),
    "moments fitted": lambda m, d: m.fit(hlm.moments(d, columns=["y", "x", "n"], level2=["w"])),
}


@pytest.fixture(scope="module")
def data() -> hlm.TwoLevelData:
    """Counts, trials and weights of 60 rows in 12 units."""
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(12), 5)
    frame = pd.DataFrame({"id": unit, "y": rng.integers(0, 2, 60), "z": rng.integers(0, 2, 60)})
    frame["x"], frame["w"] = rng.normal(size=60), rng.normal(size=12)[unit]
    frame["n"], frame["p"] = rng.integers(2, 6, 60), rng.uniform(1, 2, 60)
    return hlm.read(frame, id="id")


@pytest.mark.parametrize("law", LEFT)
@pytest.mark.parametrize("door", DOORS)
def test_a_door_for_normal_outcomes(door: str, law: str, data: hlm.TwoLevelData) -> None:
    model = hlm.Model(LEFT[law] + REST)
    with pytest.raises(HLMError) as caught:
        DOORS[door](model, data)
    assert f"is for normal outcomes, and y of this model is {law}" in str(caught.value)


@pytest.mark.parametrize("law", LEFT)
def test_no_posterior_has_sampling_weights(law: str, data: hlm.TwoLevelData) -> None:
    """They were said to be for normal outcomes, which refuse them too."""
    with pytest.raises(HLMError, match="pseudo-likelihood and no posterior"):
        hlm.Model(LEFT[law] + REST).sample(data, weights=hlm.Weights("p"), seed=1)


def test_a_prior_of_cuts_is_for_ordinal_outcomes(data: hlm.TwoLevelData) -> None:
    """A normal outcome took it and did nothing with it."""
    model, priors = (
        hlm.Model("y = b0 + b1*x + r; b0 = g00 + g01*w + u0; b1 = g10"),
        hlm.Priors(cuts=hlm.Normal(0, 1)),
    )
    with pytest.raises(HLMError, match="cuts is for ordinal outcomes"):
        model.sample(data, priors=priors, seed=1)
