"""HLM 7's listing: every number a genuine run printed, its degrees of freedom, its words, its order."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import hlmbayes as hlm
from hlmbayes.cli import main
from tests.hlm_files.test_data_source import POPULAR, put
from tests.mdm_writer import ORACLES, popular2

PRINTED: dict[str, Any] = json.loads((ORACLES / "popular2.json").read_text(encoding="utf-8"))["printed"]
WORDS = (
    "Specifications for this HLM2 run", "Summary of the model specified", "Level-1 Model", "Level-2 Model",
    "Mixed Model", "Final Results - Iteration 9", "sigma^2", "Standard error of sigma^2", "tau",
    "The value of the log-likelihood function at iteration 9", "Final estimation of fixed effects:",
    "with robust standard errors", "Final estimation of variance components:", "Deviance",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return put(tmp_path_factory.mktemp("hlm7"), POPULAR, popular2_mdm=popular2()).parent


@pytest.fixture
def listing(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["run", str(folder / "run.hlm")]) == 0
    return capsys.readouterr().out


def numbers() -> list[str]:
    found = [PRINTED[key] for key in ("sigma2", "se_sigma2", "tau_corr", "loglik", "deviance")]
    found += [value for key in ("tau", "se_tau") for row in PRINTED[key] for value in row]
    found += PRINTED["reliability"]
    found += [value for key in ("fixed", "fixed_robust") for row in PRINTED[key] for value in row[1:]]
    return found + [value for row in PRINTED["variance_components"] for value in row]


def test_every_printed_number_is_there(listing: str) -> None:
    head = listing.split("Notes by hlmbayes")[0]
    for number in numbers():
        assert re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", head), number
    for key in ("fixed", "fixed_robust"):
        for row in PRINTED[key]:
            assert re.search(r"\s+".join(map(re.escape, row[1:])) + r"\s+<0\.001", head), row
    assert "P-value" not in head
    assert " 0.000\n" not in head


def test_words_in_their_order(listing: str) -> None:
    at = 0
    for word in WORDS:
        at = listing.index(word, at)
    assert "popular2.mdm is of version 7" in listing


def test_the_page_and_json_say_the_same(folder: Path) -> None:
    page, file = folder / "out.html", folder / "out.json"
    assert main(["run", str(folder / "run.hlm"), "--html", str(page), "--json", str(file)]) == 0
    text = page.read_text(encoding="utf-8")
    cells = text.partition("<details>")[0].replace("\N{MINUS SIGN}", "-")
    for number in numbers():
        # the page writes no powers of ten
        shown = rf"{float(number):.3f}" if "E+" in number else rf"{number}(?!\d)"
        assert re.search(rf"(?<![\d.]){shown.replace('.', '[.]')}", cells), number
    assert cells.count("&lt;0.001") >= 2 * len(PRINTED["fixed"])
    assert text.index("Summary of the model specified") < text.index("Final Results - Iteration 9")
    found = json.loads(file.read_text(encoding="utf-8"))
    for key in ("fixed", "fixed_robust"):
        assert [row["df"] for row in found[key]] == [float(row[-1]) for row in PRINTED[key]]


def test_six_and_seven_by_wish(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(folder / "run.hlm"), "--hlm", "6"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"1\.252470\s+0\.036554\s+34\.263\s+1996\s+0\.000", out)
    assert "Mixed Model" not in out
    model = hlm.Model("mathach = b0 + b1*ses + b2*female + r\nb0 = g00 + u0\nb1 = g10 + u1\nb2 = g20")
    fit = model.fit(hlm.datasets.hsb())
    slopes = {df: fit.fixed_effects(df=df).loc["g20", "df"] for df in ("hlm", "hlm7")}
    assert slopes == {"hlm": 7185 - 3, "hlm7": 7185 - 2 * 160 - 1}
    assert "Mixed Model" in fit.listing(hlm="7")
    with pytest.raises(hlm.HLMError, match="wanted '6' or '7'"):
        fit.listing(hlm="5")


def test_a_file_of_hlm_8_is_known_by_its_keywords(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "eight.hlm"
    file.write_text(POPULAR + "output:out.html\n", encoding="utf-8")
    from hlmbayes.hlm_files.command_file import read_command_file

    assert read_command_file(file).options.hlm == "7"


NO_DF = """y = b0 + b1*x + b2*w + r
b0 = g00 + u0
b1 = g10 + u1
b2 = g20"""


@pytest.fixture(scope="module")
def pairs() -> hlm.TwoLevelData:
    """Twenty units of two rows: HLM 7's N - qJ - 1 is below zero, HLM 6's N - F is not."""
    rng = np.random.default_rng(4)
    unit = np.repeat(np.arange(20), 2)
    columns = {"id": unit, "x": rng.normal(size=40), "w": rng.normal(size=40)}
    y = columns["x"] * (1 + rng.normal(size=20)[unit]) + rng.normal(size=20)[unit] + rng.normal(size=40)
    return hlm.read({**columns, "y": y})


def test_where_hlm_7_leaves_no_degrees_of_freedom_it_is_said(pairs: hlm.TwoLevelData, tmp_path: Path) -> None:
    fit = hlm.Model(NO_DF).fit(pairs)
    row: Any = fit.fixed_effects(df="hlm7").loc["g20"]
    assert row["df"] == 40 - 2 * 20 - 1
    assert math.isnan(row["p_value"])
    assert fit.fixed_effects().loc["g20", "df"] == 40 - 3
    listing = fit.listing(hlm="7")
    assert "gives G20 no degrees of freedom" in " ".join(listing.split())
    assert "gives G20" not in " ".join(fit.listing().split())
    limits: Any = fit.confint(df="hlm7", parameters=["g20", "g00"])
    assert math.isnan(limits.loc["g20", "low"])
    assert "not available" in limits.loc["g20", "method"]
    assert limits.loc["g00", "method"] == "t, hlm7 d.f."


def test_contrasts_and_intervals_have_hlm_7s_degrees_of_freedom() -> None:
    model = hlm.Model("mathach = b0 + b1*ses + b2*female + r\nb0 = g00 + u0\nb1 = g10 + u1\nb2 = g20")
    fit = model.fit(hlm.datasets.hsb())
    row: Any = fit.fixed_effects(df="hlm7").loc["g20"]
    df = 7185 - 2 * 160 - 1
    found = fit.contrast("g20", "g20 - g00", df="hlm7")
    assert found.df.tolist() == [df, 159]  # of a combination the smallest of its effects'
    assert found.p_value[0] == pytest.approx(row["p_value"])
    limits: Any = fit.confint(df="hlm7", parameters=["g20"]).loc["g20"]
    reach = stats.t.ppf(0.975, df) * row["se"]
    assert [limits["low"], limits["high"]] == pytest.approx(
        [row["coefficient"] - reach, row["coefficient"] + reach]
    )
    assert (found.low[0], found.high[0]) == pytest.approx((limits["low"], limits["high"]))


def test_what_is_asked_counts_more_than_what_the_files_show(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = Path(__file__).parents[2] / "models"
    six = str(models / "model4_nonrandom_slope.hlm")
    outs = {}
    for asked in ((), ("--hlm", "7"), ("--hlm", "6")):
        assert main(["run", six, *asked]) == 0
        outs[asked] = capsys.readouterr().out
    assert "Mixed Model" in outs["--hlm", "7"]
    assert outs[()] == outs["--hlm", "6"]
    assert "Mixed Model" not in outs[()]
    seven = str(folder / "run.hlm")
    for asked, words in ((("--hlm", "6"), False), (("--hlm", "7"), True)):
        assert main(["run", seven, *asked]) == 0
        out = capsys.readouterr().out
        assert ("Mixed Model" in out) == words
        assert "--hlm 6 takes HLM 6's" not in out  # the note is for who did not choose
