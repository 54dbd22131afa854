"""Replicate weights against fits of the data with rows and units taken out, or weights multiplied by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.data.weights import Weights
from hlmbayes.errors import DataError, EstimationError

MODEL = hlm.Model("y = b0 + b1*x + r; b0 = g00 + g01*w + u0; b1 = g10")


@pytest.fixture(scope="module")
def frame():
    return pd.read_csv(Path(__file__).parents[1] / "oracles" / "data" / "small.csv")


def with_jackknife(frame, weight="w1"):
    """One column for each unit, which is left out and the others' weights raised."""
    units = frame["id"].unique()
    factor = len(units) / (len(units) - 1)
    columns = {f"jk{k}": frame[weight] * factor * (frame["id"] != u) for k, u in enumerate(units)}
    return frame.assign(**columns), list(columns)


@pytest.mark.parametrize("scaling", ["hlm", "size", "effective", "cluster", "none"])
def test_jackknife_is_leaving_units_out(frame, scaling):
    data, names = with_jackknife(frame)
    how = Weights("w1", "w2", scaling)
    fit = hlm.fit_replicates(MODEL, hlm.read(data, id="id"), how, names, method="jackknife")
    left = [MODEL.fit(hlm.read(frame[frame["id"] != u], id="id"), weights=how) for u in frame["id"].unique()]
    gammas = np.array([f.gamma for f in left])
    assert fit.gammas == pytest.approx(gammas, abs=1e-8)
    away = gammas - np.asarray(fit.fit.gamma)
    n = len(names)
    assert fit.vcov == pytest.approx((n - 1) / n * away.T @ away)
    thetas = np.array([[f.tau[0, 0], f.sigma2] for f in left]) - [fit.fit.tau[0, 0], fit.fit.sigma2]
    table = fit.variance_components()
    assert table["se"].to_numpy() == pytest.approx(np.sqrt((n - 1) / n * (thetas**2).sum(axis=0)))
    assert list(table.index) == ["u0", "r"]
    assert fit.fixed_effects()["df"].tolist() == [n - 1] * 3


@pytest.mark.parametrize(("method", "low"), [("brr", 0.0), ("fay", 0.5)])
def test_half_samples_multiply_the_units_weights(frame, method, low):
    rng = np.random.default_rng(5)
    units = frame["id"].unique()
    signs = rng.integers(0, 2, (6, len(units)))
    signs[:, ::2] = 1 - signs[:, 1::2]
    multiply = np.where(signs == 1, 2 - low, low)
    index = np.searchsorted(units, frame["id"])
    data = frame.assign(**{f"rep{r}": frame["w1"] * frame["w2"] * multiply[r][index] for r in range(6)})
    data["total"] = data["w1"] * data["w2"]
    how = Weights("total", "w2", level1_is="total")
    fit = hlm.fit_replicates(
        MODEL, hlm.read(data, id="id"), how, [f"rep{r}" for r in range(6)], method=method
    )
    by_hand = []
    for r in range(6):
        one = frame.assign(w2=frame["w2"] * multiply[r][index])
        by_hand.append(MODEL.fit(hlm.read(one[one["w2"] > 0], id="id"), weights=Weights("w1", "w2")).gamma)
    assert fit.gammas == pytest.approx(np.array(by_hand), abs=1e-8)
    factor = 1 / 6 if method == "brr" else 1 / (6 * 0.25)
    assert fit.factor == pytest.approx(factor)
    wanted = factor * ((np.array(by_hand) - np.asarray(fit.fit.gamma)) ** 2).sum(axis=0)
    assert fit.fixed_effects()["se"].to_numpy() == pytest.approx(np.sqrt(wanted))
    assert fit.fixed_effects()["df"].tolist() == [6.0] * 3


def test_level2_replicates(frame):
    data, _ = with_jackknife(frame, "w2")
    names = [c for c in data if c.startswith("jk")]
    level2 = data.groupby("id", as_index=False)[["w", "w2", *names]].first()
    both = hlm.read(frame[["id", "x", "y", "w1"]], level2, id="id")
    how = Weights("w1", "w2", "size")
    fit = hlm.fit_replicates(MODEL, both, how, names, method="jackknife")
    rows, cols = with_jackknife(frame)
    wanted = hlm.fit_replicates(MODEL, hlm.read(rows, id="id"), how, cols, method="jackknife")
    assert fit.vcov == pytest.approx(wanted.vcov, abs=1e-8)
    only = hlm.fit_replicates(MODEL, both, Weights(level2="w2"), names, method="jk2", df=4)
    assert only.factor == 1.0
    assert only.fixed_effects()["df"].tolist() == [4.0] * 3


@pytest.mark.parametrize(
    ("scaling", "size"),
    [
        *((scaling, 1.0) for scaling in ("hlm", "size", "effective", "cluster", "none")),
        *((scaling, 40.0) for scaling in ("hlm", "none")),
        *(pytest.param(each, 40.0, marks=pytest.mark.slow) for each in ("size", "effective", "cluster")),
    ],
)
def test_replicates_of_the_total_weight_count_the_level2_weight_once(frame, scaling, size):
    """One design said in several ways: conditional or total level-1 weight, replicates of each weight."""
    frame = frame[frame["id"].isin(frame["id"].unique()[:7])]
    frame = frame.assign(w2=frame["w2"] * size)
    frame["total"] = frame["w1"] * frame["w2"]
    sets = {weight: with_jackknife(frame, weight) for weight in ("w1", "w2", "total")}

    def errors(weights, of_weight, **how):
        data, names = sets[of_weight]
        read = hlm.read(data, id="id")
        return hlm.fit_replicates(MODEL, read, weights, names, method="jackknife", **how)

    conditional = Weights("w1", "w2", scaling)
    total = Weights("total", "w2", scaling, level1_is="total")
    wanted = errors(conditional, "w1", of="level1")
    same = [
        errors(conditional, "w1"), errors(conditional, "total", of="total"),
        errors(conditional, "w2", of="level2"), errors(total, "total"),
        errors(total, "total", of="total"), errors(total, "w2", of="level2"),
    ]  # fmt: skip
    for fit in same:
        assert fit.gammas == pytest.approx(wanted.gammas, abs=1e-7)
        assert fit.vcov == pytest.approx(wanted.vcov, rel=1e-5)
        assert fit.thetas == pytest.approx(wanted.thetas, abs=1e-6)
    for of, given, said in (
        (None, "total", "total"), ("level1", "total", "total"),
        ("total", "w1", "level1"), ("level1", "w2", "level2"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=f"they are taken for: say of='{said}'"):
            errors(conditional, given, of=of)


def test_replicates_of_a_weight_that_is_not_named_are_refused(frame):
    data, names = with_jackknife(frame)
    read = hlm.read(data, id="id")
    for weights, of, words in (
        (Weights(level2="w2"), "total", "of='total': replicates are of level2 of these weights"),
        (Weights(level2="w2"), "level1", "replicates are of level2 of"),
        (Weights("w1"), "total", "replicates are of level1 of"),
        (Weights("w1"), "level2", "replicates are of level1 of"),
        (Weights("w1", "w2"), "both", "of='both': replicates are of level1 or level2 or total of"),
    ):
        with pytest.raises(EstimationError, match=words):
            hlm.fit_replicates(MODEL, read, weights, names, of=of)


def test_jackknife_is_near_the_sandwich_where_units_are_many():
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(80), 5)
    w, x = rng.normal(size=80)[unit], rng.normal(size=400)
    y = 1 + w + x + rng.normal(size=80)[unit] + rng.normal(size=400)
    frame = pd.DataFrame({"id": unit, "x": x, "w": w, "y": y, "w1": rng.uniform(1, 3, 400)})
    data, names = with_jackknife(frame)
    fit = hlm.fit_replicates(MODEL, hlm.read(data, id="id"), Weights("w1"), names, method="jackknife")
    sandwich = np.sqrt(np.diag(fit.fit.vcov_robust))
    assert fit.fixed_effects()["se"].to_numpy() == pytest.approx(sandwich, rel=0.1)
    assert "Standard errors from 80 replicate weights (jackknife, factor 0.9875, 79 d.f.)" in repr(fit)


def test_mistakes(frame):
    data, names = with_jackknife(frame)
    read = hlm.read(data.assign(bad=-1.0, gone=np.nan), id="id")
    how = Weights("w1", "w2")
    with pytest.raises(EstimationError, match="method 'boot' is not known: use brr, fay, jackknife, jk2"):
        hlm.fit_replicates(MODEL, read, how, names, method="boot")
    with pytest.raises(DataError, match="got 1 replicate weights"):
        hlm.fit_replicates(MODEL, read, how, names[:1])
    with pytest.raises(EstimationError, match="Fay's factor"):
        hlm.fit_replicates(MODEL, read, how, names, method="fay", fay=1.0)
    with pytest.raises(EstimationError, match="method fay, and the replicates' method is jackknife"):
        hlm.fit_replicates(MODEL, read, how, names, method="jackknife", fay=0.5)
    with pytest.raises(DataError, match="replicate weight 'bad' has negative values"):
        hlm.fit_replicates(MODEL, read, how, ["jk1", "bad"])
    with pytest.raises(DataError, match="replicate weight 'gone' has missing values"):
        hlm.fit_replicates(MODEL, read, how, ["jk1", "gone"])
    with pytest.raises(DataError, match="no column 'jk99'"):
        hlm.fit_replicates(MODEL, read, how, ["jk1", "jk99"])
    short = hlm.Model("y = b0 + b1*x + r; b0 = g00 + g01*w + u0; b1 = g10 + u1")
    alone = data.assign(a=data["w1"] * (data["id"] < 103), b=data["w1"])
    with pytest.raises(EstimationError, match="replicate weight a: "):
        hlm.fit_replicates(short, hlm.read(alone, id="id"), how, ["a", "b"])
