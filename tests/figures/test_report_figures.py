"""Figures of reports, which are smaller than they are drawn: their words stay inside."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pytest

from hlmbayes.figures.report_figures import fit_label


@pytest.mark.parametrize("height", [2.2, 3.0, 6.0])
@pytest.mark.parametrize("text", ["EB residual of the intercept (u0), log odds", "school", ""])
def test_a_label_that_is_too_long_for_its_axis_has_more_lines(text, height):
    figure, axes = plt.subplots(figsize=(5.8, height), layout="constrained")
    axes.set_ylabel(text)
    axes.set_xlabel("one\ntwo\nthree")  # which pushes the middle of the axis up
    fit_label(axes)
    figure.draw_without_rendering()
    extent = axes.yaxis.label.get_window_extent()
    assert extent.y0 >= 0.0
    assert extent.y1 <= figure.bbox.height
    assert axes.get_ylabel().split() == text.split()
    assert ("\n" in axes.get_ylabel()) == (len(text) > 10 and height < 6.0)
    plt.close(figure)
