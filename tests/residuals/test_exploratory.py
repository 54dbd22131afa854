"""Candidates at level 2: HLM's regression by hand, the score test beside generalised least squares."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.cli import main
from hlmbayes.errors import HypothesisError, OutputError
from hlmbayes.faces import record_of
from hlmbayes.likelihood.rows import rows_of

MODEL = hlm.Model("mathach = b0 + b1*group(ses) + r\nb0 = g00 + g01*sector + u0\nb1 = g10 + u1")


@pytest.fixture(scope="module")
def fit() -> hlm.Fit:
    return MODEL.fit(hlm.datasets.hsb())


def test_the_first_table_is_a_regression_of_the_residuals(fit: hlm.Fit) -> None:
    found = fit.explore(["meanses", "size"]).frame()
    assert list(zip(found["coefficient"], found["variable"], strict=True)) == [
        ("b0", "meanses"), ("b0", "size"), ("b1", "meanses"), ("b1", "size"),
    ]  # fmt: skip
    u = fit.residuals(level=2)
    w = np.asarray(hlm.datasets.hsb().level2["meanses"], dtype=float)
    x = np.column_stack([np.ones(160), w])
    y = u["ebintrcpt1" if "ebintrcpt1" in u else "ebintrcp"].to_numpy()
    b, rss, *_ = np.linalg.lstsq(x, y, rcond=None)
    se = np.sqrt(rss[0] / 158 * np.linalg.inv(x.T @ x)[1, 1])
    assert found.loc[0, "estimate"] == pytest.approx(b[1], rel=1e-9)
    assert found.loc[0, "se"] == pytest.approx(se, rel=1e-9)
    assert found.loc[0, "t"] == pytest.approx(b[1] / se, rel=1e-9)


def test_the_score_test_is_least_squares_at_the_same_variances(fit: hlm.Fit) -> None:
    rng = np.random.default_rng(4)
    unit = np.repeat(np.arange(12), rng.integers(2, 7, 12))
    x, w, v = rng.normal(size=len(unit)), rng.normal(size=12), rng.normal(size=12)
    y = x + w[unit] + rng.normal(size=12)[unit] + x * rng.normal(size=12)[unit] + rng.normal(size=len(unit))
    data = hlm.read({"id": unit, "x": x, "w": w[unit], "v": v[unit], "y": y})
    fit = hlm.Model("y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1").fit(data)
    rows = rows_of(record_of(fit).design, data)
    cov = np.equal.outer(unit, unit) * (rows.z @ np.asarray(fit.tau) @ rows.z.T) + fit.sigma2 * np.eye(
        len(unit)
    )
    for coefficient, column in (("b0", v[unit]), ("b1", x * v[unit])):
        X = np.column_stack([rows.x, column])
        solved = np.linalg.solve(cov, X)
        vcov = np.linalg.inv(X.T @ solved)
        gamma = vcov @ solved.T @ y
        found = fit.explore("v", coefficients=coefficient).candidates[0]
        # the candidate is centred, which the intercept of the equation makes no difference to
        assert found.effect == pytest.approx(gamma[-1], rel=1e-7)
        assert found.effect_se == pytest.approx(np.sqrt(vcov[-1, -1]), rel=1e-7)


def test_sentences_have_figures_of_small_numbers(fit: hlm.Fit) -> None:
    """Schools have about 1,100 pupils: an effect per pupil is 0.00002 in five decimals."""
    found = fit.explore("size", coefficients="b1")
    (c,) = found.candidates
    coefficient, se = re.findall(r"coefficient (\S+), standard error (\S+),", str(found))[0]
    assert [float(coefficient), float(se)] == pytest.approx([c.estimate, c.se], rel=0.01)
    assert float(coefficient) / float(se) == pytest.approx(c.t, rel=0.01)


def test_what_is_in_an_equation_is_no_candidate(fit: hlm.Fit) -> None:
    every = {(c.coefficient, c.variable) for c in fit.explore().candidates}
    assert ("b0", "sector") not in every
    assert ("b1", "sector") in every
    assert "chosen because they stand out" in str(fit.explore("size"))
    with pytest.raises(OutputError, match="no level-2 variable"):
        fit.explore("nothing")
    with pytest.raises(HypothesisError, match="already"):
        fit.explore("sector", coefficients="b0")


def test_a_variable_that_misses_values_is_judged_on_the_units_that_have_one() -> None:
    rng = np.random.default_rng(1)
    unit, v = np.repeat(np.arange(30), 6), rng.normal(size=30)
    v[:5] = np.nan
    rows = {"id": unit, "y": rng.normal(size=180) + rng.normal(size=30)[unit]}
    model, none = hlm.Model("y = b0 + r\nb0 = g00 + u0"), np.full(30, np.nan)
    one = model.fit(hlm.read({**rows, "v": v[unit], "none": none[unit]}, id="id"))
    two = model.fit(hlm.read(rows, {"id": np.arange(30), "v": v, "none": none}, id="id"))
    (found,) = one.explore().candidates
    assert (found.variable, found.n_units) == ("v", 25)
    assert str(one.explore()) == str(two.explore())
    extra = one.residuals(2, ["v", "none"])
    np.testing.assert_array_equal(extra["v"], v)
    assert extra["none"].isna().all()
    with pytest.raises(OutputError, match="none has no value in any unit"):
        hlm.plots.effect_against(one, "none")


def test_names_after_the_slash_of_a_command_file_are_explored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = Path(__file__).parents[2] / "models"
    text = (models / "model3_random_coefficients.hlm").read_text(encoding="utf-8")
    text = text.replace("RANDOM/\nlevel2:SES", "RANDOM/SIZE,MEANSES\nlevel2:SES", 1)
    assert "SIZE,MEANSES" in text
    (tmp_path / "m.hlm").write_text(text, encoding="utf-8")
    (tmp_path / "hsb.mdmt").write_text((models / "hsb.mdmt").read_text(encoding="utf-8"), encoding="utf-8")
    files = ["--json", str(tmp_path / "m.json"), "--html", str(tmp_path / "m.html")]
    assert main(["run", str(tmp_path / "m.hlm"), *files]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Exploratory Analysis: estimated level-2 coefficients" in out
    rows = json.loads((tmp_path / "m.json").read_text(encoding="utf-8"))["exploratory_analysis"]
    assert [(row["coefficient"], row["variable"].lower()) for row in rows] == [
        ("b0", "size"),
        ("b0", "meanses"),
    ]
    fit = hlm.Model("mathach = b0 + b1*group(ses) + r; b0 = g00 + u0; b1 = g10 + u1").fit(
        hlm.datasets.hsb(), algorithm="hlm"
    )
    best = fit.explore("meanses", coefficients="b0").candidates[0]
    assert rows[1]["t"] == pytest.approx(best.t, rel=1e-10)
    assert f"{best.estimate:.6f}" in out
    assert f"{best.estimate:.5f}" in (tmp_path / "m.html").read_text(encoding="utf-8")
    assert "MEANSES for b0: coefficient" in out or "meanses for b0: coefficient" in out
    assert "for b1" not in out
