"""Residual files of penalised quasi-likelihood."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import HypothesisError, OutputError

DATA = Path(__file__).parents[1] / "oracles" / "data"


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.read_csv(DATA / "pql_slopes.csv")


def test_level1_is_the_outcome_less_what_the_units_coefficients_expect(frame: pd.DataFrame) -> None:
    model = hlm.Model("logit(y, trials=n) = b0 + b1*group(x); b0 = g00 + g01*w + u0; b1 = g10 + u1")
    fit = model.fit(frame, id="id", algorithm="hlm")
    rows, units = fit.residuals(1, extra="n"), fit.residuals()
    b = units.set_index("id").loc[rows["id"]]
    centred = frame["x"] - frame.groupby("id")["x"].transform("mean")
    eta = b["ecintrcp"].to_numpy() + b["ecx"].to_numpy() * centred.to_numpy()
    expected = frame["n"] / (1 + np.exp(-eta))
    assert rows["fitval"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-9)
    assert rows["l1resid"].to_numpy() == pytest.approx((frame["y"] - expected).to_numpy(), abs=1e-9)
    assert rows["n"].tolist() == frame["n"].tolist()
    assert abs(rows["quantile"].mean()) < 0.3


def test_what_there_is_not(frame: pd.DataFrame) -> None:
    fit = hlm.Model("logit(y, trials=n) = b0; b0 = g00 + u0").fit(frame, id="id", algorithm="hlm")
    with pytest.raises(OutputError, match="level 1 and level 2, got level=3"):
        fit.residuals(3)
    rating = pd.read_csv(DATA / "ordinal_four.csv")
    ordinal = hlm.Model("cumlogit(y) = b0; b0 = g00 + u0").fit(rating, id="id", algorithm="hlm")
    assert len(ordinal.residuals()) == rating["id"].nunique()
    with pytest.raises(HypothesisError, match="no one mean"):
        ordinal.residuals(1)
