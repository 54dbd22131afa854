"""The report: warnings first, numbers of the fit, true minus signs, self-contained; JSON has it all."""

from __future__ import annotations

import json
import math
import re

import pytest

import hlmbayes as hlm
from hlmbayes.estimation.estimates import Estimates
from hlmbayes.faces import record_of
from hlmbayes.report import report_tables, to_json
from hlmbayes.report.findings import Findings, findings
from hlmbayes.report.report_page import p_value, page
from tests.report.test_html import read

MINUS = "\N{MINUS SIGN}"
TEXTS = {
    "model4": "mathach = b0 + b1*group(ses) + r\nb0 = g00 + g01*sector + g02*meanses + u0\n"
    "b1 = g10 + g11*sector + g12*meanses + u1",
    "one": "mathach = b0 + r\nb0 = g00 + u0",
    "random_only": "mathach = b0 + b1*group(ses) + r\nb0 = g00 + u0\nb1 = u1",
    "unequal": "mathach = b0 + r\nb0 = g00 + u0\nlog(sigma2) = a0 + a1*female",
}


@pytest.fixture(scope="module")
def hsb() -> hlm.TwoLevelData:
    return hlm.datasets.hsb()


@pytest.fixture(scope="module")
def fit4(hsb: hlm.TwoLevelData) -> Estimates:
    return record_of(hlm.Model(TEXTS["model4"]).fit(hsb, algorithm="hlm"))


@pytest.fixture(scope="module")
def found4(fit4: Estimates) -> Findings:
    return findings(fit4)


def test_the_page_says_what_the_fit_says(fit4: Estimates, found4: Findings) -> None:
    html = page(report_tables(fit4), found4, {"predicted_ses": ("A <title>", b"png")})
    reader = read(html)
    text = " ".join(reader.text)
    (_, rows), (_, components) = reader.tables[:2]
    assert [row[1] for row in rows[1:]] == [
        f"{value:.3f}".replace("-", MINUS) for value in fit4.gamma.tolist()
    ]
    assert [row[4] for row in rows[1:]] == ["<\N{NO-BREAK SPACE}.001"] * 6
    assert [row[3] for row in components[1:]] == ["2.380", "0.149", "36.703"]
    assert "which is 1.64 less" in text
    assert f"Log-likelihood {MINUS}{abs(fit4.loglik):.4f}" in " ".join(text.split())
    assert not re.search(r"\d[eE][+-]\d|-0\.0+\b|https?://", text)
    assert 'alt="A &lt;title&gt;" src="data:image/png;base64,cG5n"' in html
    assert "HLM’s numbers and the optimum" in html


@pytest.mark.parametrize("name", ["one", "random_only", "unequal"])
def test_models_that_lack_something_have_a_page(hsb: hlm.TwoLevelData, name: str) -> None:
    fit = record_of(hlm.Model(TEXTS[name]).fit(hsb))
    html = page(report_tables(fit), findings(fit), {})
    reader = read(html)
    assert "HLM’s numbers and the optimum" not in html
    assert ("no one level-1 variance" in html) == (name == "unequal")
    assert ("Tau as correlations" in [caption for caption, _ in reader.tables]) == (name == "random_only")


def test_warnings_come_first(hsb: hlm.TwoLevelData) -> None:
    fit = record_of(hlm.Model(TEXTS["one"]).fit(hsb))
    html = page(report_tables(fit, warnings=("Beware.",)), findings(fit), {})
    assert html.index("Beware.") < html.index("<h2>")


def test_json_has_the_report(fit4: Estimates, found4: Findings) -> None:
    report = json.loads(to_json(fit4))["report"]
    assert [row["estimate"] for row in report["effects"]] == fit4.gamma.tolist()
    assert [row["name"] for row in report["shares"]] == ["ICC", "Marginal R²", "Conditional R²"]
    assert [told["sentence"] for told in report["told"]] == [told.sentence for told in found4.told]
    assert sum(part["value"] for part in report["variance_parts"]) == pytest.approx(1.0, abs=1e-12)
    assert report["methods"].startswith("A two-level linear model of mathach was fitted to 7,185 level-1")


def test_p_values_as_in_papers() -> None:
    assert [p_value(p) for p in (0.0004, 0.0314, 1.0, float("nan"))] == [
        "&lt;\N{NO-BREAK SPACE}.001", ".031", "1.000", "n/a",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_fit_writes_its_report(hsb: hlm.TwoLevelData, tmp_path) -> None:
    place = hlm.Model(TEXTS["model4"]).fit(hsb).report(tmp_path / "report.html")
    html = place.read_text(encoding="utf-8")
    read(html)
    assert html.count("<img ") == 6


def test_limits_around_the_optimum_are_not_taken_for_those_of_hlms_estimates(
    fit4: Estimates, found4: Findings, hsb: hlm.TwoLevelData
) -> None:
    exact = record_of(hlm.Model(TEXTS["model4"]).fit(hsb))
    slope = next(row for row in found4.components if row.code == "u1")
    assert slope.sd == pytest.approx(0.3859, abs=1e-4)
    assert slope.at_optimum == pytest.approx(float(exact.components.tau[1, 1]) ** 0.5, rel=1e-5)
    text = " ".join(read(page(report_tables(fit4), found4, {})).text)
    assert "around the optimum and not around HLM’s estimates" in text
    assert "0.318 of SES slope" in text.replace("ses", "SES")
    assert "around the optimum" not in page(report_tables(exact), findings(exact), {})
    assert json.loads(to_json(fit4))["report"]["components"][1]["at_optimum"] == slope.at_optimum


def test_the_level1_variance_has_intervals_and_a_sentence(hsb: hlm.TwoLevelData) -> None:
    fit = record_of(hlm.Model(TEXTS["unequal"]).fit(hsb))
    found = findings(fit)
    (a0, a1), (sentence,) = found.level1_variance, found.spread
    assert (a0.name, a1.name) == ("intercept", "female")
    assert (a1.low, a1.high) == pytest.approx(
        (a1.estimate - 1.959964 * a1.se, a1.estimate + 1.959964 * a1.se), rel=1e-6
    )
    assert f"is {math.exp(a1.estimate):.3f} times as large" in sentence
    assert f"{math.exp(a1.low):.3f} to {math.exp(a1.high):.3f}" in sentence
    tables = dict(read(page(report_tables(fit), found, {})).tables)
    assert len(tables["What the level-1 variance depends on"]) == 3
    assert all(map(all, tables["Variances"]))  # no column of intervals, which there are none of
    assert "linear function of female" in found.methods


def test_the_page_speaks_to_people_who_never_write_python(fit4: Estimates, found4: Findings) -> None:
    html = page(report_tables(fit4), found4, {"level1_qq": ("A title", b"png")})
    assert not re.search(r"plots\.|fit\.|mdist|log_sd", html.partition("<details>")[0])
    assert "<figcaption>A title</figcaption>" in html
    assert "SES × MEANSES by" in html.replace("ses × meanses", "SES × MEANSES")
    assert not re.search(r"[ (]-\d", html.partition("<details>")[0].partition("</style>")[2])


def test_what_hlm_and_the_optimum_say_stands_with_their_numbers(fit4: Estimates, found4: Findings) -> None:
    html = page(report_tables(fit4), found4, {})
    assert html.count("the deviance is 0.049411 lower") == 1
    assert html.index("0.049411 lower") < html.index("HLM path") < html.index("For a paper")
