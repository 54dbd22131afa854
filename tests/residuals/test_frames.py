"""Names, order, labels and refusals of the residual files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.errors import OutputError
from hlmbayes.faces import record_of
from hlmbayes.residuals.frames import residuals
from hlmbayes.words import unique_name
from tests.small import model, small

MODEL4 = """mathach = b0 + b1*group(ses) + r
    b0 = g00 + g01*sector + g02*meanses + u0
    b1 = g10 + g11*sector + g12*meanses + u1"""


@pytest.fixture(scope="module")
def model4() -> Any:
    return hlm.Model(MODEL4).fit(hlm.datasets.hsb())


def test_hlms_names_in_hlms_order(model4: Any) -> None:
    frame = model4.residuals(level=2, extra=["PRACAD", "size", "sector"])
    assert list(frame) == [
        "L2ID", "id", "nj", "chipct", "mdist", "lntotvar", "olsrsvar", "mdrsvar", "ebintrcp", "ebses",
        "olintrcp", "olses", "fvintrcp", "fvses", "ecintrcp", "ecses", "pv00", "pv10", "pv11", "pvc00",
        "pvc10", "pvc11", "sector", "meanses", "pracad", "size",
    ]  # fmt: skip
    assert frame["L2ID"].equals(frame["id"].rename("L2ID"))
    assert len(frame) == 160
    assert frame["nj"].sum() == 7185
    assert all(len(name) <= 8 for name in frame)


def test_every_column_has_a_label(model4: Any) -> None:
    for level in (1, 2):
        frame = residuals(record_of(model4), level, "all")
        assert list(frame.attrs["labels"]) == list(frame)
        assert all(frame.attrs["labels"].values())
    assert frame.attrs["labels"]["ebses"] == "EB residual: SES slope"
    assert frame.attrs["labels"]["pracad"] == "Proportion of students in the academic track"


def test_level1_file(model4: Any) -> None:
    frame = model4.residuals(level=1, extra=["minority", "pracad"])
    assert list(frame) == [
        "L2ID", "id", "l1resid", "fitval", "sigma", "ses", "sector", "meanses", "minority", "pracad",
    ]  # fmt: skip
    assert len(frame) == 7185
    assert frame.index.name == "row"
    assert "mathach" in residuals(record_of(model4), 1, "all")


def test_a_nonrandom_coefficient_has_a_fitted_value_and_no_residual() -> None:
    frame = model("raw").fit(small(n_units=16).data()).residuals()
    assert {"ebx", "olx", "pv11", "fvz", "ecz"} <= set(frame)
    assert not {"ebz", "olz", "pv22"} & set(frame)
    np.testing.assert_array_equal(frame["fvz"], frame["ecz"])


def test_variance_names_follow_the_subscripts_of_tau() -> None:
    frame = model("random only").fit(small(n_units=16).data()).residuals()
    assert [name for name in map(str, frame) if name.startswith("pv") and "c" not in name] == [
        "pv00",
        "pv10",
        "pv11",
        "pv20",
        "pv21",
        "pv22",
    ]
    frame = model("no intercept").fit(small(n_units=16).data()).residuals()
    assert [name for name in map(str, frame) if name.startswith("pv")] == [
        "pv11", "pv21", "pv22", "pvc11", "pvc21", "pvc22",
    ]  # fmt: skip


def test_the_names_of_hlm_7(model4: Any) -> None:
    """EBINTRCPT1, PV0_0, PVC0_0 and capitals are what scripts that read HLM 7's files ask for."""
    frame = model4.residuals(level=2, extra="pracad", hlm="7")
    assert list(frame) == [
        "L2ID", "id", "NJ", "CHIPCT", "MDIST", "LNTOTVAR", "OLSRSVAR", "MDRSVAR", "EBINTRCPT1", "EBSES",
        "OLINTRCPT1", "OLSES", "FVINTRCPT1", "FVSES", "ECINTRCPT1", "ECSES", "PV0_0", "PV1_0", "PV1_1",
        "PVC0_0", "PVC1_0", "PVC1_1", "SECTOR", "MEANSES", "PRACAD",
    ]  # fmt: skip
    assert np.array_equal(
        frame.to_numpy(), model4.residuals(level=2, extra="pracad").to_numpy(), equal_nan=True
    )
    assert list(model4.residuals(level=1, hlm="7")) == list(model4.residuals(level=1))
    with pytest.raises(OutputError, match="hlm='5' is not known"):
        model4.residuals(hlm="5")


def test_an_id_that_has_hlms_name_stands_once() -> None:
    raw = small(n_units=16)
    data = hlm.read({"l2id": raw.unit, **raw.columns}, id="l2id")
    frame = hlm.Model("y = b0 + r; b0 = g00 + u0").fit(data).residuals()
    assert list(frame)[:2] == ["L2ID", "nj"]


def test_names_stay_unique_in_eight_letters() -> None:
    raw = small(n_units=20)
    raw.columns = {"y": raw.columns["y"], "academic1": raw.columns["x"], "academic2": raw.columns["z"]}
    raw.level2["nj"] = raw.level2.pop("v")
    m = hlm.Model("y = b0 + b1*academic1 + b2*academic2 + r\nb0 = g00 + g01*nj + u0\nb1 = g10\nb2 = g20")
    frame = m.fit(raw.data()).residuals()
    assert {"fvacadem", "fvacade2", "ecacadem", "ecacade2", "nj", "nj2"} <= set(frame)
    np.testing.assert_array_equal(frame["nj2"], raw.level2["nj"])
    assert len(set(frame)) == frame.shape[1]


def test_unique_name_counts_on() -> None:
    taken = ["abcdefgh", "abcdefg2"]
    assert unique_name("abcdefgh", taken) == "abcdefg3"
    assert unique_name("ABCDEFGH", taken) == "ABCDEFG3"
    assert unique_name("long_variable_name", [], 8) == "long_var"


def test_unknown_variables_and_levels_are_named(model4: Any) -> None:
    with pytest.raises(OutputError, match=r"'pracat'.*Did you mean 'pracad'"):
        model4.residuals(extra=["pracat"])
    with pytest.raises(OutputError, match=r"'minority'"):
        model4.residuals(level=2, extra="minority")
    with pytest.raises(OutputError, match="level=3"):
        model4.residuals(level=3)


def test_one_file_data_and_text_ids() -> None:
    raw = small(n_units=16)
    ids = np.array([f"school {j:02d}" for j in raw.unit])
    data = hlm.read({"id": ids, **raw.columns, **{k: v[raw.unit] for k, v in raw.level2.items()}}, id="id")
    fit, other = model("slopes").fit(data), model("slopes").fit(raw.data())
    frame, wanted = fit.residuals(extra="all"), other.residuals(extra=["v"])
    assert frame["id"].iloc[3] == "school 03"
    assert "v" in frame
    np.testing.assert_allclose(frame[wanted.columns[2:]].to_numpy(), wanted.iloc[:, 2:].to_numpy(), rtol=1e-8)


def test_extra_level2_variables_may_have_missing_values() -> None:
    raw = small(n_units=16)
    raw.level2["v"][2] = np.nan
    frame = model("slopes").fit(raw.data()).residuals(extra="v")
    assert np.isnan(frame["v"].iloc[2])
    assert frame["v"].notna().sum() == 15


def test_a_level2_predictor_of_the_name_of_a_level1_variable_is_there_too() -> None:
    rng = np.random.default_rng(2)
    unit = np.repeat(np.arange(12), 5)
    units = {"id": np.arange(12), "x": rng.normal(size=12)}
    rows = {"id": unit, "x": rng.normal(size=60), "y": rng.normal(size=60) + rng.normal(size=12)[unit]}
    fit = hlm.Model("y = b0 + r\nb0 = g00 + g01*x + u0").fit(hlm.read(rows, units, id="id"))
    frame = fit.residuals(1, extra="x")
    np.testing.assert_array_equal(frame["x"], rows["x"])
    np.testing.assert_array_equal(frame["x2"], units["x"][unit])
    assert frame.attrs["labels"]["x2"] == "x of level 2"
