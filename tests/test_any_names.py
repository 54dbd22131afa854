"""Columns of any name: figures, checks, trees and residual files are had, and nothing leaves its folder."""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyreadstat
import pytest

import hlmbayes as hlm
from hlmbayes import words
from hlmbayes.cli.command import main
from hlmbayes.faces import record_of
from hlmbayes.figures.figure_set import draw_all, figures
from hlmbayes.figures.posterior_set import figures as posterior_figures
from hlmbayes.residuals.files import write_residuals

ODD = (
    "m/f", "unit", "row", "coef", "$\\frac{$", "w$2$", "100%", "free lunch", "größe", "y:1", "2019", "_w",
    "km/h", "a/../../escaped", "x" * 250, "a & <b>", "it's", 'say "so"', "w3é", "by", "_all", "強さ", "-",
    "λ²", "very " * 40 + "long",
)  # fmt: skip
PAIRS = list(zip(ODD, (*ODD[1:], ODD[0]), strict=True))  # each name is one of level 1 and one of level 2
SHORT = [pair for pair in PAIRS[::2] if pair[0] not in ("2019", "it's", "w3é", "-")]  # a kind of odd each
READERS = {".sav": pyreadstat.read_sav, ".dta": pyreadstat.read_dta, ".xpt": pyreadstat.read_xport}


def frames(level1: str, level2: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows and units with one predictor each of the names given."""
    rng = np.random.default_rng(5)
    unit = np.repeat(np.arange(14), 9)
    x, w = rng.normal(size=len(unit)), rng.normal(size=14)
    y = x + rng.normal(size=len(unit)) + (w + rng.normal(size=14))[unit] + 0.5 * x * rng.normal(size=14)[unit]
    return pd.DataFrame({"id": unit, "y": y, level1: x}), pd.DataFrame({"id": np.arange(14), level2: w})


def model(level1: str, level2: str) -> Any:
    return hlm.Model(f"y = b0 + b1*`{level1}` + r\nb0 = g00 + g01*`{level2}` + u0\nb1 = g10 + u1")


@cache
def fit_of(level1: str, level2: str) -> Any:
    return model(level1, level2).fit(hlm.read(*frames(level1, level2), id="id"))


@pytest.mark.parametrize("suffix", [*READERS, ".csv", ".parquet"])
@pytest.mark.parametrize("pair", PAIRS)
def test_residual_files_have_legal_names_and_labels_that_keep_the_original(
    pair: tuple[str, str], suffix: str, tmp_path: Path
) -> None:
    for level, name in enumerate(pair, 1):
        frame = fit_of(*pair).residuals(level)
        path = write_residuals(frame, tmp_path / f"r{level}{suffix}")
        if suffix not in READERS:
            read = pd.read_csv if suffix == ".csv" else pd.read_parquet
            assert list(read(path)) == list(frame)
            continue
        back, meta = READERS[suffix](path)
        np.testing.assert_array_equal(back.to_numpy(float), frame.to_numpy(float))
        column = list(frame).index(name.lower())
        label = str(meta.column_labels[column] or "")
        assert label or back.columns[column] == name.lower()
        limit = {".sav": 256, ".dta": 80, ".xpt": 40}[suffix]
        assert label in ("", words.cut_bytes(name, limit))
        longest = {".sav": 64, ".dta": 128, ".xpt": 8}[suffix]
        assert len(back.columns[column].encode()) <= longest


@pytest.mark.filterwarnings("ignore:Glyph")  # not every font has them
@pytest.mark.parametrize(
    "pair", [pytest.param(pair, marks=() if pair in SHORT else pytest.mark.slow) for pair in PAIRS]
)
def test_figures_and_checks(pair: tuple[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "predicted_a").mkdir()  # where a name with /../ would lead out of the folder
    fit = fit_of(*pair)
    assert len(list(fit.check())) == 5
    names = (*(name.lower() for name in pair), "influence_on_effects")
    known = figures(record_of(fit)).items()
    chosen = {key: draw for key, draw in known if any(name in key.lower() for name in names)}
    drawn = draw_all(chosen, folder)
    assert len(set(drawn.paths)) == len(chosen) > 1
    assert all(path.parent == folder and path.is_file() for path in drawn.paths)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figures"]
    tree = hlm.diagnostics.tree(fit)
    tree.to_netcdf(tmp_path / "tree.nc", engine="h5netcdf")
    axes = hlm.plots.effect_against(tree, pair[1])
    axes.figure.figure.draw_without_rendering()
    assert words.plain(pair[1])[:20] in axes.get_xlabel().replace("\n", " ")
    plt.close("all")


@pytest.mark.parametrize(
    "name",
    [
        "m/f",
        "$\\frac{$",
        "größe",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("unit", "x" * 250)),
    ],
)
def test_a_posterior_of_them(name: str, tmp_path: Path) -> None:
    data = hlm.read(*frames("x", name), id="id")
    post = model("x", name).sample(data, seed=1, draws=600, chains=2)
    assert post.check()
    for figure in posterior_figures(record_of(post)).values():
        figure.draw_without_rendering()
    plt.close("all")
    back = hlm.load_posterior(post.save(tmp_path / "p.nc"))
    assert back.summary().equals(post.summary())


def test_two_names_that_are_safe_alike_are_two_figures(tmp_path: Path) -> None:
    level1, level2 = frames("x", "a/b")
    fit = hlm.Model("y = b0 + b1*x + r\nb0 = g00 + g01*`a/b` + g02*`a b` + u0\nb1 = g10").fit(
        hlm.read(level1, level2.assign(**{"a b": level2["a/b"] ** 2}), id="id")
    )
    chosen = {k: draw for k, draw in figures(record_of(fit)).items() if k.startswith("effect_against")}
    drawn = draw_all(chosen, tmp_path)
    names = ["effect_against_a_b_b0.png", "effect_against_a_b_b2.png"]
    assert sorted(path.name for path in drawn.paths) == names
    plt.close("all")


def test_a_figure_that_fails_keeps_none_of_the_others(tmp_path: Path) -> None:
    def broken() -> Any:
        plt.figure()
        raise ZeroDivisionError

    chosen = {"a": broken, "b": lambda: hlm.plots.chi2_qq(fit_of("x", "w"))}
    with pytest.raises(ZeroDivisionError):
        draw_all(chosen, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["b.png"]
    assert not plt.get_fignums()


def test_a_run_of_a_spreadsheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    level1, _ = frames("free lunch", "w")
    level1.to_csv(tmp_path / "lunch.csv", index=False)
    equations = "y = b0 + b1*`free lunch` + r; b0 = g00 + u0; b1 = g10 + u1"
    places = {"residuals1": "r.sav", "residuals2": "s.xpt", "output": "l.txt", "json": "j.json"}
    options = [word for option, file in places.items() for word in (f"--{option}", str(tmp_path / file))]
    data = ["--level1", str(tmp_path / "lunch.csv")]
    assert main(["run", "--equations", equations, *data, *options]) == 0
    back, meta = pyreadstat.read_sav(tmp_path / "r.sav")
    assert meta.column_names_to_labels["free_lunch"] == "free lunch"
    assert (tmp_path / "l.txt").read_text()
    assert (tmp_path / "j.json").read_text()
    assert len(back) == len(level1)
    assert main(["plot", "--equations", equations, *data, "--figures", str(tmp_path / "f")]) == 0
    assert "predicted_free_lunch.png" in capsys.readouterr().out


def test_safe_names_are_safe_and_safe_names_stay() -> None:
    rng, letters = random.Random(1), "aZ_09 /\\.$%&é強\x1b\n\u202e²"
    for _ in range(2000):
        name = "".join(rng.choices(letters, k=rng.randrange(1, 300)))
        safe = words.safe_name(name)
        assert re.fullmatch(r"[^\W\d_]\w*", safe)
        assert len(safe.encode()) <= 120
        assert words.safe_name(safe) == safe
        assert re.fullmatch(r"[A-Za-z_]\w{0,7}", words.safe_name(name, longest=8, first="_", ascii=True))


def test_messages_are_one_line_of_bounded_length_and_order_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from hlmbayes.cli.console import complain, put

    complain("error", "a\x1b]0;title\x07\n" + "b" * 100_000 + "\u202eend")
    line = capsys.readouterr().err
    assert line.startswith("hlmbayes: error: a\\x1b]0;title\\x07 b")
    assert line.endswith("\\u202eend\n")
    assert len(line) < 2100
    put("-", lambda: "a\x1b[2Jb\n\tc é")
    assert capsys.readouterr().out == "a\\x1b[2Jb\n\tc é"
