"""Which fits may be compared, and why others may not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hlmbayes import Model
from hlmbayes.errors import HypothesisError
from hlmbayes.faces import record_of
from hlmbayes.inference.same_data import not_nested
from tests.inference.test_compare import FULL, SOURCE, fit, without
from tests.small import Small, small


def test_constraints_are_seen_in_the_nesting() -> None:
    text = "y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10 + g11*w + u1"
    test = fit(text, method="ML").compare(fit(text + "\ng01 = g11", method="ML"))
    assert (test.df, test.p_boundary) == (1, test.p_value)
    with pytest.raises(HypothesisError, match="differ in their fixed effects"):
        fit(text).compare(fit(text + "\ng01 = g11"))


def test_the_order_of_the_equations_does_not_matter() -> None:
    a = fit("y = b0 + b1*x + r\nb0 = g00 + g01*w + g02*v + u0\nb1 = g10")
    b = fit("Y = b0 + b1*X + r\nb0 = g00 + g01*V + g02*W + u0\nb1 = g10 + u1")
    assert a.compare(b).df == 2


def test_what_cannot_be_compared_is_refused_with_its_reason() -> None:
    one = fit(without("u2"))
    refusals = {
        "one model explains y, the other z": fit("z = b0 + r\nb0 = g00 + u0"),
        "the fits use different rows .*missing values": fit(FULL, small(41, n_units=29)),
        "both models have 4 parameters": fit(without("u1")),
        "one fit is REML, the other ML": fit(FULL, method="ML"),
        "one fit stopped where HLM stops": fit(FULL, algorithm="hlm"),
    }
    for words, against in refusals.items():
        with pytest.raises(HypothesisError, match=words):
            one.compare(against)
    moved = {**SOURCE.columns, "y": SOURCE.columns["y"] + 0.1}
    same_size = Small(moved, SOURCE.unit, SOURCE.level2)
    with pytest.raises(HypothesisError, match="different rows, though equally many"):
        one.compare(fit(FULL, same_size))


def test_heterogeneous_variances_count_in_the_nesting() -> None:
    simple, general = fit(without("u1", "u2")), fit(FULL)
    model = Model(without("u1", "u2") + "\nlog(sigma2) = a0 + a1*d")
    noisy = replace(record_of(simple), design=replace(record_of(simple).design, model=model))
    assert not_nested(noisy, record_of(general))
    assert not not_nested(record_of(simple), record_of(general))


def test_reml_deviances_of_other_values_of_a_predictor_are_not_compared() -> None:
    here, there = small(5, n_units=20), small(5, n_units=20)
    there.columns["x"] = 1000.0 * there.columns["x"]
    text = "y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10"
    a, b = Model(text + " + u1").fit(here.data()), Model(text).fit(there.data())
    with pytest.raises(HypothesisError, match="other values in the one fit than in the other"):
        a.compare(b)
    a, b = (Model(t).fit(s.data(), method="ML") for t, s in ((text + " + u1", here), (text, there)))
    assert a.compare(b).df == 2
