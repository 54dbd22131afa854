"""Descriptive statistics agree with NumPy and print as HLM prints them."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.data.describe import VariableSummary, describe, describe_text
from hlmbayes.errors import DataError

HSB = """\
              LEVEL-1 DESCRIPTIVE STATISTICS

 VARIABLE NAME       N       MEAN          SD        MINIMUM      MAXIMUM
   MINORITY       7185       0.27        0.45           0.00         1.00
     FEMALE       7185       0.53        0.50           0.00         1.00
        SES       7185       0.00        0.78          -3.76         2.69
    MATHACH       7185      12.75        6.88          -2.83        24.99

              LEVEL-2 DESCRIPTIVE STATISTICS

 VARIABLE NAME       N       MEAN          SD        MINIMUM      MAXIMUM
       SIZE        160    1097.83      629.51         100.00      2713.00
     SECTOR        160       0.44        0.50           0.00         1.00
     PRACAD        160       0.51        0.26           0.00         1.00
    DISCLIM        160      -0.02        0.98          -2.42         2.76
    HIMINTY        160       0.28        0.45           0.00         1.00
    MEANSES        160      -0.00        0.41          -1.19         0.83

 7185 level-1 rows in 160 level-2 units
 Rows per unit: minimum 14, median 47, maximum 67
"""


@pytest.fixture
def data():
    rows = pd.DataFrame(
        {
            "id": [1, 1, 2, 2, 2],
            "y": [1.5, None, 3, 4, 5],
            "x": [1, 2, None, 4, 5],
            "gone": [np.nan] * 5,
            "town": list("aabbb"),
            "w": [7, 7, None, 9, 9],
        }
    )
    return hlm.read(rows)


def test_hsb_prints_as_in_hlm():
    # mathach, ses, sector and meanses are as in Raudenbush & Bryk (2002), table 4.1.
    assert str(hlm.datasets.hsb().describe()) == HSB


def test_statistics_of_what_is_not_missing(data):
    found = describe(data)
    y = next(row for row in found.level1 if row.name == "y")
    values = np.array([1.5, 3, 4, 5])
    assert y == VariableSummary("y", "", 4, values.mean(), values.std(ddof=1), 1.5, 5)
    assert (found.n_rows, found.n_units, found.rows_per_unit) == (5, 2, (2, 2.5, 3))


def test_one_source_puts_constant_columns_at_level2(data):
    found = describe(data)
    assert [row.name for row in found.level2] == ["gone", "w"]
    assert found.level2[1] == VariableSummary("w", "", 2, 8, np.sqrt(2), 7, 9)
    assert [row.name for row in found.level1] == ["y", "x"]
    assert found.not_numeric == ("town",)
    assert found.n_incomplete == 2


def test_two_sources_with_missing_values_labels_and_notes():
    data = hlm.read(
        {"id": [1, 1, 2], "y": [1, 2, 3.0]}, {"id": [1, 2, 3], "w": [0.001, None, 5], "name": ["a", "b", "c"]}
    )
    found = describe(data)
    assert found.level2[0].n == 1
    assert np.isnan(found.level2[0].sd)
    assert found.not_numeric == ("name",)
    text = describe_text(found)
    assert " Note: 1 level-2 record has no level-1 rows: 3" in text
    assert " Not numeric, left out: name" in text
    assert "          W          1       0.00           ." in text


def test_what_is_missing_is_said(data):
    text = describe_text(describe(data))
    assert " 2 level-1 rows miss a value on at least one of these variables" in text
    assert "       GONE          0          .           .              .            ." in text


def test_small_numbers_and_long_names_are_legible():
    name = "a_long_name_of_a_variable"
    text = describe_text(describe(hlm.read({"id": [1, 1, 2, 2], name: [1e-6, 2e-6, 3e-6, 5e-6]})))
    row = next(line for line in text.splitlines() if name.upper() in line)
    assert row.split() == [name.upper(), "4", "2.75e-06", "1.708e-06", "1e-06", "5e-06"]
    assert "LEVEL-2" not in text.replace("level-2", "")


def test_infinite_values_are_refused_without_a_murmur():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match="'x' of the data has infinite values"):
            hlm.read({"id": [1, 1, 2], "x": [1.0, np.inf, 2.0]}).describe()


def test_values_too_large_to_be_squared_are_refused():
    """SPSS stores a missing value as the most negative number there is."""
    with pytest.raises(DataError, match="'x' has values too large to be squared"):
        hlm.read({"id": [1, 1, 2], "x": [1.0, -1.797e308, 2.0]}).describe()
