"""Draw the figures of the seminar "Introduction to Multilevel Modeling using HLM 6" for its model 4.

python examples/diagnostic_plots.py [FOLDER]    into FOLDER, "figures" by default

It is the whole session "Graphing the results" and "Residual file and analysis of model fit": model graphs,
the residual files, and what is looked at in them. The same functions draw a posterior.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "Agg")  # files, no windows

import hlmbayes as hlm
from hlmbayes import plots
from hlmbayes.figures.figure_set import draw_all
from hlmbayes.residuals.files import write_residuals

MODEL4 = """
    mathach = b0 + b1*group(ses) + r
    b0 = g00 + g01*sector + g02*meanses + u0
    b1 = g10 + g11*sector + g12*meanses + u1
"""


def seminar_figures(fit: Any) -> dict[str, Callable[[], Any]]:
    """Every figure by file name, each a function that draws it."""
    return {
        # Graphing the results
        "predicted_ses_by_sector": lambda: plots.predicted(fit, "ses", by={"sector": "all"}),
        "predicted_ses_by_meanses": lambda: plots.predicted(fit, "ses", by={"meanses": "quartiles"}),
        "predicted_ses_by_sector_and_meanses": lambda: plots.predicted(
            fit, "ses", by={"sector": "all", "meanses": "quartiles"}, band=False
        ),
        "predicted_meanses_by_sector": lambda: plots.predicted(fit, "meanses", by={"sector": "all"}),
        "level1_equations_ses_by_sector": lambda: plots.level1_equations(fit, "ses", colour="sector"),
        "level1_equations_ses_by_meanses": lambda: plots.level1_equations(fit, "ses", colour="meanses"),
        "boxes_by_unit_mathach": lambda: plots.boxes_by_unit(fit, "mathach", colour="sector"),
        "boxes_by_unit_ses": lambda: plots.boxes_by_unit(fit, "ses"),
        # Residual file and analysis of model fit
        "chi2_qq": lambda: plots.chi2_qq(fit),
        "log_sd_histogram": lambda: plots.log_sd_histogram(fit),
        "log_sd_qq": lambda: plots.log_sd_qq(fit),
        "effect_against_pracad_b0": lambda: plots.effect_against(fit, "pracad"),
        "effect_against_meanses_b0": lambda: plots.effect_against(fit, "meanses"),
        "effect_against_himinty_b1": lambda: plots.effect_against(fit, "himinty", coefficient="b1"),
        # and what HLM has no menu for
        "residuals_against_fitted": lambda: plots.residuals_against_fitted(fit),
        "level1_qq": lambda: plots.level1_qq(fit),
        "residuals_by_unit": lambda: plots.residuals_by_unit(fit),
        "caterpillar_b0": lambda: plots.caterpillar(fit, coefficient="b0"),
        "caterpillar_b1": lambda: plots.caterpillar(fit, coefficient="b1"),
        "shrinkage": lambda: plots.shrinkage(fit),
        "influence": lambda: plots.influence(fit),
        "influence_on_effects": lambda: plots.influence_on_effects(fit),
    }


def main(folder: str = "figures") -> None:
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    fit = hlm.Model(MODEL4).fit(hlm.datasets.hsb(), algorithm="hlm")
    for level in (1, 2):
        write_residuals(fit.residuals(level=level, extra="all"), place / f"resfil{level}.sav")
    drawn = draw_all(fit, place, seminar_figures(fit))
    print(f"{len(drawn.paths)} figures and two residual files in {place}\n")
    print(fit.check())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", default="figures")
    main(parser.parse_args().folder)
