"""Values that look like missing codes are named; ordinary variables are left in peace."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hlmbayes as hlm
from hlmbayes.data.suspects import suspects

N = 300


def codes(values, name: str = "x", labels=None) -> dict[float, int]:
    found = suspects([(name, np.asarray(values))], {name: labels or {}})
    return {suspect.code: suspect.count for suspect in found}


def rows(rng, kind: str) -> np.ndarray:
    """Draw a variable as studies have them."""
    draw = {
        "score": lambda: rng.integers(0, 100, N),
        "grade": lambda: rng.integers(1, 6, N),
        "likert7": lambda: rng.integers(1, 8, N),
        "normal": lambda: rng.normal(0, 1, N),
        "scale": lambda: rng.normal(500, 100, N).round(),
        "age": lambda: rng.integers(14, 18, N),
        "adults": lambda: rng.integers(18, 90, N),
        "year": lambda: rng.integers(1960, 2010, N),
        "dummy": lambda: rng.integers(0, 2, N),
        "salary": lambda: rng.lognormal(10, 0.6, N).round(),
        "siblings": lambda: rng.poisson(1.5, N),
    }
    return draw[kind]().astype(float)


FOUND = {  # codes that are certain to be seen, by variable
    "score": (-9, -99, 999, 9999), "grade": (-9, -99, 9, 99, 999), "likert7": (-9, -99, 99, 999),
    "normal": (-9, -99, 99, 999, -999), "scale": (-99, -999, 9999), "age": (-9, -99, 99, 999),
    "adults": (-9, -99, 999, 9999), "year": (-9, -99, 9999, 99999), "dummy": (-9, 9, 99),
    "salary": (-9, -99, 999999), "siblings": (-9, -99, 99),
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "code"), [(kind, code) for kind, listed in FOUND.items() for code in listed]
)
def test_a_code_is_found(kind, code):
    rng = np.random.default_rng(abs(code))
    values = rows(rng, kind)
    here = rng.random(N) < 0.05
    values[here] = code
    assert codes(values) == {code: here.sum()}
    assert codes(np.where(rng.random(N) < 0.3, np.nan, values)).keys() <= {code}
    whole = np.all(values == np.floor(values))
    if whole:
        assert codes(values.astype(np.int64)) == codes(values.astype(np.float32)) == {code: here.sum()}


def test_several_codes_and_what_is_never_said_of_them():
    rng = np.random.default_rng(3)
    values = rows(rng, "grade")
    values[:9], values[9:14], values[14] = -9, 99, -99
    assert codes(values) == {-9: 9, 99: 5, -99: 1}
    assert codes([]) == codes([np.nan] * 30) == codes([1, 2, -99]) == codes([-99] * 30) == {}
    assert codes(np.array(["-99", "a"] * 20, dtype=object)) == {}


@settings(max_examples=200)
@given(st.integers(0, 2**32), st.sampled_from(list(FOUND)))
def test_ordinary_variables_are_left_in_peace(seed, kind):
    """A small sample has gaps too, so what is drawn is thinned."""
    rng = np.random.default_rng(seed)
    values = rows(rng, kind)[: rng.integers(10, N)]
    assert codes(values) == {}


@settings(max_examples=200)
@given(st.lists(st.integers(0, 98), min_size=20, max_size=200), st.integers(1, 5))
def test_a_99_among_scores_up_to_100_is_a_score(scores, times):
    for highest in (90, 100):
        assert codes([*scores, *[99] * times, 50, 60, highest]) == {}


@pytest.mark.parametrize("name", ["id", "student_id", "schoolID", "school", "class_nr", "District Code"])
def test_ids_are_left_in_peace(name):
    assert codes([*range(101, 131), 999], name) == codes(np.repeat([*range(1, 9), 99, 999], 4), name) == {}
    assert codes([*range(1, 300), 9999], "anything") == {}


def test_repeated_measures_and_contrasts_are_left_in_peace():
    for times in (
        [-9, 0, 3, 6, 9],
        [-9, -3, 0],
        [-9, 0, 3],
        [3, 5, 9],
        [1, 5, 9],
        [7, 8, 9],
        [0, 9],
        [95, 96, 97],
    ):
        assert codes(np.tile(times, 40)) == {}
    assert codes(np.tile([1995, 1996, 1999], 40)) == codes(np.tile([0, 12, 99], 40)) == {}
    assert codes(np.tile([-1, 1], 40)) == codes(np.tile([-9, 9], 40)) == {}
    assert codes(np.arange(-9, 10)) == codes(np.arange(-99, 100)) == {}


def test_a_label_that_says_no_answer_is_enough():
    labels = {1: "never", 5: "always", 6: "No answer", 7: "keine Angabe", 8: "n/a"}
    values = np.array([1, 2, 3, 4, 5, 6, 6, 7] * 10)
    assert codes(values, labels=labels) == {6: 20, 7: 10}
    assert codes(values, labels={6: "Nashville", 7: "missing person", 5: "naive"}).keys() <= {7}
    found = suspects([("x", values)], {"x": labels})
    assert str(found[0]) == 'x: 20 values of 6 ("No answer")'


def frame(code: float = -99.0):
    rng = np.random.default_rng(5)
    ses = rng.normal(size=200).round(2)
    ses[:21] = code
    return {"id": np.repeat(np.arange(20), 10), "ses": ses, "y": rng.normal(50, 10, 200)}


WORDS = (
    r"These look like missing codes and are taken for numbers: ses: 21 values of -99\. If nothing was "
    r"measured there, say missing=\[-99\] \(--missing -99\), or by variable, "
    r'missing=\{"ses": \[-99\]\} \(--missing ses=-99\)'
)


def test_read_warns_and_describe_says_it():
    with pytest.warns(hlm.HLMWarning, match=WORDS):
        data = hlm.read(frame())
    assert re.search(f" WARNING: {WORDS}", str(data.describe()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clean = hlm.read(frame(), missing=-99)
    assert clean.describe().warning == ""
    assert "WARNING" not in str(clean.describe())


def test_imputed_data_warn_once():
    with pytest.warns(hlm.HLMWarning, match=WORDS) as caught:
        hlm.read_imputed([frame(), frame(), frame()])
    assert len(caught) == 1
