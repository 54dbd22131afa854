"""Names and numbers in words."""

from __future__ import annotations

from hlmbayes.words import nearest, p_text, some


def test_some_and_nearest() -> None:
    assert some([]) == "none"
    assert some([1, 2]) == "1, 2"
    assert some(range(10), 3) == "0, 1, 2 and 7 more"
    assert nearest("MATHAC", ["ses", "Mathach"]) == "Mathach"
    assert nearest("x", ["mathach"]) is None


def test_p_values_in_words() -> None:
    assert p_text(0.04321) == "p = 0.043"
    assert p_text(1e-9) == "p < 0.001"
    assert p_text(float("nan")) == "p not available"
