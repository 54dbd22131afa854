"""Data frames of parameters: codes as index, names beside them, all of it in a narrow terminal."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from hlmbayes import Fit, Model, datasets, moments
from hlmbayes.labelled import parameter_table, table
from hlmbayes.printed import MOST_ROWS, Table
from tests.small import model, small

TEXT = """
    mathach = b0 + b1*group(ses) + r
    b0 = g00 + g01*sector + u0
    b1 = g10 + g11*sector + u1
"""


@pytest.fixture(scope="module")
def fit() -> Fit:
    return Model(TEXT).fit(datasets.hsb())


def test_names_stand_beside_the_codes(fit: Fit) -> None:
    fixed = fit.fixed_effects()
    assert list(fixed.index) == ["g00", "g01", "g10", "g11"]
    assert list(fixed.columns) == ["name", "coefficient", "se", "t_ratio", "df", "p_value"]
    assert list(fixed["name"]) == ["intercept", "sector", "ses", "ses x sector"]
    assert dict(fit.variance_components()["name"]) == {"u0": "intercept", "u1": "ses slope", "r": "level-1"}
    found = fit.confint()
    assert found.loc["corr[b1,b0]", "name"] == "corr[ses,intercept]"
    assert found.loc["sigma2", "name"] == "level-1 variance"
    assert "g11    ses x sector" in str(fixed)


def test_labels_of_the_data_stand_below(fit: Fit) -> None:
    text = str(fit.fixed_effects())
    assert text.endswith("ses: Socioeconomic status of the student\nsector: Sector of the school")
    no_labels = model("slopes").fit(small(3).data()).fixed_effects()
    assert "labels" not in no_labels.attrs
    assert ":" not in str(no_labels)
    assert "labels" not in Model(TEXT).fit(moments(datasets.hsb(), model=Model(TEXT))).fixed_effects().attrs


def test_intervals_of_single_parameters(fit: Fit) -> None:
    found = fit.confint(parameters=["sd[ses]", "ses:sector"])
    assert list(found.index) == ["sd[b1]", "g11"]
    everything = fit.confint()
    pd.testing.assert_frame_equal(found, everything.loc[["sd[b1]", "g11"]])
    assert list(fit.confint(parameters="sector").index) == ["g01"]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_all_columns_are_shown_whatever_the_width(
    fit: Fit, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for frame in (fit.fixed_effects(), fit.confint(), fit.variance_components()):
        del frame.attrs["labels"]
        text = repr(frame)
        assert all(str(column) in text.split() for column in frame.columns)
        assert max(map(len, text.splitlines())) <= max(width, 44)
        assert "..." not in text


def test_it_is_an_ordinary_data_frame(fit: Fit) -> None:
    frame = fit.fixed_effects()
    assert isinstance(frame, pd.DataFrame)
    again = pickle.loads(pickle.dumps(frame))
    pd.testing.assert_frame_equal(frame, again)
    assert isinstance(frame.drop(columns="name"), Table)
    assert frame["se"].dtype == float
    assert isinstance(frame["se"], pd.Series)
    assert frame.to_csv().splitlines()[0] == "gamma,name,coefficient,se,t_ratio,df,p_value"
    rounded = frame[["se"]].round(2)
    assert repr(rounded).split()[2:4] == ["g00", f"{rounded['se'].iloc[0]:.2f}"]


def test_what_is_no_table_of_parameters_prints_as_pandas_prints_it() -> None:
    many = table({"x": np.arange(MOST_ROWS + 1.0)}, range(MOST_ROWS + 1))
    assert repr(many) == repr(pd.DataFrame(many))
    assert "x" in repr(table({"x": [1.0]}, ["a"]).T.T)
    assert repr(table({}, [])) == ""
    assert "True" in repr(table({"ok": [True]}, ["a"]))


def test_an_unknown_code_has_no_name() -> None:
    assert list(parameter_table({"x": [1.0, 2.0]}, ["g00", "other"], {"g00": "intercept"})["name"]) == [
        "intercept",
        "",
    ]
