"""Numbers with the digits that matter, and tables of any width in a terminal of any width."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlmbayes.text_table import LONGEST, TextColumn, in_blocks, number_format, number_texts, shortened


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1650.769818, 2000.619366, 954.360535], ["1650.77", "2000.62", "954.36"]),  # of salaries
        ([53479648.45369], ["53479648.45"]),
        ([157.0, 2.0], ["157", "2"]),
        ([0.38, 12.0], ["0.38", "12.00"]),  # as rounded by the user
        ([12.0961, 1.2265, -1.6426], ["12.096", "1.226", "-1.643"]),
        ([0.3709, 0.000659, 3.2e-11], ["0.37090", "0.00066", "3.2e-11"]),
        ([math.nan, math.inf, 0.0], ["nan", "inf", "0"]),
        ([1.5e18], ["1.50000e+18"]),
        ([], []),
    ],
)
def test_numbers_of_a_column_have_the_same_decimals(values: list[float], texts: list[str]) -> None:
    assert number_texts(values) == texts


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=8))
def test_no_number_loses_its_size(values: list[float]) -> None:
    for value, text in zip(values, number_texts(values), strict=True):
        near = 0.5e-6 if 1e-4 <= abs(value) < 1e15 else 0.06 * abs(value)
        assert float(text) == pytest.approx(value, rel=0.06, abs=near)


@given(st.lists(st.floats(1.0, 1e12), min_size=1, max_size=8))
def test_large_numbers_have_no_exponent_and_two_decimals(values: list[float]) -> None:
    for value, text in zip(values, number_texts(values), strict=True):
        assert "e" not in text
        assert float(text) == pytest.approx(value, abs=0.0051)


words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)


@given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(st.lists(words, min_size=n, max_size=n), min_size=2, max_size=7)
    ),
    st.integers(10, 100),
)
def test_every_text_is_there_and_lines_are_no_wider_than_they_must_be(
    columns: list[list[str]], width: int
) -> None:
    text = in_blocks([TextColumn(column, words=k == 0) for k, column in enumerate(columns)], 1, width)
    shown = text.split()
    words_of = [word for column in columns for word in column]
    assert all(shown.count(word) >= words_of.count(word) for word in words_of)
    widest = [max(map(len, column)) for column in columns]
    must = widest[0] + 2 + max(widest[1:])
    assert max(map(len, text.splitlines())) <= max(width, must)


def test_blocks_begin_with_the_names() -> None:
    columns = [TextColumn(["", "g00"], words=True), *(TextColumn([f"column{k}", f"{k}.5"]) for k in range(4))]
    assert in_blocks(columns, 1, 24).splitlines() == [
        "     column0  column1", "g00      0.5      1.5", "",
        "     column2  column3", "g00      2.5      3.5",
    ]  # fmt: skip


def test_long_names_are_cut() -> None:
    assert shortened("x" * 64) == "x" * (LONGEST - 3) + "..."
    assert len(shortened("x" * LONGEST)) == LONGEST
    assert np.all([len(shortened("y" * n)) <= LONGEST for n in range(70)])


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([2.12341, -0.000012], ["2.1234", "-0.0000"]),
        ([0.00051234, 0.0012], ["0.000512", "0.001200"]),  # a slope per euro of income
        ([3.2e-7, -1e-8], ["3.200e-07", "-1.000e-08"]),
        ([4.5e12], ["4.500e+12"]),
        ([0.0, math.nan], ["0.0000", "nan"]),
    ],
)
def test_numbers_of_a_sentence_have_four_decimals_where_these_say_something(
    values: list[float], texts: list[str]
) -> None:
    assert [f"{value:{number_format(values)}}" for value in values] == texts
