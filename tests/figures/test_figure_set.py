"""Which figures fit which model."""

from __future__ import annotations

import numpy as np

import hlmbayes as hlm
from hlmbayes.faces import record_of
from hlmbayes.figures.figure_set import figures, most_telling
from hlmbayes.figures.plot_style import number
from hlmbayes.unit_moments.record import moments_of
from tests.small import model, small

from .legible import check_legible

MODEL4 = """mathach = b0 + b1*group(ses) + b2*female + r
    b0 = g00 + g01*sector + g02*meanses + u0
    b1 = g10 + g11*sector + g12*meanses + u1
    b2 = g20"""


def test_every_part_of_the_model_has_its_figures() -> None:
    names = set(figures(record_of(hlm.Model(MODEL4).fit(hlm.datasets.hsb()))))
    assert {"chi2_qq", "caterpillar_b0", "caterpillar_b1", "shrinkage", "influence", "level1_qq"} <= names
    assert {
        f"effect_against_{w}_{b}" for b in ("b0", "b1") for w in ("sector", "meanses", "pracad", "size")
    } <= names
    assert {
        "predicted_ses",
        "predicted_meanses",
        "predicted_female",
        "level1_equations_ses",
        "boxes_by_unit_ses",
        "boxes_by_unit_mathach",
    } <= names
    assert "caterpillar_b2" not in names
    assert "predicted_sector" not in names  # two values: lines in the other graphs


def test_eight_figures_tell_most() -> None:
    data = hlm.datasets.hsb()
    eight = list(most_telling(figures(record_of(hlm.Model(MODEL4).fit(data)))))
    assert eight == [
        "variance_bars", "predicted_ses", "level1_equations_ses", "caterpillar_b0", "effect_against_size_b0",
        "chi2_qq", "level1_qq", "influence",
    ]  # fmt: skip
    means = most_telling(figures(record_of(hlm.Model("mathach = b0 + r\nb0 = g00 + u0").fit(data))))
    assert len(means) == 8  # others in the places of model graphs, which it does not have
    assert list(means)[-2:] == ["residuals_against_fitted", "shrinkage"]


def test_without_one_level1_variance_others_take_the_place_of_its_parts() -> None:
    model = "mathach = b0 + b1*ses + r\nb0 = g00 + u0\nb1 = g10\nlog(sigma2) = a0 + a1*female"
    known = figures(record_of(hlm.Model(model).fit(hlm.datasets.hsb())))
    assert "variance_bars" not in known
    assert len(most_telling(known)) == 8


def test_without_rows_what_needs_rows_is_left_out() -> None:
    fit = hlm.Model(MODEL4).fit(moments_of(hlm.datasets.hsb(), ["mathach", "ses", "female"]))
    names = set(figures(record_of(fit)))
    assert {"chi2_qq", "predicted_ses", "influence"} <= names
    assert not {"level1_qq", "level1_equations_ses", "boxes_by_unit_mathach"} & names


def test_a_model_of_a_category_alone_has_a_graph_of_it() -> None:
    fit = hlm.Model("mathach = b0 + r\nb0 = g00 + g01*sector + u0").fit(hlm.datasets.hsb())
    ax = figures(record_of(fit))["predicted_sector"]()
    assert [t.get_text() for t in ax.get_xticklabels()] == ["public", "Catholic"]
    check_legible(ax)


def test_no_fixed_effects_no_influence() -> None:
    raw = small(n_units=16)
    raw.columns["y"] = raw.columns["y"] - raw.columns["y"].mean()
    names = set(figures(record_of(hlm.Model("y = b0 + r\nb0 = u0").fit(raw.data()))))
    assert "influence" not in names
    assert "caterpillar_b0" in names
    assert "predicted_w" in figures(record_of(model("slopes").fit(small(n_units=16).data())))


def test_numbers_of_labels() -> None:
    values = [0.03449, -0.301, 12.0, 588.0, 1061.0, -25_000.0, 1e12, np.float64(3)]
    assert [number(v) for v in values] == ["0.0345", "−0.301", "12", "588", "1,061", "−25,000", "1e+12", "3"]
