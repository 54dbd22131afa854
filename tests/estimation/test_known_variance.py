"""Known level-1 variances against metafor and dense matrices; precision weights against dense matrices."""

import json
import math
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import hlmbayes as hlm
from hlmbayes.cli.command import main
from hlmbayes.errors import DataError, EstimationError, HypothesisError
from hlmbayes.faces import record_of

ORACLES = Path(__file__).parents[1] / "oracles"
CASES = json.loads((ORACLES / "metafor.json").read_text())["cases"]


def case(name):
    wanted = CASES[name]
    data = hlm.read(pd.read_csv(ORACLES / wanted["data"]), id=wanted["id"])
    return hlm.Model("\n".join(wanted["equations"])), data, wanted


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("name", CASES)
def test_meta_analyses_agree_with_metafor(name, method):
    model, data, wanted = case(name)
    fit, oracle = model.fit(data, variance_known=wanted["varianceknown"], method=method), wanted[method]
    assert fit.converged
    assert fit.sigma2 == 1.0
    assert fit.deviance == pytest.approx(oracle["deviance"], abs=1e-10)
    assert fit.tau[0, 0] == pytest.approx(oracle["tau2"], abs=1e-9)
    assert np.asarray(fit.gamma) == pytest.approx(oracle["gamma"], abs=1e-9)
    assert fit.vcov == pytest.approx(np.array(oracle["vcov"]), abs=1e-10)
    table = fit.fixed_effects()
    assert table["df"].tolist() == [oracle["df_t"]] * len(table)
    assert table["p_value"].to_numpy() == pytest.approx(oracle["p_t"], abs=1e-9)
    assert fit.n_parameters == 1 + (len(table) if method == "ML" else 0)
    metafor = oracle["metafor"]["t"]
    components = fit.variance_components()
    assert components["chi2"].iloc[0] == pytest.approx(metafor["QE"], rel=1e-9)
    assert components["p_value"].iloc[0] == pytest.approx(metafor["QEp"], rel=1e-8)
    if oracle["tau2"] > 0:
        assert fit.se_tau[0, 0] == pytest.approx(oracle["se_tau2_expected_information"], rel=1e-7)
        assert np.isnan(fit.se_sigma2)  # what is known has no error
    else:
        assert fit.boundary == ("the variance of u0 (intercept) is estimated as zero",)


def test_the_listing_says_that_sigma2_is_fixed():
    model, data, _ = case("bcg")
    text = model.fit(data, variance_known="v", algorithm="hlm").listing(full_output=True)
    assert " Precision     yes       v           no" in text
    flat = " ".join(text.split())
    assert "The level-1 variance is known: v. Sigma squared is fixed at 1 and not estimated." in flat
    assert "HLM's own iterations are known for unweighted estimation only" in flat


def several_rows(seed=4):
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(15), 6)
    x, c, v = rng.normal(size=90), rng.normal(size=15)[unit], rng.uniform(0.2, 4, 90)
    y = (
        2
        + x * (1 + rng.normal(size=15)[unit])
        + c
        + rng.normal(size=15)[unit]
        + rng.normal(size=90) * np.sqrt(v)
    )
    return pd.DataFrame({"id": unit, "y": y, "x": x, "c": c, "v": v, "p": 1 / v})


MODEL = hlm.Model("y = b0 + b1*group(x) + r; b0 = g00 + g01*c + u0; b1 = g10 + u1")


def dense_deviance(frame, reml, scale, parameters):
    """-2 log-likelihood with level-1 variances scale * sigma2 * v: dense, unit by unit."""
    l0, l1, l2, log_s2 = parameters
    root = np.array([[l0, 0], [l1, l2]])
    xvx, xvy, parts, blocks = 0, 0, 0, []
    for _, unit in frame.groupby("id"):
        x = (unit["x"] - unit["x"].mean()).to_numpy()
        z = np.column_stack([np.ones(len(x)), x])
        X = np.column_stack([np.ones(len(x)), unit["c"], x])
        V = z @ root @ root.T @ z.T + np.exp(log_s2) * np.diag(unit[scale])
        blocks.append((X, unit["y"].to_numpy(), V))
        xvx, xvy = xvx + X.T @ np.linalg.solve(V, X), xvy + X.T @ np.linalg.solve(V, unit["y"])
    gamma = np.linalg.solve(xvx, xvy)
    for X, y, V in blocks:
        e = y - X @ gamma
        parts += np.linalg.slogdet(V)[1] + e @ np.linalg.solve(V, e)
    n = len(frame) - 3 * reml
    return parts + n * np.log(2 * np.pi) + reml * np.linalg.slogdet(xvx)[1], gamma


def dense_fit(frame, reml, known):
    def objective(p):
        return dense_deviance(frame, reml, "v", [*p, 0.0] if known else p)[0]

    start = [1.0, 0.1, 0.8] if known else [1.0, 0.1, 0.8, 0.0]
    found = minimize(objective, start, method="BFGS", options={"gtol": 1e-6})
    return found.fun, dense_deviance(frame, reml, "v", [*found.x, 0.0] if known else found.x)[1], found.x


@pytest.mark.parametrize("known", [True, False], ids=["variance known", "precision"])
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_several_rows_a_unit_agree_with_dense_matrices(method, known):
    frame = several_rows()
    how = {"variance_known": "v"} if known else {"precision": "p"}
    fit = MODEL.fit(hlm.read(frame, id="id"), method=method, **how)
    deviance, gamma, root = dense_fit(frame, method == "REML", known)
    assert fit.deviance == pytest.approx(deviance, abs=1e-6)
    assert np.asarray(fit.gamma) == pytest.approx(gamma, abs=1e-4)
    assert fit.tau[0, 0] == pytest.approx(root[0] ** 2, rel=1e-3)
    assert fit.sigma2 == pytest.approx(1.0 if known else np.exp(root[3]), rel=1e-4)
    assert fit.log[-1].loglik == pytest.approx(fit.loglik)


@pytest.mark.parametrize("value", [0.5, 2.0])
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_sigma2_held_at_a_value_agrees_with_dense_matrices(method, value):
    frame = several_rows().assign(v=value)
    fit = MODEL.fit(hlm.read(frame, id="id"), method=method, sigma2=value)
    deviance, gamma, root = dense_fit(frame, method == "REML", True)
    assert fit.deviance == pytest.approx(deviance, abs=1e-6)
    assert np.asarray(fit.gamma) == pytest.approx(gamma, abs=1e-4)
    assert fit.tau[0, 0] == pytest.approx(root[0] ** 2, rel=1e-3)
    assert fit.sigma2 == value
    assert fit.n_parameters == 3 + (3 if method == "ML" else 0)
    assert fit.residuals(level=1)["sigma"].to_numpy() == pytest.approx(np.sqrt(value))


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_sigma2_held_at_its_estimate_changes_nothing_but_what_depends_on_its_error(method):
    data = hlm.read(several_rows(), id="id")
    free = MODEL.fit(data, method=method)
    fit = MODEL.fit(data, method=method, sigma2=free.sigma2)
    assert fit.deviance == pytest.approx(free.deviance, abs=1e-9)
    assert np.asarray(fit.tau) == pytest.approx(np.asarray(free.tau), abs=1e-7)
    assert fit.n_parameters == free.n_parameters - 1
    assert fit.variance_components()["chi2"].to_numpy() == pytest.approx(
        free.variance_components()["chi2"].to_numpy(), nan_ok=True
    )
    # what is equal, the covariance's error by ML, is so to rounding
    assert np.all(np.asarray(fit.se_tau) <= np.asarray(free.se_tau) * (1.0 + 1e-12))
    assert (
        MODEL.fit(record_of(fit).design.moments, method=method, sigma2=free.sigma2).deviance == fit.deviance
    )


def test_a_held_sigma2_is_said_to_be():
    data = hlm.read(several_rows(), id="id")
    text = MODEL.fit(data, method="ML", sigma2=1.25, algorithm="hlm").listing()
    flat = " ".join(text.split())
    assert "Sigma_squared = 1.25000 Tau" in flat  # no standard error
    assert "Sigma squared is held at 1.25 and not estimated." in flat
    assert "HLM's own iterations are known where sigma squared is estimated" in flat
    # 90 rows are even (ML), less 3 fixed effects odd (REML)
    assert "HLM would print the deviance 1.838 lower" not in flat
    reml = MODEL.fit(data, sigma2=1.25, algorithm="hlm").listing()
    assert "HLM would print the deviance 1.838 lower" in " ".join(reml.split())


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "1"])
def test_what_is_no_variance_is_refused(value):
    with pytest.raises(EstimationError, match="sigma2= wants the level-1 variance, a number above 0"):
        MODEL.fit(hlm.read(several_rows(), id="id"), sigma2=value)


def test_a_held_sigma2_excludes_weights():
    data = hlm.read(several_rows(), id="id")
    with pytest.raises(
        EstimationError, match="variance_known and sigma2 were given, which are different kinds"
    ):
        MODEL.fit(data, sigma2=1.0, variance_known="v")
    with pytest.raises(EstimationError, match="sigma2 cannot be combined with an equation for log"):
        hlm.Model(MODEL.equations() + "\nlog(sigma2) = a0 + a1*x").fit(data, sigma2=1.0)


def test_precision_of_one_is_no_weight():
    data = hlm.read(several_rows().assign(one=1.0), id="id")
    plain, fit = MODEL.fit(data), MODEL.fit(data, precision="one")
    assert fit.deviance == pytest.approx(plain.deviance, abs=1e-9)
    assert np.asarray(fit.tau) == pytest.approx(np.asarray(plain.tau), rel=1e-7)


def test_scale_of_the_precisions_goes_into_sigma2_only():
    frame = several_rows()
    a = MODEL.fit(hlm.read(frame, id="id"), precision="p")
    b = MODEL.fit(hlm.read(frame.assign(p=7 * frame["p"]), id="id"), precision="p")
    assert b.sigma2 == pytest.approx(7 * a.sigma2)
    assert b.deviance == pytest.approx(a.deviance, abs=1e-8)
    assert np.asarray(b.tau) == pytest.approx(np.asarray(a.tau), rel=1e-7)


def test_no_random_effect_is_the_fixed_effect_meta_analysis():
    _, data, wanted = case("bcg")
    fit = hlm.Model("yi = b0 + r; b0 = g00".replace("yi", wanted["equations"][0].split(" =")[0])).fit(
        data, variance_known="v"
    )
    frame = pd.read_csv(ORACLES / wanted["data"])
    y = frame[wanted["equations"][0].split(" =")[0]]
    assert fit.gamma[0] == pytest.approx(np.average(y, weights=1 / frame["v"]))
    assert fit.vcov[0, 0] == pytest.approx(1 / (1 / frame["v"]).sum())


def test_what_known_variances_cannot_give_is_refused():
    model, data, _ = case("bcg")
    fit = model.fit(data, variance_known="v")
    for ask in (fit.icc, fit.homogeneity, lambda: fit.fixed_effects(df="satterthwaite")):
        with pytest.raises(HypothesisError, match="known, not estimated"):
            ask()
    frame = pd.read_csv(ORACLES / "data" / "bcg.csv")
    with pytest.raises(DataError, match="the known variance 'v' is zero on 1 of 13 rows"):
        model.fit(
            hlm.read(frame.assign(v=frame["v"].where(frame.index != 2, 0.0)), id="study"), variance_known="v"
        )
    with pytest.raises(DataError, match="weights need the rows"):
        model.fit(record_of(fit).design.moments, variance_known="v")
    with pytest.raises(EstimationError, match="fit effect exactly"):
        case("bcg_ablat")[0].fit(hlm.read(frame.iloc[:2], id="study"), variance_known="v")
    with pytest.raises(EstimationError, match="single row"):
        model.fit(data, precision="v")


def test_deviances_of_nested_meta_analyses_are_compared():
    small, data, _ = case("bcg")
    large = case("bcg_ablat")[0]
    a, b = (m.fit(data, variance_known="v", method="ML") for m in (small, large))
    test = a.compare(b)
    assert test.df == 1
    assert test.chi2 == pytest.approx(a.deviance - b.deviance)
    assert b.variance_explained(a).level2["b0"] == pytest.approx(1 - b.tau[0, 0] / a.tau[0, 0])


def test_a_command_file_with_known_variances(tmp_path, capsys):
    model, data, _ = case("bcg")
    frame = pd.read_csv(ORACLES / "data" / "bcg.csv")
    frame.to_csv(tmp_path / "bcg.csv", index=False)
    outcome = model.outcome.upper()
    (tmp_path / "bcg.hlm").write_text(
        f"#WHLM CMD FILE FOR bcg.mdm\nlevel1:{outcome}=INTRCPT1+RANDOM\nlevel2:INTRCPT1=INTRCPT2+RANDOM/\n"
        "varianceknown:V\n"
    )
    run = ["run", str(tmp_path / "bcg.hlm"), "--level1", str(tmp_path / "bcg.csv"), "--id", "study"]
    assert main(run) == 0
    fit = model.fit(data, variance_known="v")
    text = capsys.readouterr().out
    assert f"{fit.gamma[0]:.6f}" in text
    assert f"{fit.tau[0, 0]:.5f}" in text
    assert "The level-1 variance is known: v" in " ".join(text.split())


Y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
SE = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
HOURS = np.array([1.0, 3, 2, 5, 4, 4, 1, 6])
MEAN, MODERATED = (
    hlm.Model("y = b0 + r; b0 = " + equation) for equation in ("g00 + u0", "g00 + g01*hours + u0")
)


def studies(y=Y, v=SE**2, **more):
    return hlm.read({"id": np.arange(len(y)), "y": y, "v": v, "hours": HOURS[: len(y)]} | more, id="id")


@pytest.mark.parametrize(
    ("y", "v", "mean", "se", "q"),
    [
        (Y, SE**2, 7.6856167, 4.0719192, 4.7070789),
        (
            np.array([8.9, 8.1, 7.8, 12.4, 7.0, 5.8, 8.3, 2.8, 11.2]),
            np.array([24.01, 32.49, 31.36, 64, 16, 70.56, 42.25, 151.29, 158.76]),
            8.0091826,
            2.0708311,
            0.7142533,
        ),
    ],
    ids=["eight schools", "nine sites"],
)
def test_studies_that_differ_by_less_than_their_errors(y, v, mean, se, q):
    # metafor's digits; by hand, at tau = 0, they are these sums
    w = 1 / v
    assert (w @ y / w.sum(), w.sum() ** -0.5) == pytest.approx((mean, se), abs=5e-8)
    assert w @ (y - w @ y / w.sum()) ** 2 == pytest.approx(q, abs=5e-8)
    more = {"hours": np.ones(len(y))}
    fit = MEAN.fit(studies(y, v, **more), variance_known="v")
    assert (fit.gamma[0], fit.vcov[0, 0] ** 0.5) == pytest.approx((mean, se), abs=5e-8)
    assert fit.tau[0, 0] == 0.0
    component = fit.variance_components().iloc[0]
    assert component["chi2"] == pytest.approx(q, abs=5e-8)
    assert component["df"] == len(y) - 1


def results(fit, c):
    """Everything that is printed, free of the outcome's unit, which is ``c`` times the first one's."""
    effects, components = fit.fixed_effects(), fit.variance_components()
    tau = np.asarray(fit.tau)
    found = {
        "gamma": effects["coefficient"] / c, "se": effects["se"] / c, "df": effects["df"],
        "p": effects["p_value"], "tau": tau / c / c, "Q": components["chi2"], "Q df": components["df"],
        "Q p": components["p_value"], "reliability": np.asarray(fit.reliability()),
        "mdist": fit.residuals(2)["mdist"], "boundary": np.array([len(fit.boundary)]),
        "deviance": np.array([fit.deviance - 2 * (fit.n_rows - len(effects)) * np.log(c)]),
    }  # fmt: skip
    return {name: np.asarray(values, dtype=float) for name, values in found.items()}


@cache
def in_units(kind, c):
    """What has no unit in a fit of outcomes times c."""
    known = {"variance_known": "v"}
    if kind == "slopes":
        frame = several_rows()
        data = hlm.read(frame.assign(y=c * frame["y"], v=c * c * frame["v"]), id="id")
        return results(MODEL.fit(data, **known), c)
    if kind == "log(sigma2)":
        frame = several_rows()
        unequal = hlm.Model(MODEL.equations() + "\nlog(sigma2) = a0 + a1*x")
        return results(unequal.fit(hlm.read(frame.assign(y=c * frame["y"]), id="id")), c)
    v = SE**2 * np.where(HOURS == 2, 1e-10 if kind == "precise study" else 1.0, 1.0)
    model, v = (MEAN, v) if kind == "schools" else (MODERATED, v if kind == "precise study" else v / 9)
    return results(model.fit(studies(c * Y, c * c * v), **known), c)


@pytest.mark.parametrize("kind", ["schools", "heterogeneous", "precise study", "slopes", "log(sigma2)"])
@pytest.mark.parametrize("exponent", [-15, -9, -5, 5, 9, 15])
def test_the_outcomes_unit_changes_nothing(kind, exponent):
    here, there = in_units(kind, 1.0), in_units(kind, 10.0**exponent)
    for name, values in here.items():
        np.testing.assert_allclose(there[name], values, rtol=1e-6, atol=1e-9, err_msg=name)
    assert here["Q df"][0] > 0


def exact_deviance(y, x, unit, weight, tau, sigma2, reml):
    """-2 log-likelihood of a random intercept, rows having variance sigma2 / w: all sums are fractions.

    V_j^-1 = S - tau S 1 1'S / (1 + tau s), S = diag(w) / sigma2 and s its trace.
    """
    columns = [[Fraction(float(v)) for v in column] for column in (*np.asarray(x, dtype=float).T, y)]
    precision = [Fraction(float(w)) / Fraction(float(sigma2)) for w in weight]
    tau, p = Fraction(float(tau)), len(columns) - 1
    log_v, products = 0.0, [[Fraction(0)] * (p + 1) for _ in range(p + 1)]
    for j in np.unique(unit):
        rows = np.flatnonzero(unit == j)
        trace = sum(precision[i] for i in rows)
        log_v += log(1 + tau * trace) - sum(log(precision[i]) for i in rows)
        sums = [sum(precision[i] * c[i] for i in rows) for c in columns]
        for a in range(p + 1):
            for b in range(p + 1):
                products[a][b] += sum(precision[i] * columns[a][i] * columns[b][i] for i in rows)
                products[a][b] -= tau * sums[a] * sums[b] / (1 + tau * trace)
    det, left = Fraction(1), [row[:] for row in products]
    for k in range(p):  # Gauss: what is left of y'V^-1y is the residual sum of squares
        det *= left[k][k]
        for a in range(k + 1, p + 1):
            factor = left[a][k] / left[k][k]
            left[a] = [u - factor * v for u, v in zip(left[a], left[k], strict=True)]
    rest = len(y) - p * reml
    return log_v + float(left[p][p]) + reml * log(det) + rest * np.log(2 * np.pi)


def log(value):
    """The logarithm of a fraction, however large its parts are."""
    return math.log(value.numerator) - math.log(value.denominator)


@pytest.mark.parametrize(
    "precise", [1e-6, 1e-12, 1e-16, *(pytest.param(p, marks=pytest.mark.slow) for p in (1e-10, 1e-14))]
)
@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("model", [MEAN, MODERATED], ids=["mean", "moderator"])
@pytest.mark.parametrize("where", [0, 2])
def test_one_very_precise_study(model, method, precise, where):
    v = SE**2 * np.where(np.arange(8) == where, precise, 1.0)
    fit = model.fit(studies(v=v), variance_known="v", method=method)
    x = np.column_stack([np.ones(8), HOURS])[:, : len(fit.gamma)]
    assert fit.converged

    def deviance(tau):
        return exact_deviance(Y, x, np.arange(8), 1 / v, tau, 1.0, method == "REML")

    assert fit.deviance == pytest.approx(deviance(fit.tau[0, 0]), abs=1e-9)
    assert fit.deviance < min(deviance(tau) for tau in [0.0, *np.geomspace(1e-6, 1e4, 40)]) + 1e-9
    q = exact_residuals(Y, x, 1 / v)
    assert fit.variance_components()["chi2"].iloc[0] == pytest.approx(q, rel=1e-9)
    assert np.asarray(fit.reliability())[0] == pytest.approx(np.mean(fit.tau[0, 0] / (fit.tau[0, 0] + v)))


def exact_residuals(y, x, weight):
    """The residual sum of squares of the weighted fit: the deviance's at tau = 0, nothing else in it."""
    rest = exact_deviance(y, x, np.arange(len(y)), weight, 0.0, 1.0, False)
    return rest + np.log(weight).sum() - len(y) * np.log(2 * np.pi)


def weighed_rows(heavy, weight, seed=1):
    """Rows of 12 units, some of them weighing far more than the others."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(12), 4)
    y = 3.0 + rng.normal(size=12)[unit] + rng.normal(size=48)
    w = np.exp(rng.normal(size=48))
    w[list(heavy)] = weight
    return pd.DataFrame(
        {"id": unit, "y": y, "h": rng.normal(size=12)[unit], "x": rng.normal(size=48), "w": w}
    )


@pytest.mark.parametrize("weight", [1e4, 1e10, 1e12, 1e15])
@pytest.mark.parametrize("heavy", [(7,), (7, 21, 38), (4, 5)], ids=["one row", "three units", "one unit"])
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_rows_that_weigh_far_more_than_the_others(heavy, weight, method):
    frame = weighed_rows(heavy, weight)
    model = hlm.Model("y = b0 + b1*x + r; b0 = g00 + g01*h + u0; b1 = g10")
    fit = model.fit(hlm.read(frame, id="id"), precision="w", method=method)
    assert fit.converged
    x = np.column_stack([np.ones(48), frame["h"], frame["x"]])

    def deviance(tau, sigma2):
        return exact_deviance(
            frame["y"], x, frame["id"].to_numpy(), frame["w"], tau, sigma2, method == "REML"
        )

    here = deviance(fit.tau[0, 0], fit.sigma2)
    # two such rows of one unit differ: beside that sum of squares the others of the unit are rounding
    rounding = 1e-16 * weight if len(heavy) == 2 else 0.0
    assert fit.deviance == pytest.approx(here, abs=1e-9 + rounding)
    for tau, sigma2 in ((1.02, 1), (0.98, 1), (1, 1.02), (1, 0.98)):
        assert deviance(tau * fit.tau[0, 0], sigma2 * fit.sigma2) >= here - 1e-9 - rounding


@settings(max_examples=25)
@given(
    st.integers(0, 10_000), st.floats(-15, 15), st.floats(-15, 15), st.floats(0, 14), st.integers(0, 47),
    st.sampled_from(["y = b0 + r; b0 = g00 + u0", "y = b0 + b1*x + r; b0 = g00 + g01*h + u0; b1 = g10 + u1"]),
)  # fmt: skip
def test_units_of_measurement_of_outcome_and_weights_change_nothing(seed, of_y, of_w, heavy, row, equations):
    frame, model = weighed_rows((row,), 10.0**heavy, seed), hlm.Model(equations)
    c, k = 10.0**of_y, 10.0**of_w
    other = frame.assign(y=c * frame["y"], w=k * frame["w"])
    a, b = (model.fit(hlm.read(each, id="id"), precision="w") for each in (frame, other))
    np.testing.assert_allclose(np.asarray(b.gamma) / c, np.asarray(a.gamma), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(np.asarray(b.tau) / c**2, np.asarray(a.tau), rtol=2e-5, atol=1e-6)
    assert b.sigma2 / c**2 / k == pytest.approx(a.sigma2, rel=1e-5)
    shift = 2 * (48 - len(a.gamma)) * np.log(c)
    assert b.deviance - shift == pytest.approx(a.deviance, abs=1e-6)
    np.testing.assert_allclose(
        b.fixed_effects()["p_value"], a.fixed_effects()["p_value"], rtol=1e-4, atol=1e-12
    )
