"""The example that makes the README's gallery."""

from __future__ import annotations

import runpy
from pathlib import Path

import matplotlib
import pytest

from tests.figures.legible import check_legible

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import hlmbayes as hlm

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_figure_of_the_example_can_be_read() -> None:
    example = runpy.run_path(str(ROOT / "examples" / "diagnostic_plots.py"))
    fit = hlm.Model(example["MODEL4"]).fit(hlm.datasets.hsb(), algorithm="hlm")
    chosen = example["seminar_figures"](fit)
    assert len(chosen) >= 20
    for draw in chosen.values():
        check_legible(draw())
        plt.close("all")


def test_the_example_writes_figures_and_residual_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    example = runpy.run_path(str(ROOT / "examples" / "diagnostic_plots.py"))
    main = example["main"]
    names = ["chi2_qq", "caterpillar_b0"]
    every = main.__globals__["seminar_figures"]
    monkeypatch.setitem(main.__globals__, "seminar_figures", lambda fit: {n: every(fit)[n] for n in names})
    main(str(tmp_path / "new" / "figures"))
    files = {path.name for path in (tmp_path / "new" / "figures").iterdir()}
    assert files == {"chi2_qq.png", "caterpillar_b0.png", "resfil1.sav", "resfil2.sav"}
    assert "equal level-1 variances" in capsys.readouterr().out


def test_the_gallery_is_small_and_made_by_the_example() -> None:
    from PIL import Image

    example = runpy.run_path(str(ROOT / "examples" / "diagnostic_plots.py"))
    names = set(example["seminar_figures"](None))
    files = list((ROOT / "docs" / "gallery").glob("*.png"))
    assert len(files) >= 8
    for path in files:
        assert path.stem in names
        assert path.stat().st_size < 120_000
        with Image.open(path) as image:
            assert image.size[0] == 800
