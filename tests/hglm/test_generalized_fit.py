"""`GeneralizedFit`: what users ask of a fit whose outcome is not normal, against integrals done by hand."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, stats

import hlmbayes as hlm
from hlmbayes.errors import EstimationError, HLMError, HypothesisError, OutputError
from hlmbayes.hglm.averages import averages
from hlmbayes.report import mathml
from tests.hglm.test_fit import KNOWN, frame_of

ONE = "b0 = g00 + g01*w + u0; b1 = g10"


@pytest.fixture(scope="module")
def frame():
    return frame_of("binary")


@pytest.fixture(scope="module")
def data(frame):
    return hlm.read(frame, id="id")


@pytest.fixture(scope="module")
def fit(data):
    return hlm.Model(f"logit(y) = b0 + b1*x; {ONE}").fit(data)


@pytest.fixture(scope="module")
def slopes_fit(data):
    return hlm.Model(f"logit(y) = b0 + b1*x; {ONE} + u1").fit(data)


@pytest.fixture(scope="module")
def counts():
    return hlm.Model(f"log(y, exposure=n) = b0 + b1*x; {ONE}").fit(hlm.read(frame_of("counts"), id="id"))


def averaged(f, sd):
    """Average f over a normal variable with standard deviation sd, by scipy's adaptive integration."""
    return integrate.quad(lambda u: f(u) * stats.norm.pdf(u, 0, sd), -9 * sd, 9 * sd, epsabs=1e-12)[0]


def fixed_part(fit, rows):
    return fit.gamma["g00"] + fit.gamma["g01"] * rows.w + fit.gamma["g10"] * rows.x


def test_a_formula_and_equations_are_one_model(fit, data):
    other = hlm.Model("y ~ x + w + (1 | id)", family="binomial").fit(data)
    assert other.deviance == pytest.approx(fit.deviance, abs=1e-9)
    assert type(fit).__name__ == "GeneralizedFit"


def test_what_only_normal_outcomes_have_is_refused_in_words(fit, data):
    by_hlm = hlm.Model(f"logit(y) = b0 + b1*x; {ONE}").fit(data, algorithm="hlm")
    normal, other = "is for normal outcomes, and y of this model is Bern", ", which is of .*GeneralizedFit"
    asked = [(fit, "i2", normal), (fit, "homogeneity", normal), (fit, "loo", ", which is of Posterior")]
    asked += [(by_hlm, name, other) for name in ("bootstrap", "calibration", "test_variance", "deviance")]
    for one, name, said in asked:
        with pytest.raises(HLMError, match=f"{name}{'' if said[0] == ',' else ' '}{said}"):
            getattr(one, name)
        assert not hasattr(one, name)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        fit.nonsense  # noqa: B018


def test_reports_are_written(fit, data, tmp_path):
    by_hlm = hlm.Model(f"logit(y) = b0 + b1*x; {ONE}").fit(data, algorithm="hlm")
    for one in (fit, by_hlm):
        page = one.report(tmp_path / "page.html").read_text(encoding="utf-8")
        assert page.startswith("<!DOCTYPE html>")
        assert all("Bernoulli" in text for text in (page, one.to_html(), one.listing()))
        assert ("<svg" in page or "data:image" in page) == (one is fit)


def test_tables(fit):
    table = fit.fixed_effects()
    assert list(table.index) == ["g00", "g01", "g10"]
    np.testing.assert_allclose(table.se, np.sqrt(np.diag(fit.vcov)))
    np.testing.assert_allclose(table.p_value, 2 * stats.norm.sf(np.abs(table.t_ratio)), rtol=1e-9)
    robust = fit.fixed_effects(robust=True)
    np.testing.assert_allclose(robust.se, np.sqrt(np.diag(fit.vcov_robust)))
    ratios = fit.ratios()
    np.testing.assert_allclose(ratios.ratio, np.exp(table.coefficient))
    np.testing.assert_allclose(ratios.high, np.exp(table.coefficient + stats.norm.ppf(0.975) * table.se))
    row = fit.variance_components().loc["u0"]
    assert (row.variance, row.se) == pytest.approx((fit.tau["b0", "b0"], fit.se_tau["b0", "b0"]))
    assert "Bernoulli, logit link" in str(fit.summary())
    assert json.loads(fit.to_json())["deviance"] == fit.deviance
    assert "<h1>Model of y</h1>" in fit.to_html()
    assert mathml.distribution(fit.model)[0] in fit.to_html()  # typeset, as on the pages of normal outcomes
    assert "Odds ratio" in fit._repr_html_()


def test_a_probit_has_no_ratios(data):
    fit = hlm.Model(f"probit(y) = b0 + b1*x; {ONE}").fit(data)
    with pytest.raises(HypothesisError, match="no ratio with a probit link"):
        fit.ratios()
    assert "Odds" not in fit.to_html()


def test_wald_and_contrast_are_normal_tests(fit):
    table, found = fit.fixed_effects(), fit.wald("g10 = 0")
    assert found.chi2 == pytest.approx(table.t_ratio["g10"] ** 2)
    assert fit.contrast("g10").p_value[0] == pytest.approx(table.p_value["g10"])
    robust = fit.contrast("2*g10 - w", robust=True)
    assert robust.se[0] == pytest.approx(float(np.sqrt([0, -1, 2] @ fit.vcov_robust @ [0, -1, 2])))
    assert "normal tests" in str(robust)
    with pytest.raises(HypothesisError, match="df='satterthwaite' is for normal outcomes"):
        fit.wald("g10 = 0", df="satterthwaite")
    with pytest.raises(HypothesisError, match="robust='CR2' is for normal outcomes"):
        fit.contrast("g10", robust="CR2")


def test_a_variance_is_tested_on_its_boundary(fit, slopes_fit):
    found = slopes_fit.test_variance("u1")
    assert found.chi2 == pytest.approx(fit.deviance - slopes_fit.deviance, abs=1e-6)
    mixture = 0.5 * (stats.chi2.sf(found.chi2, 1) + stats.chi2.sf(found.chi2, 2))
    assert found.p_boundary == pytest.approx(mixture)
    assert found.p_value == pytest.approx(stats.chi2.sf(found.chi2, 2))
    assert fit.compare(slopes_fit).chi2 == pytest.approx(found.chi2, abs=1e-6)
    only = fit.test_variance("u0")
    assert only.p_boundary == pytest.approx(0.5 * only.p_value)
    with pytest.raises(HypothesisError, match="'u7' is no random effect"):
        fit.test_variance("u7")


def test_deviances_of_different_things_are_not_compared(fit, data):
    probit = hlm.Model(f"probit(y) = b0 + b1*x; {ONE} + u1").fit(data)
    with pytest.raises(HypothesisError, match=r"Bernoulli \(logit\) and Bernoulli \(probit\)"):
        fit.compare(probit)
    laplace = hlm.Model(f"logit(y) = b0 + b1*x; {ONE} + u1").fit(data, laplace=True)
    with pytest.raises(HypothesisError, match="Laplace's approximation"):
        fit.compare(laplace)
    normal = hlm.Model(f"y = b0 + b1*x + r; {ONE}").fit(data, method="ML")
    with pytest.raises(HypothesisError, match=r"normal \(identity\)"):
        fit.compare(normal)


# --- profile ------------------------------------------------------------------------------------


def deviance_at(frame, gamma, sd):
    """Give the deviance by trapezoids."""
    t = np.arange(-8, 8.05, 0.1)
    eta = (gamma[0] + gamma[1] * frame.w + gamma[2] * frame.x).to_numpy()[:, None] + sd * t
    rows = np.where(frame.y.to_numpy()[:, None] == 1, -np.logaddexp(0, -eta), -np.logaddexp(0, eta))
    units = np.add.reduceat(rows, np.flatnonzero(np.diff(frame.id, prepend=-1)))
    return -2 * float(np.logaddexp.reduce(units + stats.norm.logpdf(t) + np.log(0.1), axis=1).sum())


@pytest.mark.parametrize(("code", "place"), [("g10", 2), ("sd[b0]", 3)])
def test_a_profile_limit_is_where_the_deviance_has_risen(fit, frame, code, place):
    row = fit.confint(method="profile", parameters=code).loc[code]
    start = np.r_[np.asarray(fit.gamma), np.sqrt(fit.tau["b0", "b0"])]
    for limit in (row.low, row.high):

        def value(free, limit=limit):
            theta = np.insert(free, place, limit)
            return deviance_at(frame, theta[:3], theta[3])

        lowest = optimize.minimize(value, np.delete(start, place), method="BFGS", options={"gtol": 1e-4}).fun
        assert lowest - fit.deviance == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-4)
    assert row.method == "profile"


def test_covariances_of_random_effects_are_shown(fit, slopes_fit):
    assert "Covariances of the random effects" in slopes_fit.to_html()
    assert f"{slopes_fit.tau['b1', 'b0']:.4f}" in slopes_fit.to_html()
    assert "Covariances" not in fit.to_html()


def test_profile_of_two_effects_holds_the_estimates(slopes_fit):
    table = slopes_fit.confint(method="profile", prob=0.9)
    assert list(table.index) == ["g00", "g01", "g10", "sd[b0]", "sd[b1]", "tau[b1,b0]"]
    assert (table.low < table.estimate).all()
    assert (table.estimate < table.high).all()
    walds = slopes_fit.confint(prob=0.9, parameters=["g10", "sd[b1]"])
    assert list(walds.method) == ["normal", "profile"]


def test_a_profile_reaches_a_standard_deviation_of_zero():
    # from the last step before it the search goes back and forth, and must halve the way
    rng = np.random.default_rng([5, 2])
    n = np.r_[14, rng.integers(1, 9, 24)[1:]]
    unit = np.repeat(np.arange(24), n)
    x, w, m = rng.uniform(-1.2, 1.2, len(unit)), rng.normal(size=24)[unit], rng.integers(1, 6, len(unit))
    u = (rng.normal(size=(24, 2)) @ [[0.7, 0.2], [0.0, 0.5]])[unit]
    p = 1 / (1 + np.exp(0.3 - 0.4 * x - 0.3 * w - u[:, 0] - u[:, 1] * x))
    rows = pd.DataFrame({"id": unit, "x": x, "w": w, "m": m, "y": rng.binomial(m, p)})
    fit = hlm.Model(f"logit(y, trials=m) = b0 + b1*x; {ONE} + u1").fit(rows, id="id")
    at_zero = fit.test_variance("u1").chi2  # of the model without it
    assert 1 < at_zero < 3
    for above, is_zero in ((0.05, True), (-0.05, False)):
        row = fit.confint(stats.chi2.cdf(at_zero + above, 1), parameters="sd[b1]").loc["sd[b1]"]
        assert row.method == "profile"
        assert row.high > row.estimate
        assert (row.low == 0) == is_zero
        assert row.low < 0.05


def test_a_variance_of_zero_has_a_profile_from_zero(frame):
    balanced = frame.assign(y=np.arange(len(frame)) % 2)  # units vary less than chance lets them
    fit = hlm.Model(f"logit(y) = b0 + b1*x; {ONE}").fit(hlm.read(balanced, id="id"))
    assert "the variance of u0 (intercept) is estimated as zero" in fit.warnings[0]
    row = fit.confint(parameters="sd[b0]").loc["sd[b0]"]
    assert row.low == 0.0
    rise = deviance_at(balanced, np.asarray(fit.gamma), row.high) - fit.deviance
    assert rise >= stats.chi2.ppf(0.95, 1) - 1e-6  # the others may move too
    assert fit.icc().icc == 0.0
    assert "tau is on the boundary" in str(fit.icc())


def test_a_very_large_variance_is_integrated(frame):
    """Most units have one outcome only: their integrands are steps, far from normal."""
    rng = np.random.default_rng(5)
    u = 8 * rng.normal(size=61)[frame.id.astype(int)]
    steep = frame.assign(y=(rng.random(len(frame)) < 1 / (1 + np.exp(-u))).astype(int))
    fit = hlm.Model(f"logit(y) = b0 + b1*x; {ONE}").fit(hlm.read(steep, id="id"))
    assert fit.converged
    assert fit.tau["b0", "b0"] > 20
    sd, t = np.sqrt(fit.tau["b0", "b0"]), np.arange(-9, 9.005, 0.01)
    eta = fixed_part(fit, steep).to_numpy()[:, None] + sd * t
    rows = np.where(steep.y.to_numpy()[:, None] == 1, -np.logaddexp(0, -eta), -np.logaddexp(0, eta))
    units = np.add.reduceat(rows, np.flatnonzero(np.diff(steep.id, prepend=-1)))
    known = -2 * np.logaddexp.reduce(units + stats.norm.logpdf(t) + np.log(0.01), axis=1).sum()
    assert fit.deviance == pytest.approx(known, abs=1e-6)


# --- shares, predictions ------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "left"), [("binary", "logit(y)"), ("trials", "logit(y, trials=n)")])
def test_r2_is_that_of_performance(name, left):
    fit = hlm.Model(f"{left} = b0 + b1*x; {ONE}").fit(hlm.read(frame_of(name), id="id"))
    known = KNOWN[f"{name}_1"]["performance"]
    assert fit.r2().marginal == pytest.approx(known["marginal"], abs=2e-4)
    assert fit.r2().conditional == pytest.approx(known["conditional"], abs=2e-4)


def test_icc_on_both_scales(fit, counts):
    found, tau = fit.icc(), fit.tau["b0", "b0"]
    assert found.icc == pytest.approx(tau / (tau + np.pi**2 / 3))
    assert found.low < found.icc < found.high
    eta, sd = fixed_part(fit, frame_of("binary")).mean(), np.sqrt(tau)
    mean = averaged(lambda u: 1 / (1 + np.exp(-eta - u)), sd)
    shared = averaged(lambda u: (1 + np.exp(-eta - u)) ** -2.0, sd) - mean**2
    assert found.observed == pytest.approx(shared / (mean * (1 - mean)), abs=1e-8)
    assert f"{found.observed:.4f}" in str(found)
    # of counts in closed form: the log-normal mean m, variance m + m^2 (e^tau - 1)
    found, tau = counts.icc(), counts.tau["b0", "b0"]
    rows = frame_of("counts")
    m = rows.n.mean() * np.exp(fixed_part(counts, rows).mean() + tau / 2)
    between = m**2 * (np.exp(tau) - 1)
    assert found.observed == pytest.approx(between / (between + m), abs=1e-8)
    # in months or in years of exposure, it is the same counts
    months = (
        hlm.Model(f"log(y, exposure=n) = b0 + b1*x; {ONE}").fit(rows.assign(n=12 * rows.n), id="id").icc()
    )
    assert months.observed == pytest.approx(found.observed, rel=1e-6)
    assert months.mean == pytest.approx(found.mean, rel=1e-6)
    assert f"at the mean of n, {12 * rows.n.mean():.4g}, where its mean is" in str(months)


def test_predictions_are_averaged_over_units(fit, frame):
    found = fit.predict(level=2, interval="confidence")
    eta, sd = fixed_part(fit, frame.iloc[7]), np.sqrt(fit.tau["b0", "b0"])
    assert found.predicted[7] == pytest.approx(averaged(lambda u: 1 / (1 + np.exp(-eta - u)), sd), abs=1e-9)
    assert found.at_zero[7] == pytest.approx(1 / (1 + np.exp(-eta)))
    assert (found.low < found.predicted).all()
    assert (found.predicted < found.high).all()
    assert fit.predict(level=2, scale="link").predicted[7] == pytest.approx(eta)


def test_counts_are_averaged_in_closed_form(counts):
    eta = fixed_part(counts, frame_of("counts"))
    expected = np.exp(eta + counts.tau["b0", "b0"] / 2)
    np.testing.assert_allclose(counts.predict(level=2).predicted, expected, rtol=1e-9)


def test_errors_of_averages_are_the_delta_methods(slopes_fit):
    record = slopes_fit._record
    x, z = np.array([[1.0, 0.3, 0.7]]), np.array([[1.0, 0.7]])
    found = averages(record, x, z)

    def slope(**steps):
        values = [
            averages(replace(record, **{n: getattr(record, n) + side * s for n, s in steps.items()}), x, z)
            for side in (1, -1)
        ]
        return (values[0].mean[0] - values[1].mean[0]) / 2e-5

    for k in range(3):
        assert found.gradient[0, k] == pytest.approx(slope(gamma_free=1e-5 * np.eye(3)[k]), abs=1e-8)
    # along the free elements of tau: the gradient in its root, with what the root makes of them undone
    own = np.linalg.solve(record.root.T, found.gradient[0, 3:])
    for k, (a, b) in enumerate([(0, 0), (1, 0), (1, 1)]):
        step = np.zeros((2, 2))
        step[a, b] = step[b, a] = 1e-5
        assert own[k] == pytest.approx(slope(tau_values=step), abs=1e-7)


def test_own_units_are_predicted_from_their_rows(fit, frame):
    """The posterior mean of a unit's effect, by integration; the file of residuals has it."""
    unit, sd = frame[frame.id == 3], np.sqrt(fit.tau["b0", "b0"])
    eta = fixed_part(fit, unit).to_numpy()

    def density(u):
        p = 1 / (1 + np.exp(-eta - u))
        return np.prod(np.where(unit.y == 1, p, 1 - p))

    mean = averaged(lambda u: u * density(u), sd) / averaged(density, sd)
    square = averaged(lambda u: u**2 * density(u), sd) / averaged(density, sd)
    row = fit.residuals(2).set_index("L2ID").loc[3]
    assert row.ebintrcp == pytest.approx(mean, abs=1e-6)
    assert row.pv00 == pytest.approx(square - mean**2, abs=1e-6)
    own = fit.predict(unit, level=1)
    np.testing.assert_allclose(own.at_mean, 1 / (1 + np.exp(-eta - mean)), atol=1e-6)
    stranger = fit.predict(unit.drop(columns="id"), level=1)
    np.testing.assert_allclose(stranger.predicted, fit.predict(unit, level=2).predicted, atol=1e-10)


def test_level_1_residuals(counts):
    found, frame = counts.residuals(1), frame_of("counts")
    np.testing.assert_allclose(found.l1resid + found.fitval, frame.y, atol=1e-10)
    np.testing.assert_allclose(found.sigma**2, found.fitval)
    assert stats.kstest(found["quantile"], "norm").pvalue > 0.01
    np.testing.assert_array_equal(found["quantile"], counts.residuals(1)["quantile"])
    with pytest.raises(OutputError, match="got level=3"):
        counts.residuals(3)


def test_slopes_and_means_on_the_scale_of_the_outcome(fit, frame):
    means = fit.means("x", values=[0, 1], at={"w": 0.5})
    expected = fit.predict(pd.DataFrame({"x": [0.0, 1.0], "w": 0.5}), level=2)
    np.testing.assert_allclose(means.contrast.estimate, expected.predicted, atol=1e-10)
    np.testing.assert_allclose(means.contrast.se, expected.se, atol=1e-10)
    assert means.difference.estimate[0] == pytest.approx(means.contrast.estimate @ [1, -1])
    link = fit.means("x", values=[0, 1], scale="link")
    assert -link.difference.estimate[0] == pytest.approx(fit.gamma["g10"])
    h, middle = 1e-4, frame.x.mean()
    near = fit.predict(pd.DataFrame({"x": [middle - h, middle + h], "w": 0.0}), level=2).predicted
    slope = fit.slopes("x", at={"w": 0.0})
    assert slope.contrast.estimate[0] == pytest.approx((near[1] - near[0]) / (2 * h), rel=1e-4)
    assert fit.slopes("x", scale="link").contrast.estimate[0] == pytest.approx(fit.gamma["g10"])


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda f: f.predict(level=3), "level= is 1"),
        (lambda f: f.predict(level=2, interval="prediction"), "an outcome that is not normal"),
        (lambda f: f.predict(interval="confidence"), "level=2"),
        (lambda f: f.predict(scale="odds"), 'scale= is "response"'),
        (lambda f: f.confint(method="bootstrap"), 'method= is "wald" or "profile"'),
        (lambda f: f.means("x", adjust="tukeys"), "adjust="),
        (lambda f: f.slopes("z"), "not a variable of this model"),
    ],
)
def test_what_there_is_not_is_one_line(fit, ask, said):
    with pytest.raises(HLMError, match=said) as caught:
        ask(fit)
    assert "\n" not in str(caught.value)


def test_the_call_says_what_does_not_go_together(data):
    model = hlm.Model(f"logit(y) = b0 + b1*x; {ONE}")
    for said, options in {
        "no restricted form": {"method": "REML"},
        "not both": {"n_nodes": 3, "laplace": True},
        "has no nodes": {"algorithm": "hlm", "laplace": True},
        "algorithm 'fast' is not known": {"algorithm": "fast"},
        "n_nodes": {"n_nodes": 0},
    }.items():
        with pytest.raises(EstimationError, match=said):
            model.fit(data, **options)
    with pytest.raises(EstimationError, match="are for outcomes that are not normal"):
        hlm.Model(f"y = b0 + b1*x + r; {ONE}").fit(data, laplace=True)


def test_tables_side_by_side(fit, slopes_fit):
    assert "Bernoulli, logit link, ML" in " ".join(str(hlm.table(fit, slopes_fit)).split())
    assert fit.__maketables_coef_table__.loc["x", "b"] == pytest.approx(fit.gamma["g10"])


def test_an_ordinal_outcome_has_what_needs_no_one_mean(frame):
    rng = np.random.default_rng(4)
    unit = np.repeat(np.arange(40), 8)
    x = rng.normal(size=len(unit))
    latent = 0.8 * x + rng.normal(size=40)[unit] + rng.logistic(size=len(unit))
    rows = pd.DataFrame({"id": unit, "x": x, "y": np.digitize(latent, [-1, 0.5, 2])})
    fit = hlm.Model("cumlogit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10").fit(rows)
    assert "a positive effect makes low categories likelier" in " ".join(str(fit.summary()).split())
    assert list(fit.cuts().index) == ["d2", "d3"]
    assert list(fit.summary().frame().index) == ["g00", "g10", "d2", "d3"]
    assert (fit.cuts().estimate.diff().dropna() > 0).all()
    assert fit.icc().icc == pytest.approx(fit.tau["b0", "b0"] / (fit.tau["b0", "b0"] + np.pi**2 / 3))
    assert "scale of the outcome" not in str(fit.icc())
    row = fit.confint(method="profile", parameters="g10").loc["g10"]
    wald = fit.confint(parameters="g10").loc["g10"]
    assert (row.low, row.high) == pytest.approx((wald.low, wald.high), abs=0.02)
    assert fit.test_variance("u0").chi2 > 0
    assert np.isfinite(fit.residuals(2).ebintrcp).all()
    with pytest.raises(HLMError, match="no one mean"):
        fit.residuals(1)
