"""Models side by side: the numbers of the fits, in every format."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.cli import main
from hlmbayes.errors import OutputError
from hlmbayes.faces import record_of
from hlmbayes.model_tables.saving import enough_decimals
from hlmbayes.model_tables.table import MINUS, decimals

ORACLES = Path(__file__).parents[1] / "oracles" / "data"
MODELS = Path(__file__).parents[2] / "models"
TEXTS = (
    "mathach = b0 + r\nb0 = g00 + u0",
    "mathach = b0 + b1*group(ses) + r\nb0 = g00 + g01*sector + g02*meanses + u0\n"
    "b1 = g10 + g11*sector + g12*meanses + u1",
)


@pytest.fixture(scope="module")
def fits() -> list[hlm.Fit]:
    return [hlm.Model(text).fit(hlm.datasets.hsb()) for text in TEXTS]


def test_numbers_are_those_of_the_fits(fits: list[hlm.Fit]) -> None:
    frame: Any = hlm.table(*fits, names=["null", "full"]).frame()
    full: Any = fits[1].fixed_effects()
    for code, name in zip(full.index, ("intercept", "sector", "meanses", "ses"), strict=False):
        row = frame.loc[("Fixed effects", name), "full"]
        assert row["estimate"] == pytest.approx(full.loc[code, "coefficient"], rel=1e-14)
        assert row["se"] == pytest.approx(full.loc[code, "se"], rel=1e-14)
        assert row["p_value"] == pytest.approx(full.loc[code, "p_value"], rel=1e-14)
    limits: Any = fits[1].confint().loc["g11"]
    assert tuple(frame.loc[("Fixed effects", "ses x sector"), "full"][["low", "high"]]) == pytest.approx(
        (limits["low"], limits["high"])
    )
    assert frame.loc[("Variances", "level-1 residual"), ("null", "estimate")] == fits[0].sigma2
    assert frame.loc[("Model", "Deviance"), ("full", "estimate")] == fits[1].deviance
    assert frame.loc[("Model", "ICC"), ("null", "estimate")] == pytest.approx(fits[0].icc().icc)
    assert frame.loc[("Model", "R2 marginal"), ("full", "estimate")] == fits[1].r2().marginal
    assert np.isnan(frame.loc[("Fixed effects", "sector"), ("null", "estimate")])


def test_what_is_printed_fits_a_terminal(fits: list[hlm.Fit]) -> None:
    text = str(hlm.table(*fits, stars=True, title="Achievement"))
    assert text.startswith("Achievement\n")
    assert re.search(rf"ses x sector +{MINUS}1.643\*\*\*\n +\(0.240\)", text)
    assert "*** p < .001" in text
    assert "Outcome: mathach." in text
    assert max(map(len, text.splitlines())) <= 80
    brackets = str(hlm.table(*fits, interval=True))
    assert f"[{MINUS}2.116, {MINUS}1.169]" in brackets
    assert "95 % intervals in brackets" in brackets
    assert "***" not in brackets


def test_rows_stand_in_the_order_of_the_larger_model(fits: list[hlm.Fit]) -> None:
    rows = [row.label for row in hlm.table(*fits).rows if row.group == "Fixed effects"]
    assert rows == ["intercept", "sector", "meanses", "ses", "ses x sector", "ses x meanses"]
    assert rows == [row.label for row in hlm.table(*fits[::-1]).rows if row.group == "Fixed effects"]


def test_a_posterior_beside_its_fit_and_pooled_fits(fits: list[hlm.Fit]) -> None:
    post = hlm.Model(TEXTS[1]).sample(hlm.datasets.hsb(), seed=1, draws=300)
    found = hlm.table(fits[1], post, names=["REML", "Bayes"], interval=True)
    frame: Any = found.frame()
    mean: Any = post.summary().loc["g11", "mean"]
    assert frame.loc[("Fixed effects", "ses x sector"), ("Bayes", "estimate")] == pytest.approx(mean)
    assert ("Bayes", "p_value") not in frame.columns
    assert "Bayes, posterior" in str(found)
    data = hlm.datasets.hsb()
    pooled = hlm.fit_imputed(hlm.Model(TEXTS[1]), [data, replace(data)])
    pooled_row: Any = hlm.table(pooled).frame().loc[("Fixed effects", "sector"), "Model 1"]
    assert pooled_row["se"] == pytest.approx(pooled.fixed_effects().loc["g01", "se"])


def test_every_format_has_every_number(fits: list[hlm.Fit], tmp_path: Path) -> None:
    from docx import Document
    from openpyxl import load_workbook

    found = hlm.table(*fits, title="Odd & names_%")
    for ending in ("html", "md", "tex", "typ", "txt"):
        text = found.save(tmp_path / f"t.{ending}").read_text(encoding="utf-8")
        for number in ("12.637", "0.244", "1.643", "0.240", "36.721", "46,503.66", "7,185"):
            assert number in text, ending
    cells = [
        c.text for row in Document(str(found.save(tmp_path / "t.docx"))).tables[0].rows for c in row.cells
    ]
    assert f"{MINUS}1.643\n(0.240)" in cells
    sheet: Any = load_workbook(found.save(tmp_path / "t.xlsx")).active
    row = next(r for r in sheet.iter_rows(values_only=True) if r[1] == "ses x sector")
    heads = list(sheet.iter_rows(min_row=1, max_row=2, values_only=True))
    at = next(k for k, h in enumerate(zip(*heads, strict=True)) if h == ("Model 2", "estimate"))
    assert row[at] == pytest.approx(fits[1].gamma["g11"], rel=1e-15)  # 16 digits are written


def test_names_of_any_letters_are_written_safely(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(12), 5)
    name = r"a_b & 5% $x #1 {z} ~^\q <i> @w /c"
    data = hlm.read({"id": unit, name: rng.normal(size=60), "y": rng.normal(size=60) + unit})
    fit = hlm.Model(f"y = b0 + b1*`{name}` + r\nb0 = g00 + u0\nb1 = g10").fit(data)
    found = hlm.table(fit, title=name, names=["<b>"])
    tex = found.save(tmp_path / "t.tex").read_text(encoding="utf-8")
    assert r"a\_b \& 5\% \$x \#1 \{z\} \textasciitilde{}\textasciicircum{}\textbackslash{}q $<$i$>$" in tex
    assert "&lt;i&gt;" in found.save(tmp_path / "t.html").read_text(encoding="utf-8")
    assert "<i>" not in found._repr_html_()
    assert r"\$x" in found.save(tmp_path / "t.typ").read_text(encoding="utf-8")
    found.save(tmp_path / "t.docx")
    if shutil.which("pdflatex"):
        page = r"\documentclass{article}\usepackage{booktabs,tabularx,array,threeparttable,makecell}"
        (tmp_path / "p.tex").write_text(page + r"\begin{document}\input{t.tex}\end{document}")
        subprocess.run(
            ["pdflatex", "-halt-on-error", "-interaction=batchmode", "p.tex"], cwd=tmp_path, check=True,
            capture_output=True,
        )  # fmt: skip


def test_what_is_refused(fits: list[hlm.Fit], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="at least one"):
        hlm.table()
    with pytest.raises(OutputError, match="fits, posteriors"):
        hlm.table(fits[0], 3)
    with pytest.raises(OutputError, match="2 different names"):
        hlm.table(*fits, names=["a"])
    with pytest.raises(OutputError, match=r"\.docx"):
        hlm.table(fits[0]).save(tmp_path / "t.pdf")


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.0004, "0.000"), (-1.5, f"{MINUS}1.500"), (1650.774, "1,650.774"), (0.0, "0.000")],
)
def test_numbers_as_papers_print_them(value: float, text: str) -> None:
    assert decimals(value, 3) == text


def test_maketables_takes_a_fit_by_itself(fits: list[hlm.Fit]) -> None:
    from maketables import ETable

    html = ETable(fits, model_stats=["N", "Deviance"]).make("html")
    assert "12.637" in html
    assert "46,503" in html or "46503" in html


def test_the_command_writes_what_python_writes(
    fits: list[hlm.Fit], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(MODELS / name) for name in ("model1_unconditional.hlm", "model4_intercepts_slopes.hlm")]
    files = [f for f in files if Path(f).exists()] or [str(p) for p in sorted(MODELS.glob("*.hlm"))[:2]]
    assert main(["table", *files, "--algorithm", "exact", "--stars"]) == 0
    assert "12.637***" in capsys.readouterr().out
    out = tmp_path / "t.docx"
    assert main(["table", *files, "--out", str(out), "--names", "Null", "Full"]) == 0
    assert out.exists()
    assert main(["table", files[0], "--out", files[0]]) == 2
    assert "error" in capsys.readouterr().err


def test_maketables_asks_once_for_the_column(fits: list[hlm.Fit], monkeypatch: pytest.MonkeyPatch) -> None:
    from hlmbayes.model_tables import protocol

    asked: list[Any] = []
    work_out = protocol.column_of

    def counted(*of: Any) -> Any:
        asked.append(of)
        return work_out(*of)

    monkeypatch.setattr(protocol, "column_of", counted)
    fit = hlm.Fit(copy.copy(record_of(fits[0])))
    for key in ("N", "deviance", "r2", *fit.__maketables_default_stat_keys__):
        fit.__maketables_stat__(key)
    assert fit.__maketables_coef_table__.loc["intercept", "b"] == fits[0].gamma["g00"]
    assert len(asked) == 1


def test_shares_in_a_table_are_those_of_their_own_methods(oracles: Path) -> None:
    sets = hlm.read_imputed(oracles / "data" / "mi.csv", id="id", by="imp")
    outcome = json.loads((oracles / "mi.json").read_text())["equations"][0].split("=")[0]
    pooled = hlm.fit_imputed(hlm.Model(f"{outcome} = b0 + r\nb0 = g00 + u0"), sets)
    found: Any = hlm.table(pooled).frame()
    facts = {row: found.xs(row, level="row").dropna(axis=1).iloc[0, 0] for row in ("ICC", "R2 conditional")}
    shares = pooled.r2()
    assert facts["ICC"] == pytest.approx(pooled.icc().icc, rel=1e-12)
    assert facts["R2 conditional"] == pytest.approx(shares.conditional, rel=1e-12)


@pytest.mark.parametrize(
    ("values", "digits", "enough"),
    [
        ([0.5, 0.2], 3, 3),
        ([0.0], 3, 3),
        ([0.00051, 0.2], 3, 3),  # shown as 0.001, as before
        ([0.00049], 3, 5),
        ([0.5, 0.000123], 3, 5),
        ([-0.0000064, 0.000002], 3, 7),
        ([4.6e-13], 3, 8),
        ([float("nan"), float("inf"), 2.0], 3, 3),
        ([0.04], 0, 3),
    ],
)
def test_no_estimate_is_shown_as_zero_that_is_none(values: list[float], digits: int, enough: int) -> None:
    assert enough_decimals(values, digits) == enough
    for value in values:
        if value and np.isfinite(value):
            assert re.search("[1-9]", decimals(value, enough))


def test_tiny_effects_have_digits_in_every_format(tmp_path: Path) -> None:
    frame = pd.read_csv(ORACLES / "hglm_counts.csv")
    data = hlm.read(frame.assign(x=frame["x"] * 1e5), id="id")
    fit = hlm.Model("log(y, exposure=n) = b0 + b1*x; b0 = g00 + u0; b1 = g10").fit(data)
    found = hlm.table(fit)
    row = next(row for row in found.rows if row.label == "x")
    estimate, se = row.cells[0].split("\n")
    assert float(estimate.replace(MINUS, "-")) == pytest.approx(fit.gamma[1], rel=0.05)
    assert float(se.strip("()")) == pytest.approx(fit.fixed_effects().loc["g10", "se"], rel=0.05)
    openpyxl = pytest.importorskip("openpyxl")
    sheet = openpyxl.load_workbook(found.save(tmp_path / "m.xlsx")).active
    shown = next(row for row in sheet.iter_rows() if row[1].value == "x")
    assert len(shown[2].number_format) > len("0.000")


def test_ratios_stand_beside_coefficients_and_say_so() -> None:
    data = hlm.read(ORACLES / "hglm_counts.csv", id="id")
    rest = "b0 + b1*x; b0 = g00 + u0; b1 = g10"
    counts = hlm.Model(f"log(y, exposure=n) = {rest}")
    normal = hlm.Model(f"y = {rest.replace(';', ' + r;', 1)}").fit(data)
    for fit in (counts.fit(data), counts.fit(data, algorithm="hlm")):
        found: Any = hlm.table(fit, normal, ratios=True, interval=True)
        ratios, row = fit.ratios().loc["g10"], found.frame().loc[("Fixed effects", "x")]
        assert row["Model 1", "estimate"] == pytest.approx(ratios.iloc[1 if "name" in ratios else 0])
        plain: Any = hlm.table(fit, normal).frame().loc[("Fixed effects", "x")]
        assert row["Model 1", "se"] == pytest.approx(
            np.exp(plain["Model 1", "estimate"]) * plain["Model 1", "se"]
        )
        assert row["Model 1", "high"] == pytest.approx(np.exp(plain["Model 1", "high"]))
        assert row["Model 2", "estimate"] == plain["Model 2", "estimate"] == normal.gamma[1]
        text = " ".join(str(found).split())
        assert "Effects: Model 1, event rate ratios (exp of the coefficients" in text
        assert "Model 2, coefficients" in text
    assert "Effects:" not in str(hlm.table(fit, normal))


def test_cuts_of_ratings_are_rows_whatever_estimated_them() -> None:
    data = hlm.read(ORACLES / "ordinal_four.csv", id="id")
    model = hlm.Model("cumlogit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")
    exact, pql = model.fit(data), model.fit(data, algorithm="hlm")
    frame: Any = hlm.table(exact, pql, ratios=True).frame()
    for k, cut in enumerate(exact.cuts()["estimate"], 2):
        row = frame.loc[("Fixed effects", f"THOLD{k}")]
        assert row["Model 1", "estimate"] == pytest.approx(cut)
        assert row["Model 2", "estimate"] == pytest.approx(cut, rel=0.1)  # PQL's is drawn in
