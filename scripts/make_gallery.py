"""Make docs/gallery, the figures in the README: ``python scripts/make_gallery.py``.

The figures are those of examples/diagnostic_plots.py, with 128 colours so that the files are small.
"""

from __future__ import annotations

import runpy
import tempfile
from pathlib import Path

from PIL import Image

import hlmbayes as hlm
from hlmbayes.figures.figure_set import draw_all

ROOT = Path(__file__).resolve().parents[1]
SHOWN = (
    "predicted_ses_by_sector", "level1_equations_ses_by_sector", "boxes_by_unit_mathach", "chi2_qq",
    "log_sd_histogram", "effect_against_pracad_b0", "caterpillar_b0", "shrinkage", "influence",
    "influence_on_effects",
)  # fmt: skip


def main() -> None:
    """Draw the chosen figures into docs/gallery."""
    example = runpy.run_path(str(ROOT / "examples" / "diagnostic_plots.py"))
    fit = hlm.Model(example["MODEL4"]).fit(hlm.datasets.hsb(), algorithm="hlm")
    every = example["seminar_figures"](fit)
    gallery = ROOT / "docs" / "gallery"
    gallery.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for path in draw_all(fit, Path(folder), {name: every[name] for name in SHOWN}).paths:
            with Image.open(path) as image:
                small = image.convert("RGB").quantize(128, dither=Image.Dither.NONE)
                small.save(gallery / path.name, optimize=True)


if __name__ == "__main__":
    main()
