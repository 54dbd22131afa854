"""One door: a model from equations or a formula, fitted to data, frames or files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import DataError, EquationError

FORMULA = "mathach ~ sector*group(ses) + (group(ses) | school)"
EQUATIONS = "mathach = b0 + b1*group(ses) + r; b0 = g00 + g01*sector + u0; b1 = g10 + g11*sector + u1"


@pytest.fixture(scope="module")
def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    data = hlm.datasets.hsb()
    students = pd.DataFrame({"school": data.unit_ids[data.unit], **data.level1})
    return students, pd.DataFrame({"school": data.unit_ids, **data.level2})


def test_a_formula_and_a_frame_are_enough(frames: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
    students, schools = frames
    expected = hlm.Model(EQUATIONS).fit(hlm.read(students, schools, id="school")).deviance
    model = hlm.Model(FORMULA)
    assert model.fit(students, level2=schools).deviance == expected
    assert hlm.Model(EQUATIONS).fit(students, id="school", level2=schools).deviance == expected
    students.merge(schools, on="school").to_csv(tmp_path / "all.csv", index=False)
    assert model.fit(tmp_path / "all.csv").deviance == pytest.approx(expected, abs=1e-6)
    moments = hlm.moments(students, schools, model=model)
    assert model.fit(moments).deviance == pytest.approx(expected, abs=1e-8)


def test_samplers_take_frames(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    students, schools = frames
    model = hlm.Model("mathach ~ ses + (1 | school)")
    post = model.sample(students, seed=1, draws=250)
    assert post["ses"].mean() == pytest.approx(model.fit(students).gamma["ses"], abs=0.02)
    assert "gamma_free" in {str(variable) for variable in model.pymc(students).free_RVs}
    drawn = hlm.prior_predictive(
        hlm.Model(EQUATIONS), students, draws=20, seed=1, id="school", level2=schools
    )
    assert drawn["prior_predictive"]["unit_mean"].shape[-1] == len(schools)


def test_what_does_not_fit_together_is_refused(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    students, schools = frames
    data = hlm.read(students, schools, id="school")
    with pytest.raises(DataError, match=r"have been read already, .* leave id= out"):
        hlm.Model(EQUATIONS).fit(data, id="school")
    with pytest.raises(DataError, match="leave level2= out"):
        hlm.Model(EQUATIONS).sample(data, level2=schools)
    with pytest.raises(DataError, match=r"no id column 'id'.* as id="):
        hlm.Model(EQUATIONS).fit(students)
    with pytest.raises(EquationError, match="the data's units are school, got"):
        hlm.Model("mathach ~ ses + (1 | id)").fit(data)
