"""Tables of a fit against dense matrices; HLM's printed ones are in test_hlm_path."""

from __future__ import annotations

from hlmbayes import Model
from tests.small import model, small


def test_degrees_of_freedom_follow_what_is_random() -> None:
    fit = model("raw").fit(small(14).data())
    assert list(fit.fixed_effects()["df"]) == [10, 10, 11, fit.n_rows - 4]
    constrained = model("constrained").fit(small(14, n_units=20).data())
    # J - (own gammas): those held equal count with the first of them
    assert list(constrained.fixed_effects()["df"]) == [17, 17, 17, 19, 19, 19]


def test_reliability_without_random_effects_is_empty() -> None:
    fit = Model("y = b0 + b1*x + r\nb0 = g00\nb1 = g10").fit(small(14).data())
    assert fit.reliability().shape == (0,)
