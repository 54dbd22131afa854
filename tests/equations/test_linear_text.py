"""Combinations as text against Python's own arithmetic, and what is none."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlmbayes.equations.linear_text import linear_rows
from hlmbayes.errors import HypothesisError

NAMES = {"g00": 1.25, "g01": -2.5, "g10": 4.0}
numbers = st.sampled_from(["2", "0.5", ".25", "1e-1", "3E2", "7."])
sums = st.recursive(
    st.one_of(
        st.sampled_from(sorted(NAMES)), st.tuples(numbers, st.sampled_from(sorted(NAMES))).map("*".join)
    ),
    lambda part: st.one_of(
        st.tuples(part, st.sampled_from([" + ", "-", " - -"]), part).map("".join),
        st.tuples(part, numbers).map(lambda p: f"({p[0]}) / {p[1]}"),
        part.map(lambda p: f"-({p})"),
    ),
    max_leaves=8,
)


def value(row):
    return sum(number * NAMES[name] for name, number in row.of.items()) + row.constant


@given(sums, sums)
def test_a_combination_means_what_it_means_to_python(left, right):
    (row,) = linear_rows(f"{left} = {right}")
    expected = eval(f"({left}) - ({right})", dict(NAMES))
    assert value(row) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    (row,) = linear_rows(left)
    assert value(row) == pytest.approx(eval(left, dict(NAMES)), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    "text", ["g01 = g11, g10 = 2", "g01 = g11; g10 = 2", "g01 = g11\ng10 == 2", "g01 = g11 and g10=2"]
)
def test_rows(text):
    first, second = linear_rows(text)
    assert first == ({"g01": 1.0, "g11": -1.0}, 0.0)
    assert second == ({"g10": 1.0}, -2.0)


def test_several_are_equal():
    assert linear_rows("g01 = g11 = g21") == [
        ({"g01": 1.0, "g11": -1.0}, 0.0),
        ({"g11": 1.0, "g21": -1.0}, 0.0),
    ]


def test_names_with_odd_characters():
    (row,) = linear_rows("2*`a = b, c` - x:y + größe")
    assert row.of == {"a = b, c": 2.0, "x:y": -1.0, "größe": 1.0}


def test_products_of_variables_are_names():
    (row,) = linear_rows("2*ses*sector - group(ses) x `the sector` + x*x = 3*grand(x)")
    assert row.of == {"ses:sector": 2.0, "group(ses):the sector": -1.0, "x:x": 1.0, "grand(x)": -3.0}


def test_names_of_columns_go_on_after_their_brackets():
    (row,) = linear_rows(
        "2*poly(age, 2)[1] - C(track, sum)[a, b][2] + group(ses)^2*bs(inc, df=4)[3] = log(x)"
    )
    columns = {"poly(age,2)[1]": 2.0, "C(track,sum)[a,b][2]": -1.0, "group(ses)^2:bs(inc,df=4)[3]": 1.0}
    assert {name.replace(" ", ""): number for name, number in row.of.items()} == {**columns, "log(x)": -1.0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "without a fixed effect"), (" ,\n", "without a fixed effect"), ("g01 =", "missing at its end"),
        ("g01 g11", "'g11' has no meaning"), ("g01*(g11 + 1)", "not by each other"),
        ("1/g01", "can stand after /"), ("g01/0", "can stand after /"), ("(g01", "not closed"),
        ("g01)", "no meaning"), ("g01 + 3", "after ="), ("2g01", "no meaning"), ("g01 < 2", "no meaning"),
        ("1e999*g01", "too large"), ("and", "missing"), ("x" * 10_001, "at most 10000"),
        ("(" * 9000, "no meaning"), ("`g01", "no meaning"), ("poly(x, 2)[1 = 0", "not closed"),
    ],
)  # fmt: skip
def test_what_is_no_combination_is_said(text, words):
    with pytest.raises(HypothesisError, match=words):
        linear_rows(text)


def test_the_longest_is_read_quickly():
    began = time.process_time()
    (row,) = linear_rows("+".join(f"g{k}" for k in range(1_700)))
    assert len(row.of) == 1_700
    linear_rows("-" * 9_000 + "g01")
    assert time.process_time() - began < 1
