"""Laws of residuals on data nobody has chosen: order of rows and units, shifts of the outcome, scales."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hlmbayes.faces import record_of
from hlmbayes.residuals.influence import leave_one_out
from hlmbayes.residuals.quantities import row_residuals, unit_residuals
from tests.small import Small, model, small

NAMES = st.sampled_from(["means", "slopes", "random only", "no intercept"])
SEEDS = st.integers(0, 10_000)


@settings(max_examples=12)
@given(NAMES, SEEDS)
def test_order_of_rows_and_names_of_units_do_not_matter(name: str, seed: int) -> None:
    raw = small(seed=seed, n_units=15)
    rng = np.random.default_rng(seed)
    new = rng.permutation(15)  # unit j becomes unit new[j]
    back = np.argsort(new)
    order = rng.permutation(len(raw.unit))
    moved = Small(
        {k: v[order] for k, v in raw.columns.items()}, new[raw.unit[order]],
        {k: v[back] for k, v in raw.level2.items()},
    )  # fmt: skip
    one, two = model(name).fit(raw.data()), model(name).fit(moved.data())
    a, b = unit_residuals(record_of(one)), unit_residuals(record_of(two))
    scale = max(1.0, float(np.abs(a.eb).max()))
    for key in ("eb", "pv", "mdist", "chipct", "mdrsvar", "olsrsvar"):
        np.testing.assert_allclose(
            getattr(b, key)[new], getattr(a, key), rtol=2e-4, atol=2e-5 * scale, err_msg=key
        )
    np.testing.assert_allclose(
        row_residuals(record_of(two)).residual,
        row_residuals(record_of(one)).residual[order],
        rtol=1e-4,
        atol=1e-4 * scale,
    )
    np.testing.assert_allclose(
        leave_one_out(record_of(two)).cook[new], leave_one_out(record_of(one)).cook, rtol=1e-3, atol=1e-6
    )


@settings(max_examples=12)
@given(NAMES, SEEDS, st.floats(-4, 4))
def test_the_outcomes_unit_only_scales(name: str, seed: int, exponent: float) -> None:
    raw = small(seed=seed, n_units=15)
    one = unit_residuals(record_of(model(name).fit(raw.data())))
    factor = 10.0**exponent
    raw.columns["y"] = factor * raw.columns["y"]
    two = unit_residuals(record_of(model(name).fit(raw.data())))
    scale = max(1.0, float(np.abs(one.eb).max()))
    np.testing.assert_allclose(two.eb / factor, one.eb, rtol=2e-4, atol=2e-5 * scale)
    np.testing.assert_allclose(two.pv / factor**2, one.pv, rtol=2e-4, atol=2e-5 * scale**2)
    np.testing.assert_allclose(two.mdist, one.mdist, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(two.mdrsvar - np.log(factor), one.mdrsvar, rtol=1e-4, atol=1e-4)


@settings(max_examples=12)
@given(NAMES, SEEDS)
def test_eb_lies_in_the_range_of_tau_and_shrinks_the_distance(name: str, seed: int) -> None:
    fit = model(name).fit(small(seed=seed, n_units=15).data())
    got = unit_residuals(record_of(fit))
    assert np.all(got.mdist >= 0)
    assert np.all(np.linalg.eigvalsh(got.pv) >= -1e-9 * max(1.0, np.trace(fit.tau)))
    prior = np.linalg.eigvalsh(np.asarray(fit.tau) - got.pv)
    assert np.all(prior >= -1e-9 * max(1.0, np.trace(fit.tau)))  # data never add variance
    assert np.array_equal(np.argsort(got.mdist, kind="stable"), np.argsort(got.chipct, kind="stable"))
