"""What is noticed when tables are joined: sums below the data, ids written twice, stacked imputed data."""

from __future__ import annotations

import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import HLMWarning


@pytest.mark.parametrize(
    ("ids", "odd"),
    [
        (["1", "1", "2", "2", "Total"], "'Total'"),
        (["1", "1", "2", "2", "Source: our survey"], "'Source: our survey'"),
        (["1", "1", "2", "id", "2"], "'id'"),
        (["A", "A", "B", "B", "Mean"], "'Mean'"),
        (["1", "2", "3", "4", "Sum", "Mean"], "'Mean', 'Sum'"),
    ],
)
def test_a_row_below_the_data_is_warned_of(ids, odd):
    with pytest.warns(HLMWarning, match=f"^{odd} in the data is taken for a unit of one row"):
        hlm.read({"id": ids, "y": list(range(len(ids)))})


@pytest.mark.parametrize(
    "ids",
    [
        ["1", "1", "2", "2", "3a"],
        ["A", "A", "B", "B", "C"],
        ["1", "2", "A", "B", "3"],
        ["Mean", "Mean", "1", "1", "2"],  # two rows: a unit
        [1, 1, 2, 2, 3],
        ["-1", "1.5", "2", "3", "1e5"],
    ],
)
def test_ids_as_units_have_them_are_not(ids, recwarn):
    hlm.read({"id": ids, "y": list(range(len(ids)))})
    assert not recwarn


def test_ids_that_are_one_number_are_noted_whatever_they_come_from():
    data = hlm.read(pd.DataFrame({"id": [1, "1", 1.0, "01"], "y": [1, 2, 3, 4]}))
    assert data.unit_ids.tolist() == ["01", "1"]
    assert data.notes[0].endswith("are different units: 01 and 1")


@pytest.mark.parametrize("name", ["Imputation_", "_mi_m", ".imp", "_Imputation_"])
def test_stacked_imputed_data_are_no_rows_of_one_data_set(name, recwarn):
    frame = pd.DataFrame({"id": [1, 1, 2, 2] * 3, "y": range(12), name: [1] * 4 + [2] * 4 + [3] * 4})
    with pytest.warns(HLMWarning, match=f"{name} of the data numbers 3 imputed data sets.*read_imputed"):
        hlm.read(frame, id="id")
    recwarn.clear()
    assert [each.n_rows for each in hlm.read_imputed(frame, id="id", by=name)] == [4, 4, 4]
    hlm.read(frame[frame[name] == 2], id="id")
    assert not recwarn
