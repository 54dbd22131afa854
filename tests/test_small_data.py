"""Few units of few rows, slopes that vary hardly or wildly: a result or a refusal in words, no traceback."""

from __future__ import annotations

import warnings
from contextlib import suppress

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.errors import HLMError, HLMWarning
from hlmbayes.faces import record_of


def random_case(rng: np.random.Generator) -> tuple[hlm.Model, hlm.TwoLevelData]:
    """Draw a model of 1 to 3 random coefficients and data of at most 24 units of 2 to 9 rows."""
    q = int(rng.integers(1, 4))
    J = int(rng.integers(q + 2, 25))
    unit = np.repeat(np.arange(J), rng.integers(2, 10, J))
    N = len(unit)
    x = rng.normal(size=(2, N)) + rng.choice([0, 1, 5]) * rng.normal(size=(2, J))[:, unit]
    if rng.random() < 0.3:
        x[0] = x[0] > 0
    u = rng.choice([0, 0.3, 1, 10]) * rng.normal(size=(q, J))
    y = u[0, unit] + (u[1:, unit] * x[: q - 1]).sum(axis=0) + rng.normal(size=N) + x[0] - x[1]
    level1 = {"id": unit, "y": y, "x1": x[0], "x2": x[1], "girl": (rng.random(N) < 0.5) * 1.0}
    data = hlm.read(level1, {"id": np.arange(J), "w": rng.normal(size=J)}, id="id")
    terms = [str(rng.choice(["{}", "group({})", "grand({})"])).format(name) for name in ("x1", "x2")]
    lines = [f"y = b0 + b1*{terms[0]} + b2*{terms[1]} + r"]
    lines += [f"b{k} = g{k}0 + g{k}1*w" + (f" + u{k}" if k < q else "") for k in range(3)]
    if rng.random() < 0.3:
        lines.append("log(sigma2) = a0 + a1*girl")
    return hlm.Model("\n".join(lines)), data


def ask_everything(fit: hlm.Fit) -> None:
    """Ask what a listing has, and what may be refused."""
    fit.listing()
    fit.to_json()
    refusable = [
        lambda: fit.fixed_effects(df="satterthwaite"), lambda: fit.fixed_effects(df="kenward-roger"),
        lambda: fit.fixed_effects("CR2"), fit.residuals, fit.influence, fit.check, fit.icc, fit.homogeneity,
    ]  # fmt: skip
    for ask in refusable:
        with suppress(HLMError):
            ask()


FEW = (5, 61, 168)
MANY = (*set(range(40)).difference(FEW), 160, 682)


@pytest.mark.parametrize("seed", [*FEW, *(pytest.param(seed, marks=pytest.mark.slow) for seed in MANY)])
def test_small_data_give_a_result_or_a_refusal(seed: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HLMWarning)
        model, data = random_case(np.random.default_rng([20261125, seed]))
        for algorithm in ("exact", "hlm"):
            for method in ("REML", "ML"):
                fit = None
                with suppress(HLMError):
                    fit = model.fit(data, algorithm=algorithm, method=method)
                if fit is not None:
                    assert np.all(np.isfinite(record_of(fit).gamma_free))
                    assert np.isfinite(fit.deviance)
                    ask_everything(fit)
