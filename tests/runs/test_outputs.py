"""Residual files and figures from command files and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest

import hlmbayes as hlm
from hlmbayes import datasets
from hlmbayes.cli import command as cli
from hlmbayes.residuals.files import _WRITERS, TYPES, write_residuals

MODELS = Path(__file__).parents[2] / "models"
HSB1, HSB2 = map(str, datasets.hsb_paths())
DATA = ["--level1", HSB1, "--level2", HSB2, "--id", "id"]


@pytest.fixture
def command_file(tmp_path: Path) -> Path:
    """Model 4, asking for both residual files."""
    text = (MODELS / "model4_intercepts_slopes.hlm").read_text(encoding="utf-8")
    text = text.replace("resfil1:n", "resfil1:y/MINORITY\nresfil1name:C:\\work\\level1.dta")
    text = text.replace("resfil2:n", "resfil2:y/PRACAD,size\nresfil2name:level2.sav")
    path = tmp_path / "hsb4.hlm"
    path.write_text(text, encoding="utf-8")
    return path


def test_keywords_write_files_beside_the_command_file(
    command_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", str(command_file), *DATA]) == 0
    said = capsys.readouterr()
    assert "was not written" not in said.out + said.err
    assert f"wrote: level-2 residual file {command_file.parent / 'level2.sav'}: 160 records" in said.err
    frame, meta = pyreadstat.read_sav(command_file.parent / "level2.sav")
    data = hlm.datasets.hsb()
    command = hlm.read_command_file(command_file, level1=HSB1, level2=HSB2, id="id")
    wanted = (
        hlm.Model(command.model.equations())
        .fit(data, algorithm="hlm")
        .residuals(level=2, extra=["pracad", "size"])
    )
    assert list(frame) == list(wanted)
    np.testing.assert_array_equal(frame.to_numpy(float), wanted.to_numpy(float))
    assert meta.column_names_to_labels["size"] == "School enrolment"
    rows, _ = pyreadstat.read_dta(command_file.parent / "level1.dta")
    assert len(rows) == 7185
    assert list(rows)[-1] == "minority"


def test_the_command_line_names_other_files(command_file: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.parquet"
    asked = ["--residuals1", str(one), "--residuals2", str(two)]
    assert cli.main(["run", str(command_file), *DATA, *asked]) == 0
    assert one.exists()
    assert two.exists()
    assert not (tmp_path / "level2.sav").exists()
    assert "pracad" in __import__("pandas").read_parquet(two)  # the command file's extra variables


def test_demo_writes_them_too(tmp_path: Path) -> None:
    assert cli.main(["demo", "--residuals2", str(tmp_path / "demo.sav")]) == 0
    assert len(pyreadstat.read_sav(tmp_path / "demo.sav")[0]) == 160


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (None, ["--residuals2", "{tmp}/nowhere/a.sav"], "nowhere does not exist"),
        (None, ["--residuals1", "{tmp}/a.xls"], "a.xls: a residual file is written as .sav"),
        (("PRACAD", "PRACAT"), ["--residuals2", "{tmp}/a.sav"], "no such variable. Did you mean 'pracad'?"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    command_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    change: tuple[str, str] | None, options: list[str], message: str,
) -> None:  # fmt: skip
    if change:
        command_file.write_text(command_file.read_text().replace(*change))
    asked = [option.format(tmp=tmp_path) for option in options]
    assert cli.main(["run", str(command_file), *DATA, *asked]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    errors = [line for line in said.err.splitlines() if line.startswith("hlmbayes: error")]
    assert len(errors) == 1
    assert message in errors[0]
    assert not (tmp_path / "level2.sav").exists()


def test_a_residual_file_of_the_command_file_that_cannot_be_had_is_a_warning(
    command_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command_file.write_text(command_file.read_text().replace("PRACAD", "PRACAT"))
    assert cli.main(["run", str(command_file), *DATA]) == 0
    said = capsys.readouterr()
    assert "Final estimation of fixed effects" in said.out
    assert "WARNING" in said.out
    assert "warning: the level-2 residual file (resfil2:) was not written: " in said.err
    assert "Did you mean 'pracad'?" in said.err
    assert not (tmp_path / "level2.sav").exists()


@pytest.mark.parametrize(
    ("kind", "name", "there"),
    [
        ("spss", "thesis.sav", "data"), ("spss", "thesis.sav", "text"), ("spss", "thesis.sav", "level 1"),
        ("stata", "r.dta", "data"), ("sas", "r.xpt", "data"), ("sas", "r.sas7bdat", "data"),
        ("ascii", "notes.txt", "text"), ("ascii", "pupils.csv", "data"), ("systat", "a.csv", "level 1"),
        ("spss", "pupils.csv", None), ("ascii", "r.sav", None), ("stata", "other.hlm", None),
        ("ascii", "hsb.mdmt", None), ("sas", "r.parquet", None), ("spss", "empty.sav", "nothing"),
    ],
)  # fmt: skip
def test_a_command_file_replaces_residual_files_of_its_kind_only(
    kind: str, name: str, there: str | None, command_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = command_file.parent / (name if not name.endswith("7bdat") else "r.xpt")
    suffix = TYPES[kind]
    frame = pd.DataFrame({"nj": [1.0, 2.0], "x": [1.0, 2.0]})
    if there in ("text", "nothing"):
        place.write_text("nj, chipct and mdist\n" if there == "text" else "")
    elif there == "level 1":
        fit = hlm.Model("mathach = b0 + r\nb0 = g00 + u0").fit(hlm.datasets.hsb())
        write_residuals(fit.residuals(1), place)
    elif there == "data":
        _WRITERS[suffix](frame, place, {})
    before = place.read_bytes() if place.exists() else None
    text = command_file.read_text().replace("level2.sav", name)
    command_file.write_text(f"{text}\nresfiltype:{kind}\n".replace("level1.dta", f"one{suffix}"))
    assert cli.main(["run", str(command_file), *DATA]) == 0
    said = capsys.readouterr()
    assert "Final estimation of fixed effects" in said.out
    assert f"(resfil2:) was not written: {place.name} " in said.err
    assert (place.read_bytes() if place.exists() else None) == before
    assert (command_file.parent / f"one{suffix}").exists()


def test_a_command_file_follows_no_link(command_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outside = command_file.parent / "outside"
    outside.mkdir()
    (command_file.parent / "level2.sav").symlink_to(outside / "new.sav")
    assert cli.main(["run", str(command_file), *DATA]) == 0
    assert "level2.sav is there and is a link or no ordinary file" in capsys.readouterr().err
    assert not list(outside.iterdir())


@pytest.mark.parametrize("kind", TYPES)
def test_a_command_file_replaces_its_own_residual_files(
    kind: str, command_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = command_file.read_text().replace("level2.sav", "").replace("C:\\work\\level1.dta", "")
    command_file.write_text(f"{text}\nresfiltype:{kind}\n")
    for said in ("", "; it took the place of one that was there"):
        assert cli.main(["run", str(command_file), *DATA]) == 0
        err = capsys.readouterr().err
        assert "was not written" not in err
        assert all(line.endswith(f"variables{said}") for line in err.splitlines() if ": wrote: " in line)
    assert {f"resfil{level}{TYPES[kind]}" for level in (1, 2)} <= {
        p.name for p in command_file.parent.iterdir()
    }


def test_plot_draws_eight_figures_and_prints_each_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    out = tmp_path / "figures"
    model = str(MODELS / "model2_means_as_outcomes.hlm")
    assert cli.main(["plot", model, *DATA, "--figures", str(out)]) == 0
    files = [path.name for path in out.iterdir()]
    assert {"chi2_qq.png", "caterpillar_b0.png", "influence.png", "predicted_meanses.png"} <= set(files)
    assert "effect_against_size_b0.png" in files  # the first that is not in the model
    for path in out.iterdir():
        with Image.open(path) as image:
            assert image.size[0] == 800
        assert path.stat().st_size < 200_000
    *names, last = capsys.readouterr().out.splitlines()
    assert sorted(name.strip() for name in names) == sorted(files)
    assert last == f"8 figures in {out}"


def test_plot_draws_what_is_named_in_the_format_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    def plot(*options: str) -> int:
        model = str(MODELS / "model2_means_as_outcomes.hlm")
        return cli.main(["plot", model, *DATA, "--figures", str(tmp_path), *options])

    assert plot("--only", "chi2_qq,caterpillar", "--only", "EFFECT_AGAINST_PRACAD", "--dpi", "50") == 0
    files = {path.name: path for path in tmp_path.iterdir()}
    assert set(files) == {"chi2_qq.png", "caterpillar_b0.png", "effect_against_pracad_b0.png"}
    with Image.open(files["chi2_qq.png"]) as image:
        assert image.size == (400, 250)
    for kind, begins in (("svg", b"<?xml"), ("pdf", b"%PDF")):
        assert plot("--x", "meanses", "--at", "meanses=0", "--format", kind) == 2  # x is held
        assert plot("--only", "influence", "--format", kind) == 0
        assert (tmp_path / f"influence.{kind}").read_bytes().startswith(begins)
    capsys.readouterr()
    for options, said in (
        (
            ("--only", "caterpilar"),
            "there is no figure 'caterpilar': this model has variance_bars, chi2_qq, ",
        ),
        (("--only", "chi2_qq", "--all"), "--all and --only exclude each other"),
        (("--by", "sector"), "name it, --x ses --by sector"),
    ):
        assert plot(*options) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
    for dots in ("0", "-1", "1e9", "many"):
        with pytest.raises(SystemExit):
            plot("--dpi", dots)
        assert "from 20 to 1200" in capsys.readouterr().err


def test_plot_of_predictions_over_a_variable(tmp_path: Path) -> None:
    model = str(MODELS / "model4_intercepts_slopes.hlm")
    asked = ["--x", "ses", "--by", "sector", "meanses=-0.5,0.5", "--format", "svg"]
    assert cli.main(["plot", model, *DATA, "--figures", str(tmp_path), *asked]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["predicted_ses_by_sector_meanses.svg"]


def test_plot_of_equations_and_a_folder_that_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    equations = ["--equations", "mathach = b0 + r; b0 = g00"]
    assert cli.main(["plot", *equations, *DATA, "--figures", str(tmp_path / "a" / "b")]) == 2
    assert "a/b cannot be made" in capsys.readouterr().err
    assert cli.main(["plot", *equations, *DATA, "--figures", str(tmp_path / "c"), "--all"]) == 0
    names = {path.name for path in (tmp_path / "c").iterdir()}
    assert "level1_qq.png" in names
    assert "chi2_qq.png" not in names


def test_figures_with_nothing_to_draw_are_left_out_and_no_window_stays_open(tmp_path: Path) -> None:
    import matplotlib.pyplot as plt

    from hlmbayes.errors import OutputError
    from hlmbayes.figures.figure_set import draw_all

    def nothing() -> Any:
        plt.figure()
        raise OutputError("nothing to draw")

    fit = hlm.Model("mathach = b0 + r\nb0 = g00 + u0").fit(hlm.datasets.hsb())
    chosen = {"a": nothing, "b": lambda: hlm.plots.chi2_qq(fit)}
    drawn = draw_all(chosen, tmp_path)
    assert [path.name for path in drawn.paths] == ["b.png"]
    assert drawn.left_out == {"a": "nothing to draw"}
    assert plt.get_fignums() == []
    with pytest.raises(OutputError, match="cannot be written"):
        draw_all(chosen, tmp_path / "nowhere")
    assert plt.get_fignums() == []


def test_pooled_data_sets_have_no_residual_file(
    command_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = command_file.read_text().replace("resfil1:y", "plausvals:SES\nresfil1:y")
    command_file.write_text(text)
    assert cli.main(["run", str(command_file), *DATA, "--residuals2", str(tmp_path / "a.sav")]) == 2
    assert "no residual file of pooled data sets" in capsys.readouterr().err
    assert cli.main(["plot", str(command_file), *DATA, "--figures", str(tmp_path / "f")]) == 2
    assert "no figures of pooled data sets" in capsys.readouterr().err


def test_plot_says_what_it_leaves_out_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    unit, y = np.repeat(np.arange(12), 5), rng.normal(size=60)
    y -= np.repeat([y[unit == j].mean() for j in range(12)], 5)  # no variance between units is left
    file = tmp_path / "flat.csv"
    rows = "\n".join(f"{u},{v}" for u, v in zip(unit, y, strict=True))
    file.write_text(f"id,y\n{rows}\n")
    asked = [
        "--equations",
        "y = b0 + r; b0 = g00 + u0",
        "--level1",
        str(file),
        "--figures",
        str(tmp_path / "f"),
    ]
    assert cli.main(["plot", *asked]) == 0
    err = capsys.readouterr().err
    assert "hlmbayes: left out: chi2_qq: all variances of the random effects are estimated as zero" in err
    assert "hlmbayes: warning: On the boundary" in err


def test_a_reason_that_many_figures_share_is_said_once(
    command_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = command_file.read_text(encoding="utf-8").replace("level2weight:none", "level2weight:SIZE")
    command_file.write_text(text, encoding="utf-8")
    out = str(command_file.parent / "f")
    assert cli.main(["plot", str(command_file), *DATA, "--figures", out, "--all"]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    (line,) = lines
    assert "chi2_qq, log_sd_histogram, log_sd_qq" in line
    assert line.count("not available for a fit with sampling weights") == 1


def test_a_figure_that_is_named_and_cannot_be_drawn_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{unit},{y + 0.1 * (unit % 3)},{y % 2}" for unit in range(10) for y in (1, 2, 3, 4)]
    (tmp_path / "z.csv").write_text("\n".join(["id,y,x", *rows]))
    (tmp_path / "z.txt").write_text("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10\n")
    plot = ["plot", str(tmp_path / "z.txt"), "--level1", str(tmp_path / "z.csv"), "--id", "id"]
    plot += ["--figures", str(tmp_path)]
    assert cli.main([*plot, "--only", "caterpillar"]) == 0
    capsys.readouterr()
    assert cli.main([*plot, "--only", "caterpillar,chi2_qq"]) == 2  # every variance is zero
    printed = capsys.readouterr()
    assert "1 figure in" in printed.out
    assert "left out: chi2_qq: all variances" in printed.err
