"""Combinations with their estimates against lmerTest, clubSandwich, dense matrices and the tables."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import hlmbayes as hlm
from hlmbayes.errors import HypothesisError
from tests.small import OWN, model, own_unit, small

ORACLES = Path(__file__).parents[1] / "oracles"
ORACLE = json.loads((ORACLES / "contrasts.json").read_text())
ROWS = ORACLE["rows"]


@pytest.fixture(scope="module")
def fit():
    data = hlm.read(ORACLES / "data" / "small.csv", id="id")
    return hlm.Model("\n".join(ORACLE["equations"])).fit(data)


def column(kind, name):
    return [float(row[name]) for row in ORACLE["R"][kind]]


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
def test_a_combination_is_lmertests(fit, df):
    found, kind = fit.contrast(*ROWS, df=df), df.replace("-", "_")
    assert found.combination == ("g01 - g11", "g00 + 0.5*g01", "g01 - 2*g11")
    for ours, theirs in {"estimate": "estimate", "se": "se", "df": "df", "t_ratio": "t", "low": "low",
                         "high": "high", "p_value": "p"}.items():  # fmt: skip
        assert getattr(found, ours) == pytest.approx(column(kind, theirs), rel=1e-6), ours
    test = fit.wald(ROWS[2], df=df)  # the same row, as a test
    assert [test.low[0], test.high[0]] == pytest.approx([found.low[2], found.high[2]], rel=1e-9)
    assert test.p_value == pytest.approx(found.p_value[2], rel=1e-9)


def test_a_combination_with_cr2_is_clubsandwichs(fit):
    found = fit.contrast(*ROWS, robust="CR2")
    for ours in ("estimate", "se", "df", "low", "high"):
        assert getattr(found, ours) == pytest.approx(column("CR2", ours), rel=1e-6), ours
    both, wanted = fit.wald(ROWS[:2], robust="CR2", df="satterthwaite"), ORACLE["R"]["HTZ"]
    assert [both.f_ratio, both.df_denominator, both.p_value] == pytest.approx(
        [wanted["F"], wanted["df_denominator"], wanted["p"]], rel=1e-6
    )
    np.testing.assert_array_equal(both.rows.df, found.df[:2])


@pytest.mark.parametrize("robust", ["CR0", "CR1"])
def test_beside_a_chi_square_the_intervals_are_normal(fit, robust):
    tests = fit.wald(*ROWS, robust=robust)
    for name in ("estimate", "se", "low", "high"):
        assert [getattr(t, name)[0] for t in tests] == pytest.approx(column(robust, name), rel=1e-6), name
    z = (np.array(column(robust, "estimate")) - [0, 0, 0.5]) / column(robust, "se")
    assert [t.chi2 for t in tests] == pytest.approx(z**2, rel=1e-6)
    assert [t.p_value for t in tests] == pytest.approx(2 * stats.norm.sf(np.abs(z)), rel=1e-6)


def test_a_combination_is_the_dense_one(fit):
    found = fit.contrast(ROWS, prob=0.9)
    assert found.estimate == pytest.approx(ORACLE["dense"]["estimate"], rel=1e-8)
    assert found.se == pytest.approx(ORACLE["dense"]["se"], rel=1e-8)
    reach = stats.t.ppf(0.95, 10) * found.se
    assert found.high - found.estimate == pytest.approx(reach, rel=1e-9)
    assert "90 % interval" in str(found)


@pytest.mark.parametrize(
    "options", [{}, {"robust": True}, {"robust": "CR2"}, {"df": "satterthwaite"}, {"df": "kenward-roger"}]
)
def test_one_effect_is_its_line_in_the_tables(options):
    source = small(3, n_units=16, sd=1.5)
    fit = model("raw").fit(source.data())
    names = list(fit.model.gamma_names)
    found = fit.contrast(names, **options).frame()
    table, limits = fit.fixed_effects(**options), fit.confint(**options)
    np.testing.assert_allclose(found["estimate"], table["coefficient"], rtol=1e-12)
    for name in ("se", "t_ratio", "df", "p_value"):
        np.testing.assert_allclose(found[name], table[name], rtol=1e-9)
    np.testing.assert_allclose(found[["low", "high"]], limits.loc[names, ["low", "high"]], rtol=1e-9)
    assert list(found.index) == names


def test_hlms_degrees_of_freedom_are_the_smallest_of_the_effects(fit):
    source = small(3, n_units=16, sd=1.5)
    fit = model("raw").fit(source.data())  # g01: J - 2, g20: N - F
    assert fit.contrast("g01 + g20").df == [14.0]
    assert fit.contrast("g20").df > 14


def test_it_is_said_in_words(fit):
    text = str(fit.contrast("g01 - 2*g11 = 0.5", "g00", df="satterthwaite")).split("\n")
    assert text[0].startswith(
        "g01 - 2*g11 (w - 2*x:w): estimate 3.32342, s.e. 0.88719, 95 % interval 0.132306 to 6.51454; "
    )
    assert text[0].endswith("test that it is 0.5: t = 3.182 on 2.479 d.f., p = 0.065")
    assert text[2] == "(model-based covariance; Satterthwaite's d.f.)"
    test = str(fit.wald("g01 = g11, g00 = 10"))
    assert test.startswith("Test that g01 - g11 = 0 and g00 = 10: chi-square = ")
    assert test.count("\n") == 2


def test_effects_are_named_by_their_variables(fit):
    codes = fit.contrast("g01 - 2*g11 = 0.5", "g10")
    for text in ("w - 2*x:w = 0.5, x", "w - 2*w*x = 0.5 and x", "w - 2*`w x x` = 0.5; x"):
        names = fit.contrast(text)
        assert names.combination == codes.combination
        np.testing.assert_array_equal(names.t_ratio, codes.t_ratio)
    assert fit.wald("x:w").hypothesis == fit.wald(["w x x"]).hypothesis == "g11 = 0"


def test_rows_need_not_be_independent_here(fit):
    found = fit.contrast("g01 - g11", "g11 - g10", "g01 - g10")
    assert found.estimate[2] == pytest.approx(found.estimate[:2].sum())
    with pytest.raises(HypothesisError, match="not independent"):
        fit.wald("g01 = g11, g11 = g10, g01 = g10")


def test_frames(fit):
    frame = fit.contrast("g01 - g11").frame()
    assert list(frame.columns) == [
        "name",
        "estimate",
        "se",
        "value",
        "t_ratio",
        "df",
        "p_value",
        "low",
        "high",
    ]
    assert list(frame["name"]) == ["w - x:w"]
    frame = fit.wald("g01 = 0.5").frame()
    assert frame.loc[0, "hypothesis"] == "g01 = 0.5"


def test_what_is_no_combination_is_said(fit):
    with pytest.raises(HypothesisError, match="no combination was given"):
        fit.contrast()
    with pytest.raises(HypothesisError, match="'g07' is not a fixed effect of this model"):
        fit.contrast("g01 - g07")
    with pytest.raises(HypothesisError, match="tests nothing"):
        fit.contrast("g01 = g01")
    with pytest.raises(HypothesisError, match="prob=95"):
        fit.contrast("g01", prob=95)


def test_a_combination_of_one_unit_has_no_robust_error():
    fit = hlm.Model(OWN).fit(own_unit(1))
    assert np.isfinite(fit.contrast("g00 + g01").se).all()
    with pytest.raises(HypothesisError, match="one unit alone determines it"):
        fit.contrast("g00 + g01", robust=True)


def test_a_posterior_has_the_same_combinations(fit):
    post = fit.model.sample(hlm.read(ORACLES / "data" / "small.csv", id="id"), seed=1, draws=200, chains=2)
    found = post.contrast("g01 - 2*g11 = 0.5", {"g00": 1}, prob=0.9)
    draws = post["g01"] - 2 * post["g11"]
    np.testing.assert_allclose(found.draws[0], draws, rtol=1e-12)
    assert found.mean == pytest.approx([draws.mean(), post["g00"].mean()])
    assert found.sd[0] == pytest.approx(draws.std(ddof=1))
    assert [found.low[0], found.high[0]] == pytest.approx(np.quantile(draws, [0.05, 0.95]))
    assert found.direction == pytest.approx([np.mean(draws > 0.5), 1.0])
    assert list(found.frame().columns) == [
        "name",
        "mean",
        "median",
        "sd",
        "eti90_low",
        "eti90_high",
        "value",
        "direction",
    ]
    assert "% of the draws are above 0.5" in str(found)
    with pytest.raises(HypothesisError, match="tests nothing"):
        post.contrast("g01 - g01")
