"""Profile intervals of the cuts of ordinal outcomes: where brute force finds the deviance risen."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import hlmbayes as hlm

DATA = Path(__file__).parents[1] / "oracles" / "data"
T = np.arange(-7, 7.05, 0.1)


def deviance_at(frame, theta, sd):
    """Give it by trapezoids: theta is g00, g01, g10, d2, d3, ..."""
    eta = (theta[0] + theta[1] * frame.w + theta[2] * frame.x).to_numpy()[:, None] + sd * T
    edges = np.r_[-np.inf, 0.0, theta[3:], np.inf]
    place = np.searchsorted(np.unique(frame.y), frame.y)
    below, above = (1 / (1 + np.exp(-(edges[place + k][:, None] + eta))) for k in (0, 1))
    units = np.add.reduceat(
        np.log(np.maximum(above - below, 1e-300)), np.flatnonzero(np.diff(frame.id, prepend=-1))
    )
    return -2 * float(np.logaddexp.reduce(units + stats.norm.logpdf(T) + np.log(0.1), axis=1).sum())


@pytest.mark.parametrize(("name", "cut"), [("four", "d2"), ("four", "d3"), ("rare", "d2")])
def test_limits_are_where_the_deviance_has_risen(name, cut):
    frame = pd.read_csv(DATA / f"ordinal_{name}.csv").sort_values("id", kind="stable")
    fit = hlm.Model("cumlogit(y) = b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10").fit(frame, id="id")
    row = fit.confint(method="profile", parameters=cut, prob=0.9).loc[cut]
    assert row.method == "profile"
    start, place = np.r_[np.asarray(fit.gamma), fit.cuts().estimate, fit.tau[0, 0] ** 0.5], 1 + int(cut[1])
    assert deviance_at(frame, start[:-1], start[-1]) == pytest.approx(fit.deviance, abs=1e-4)
    for limit in (row.low, row.high):

        def value(free, limit=limit):
            theta = np.insert(free, place, limit)
            return deviance_at(frame, theta[:-1], theta[-1])

        lowest = optimize.minimize(value, np.delete(start, place), method="BFGS", options={"gtol": 1e-4}).fun
        assert lowest - fit.deviance == pytest.approx(stats.chi2.ppf(0.9, 1), abs=2e-4)


def test_cuts_by_name_normal_and_robust():
    fit = hlm.Model("cumlogit(y) = b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10").fit(
        DATA / "ordinal_four.csv", id="id"
    )
    line = fit.cuts().loc["d3"]
    half = stats.norm.ppf(0.975) * line.se
    normal = fit.confint(parameters="cut 3").loc["d3"]
    assert [normal.low, normal.high] == pytest.approx([line.estimate - half, line.estimate + half])
    robust = fit.confint(parameters="d3", robust=True).loc["d3"]
    own = np.sqrt(np.diag(hlm.faces.record_of(fit).sandwich))[-1]
    assert robust.high - robust.low == pytest.approx(2 * stats.norm.ppf(0.975) * own)
