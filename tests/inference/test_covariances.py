"""Kinds of standard errors: what users write, what is said of them, what is refused."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from hlmbayes import Model
from hlmbayes.data.two_level import read
from hlmbayes.errors import HypothesisError
from hlmbayes.faces import record_of
from hlmbayes.inference.covariances import CR0, CR1, CR2, ModelBased, covariance_kind, table_kind
from hlmbayes.inference.intervals import fixed_intervals
from hlmbayes.inference.kept import once_per_fit
from tests.small import OWN, model, own_unit, small


def test_the_table_says_which_standard_errors_and_degrees_of_freedom_it_has() -> None:
    fit = model("slopes").fit(small(16, n_units=20, sd=1.5).data())
    said = {
        (False, None): ("model-based", "HLM's"),
        (True, None): ("as HLM", "HLM's"),
        ("CR1", None): ("CR1", "HLM's"),
        ("CR2", None): ("CR2", "Satterthwaite"),
        ("CR2", "hlm"): ("CR2", "HLM's"),
        (False, "satterthwaite"): ("model-based", "Satterthwaite"),
        (False, "kenward-roger"): ("Kenward-Roger", "Kenward-Roger"),
    }
    for (robust, df), (errors, degrees) in said.items():
        basis = fit.fixed_effects(robust, df=df).attrs
        assert errors in basis["standard_errors"]
        assert basis["df"].startswith(degrees)


def test_what_has_no_small_sample_test_is_refused() -> None:
    source = small(24, n_units=15)
    ml = model("slopes").fit(source.data(), method="ML")
    with pytest.raises(HypothesisError, match="Kenward-Roger is defined for REML"):
        ml.fixed_effects(df="kenward-roger")
    fit = model("slopes").fit(source.data())
    for robust in (True, "CR1", "CR2"):
        with pytest.raises(HypothesisError, match="leave robust out"):
            fit.wald("g01", robust=robust, df="kenward-roger")
        with pytest.raises(HypothesisError, match="leave robust out"):
            fit.fixed_effects(robust, df="kenward-roger")
    with pytest.raises(HypothesisError, match=r"no Satterthwaite d\.f\. for CR0"):
        fit.wald("g01", robust=True, df="satterthwaite")
    with pytest.raises(HypothesisError, match=r"no Satterthwaite d\.f\. for CR1"):
        fit.fixed_effects("CR1", df="satterthwaite")


def test_what_users_write_becomes_a_kind() -> None:
    assert covariance_kind(False) == ModelBased()
    assert covariance_kind(True) == covariance_kind("cr0") == CR0()
    assert covariance_kind("CR1") == CR1()
    assert covariance_kind("CR2") == CR2(small=True)
    fit = model("slopes").fit(small(16, n_units=20, sd=1.5).data())
    assert table_kind(record_of(fit), None, None) == table_kind(record_of(fit), False, "hlm") == ModelBased()
    assert table_kind(fit, "CR2", "hlm") == CR2(small=False)
    units = fit.n_units
    np.testing.assert_allclose(
        CR1().matrix(record_of(fit)), CR0().matrix(record_of(fit)) * units / (units - 1), rtol=1e-13
    )
    for robust in (None, "model", "CR3", 1):
        with pytest.raises(HypothesisError, match="is not known: use True"):
            covariance_kind(robust)  # type: ignore[arg-type]
    for df in ("hlm", "residual"):
        with pytest.raises(HypothesisError, match=f"df='{df}' is not known"):
            covariance_kind(False, df)


def test_a_result_is_worked_out_once_for_each_fit_and_goes_with_it() -> None:
    class Fitted:
        pass

    asked = []

    @once_per_fit
    def answer(fit: Fitted) -> int:
        asked.append(id(fit))
        return len(asked)

    one, other = Fitted(), Fitted()
    assert (answer(one), answer(other), answer(one)) == (1, 2, 1)
    del one
    gc.collect()
    assert answer(Fitted()) == 3


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("column", ["own", "other"])
def test_what_one_unit_alone_determines_has_no_robust_variance(scale: float, column: str) -> None:
    alone: dict[str, Any] = {"g00": 1, "g01": 1} if column == "own" else {"g00": 1}
    for seed in range(5):
        fit = Model(OWN.replace("own", column)).fit(own_unit(seed, 4, scale))
        for kind in (True, "CR1", "CR2"):
            with pytest.raises(HypothesisError, match="is zero: one unit alone determines it"):
                fit.wald(alone, robust=kind, df="satterthwaite" if kind == "CR2" else None)
            table, limits = fit.fixed_effects(kind), fixed_intervals(record_of(fit), robust=kind)
            if column == "other":
                with pytest.raises(HypothesisError, match="is zero: one unit alone determines it"):
                    fit.wald({"g00": [1, 0], "g10": [0, 1], "g01": [0, 1]}, robust=kind)
                assert (table.loc[["g00", "g10"], "se"] == 0.0).all()
                assert np.isnan(table.loc[["g00", "g10"], ["t_ratio", "p_value"]]).all(axis=None)
                assert all(np.isnan([r.low, r.high]).all() == (r.parameter in ("g00", "g10")) for r in limits)
            known = ["g01", "g11"] if column == "other" else list(table.index)
            assert np.isfinite(table.drop(columns="name").loc[known]).all(axis=None)
            assert np.isfinite(fit.test_variable(column, robust=kind).chi2)
        assert np.isfinite(fit.wald(alone, robust=False).chi2)


def test_no_robust_variance_is_the_root_of_a_negative_number() -> None:
    # all units have the same rows: every unit's score is zero but for rounding, of either sign
    for seed in range(30):
        rng = np.random.default_rng(seed)
        unit, rows = np.repeat(np.arange(4), 15), rng.normal(size=(15, 2))
        x, y = np.tile(rows, (4, 1)).T
        fit = Model("y = b0 + b1*x + r; b0 = g00 + u0; b1 = g10").fit(
            read({"id": unit, "x": x, "y": y}, id="id")
        )
        for kind in (True, "CR1", "CR2"):
            assert (fit.fixed_effects(kind)["se"] == 0.0).all()
