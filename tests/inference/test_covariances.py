"""Kinds of standard errors: what users write, what is said of them, what is refused."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from hlmbayes.errors import HypothesisError
from hlmbayes.faces import record_of
from hlmbayes.inference.covariances import CR0, CR1, CR2, ModelBased, covariance_kind, table_kind
from hlmbayes.inference.kept import once_per_fit
from tests.small import model, small


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
