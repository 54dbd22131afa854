"""A fit of categories without an order as users hold it: names, tables, tests, reports."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.cli import main
from hlmbayes.equations.model import one_set
from hlmbayes.errors import HypothesisError
from hlmbayes.report import mathml

DATA = pd.read_csv(Path(__file__).parents[1] / "oracles" / "data" / "multinomial.csv")
TEXT = "mlogit(y) = b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10"
CODES = ["g00[1]", "g01[1]", "g10[1]", "g00[2]", "g01[2]", "g10[2]"]


@pytest.fixture(scope="module")
def fit():
    return hlm.Model(TEXT).fit(DATA, id="id")


def test_names_carry_the_category(fit):
    assert list(fit.fixed_effects().index) == CODES
    assert list(fit.fixed_effects(robust=True)["name"])[:3] == ["intercept[1]", "w[1]", "x[1]"]
    assert list(fit.ratios()["ratio"]) == pytest.approx(np.exp(np.asarray(fit.gamma)))
    assert list(fit.variance_components().index) == ["u0[1]", "u0[2]"]
    assert fit.gamma["x[2]"] == fit.gamma["g10[2]"]
    assert fit.tau["b0[1]", "b0[2]"] == fit.tau[0, 1] != 0
    assert fit.model == hlm.Model(TEXT)
    assert fit.cuts().empty
    assert str(fit.summary()).count("intercept[2]") == 3  # an effect, a variance, a covariance


def test_hypotheses_name_a_category_or_all_of_them(fit):
    one = fit.wald("g10[1] = g10[2]")
    assert (one.df, one.chi2) == (1, pytest.approx(float(fit.contrast("x[1] - x[2]").t_ratio[0]) ** 2))
    both = fit.wald("g10")
    assert both.df == 2
    for text in ("x", "g10[1] = 0, g10[2] = 0"):
        assert fit.wald(text).chi2 == pytest.approx(both.chi2)
    assert fit.test_variable("x", robust=False).chi2 == pytest.approx(both.chi2)
    with pytest.raises(HypothesisError, match=r"g10\[3\]"):
        fit.wald("g10[3] = 0")


def test_a_random_effect_is_tested_in_all_equations(fit):
    test = fit.test_variance("u0")
    assert test.df == 3
    pooled = hlm.Model(TEXT.replace(" + u0", "")).fit(DATA, id="id")
    assert test.chi2 == pytest.approx(pooled.deviance - fit.deviance, abs=1e-6)
    with pytest.raises(HypothesisError, match="there are: u0"):
        fit.test_variance("u0[1]")


def test_a_model_without_an_effect_is_compared(fit):
    less = hlm.Model("mlogit(y) = b0; b0 = g00 + g01*w + u0").fit(DATA, id="id")
    test = fit.compare(less)
    assert (test.df, test.n_parameters) == (2, (7, 9))
    assert test.notes == ()
    binary = DATA.assign(y=(DATA["y"] == 1) * 1)
    with pytest.raises(HypothesisError, match="different rows"):
        fit.compare(hlm.Model(TEXT.replace("mlogit", "logit")).fit(binary, id="id"))


def test_profile_limits_are_where_the_deviance_has_risen(fit):
    row = fit.confint(method="profile", parameters="g10[1]").iloc[0]
    assert row["low"] < fit.gamma["g10[1]"] < row["high"]
    normal = fit.confint(parameters="g10[1]").iloc[0]
    assert row["low"] == pytest.approx(normal["low"], abs=0.05)


def test_residual_files_have_a_column_for_each_category(fit):
    found = fit.residuals()
    names = ["ebintrc1", "ebintrc2", "fvintrc1", "fvx1", "fvintrc2", "fvx2", "pv00", "pv10", "pv11"]
    assert set(names) <= set(found.columns)
    assert found.attrs["labels"]["ebintrc2"] == "EB residual: INTRCPT1[2]"
    assert found[["ebintrc1", "ebintrc2"]].to_numpy() == pytest.approx(fit._record.u)
    assert "EBINTRCPT_2" in fit.residuals(hlm="7")


def test_reports_have_a_block_for_each_category(fit):
    text, page, results = fit.listing(), fit.to_html(), json.loads(fit.to_json())
    for part in ("Fixed effects: 1 against 3", "Odds ratios: 2 against 3"):
        assert part in text
        assert part in page
    assert "mlogit(y = 2) = b0[2] + b1[2]*x" in text
    assert f"<p>{mathml.broken(mathml.outcome(fit.model), mathml.level1_terms(one_set(fit.model)))}" in page
    assert results["categories"] == ["1", "2", "3"]
    assert [row["name"] for row in results["fixed"]] == CODES
    assert "intercept[2] with intercept[1]" in str(hlm.table(fit))


def test_the_command_line_says_whose_probability(tmp_path, capsys):
    DATA.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "m.txt").write_text(
        "data: rows.csv\nid: id\nfamily: multinomial\ny = b0 + b1*x\nb0 = g00 + g01*w + u0\nb1 = g10\n"
    )
    file = str(tmp_path / "m.txt")
    assert main(["run", file]) == 0
    assert "Fixed effects: 2 against 3" in capsys.readouterr().out
    assert main(["predict", file, "--slopes", "x", "--category", "2"]) == 0
    assert "Slope of x" in capsys.readouterr().out
    assert main(["predict", file, "--means", "x"]) == 0
    said = capsys.readouterr().out
    assert all(f"Probability of y = {category} at x = " in said for category in (1, 2, 3))
    assert main(["run", file, "--algorithm", "hlm"]) == 0
    assert "Multinomial (categories 1, 2, 3)" in capsys.readouterr().out
