"""Command files and equations whose outcome is not normal, run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.cli.command import main
from hlmbayes.errors import CommandFileError
from hlmbayes.runs.jobs import Job, job_from_equations
from hlmbayes.runs.nonlinear import any_fit_of

DATA = Path(__file__).parents[1] / "oracles" / "data"
REST = "b0 + b1*x\nb0 = g00 + g01*w + u0\nb1 = g10"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved command file of counts with an exposure."""
    data = hlm.read(DATA / "pql_counts.csv", id="id")
    hlm.Model(f"log(y, exposure=n) = {REST}").save(tmp_path / "m.hlm", data)
    return tmp_path / "m.hlm"


def run(file: Path, *more: str) -> int:
    return main(["run", str(file), *more])


def test_a_command_file_runs_as_the_model_does(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = [line for line in saved.read_text().splitlines(keepends=True) if not line.startswith("resfil")]
    saved.write_text(
        f"{''.join(said)}gamma1:0,1,0\nmacroit:50\nstopmacro:0.000001\nresfil1:y\nresfil2:y\nlaplace:y\n"
    )
    page = saved.with_suffix(".html")
    assert run(saved, "--json", "-", "--html", str(page)) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    fit = hlm.read_command_file(saved).model.fit(hlm.read(DATA / "pql_counts.csv", id="id"), algorithm="hlm")
    assert [row["estimate"] for row in found["fixed"]] == pytest.approx([*fit.gamma], abs=1e-4)
    assert found["outcome"]["size"] == "n"
    assert found["general_linear_hypothesis"]["df"] == 1
    assert found["event_rate_ratios"][0]["gamma"] == "G00"
    assert found["laplace"]["deviance"] == pytest.approx(found["likelihood"]["deviance"], abs=1.0)
    assert err.count("\n") == 2  # the residual files were written
    assert "Event rate ratios" in page.read_text()
    assert all((saved.parent / f"resfil{level}.sav").exists() for level in (1, 2))
    assert run(saved) == 0
    listing = capsys.readouterr().out
    assert "The maximum number of macro iterations = 50" in listing
    assert "General Linear Hypothesis" in listing
    assert "RESULTS FOR LAPLACE APPROXIMATION" in listing


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("level1weight:x", "level1weight: of y, which is Poisson, is for the likelihood"),
        ("varianceknown:x", "varianceknown: is for normal outcomes"),
        ("plausvals:y,n", "are pooled by the likelihood: add --algorithm exact"),
    ],
)
def test_what_is_for_normal_outcomes_is_refused_in_one_line(
    saved: Path, line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    keyword = line.partition(":")[0]
    kept = [own for own in saved.read_text().splitlines() if not own.startswith(f"{keyword}:")]
    saved.write_text("\n".join([*kept, line, ""]))
    assert run(saved) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert (out, len(err.splitlines())) == ("", 1)


def test_what_a_command_file_tests_is_tested_by_the_likelihood_too(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = saved.read_text().replace("hypoth:n", "hypoth:y").replace("homvar:n", "homvar:y")
    saved.write_text(f"{text}gamma1:0,1,0\ndeviance:3000.5\ndf:2\n")
    page = saved.with_suffix(".html")
    assert run(saved, "--json", "-", "--html", str(page), "--algorithm", "exact") == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    fit = hlm.Model(f"log(y, exposure=n) = {REST}").fit(hlm.read(DATA / "pql_counts.csv", id="id"))
    hypothesis, comparison = found["tests"]
    assert hypothesis["chi2"] == pytest.approx(fit.wald("g01 = 0", robust=True).chi2, rel=1e-9)
    assert comparison["chi2"] == pytest.approx(3000.5 - fit.deviance, abs=1e-6)
    assert "(homvar:) was not done: of an outcome that is not normal" in err
    assert all(each in page.read_text() for each in ("Test that g01 = 0", "3000.500000 (2 parameters)"))
    assert run(saved) == 0
    out, err = capsys.readouterr()
    assert "(deviance:, df:) was not done: quasi-likelihood has no deviance" in err
    assert "(homvar:) was not done" in err
    assert "Comparison with the stored model" not in out


def test_a_command_file_of_ratings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = hlm.read(DATA / "ordinal_four.csv", id="id")
    hlm.Model(f"y = {REST}").save(tmp_path / "m.hlm", data)
    text = (tmp_path / "m.hlm").read_text().replace("nonlin:n", "nonlin:ordinal,4\nlaplace:y")
    (tmp_path / "m.hlm").write_text(f"{text}gamma1:0,1,0\n")
    assert run(tmp_path / "m.hlm") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "THOLD3, d3" in out[out.index("RESULTS FOR LAPLACE") :]
    assert "General Linear Hypothesis" in out
    assert run(tmp_path / "m.hlm", "--json", "-") == 0
    test = json.loads(capsys.readouterr().out)["general_linear_hypothesis"]
    fit = hlm.Model(f"cumlogit(y) = {REST}").fit(data, algorithm="hlm")
    row = fit.fixed_effects(robust=True).loc["g01"]
    assert test["chi2"] == pytest.approx(row["t_ratio"] ** 2)


@pytest.mark.parametrize("algorithm", ["hlm", "exact"])
@pytest.mark.parametrize(("counted", "warned"), [(3, True), (4, False), (5, True)])
def test_other_categories_than_the_command_file_counts_are_warned_of(
    algorithm: str, counted: int, warned: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """HLM is told how many there are: one more in the data may be a code of missing values."""
    data = hlm.read(DATA / "ordinal_four.csv", id="id")
    hlm.Model(f"cumlogit(y) = {REST}").save(tmp_path / "m.hlm", data)
    text = (tmp_path / "m.hlm").read_text()
    (tmp_path / "m.hlm").write_text(text.replace("nonlin:ordinal,4", f"nonlin:ordinal,{counted}"))
    assert run(tmp_path / "m.hlm", "--algorithm", algorithm) == 0
    said = f"nonlin:ordinal,{counted} counts {counted} categories, and y has 4 values in the data"
    out, err = capsys.readouterr()
    assert (said in err) == warned
    assert (said in " ".join(out.split())) == warned


def test_equations_name_the_family_in_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "m.txt"
    head = f"data: {DATA / 'pql_slopes.csv'}\nid: id\nalgorithm: hlm\nfamily: binomial\ntrials: n\n"
    file.write_text(f"{head}overdispersed: yes\ny ~ x + w + (x | id)\n")
    assert run(file) == 0
    out = capsys.readouterr().out
    assert "Distribution at Level-1: Binomial (number of trials: n), overdispersed" in out
    assert "E(Y|B) = n*P" in out


def test_figures_are_drawn_of_quasi_likelihood(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot", str(saved), "--only", "predicted_x,caterpillar", "--figures", str(tmp_path)]) == 0
    assert {file.name for file in tmp_path.glob("*.png")} == {"predicted_x.png", "caterpillar_b0.png"}
    assert "2 figures in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "more", "shown"),
    [
        ("summary", ["--icc", "--r2", "--confint"], "Poisson, log link, ML by adaptive Gauss-Hermite"),
        ("summary", ["--check", "--range"], "much like normal random effects"),
        ("summary", ["--range", "b0"], "95 % of units have b0 (intercept) between"),
        ("summary", ["--bootstrap", "5", "--seed", "1"], "Parametric bootstrap, 5 data sets (seed 1)"),
        ("predict", ["--means", "x"], "Mean at x = "),
        ("predict", ["--slopes", "x"], "Slope of x: "),
        ("predict", ["--level", "2"], "at_zero"),
        ("table", [], "Poisson, log link, ML by adaptive"),
        ("run", [], "Event rate ratios"),
    ],
)
def test_commands_answer_by_the_likelihood(
    saved: Path, command: str, more: list[str], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exact = [command, str(saved), *more, "--algorithm", "exact"]
    assert main(exact) == 0
    assert shown in capsys.readouterr().out
    if command in ("run", "table"):  # which do what HLM does
        assert main(exact[:-2]) == 0
        assert "penalised quasi-likelihood" in " ".join(capsys.readouterr().out.split())
    else:
        assert main(exact[:-2]) == 2
        err = capsys.readouterr().err
        assert "of y, which is Poisson: add --algorithm exact" in err
        assert len(err.splitlines()) == 1


def test_the_likelihood_writes_files(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [own for own in saved.read_text().splitlines() if not own.startswith("resfil")]
    saved.write_text("\n".join([*lines, "gamma1:0,1,0", "resfil2:y", "resfil1:y", ""]))
    page = saved.with_suffix(".html")
    assert run(saved, "--algorithm", "exact", "--json", "-", "--html", str(page)) == 0
    found = json.loads(capsys.readouterr().out)
    fit = hlm.read_command_file(saved).model.fit(hlm.read(DATA / "pql_counts.csv", id="id"))
    assert found["deviance"] == pytest.approx(fit.deviance, abs=1e-6)
    assert all((saved.parent / f"resfil{level}.sav").exists() for level in (1, 2))
    assert (saved.parent / "resfil1.sav").exists()
    assert "Event rate ratios" in page.read_text()
    assert run(saved, "--algorithm", "exact") == 0
    assert "Test that g01 = 0: chi-square" in capsys.readouterr().out


def test_what_rows_count_reaches_the_likelihood_and_what_cannot_be_is_refused(tmp_path) -> None:
    rng = np.random.default_rng(8)
    unit, count = np.repeat(np.arange(12), 9), rng.integers(1, 4, 108)
    y, x = rng.integers(0, 2, 108), rng.normal(size=108)
    frame = pd.DataFrame({"id": unit, "y": y, "x": x, "wt": count})
    frame.to_csv(tmp_path / "d.csv", index=False)
    equations = "logit(y) = b0 + b1*x\nb0 = g00 + u0\nb1 = g10\n"

    def job(line: str, algorithm: str = "exact") -> Job:
        found = job_from_equations(f"data: d.csv\nid: id\n{line}\n{equations}", folder=tmp_path)
        return replace(found, algorithm=algorithm)

    repeated = hlm.read(frame.loc[frame.index.repeat(count), ["id", "y", "x"]], id="id")
    wanted = hlm.Model(equations).fit(repeated).deviance
    assert any_fit_of(job("frequency: wt")).deviance == pytest.approx(wanted, abs=1e-6)
    weighted = hlm.Model(equations).fit(hlm.read(frame, id="id"), weights=hlm.Weights("wt"))
    assert any_fit_of(job("level1weight: wt")).deviance == pytest.approx(weighted.deviance, abs=1e-6)
    for line in ("imputed: d.csv, d.csv", "imputed_by: wt", "precision: wt"):
        with pytest.raises(CommandFileError, match=r"is for normal outcomes|hlmbayes run does it"):
            any_fit_of(job(line))
    with pytest.raises(CommandFileError, match="add --algorithm exact"):
        any_fit_of(job("frequency: wt", "hlm"))
