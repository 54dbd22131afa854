"""Level-2 and level-1 residuals against dense row matrices, lme4 and the laws they obey."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import linalg, stats

import hlmbayes as hlm
from hlmbayes.errors import OutputError
from hlmbayes.faces import record_of
from hlmbayes.residuals.quantities import coefficient_variances, expected_chi2, row_residuals, unit_residuals
from hlmbayes.unit_moments.record import moments_of
from tests.dense import Dense, dense, x_blocks
from tests.small import MODELS, Small, model, small

MODEL4 = """mathach = b0 + b1*group(ses) + r
    b0 = g00 + g01*sector + g02*meanses + u0
    b1 = g10 + g11*sector + g12*meanses + u1"""


def own_way(rows: Dense, raw: Small, fit: Any) -> dict[str, np.ndarray]:
    """Every level-2 quantity unit by unit from rows: no moments, no shared algebra."""
    tau, sigma2 = record_of(fit).entering.tau, record_of(fit).entering.sigma2
    e = rows.y - rows.X @ record_of(fit).gamma_free
    out: dict[str, list[Any]] = {
        k: [] for k in ("eb", "pv", "ols", "mdist", "lntotvar", "olsrsvar", "mdrsvar")
    }
    for j in range(rows.n_units):
        mine = rows.unit == j
        Z, r, y = rows.Z[mine], e[mine], rows.y[mine]
        n, q = Z.shape
        V = Z @ tau @ Z.T + sigma2 * np.eye(n)
        G = tau @ Z.T @ np.linalg.inv(V)
        D = G @ Z @ tau
        full = np.linalg.matrix_rank(Z, tol=1e-8) == q
        b = np.linalg.lstsq(Z, r, rcond=None)[0]
        rss = float(np.sum((r - Z @ b) ** 2))
        u = G @ r
        out["eb"].append(u)
        out["pv"].append(tau - D)
        out["ols"].append(b if full else np.full(q, np.nan))
        out["mdist"].append(u @ linalg.pinvh(0.5 * (D + D.T), rtol=1e-8) @ u)
        out["lntotvar"].append(np.log(np.std(y, ddof=1)) if n > 1 else np.nan)
        out["olsrsvar"].append(0.5 * np.log(rss / (n - q)) if full and n > q else np.nan)
        out["mdrsvar"].append(np.log(np.std(r, ddof=1)) if n > 1 else np.nan)
    return {k: np.array(v) for k, v in out.items()}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("algorithm", ["exact", "hlm"])
def test_every_quantity_agrees_with_a_dense_computation(name: str, algorithm: str) -> None:
    raw = small(n_units=16)
    fit = model(name).fit(raw.data(), algorithm=algorithm)
    got = unit_residuals(record_of(fit))
    wanted = own_way(dense(fit.model, raw.columns, raw.unit, raw.level2), raw, fit)
    for key, value in wanted.items():
        np.testing.assert_allclose(getattr(got, key), value, rtol=1e-7, atol=1e-9, err_msg=key)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_variances_of_the_coefficients_are_the_errors_of_their_predictions(name: str, method: str) -> None:
    """The variance of the errors of gamma and u, from V of all rows (Henderson 1975); tau may be singular."""
    raw, n_units = small(n_units=16), 16
    fit = record_of(model(name).fit(raw.data(), method=method))
    rows, q, tau = dense(fit.model, raw.columns, raw.unit, raw.level2), fit.design.n_random, fit.entering.tau
    z = np.zeros((len(rows.y), n_units * q))
    for j in range(n_units):
        z[rows.unit == j, j * q : (j + 1) * q] = rows.Z[rows.unit == j]
    g = np.kron(np.eye(n_units), tau)
    inverse = np.linalg.inv(z @ g @ z.T + fit.entering.sigma2 * np.eye(len(rows.y)))
    gamma = np.linalg.inv(rows.X.T @ inverse @ rows.X)
    cross = -gamma @ rows.X.T @ inverse @ z @ g
    u = g - g @ z.T @ inverse @ z @ g + cross.T @ np.linalg.inv(gamma) @ cross
    got, blocks = coefficient_variances(fit), x_blocks(fit.design)
    for j in range(n_units):
        w, own = blocks[j, fit.design.random], slice(j * q, (j + 1) * q)
        half = w @ cross[:, own]
        np.testing.assert_allclose(
            got[j], w @ gamma @ w.T + half + half.T + u[own, own], rtol=1e-6, atol=1e-9
        )


@pytest.mark.parametrize("name", ["slopes", "random only", "four"])
def test_singular_tau_and_singular_units(name: str) -> None:
    raw = small(seed=4, n_units=14, sd=0.05)  # hardly any variance between units: tau is singular
    fit = model(name).fit(raw.data())
    assert fit.boundary, "the data should put tau on the boundary"
    got = unit_residuals(record_of(fit))
    wanted = own_way(dense(fit.model, raw.columns, raw.unit, raw.level2), raw, fit)
    assert got.rank == np.linalg.matrix_rank(fit.tau, tol=1e-8 * max(1.0, np.trace(fit.tau)))
    np.testing.assert_allclose(got.mdist, wanted["mdist"], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(got.eb, wanted["eb"], atol=1e-9)
    np.testing.assert_allclose(got.pv, wanted["pv"], atol=1e-9)


def cases() -> list[str]:
    text = (Path(__file__).parents[1] / "oracles" / "condvar.json").read_text(encoding="utf-8")
    return list(json.loads(text)["cases"])


@pytest.mark.parametrize("case", cases())
def test_lme4s_ranef_and_condvar(case: str, oracles: Path) -> None:
    oracle = json.loads((oracles / "condvar.json").read_text(encoding="utf-8"))["cases"][case]
    if case.startswith(("model", "random")):
        data = hlm.datasets.hsb()
    else:
        name = "small.csv" if case == "small" else f"{case}.csv"
        data = hlm.read(oracles / "data" / name, id="id")
    fit = hlm.Model("\n".join(oracle["equations"])).fit(data)
    got = unit_residuals(record_of(fit))
    # the recorded optima are SciPy's; u moves with tau, which is flat where it is nearly singular
    tight: dict[str, Any] = {"rtol": 2e-4, "atol": 2e-4 * max(1.0, float(np.sqrt(np.trace(fit.tau))))}
    for key, value in (("u", got.eb), ("condvar", got.pv), ("mdist_gamma_known", got.mdist)):
        first = np.array(oracle[key]["first"])
        np.testing.assert_allclose(value[: len(first)], first, **tight, err_msg=key)
        assert len(value) == oracle[key]["n_units"]
        total = np.array(oracle[key]["sum_of_squares"])
        np.testing.assert_allclose(np.sum(value**2, axis=0), total, rtol=1e-3, atol=1e-3)


def test_chipct_is_the_quantile_of_the_rank() -> None:
    fit = hlm.Model(MODEL4).fit(hlm.datasets.hsb())
    got = unit_residuals(record_of(fit))
    rank = stats.rankdata(got.mdist)
    np.testing.assert_allclose(got.chipct, stats.chi2.ppf((rank - 0.5) / 160, 2), rtol=1e-10)
    assert abs(np.mean(got.mdist) / got.rank - 1) < 0.1  # chi-square has mean q


def test_equal_distances_share_a_rank_and_none_is_infinite() -> None:
    got = expected_chi2(np.array([3.0, 1.0, 1.0, 7.0]), 1)
    np.testing.assert_allclose(got, stats.chi2.ppf([2.5 / 4, 1.0 / 4, 1.0 / 4, 3.5 / 4], 1), rtol=1e-10)
    assert np.array_equal(expected_chi2(np.zeros(3), 0), np.zeros(3))


def test_eb_plus_fitted_is_the_coefficient_and_ols_plus_fitted_the_units_own_line() -> None:
    data = hlm.datasets.hsb()
    frame = hlm.Model(MODEL4).fit(data).residuals(level=2)
    np.testing.assert_allclose(frame["ebintrcp"] + frame["fvintrcp"], frame["ecintrcp"], rtol=1e-14)
    np.testing.assert_allclose(frame["ebses"] + frame["fvses"], frame["ecses"], rtol=1e-14)
    y, x = np.asarray(data.level1["mathach"]), np.asarray(data.level1["ses"])
    for j in (0, 80, 159):
        mine = data.unit == j
        slope, intercept = np.polyfit(x[mine] - x[mine].mean(), y[mine], 1)
        own = frame.iloc[j]
        assert own["olintrcp"] + own["fvintrcp"] == pytest.approx(intercept, rel=1e-8)
        assert own["olses"] + own["fvses"] == pytest.approx(slope, rel=1e-8)


def test_a_large_outcome_keeps_its_digits() -> None:
    raw = small(n_units=20)
    fit = model("slopes").fit(raw.data())
    raw.columns["y"] = raw.columns["y"] + 1e8
    moved = model("slopes").fit(raw.data())
    for key in ("eb", "pv", "ols", "mdist", "lntotvar", "olsrsvar", "mdrsvar"):
        np.testing.assert_allclose(
            getattr(unit_residuals(record_of(moved)), key),
            getattr(unit_residuals(record_of(fit)), key),
            rtol=1e-4,
            atol=1e-5,
        )


def test_rescaling_the_variables_moves_no_distance() -> None:
    raw = small(n_units=20)
    fit = model("slopes").fit(raw.data())
    raw.columns["y"], raw.columns["x"] = 1e-6 * raw.columns["y"], 1e5 * raw.columns["x"]
    moved = model("slopes").fit(raw.data())
    a, b = unit_residuals(record_of(fit)), unit_residuals(record_of(moved))
    np.testing.assert_allclose(b.mdist, a.mdist, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(b.mdrsvar - np.log(1e-6), a.mdrsvar, rtol=1e-7)
    np.testing.assert_allclose(b.eb / a.eb, np.broadcast_to([1e-6, 1e-11], a.eb.shape), rtol=1e-4)


def test_units_without_variation_have_missing_logs_not_infinite_ones() -> None:
    raw = small(n_units=12)
    raw.columns["y"][raw.unit == 3] = 1.5
    got = unit_residuals(record_of(model("means").fit(raw.data())))
    assert np.isnan([got.lntotvar[3], got.olsrsvar[3], got.mdrsvar[3]]).all()
    assert np.isnan(got.lntotvar[0])  # one row
    assert np.isfinite(np.delete(got.lntotvar, [0, 3])).all()


def test_no_random_coefficient_is_refused_in_words() -> None:
    fit = hlm.Model("y = b0 + b1*x + r\nb0 = g00\nb1 = g10").fit(small().data())
    with pytest.raises(OutputError, match="no random coefficient"):
        fit.residuals(level=2)
    rows = fit.residuals(level=1)
    assert rows["l1resid"].sum() == pytest.approx(0.0, abs=1e-9)


# --- level 1 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_level1_residuals_agree_with_a_dense_computation(name: str) -> None:
    raw = small(n_units=16)
    order = np.random.default_rng(0).permutation(len(raw.unit))
    fit = model(name).fit(raw.data(order))
    rows = dense(fit.model, raw.columns, raw.unit, raw.level2)
    u = own_way(rows, raw, fit)["eb"]
    fitted = rows.X @ record_of(fit).gamma_free + np.sum(rows.Z * u[raw.unit], axis=1)
    got = row_residuals(record_of(fit))
    np.testing.assert_allclose(got.fitted, fitted[order], atol=1e-9)
    np.testing.assert_allclose(got.residual, (rows.y - fitted)[order], atol=1e-9)
    np.testing.assert_allclose(got.sigma, np.sqrt(fit.sigma2))
    assert np.array_equal(record_of(fit).design.unit_ids[got.unit], raw.unit[order] + 100)


def test_rows_with_missing_values_are_left_out_and_units_still_match() -> None:
    raw = small(n_units=12)
    raw.columns["x"][5] = np.nan
    raw.columns["y"][raw.unit == 4] = np.nan  # unit 104 goes altogether
    fit = model("slopes").fit(raw.data())
    frame = fit.residuals(level=1, extra=["z", "v"])
    kept = np.flatnonzero(np.isfinite(raw.columns["x"]) & np.isfinite(raw.columns["y"]))
    assert np.array_equal(frame.index, kept)
    assert np.array_equal(frame["id"], raw.unit[kept] + 100)
    np.testing.assert_array_equal(frame["z"], raw.columns["z"][kept])
    np.testing.assert_array_equal(frame["v"], raw.level2["v"][raw.unit[kept]])
    np.testing.assert_allclose(frame["l1resid"] + frame["fitval"], raw.columns["y"][kept])
    two = fit.residuals(level=2, extra="v")
    assert 104 not in set(two["id"])
    np.testing.assert_array_equal(two["v"], np.delete(raw.level2["v"], 4))


def test_a_fit_from_moments_has_level2_residuals_and_says_why_no_level1_ones() -> None:
    data = hlm.datasets.hsb()
    fit = hlm.Model(MODEL4).fit(moments_of(data, ["mathach", "ses"]))
    whole = hlm.Model(MODEL4).fit(data).residuals(level=2, extra="all")
    frame = fit.residuals(level=2, extra="all")
    np.testing.assert_allclose(frame.to_numpy(), whole.to_numpy(), rtol=1e-10)
    with pytest.raises(OutputError, match="made from moments"):
        fit.residuals(level=1)


# --- level-1 variances that differ ----------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["exact", "hlm"])
def test_a_model_of_log_sigma2_agrees_with_a_dense_computation(algorithm: str) -> None:
    raw = small(seed=8, n_units=24)
    fit = hlm.Model(MODELS["slopes"] + "\nlog(sigma2) = a0 + a1*d").fit(raw.data(), algorithm=algorithm)
    rows = dense(fit.model, raw.columns, raw.unit, raw.level2)
    sigma = np.exp(0.5 * (record_of(fit).law.alpha[0] + record_of(fit).law.alpha[1] * raw.columns["d"]))
    weighted = Dense(rows.y / sigma, rows.X / sigma[:, None], rows.Z / sigma[:, None], rows.unit, rows.free)
    # EB, posterior variances and distances are those of rows divided by sigma; spreads those of the rows
    bayes, plain = own_way(weighted, raw, fit), own_way(rows, raw, fit)
    got = unit_residuals(record_of(fit))
    for key in ("eb", "pv", "mdist"):
        np.testing.assert_allclose(getattr(got, key), bayes[key], rtol=1e-6, atol=1e-8, err_msg=key)
    for key in ("ols", "lntotvar", "olsrsvar", "mdrsvar"):
        np.testing.assert_allclose(getattr(got, key), plain[key], rtol=1e-6, atol=1e-8, err_msg=key)
    level1 = row_residuals(record_of(fit))
    np.testing.assert_allclose(level1.sigma, sigma)
    fitted = rows.X @ record_of(fit).gamma_free + np.sum(rows.Z * bayes["eb"][raw.unit], axis=1)
    np.testing.assert_allclose(level1.residual, rows.y - fitted, atol=1e-8)


def test_sigma_by_a_level2_variable() -> None:
    raw = small(seed=8, n_units=24)
    fit = hlm.Model(MODELS["means"] + "\nlog(sigma2) = a0 + a1*w").fit(raw.data())
    wanted = np.exp(0.5 * (record_of(fit).law.alpha[0] + record_of(fit).law.alpha[1] * raw.level2["w"]))
    np.testing.assert_allclose(row_residuals(record_of(fit)).sigma, wanted[raw.unit])


# --- weights --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["precision", "variance_known"])
def test_known_precision_agrees_with_a_dense_computation(kind: str) -> None:
    raw = small(seed=3, n_units=24)
    raw.columns["p"] = np.random.default_rng(1).uniform(0.3, 3.0, len(raw.unit))
    fit = model("slopes").fit(raw.data(), **{kind: "p"})
    weight = 1.0 / raw.columns["p"] if kind == "variance_known" else raw.columns["p"]
    root = np.sqrt(weight)
    rows = dense(fit.model, raw.columns, raw.unit, raw.level2)
    weighted = Dense(rows.y * root, rows.X * root[:, None], rows.Z * root[:, None], rows.unit, rows.free)
    wanted = own_way(weighted, raw, fit)
    got = unit_residuals(record_of(fit))
    for key in ("eb", "pv", "mdist", "ols"):
        np.testing.assert_allclose(getattr(got, key), wanted[key], rtol=1e-6, atol=1e-8, err_msg=key)
    sigma = np.sqrt(record_of(fit).entering.sigma2) / root
    np.testing.assert_allclose(row_residuals(record_of(fit)).sigma, sigma)


def test_sampling_weights_and_frequencies_are_refused() -> None:
    from hlmbayes.data.weights import Frequencies, Weights

    raw = small(n_units=24)
    raw.columns["p"] = np.random.default_rng(1).integers(1, 4, len(raw.unit)).astype(float)
    for options in ({"weights": Weights(level1="p")}, {"frequency": Frequencies(level1="p")}):
        fit = model("means").fit(raw.data(), **options)
        for ask in (fit.residuals, lambda fit=fit: fit.residuals(level=1), fit.influence, fit.check):
            with pytest.raises(OutputError, match="not available for a fit with"):
                ask()


def test_log_standard_deviations_of_the_high_school_data_from_its_rows() -> None:
    """Each school's three log standard deviations, by NumPy on the school's own rows."""
    data = hlm.datasets.hsb()
    m = hlm.Model("""mathach = b0 + b1*group(ses) + r
        b0 = g00 + g01*sector + g02*meanses + u0
        b1 = g10 + g11*sector + g12*meanses + u1""")
    fit = m.fit(data)
    frame = fit.residuals(level=2)
    y, ses = (np.asarray(data.level1[data.find(name)], dtype=float) for name in ("mathach", "ses"))
    sector, meanses = data.level2_column("sector"), data.level2_column("meanses")
    g = fit.gamma
    for j in range(data.n_units):
        mine = data.unit == j
        x = ses[mine] - ses[mine].mean()
        design = np.column_stack([np.ones(mine.sum()), x])
        own = y[mine] - design @ np.linalg.lstsq(design, y[mine])[0]
        slope = g["g10"] + g["g11"] * sector[j] + g["g12"] * meanses[j]
        row = frame.iloc[j]
        assert row["lntotvar"] == pytest.approx(np.log(np.std(y[mine], ddof=1)), rel=1e-9)
        assert row["olsrsvar"] == pytest.approx(0.5 * np.log(own @ own / (len(own) - 2)), rel=1e-9)
        assert row["mdrsvar"] == pytest.approx(np.log(np.std(y[mine] - slope * x, ddof=1)), rel=1e-9)
