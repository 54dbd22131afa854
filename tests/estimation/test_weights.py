"""Sampling weights against a brute-force weighted likelihood, frequencies against written-out data."""

import dataclasses
import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hlmbayes as hlm
from hlmbayes.cli.command import main
from hlmbayes.data.weights import SCALINGS, Weights, scaled
from hlmbayes.errors import DataError, EstimationError, HypothesisError, OutputError, SamplingError
from hlmbayes.faces import record_of
from hlmbayes.inference.profile import intervals
from hlmbayes.inference.sandwich import (
    observed_information_all,
    sandwich,
    to_data,
    unit_pieces,
    unit_scores_all,
)

ORACLES = Path(__file__).parents[1] / "oracles"
ORACLE = json.loads((ORACLES / "weights.json").read_text())
CASES = ORACLE["cases"]
MODEL = hlm.Model("\n".join(ORACLE["equations"]))
CENTERED = hlm.Model(
    """y = b0 + b1*group(x) + r
    b0 = g00 + g01*grand(w) + u0
    b1 = g10 + u1"""
)
GRAND = hlm.Model("y = b0 + b1*grand(x) + r; b0 = g00 + g01*w + u0; b1 = g10")
HOW = {
    "both_none": Weights("w1", "w2", "none"),
    "both_size": Weights("w1", "w2", "size"),
    "both_effective": Weights("w1", "w2", "effective"),
    "both_gk": Weights("w1", "w2", "cluster"),
    "both_size_level2_normalised": Weights("w1", "w2"),
    "level1_size": Weights("w1"),
    "level2_normalised": Weights(level2="w2"),
    "whole_numbers": Weights("k1", "k2", "none"),
}


@pytest.fixture(scope="module")
def frame():
    return pd.read_csv(ORACLES / "data" / "small.csv")


@pytest.fixture(scope="module")
def data(frame):
    return hlm.read(frame, id="id")


@pytest.fixture(scope="module")
def fits(data):
    """The fit of a model to the data as they are, by the scaling of their weights; each is made once."""
    return cache(lambda model, scaling: model.fit(data, weights=Weights("w1", "w2", scaling)))


def written_out(frame, k1="k1", k2="k2"):
    """Rows k1 times, units k2 times under new ids."""
    rows = frame.loc[frame.index.repeat(frame[k1])]
    copies = [
        rows[rows[k2] > c].assign(id=lambda f, c=c: f["id"] * 100 + c) for c in range(int(frame[k2].max()))
    ]
    return pd.concat(copies, ignore_index=True)


def assert_same(a, b, tolerance=1e-8):
    assert a.deviance == pytest.approx(b.deviance, abs=tolerance * abs(b.deviance))
    assert np.asarray(a.gamma) == pytest.approx(np.asarray(b.gamma), abs=tolerance)
    assert np.asarray(a.tau) == pytest.approx(np.asarray(b.tau), abs=tolerance)
    assert a.sigma2 == pytest.approx(b.sigma2, abs=tolerance)


# --- the optimum and the sandwich against dense matrices ------------------------------------------


@pytest.mark.parametrize("name", HOW)
def test_each_scaling_is_the_maximum_of_the_weighted_likelihood(data, name):
    fit, wanted = MODEL.fit(data, weights=HOW[name]), CASES[name]
    assert fit.method == "ML"
    assert fit.converged
    assert fit.deviance == pytest.approx(wanted["deviance"], abs=1e-9)
    assert np.asarray(fit.gamma) == pytest.approx(wanted["gamma"], abs=1e-9)
    assert np.asarray(fit.tau) == pytest.approx(np.array(wanted["tau"]), abs=1e-9)
    assert fit.sigma2 == pytest.approx(wanted["sigma2"], abs=1e-9)
    assert fit.vcov == pytest.approx(np.array(wanted["model_vcov_gamma"]), abs=1e-9)
    assert fit.vcov_robust == pytest.approx(np.array(wanted["robust_vcov_gamma_tau_known"]), abs=1e-9)
    assert sandwich(record_of(fit)) == pytest.approx(np.array(wanted["sandwich_all"]), rel=1e-6, abs=1e-8)


def test_standard_errors_of_the_variances_are_the_sandwichs(data):
    fit = MODEL.fit(data, weights=HOW["both_size"])
    wanted = CASES["both_size"]["sandwich_se_all"]
    assert fit.se_tau[0, 0] == pytest.approx(wanted[3], rel=1e-6)
    assert fit.se_tau[1, 0] == pytest.approx(wanted[4], rel=1e-6)
    assert fit.se_sigma2 == pytest.approx(wanted[6], rel=1e-6)


def test_singular_tau(data):
    wanted = CASES["singular_size"]
    model = hlm.Model("\n".join(wanted["equations"]))
    fit = model.fit(data, weights=Weights("w1", "w2", "size"))
    assert fit.boundary
    assert fit.deviance == pytest.approx(wanted["deviance"], abs=1e-8)
    assert np.asarray(fit.tau) == pytest.approx(np.array(wanted["tau"]), abs=1e-6)
    assert fit.vcov_robust == pytest.approx(np.array(wanted["robust_vcov_gamma_tau_known"]), rel=1e-5)
    assert np.isnan(np.asarray(fit.se_tau)).all()
    f = record_of(fit).design.n_fixed
    assert sandwich(record_of(fit))[:f, :f] == pytest.approx(fit.vcov_robust)


def loglik_at(fit, parameters):
    """Log pseudo-likelihood of every unit at (gamma, tau00, tau10, tau11, sigma2), dense, unit by unit."""
    data, f = fit.data, record_of(fit).design.n_fixed
    t00, t10, t11, s2 = parameters[f:]
    w, _ = scaled(data.unit, data.level1_column("w1"), data.level2_column("w2"), "size")
    total = []
    for j in range(data.n_units):
        rows = data.unit == j
        x = data.level1_column("x")[rows]
        z = np.column_stack([np.ones(len(x)), x])
        X = np.column_stack([z[:, 0], np.full(len(x), data.level2_column("w")[j]), x])
        e = data.level1_column("y")[rows] - X @ parameters[:f]
        V = z @ np.array([[t00, t10], [t10, t11]]) @ z.T + s2 * np.diag(1 / w[rows])
        normal = len(x) * np.log(2 * np.pi) + np.linalg.slogdet(V)[1] + e @ np.linalg.solve(V, e)
        total.append(
            -normal / 2 - (w[rows].sum() - len(x)) * np.log(2 * np.pi * s2) / 2 - np.log(w[rows]).sum() / 2
        )
    return np.array(total)


def test_scores_and_information_are_the_derivatives_of_the_dense_likelihood(data):
    fit = MODEL.fit(data, weights=Weights("w1", "w2", "size"))
    pieces, weight = unit_pieces(record_of(fit)), record_of(fit).design.moments.unit_weight
    at = np.concatenate([record_of(fit).gamma_free, np.asarray(fit.tau)[np.tril_indices(2)], [fit.sigma2]])
    steps = np.eye(len(at)) * 1e-4
    numeric = np.column_stack([(loglik_at(fit, at + h) - loglik_at(fit, at - h)) / 2e-4 for h in steps])
    inverse = np.linalg.inv(to_data(record_of(fit)))
    assert unit_scores_all(record_of(fit), pieces) @ inverse == pytest.approx(numeric, abs=1e-5)
    hessian = np.array(
        [
            [
                weight
                @ (
                    loglik_at(fit, at + a + b)
                    - loglik_at(fit, at + a - b)
                    - loglik_at(fit, at - a + b)
                    + loglik_at(fit, at - a - b)
                )
                / 4e-6
                for b in steps * 10
            ]
            for a in steps * 10
        ]
    )
    information = inverse.T @ observed_information_all(record_of(fit), pieces, weight) @ inverse
    assert information == pytest.approx(-hessian, rel=1e-3, abs=1e-3)


# --- whole numbers are copies ----------------------------------------------------------------------


@pytest.mark.parametrize("model", [MODEL, CENTERED, GRAND], ids=["plain", "centred", "grand"])
def test_whole_numbers_equal_copied_rows_and_units(frame, data, model):
    copies = hlm.read(written_out(frame), id="id")
    assert_same(model.fit(data, weights=Weights("k1", "k2", "none")), model.fit(copies, method="ML"))


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("algorithm", ["exact", "hlm"])
def test_frequencies_give_every_result_of_the_copies(frame, data, method, algorithm):
    copies = CENTERED.fit(hlm.read(written_out(frame), id="id"), method=method, algorithm=algorithm)
    fit = CENTERED.fit(data, frequency=hlm.Frequencies("k1", "k2"), method=method, algorithm=algorithm)
    assert_same(fit, copies)
    assert (fit.n_rows, fit.n_units, fit.n_parameters) == (copies.n_rows, copies.n_units, copies.n_parameters)
    for robust in (False, True):
        pd.testing.assert_frame_equal(fit.fixed_effects(robust), copies.fixed_effects(robust), rtol=1e-7)
    pd.testing.assert_frame_equal(fit.variance_components(), copies.variance_components(), rtol=1e-7)
    assert np.asarray(fit.reliability()) == pytest.approx(np.asarray(copies.reliability()))
    assert "Frequencies: k1 at level 1 and k2 at level 2" in fit.listing()


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_random_whole_numbers_equal_copies(seed):
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(12), 6)
    x, w = rng.normal(size=72), rng.normal(size=12)[unit]
    y = 1 + x + w + rng.normal(size=12)[unit] + rng.normal(size=12)[unit] * x + rng.normal(size=72)
    k2 = rng.integers(1, 4, 12)[unit]
    frame = pd.DataFrame({"id": unit, "x": x, "w": w, "y": y, "k1": rng.integers(1, 5, 72), "k2": k2})
    weighted = MODEL.fit(hlm.read(frame, id="id"), weights=Weights("k1", "k2", "none"))
    assert_same(weighted, MODEL.fit(hlm.read(written_out(frame), id="id"), method="ML"), 1e-7)


# --- invariances -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", [*SCALINGS, "gk"])
def test_weights_of_one_are_no_weights(frame, scaling):
    data = hlm.read(frame.assign(one=1.0), id="id")
    plain = MODEL.fit(data, method="ML")
    fit = MODEL.fit(data, weights=Weights("one", "one", scaling))
    assert_same(fit, plain, 1e-9)
    assert fit.vcov_robust == pytest.approx(plain.vcov_robust)


@pytest.mark.parametrize("scaling", ["hlm", "size", "effective"])
def test_multiplying_a_units_level1_weights_changes_nothing(frame, data, scaling):
    moved = hlm.read(frame.assign(w1=frame["w1"] * (1 + frame["id"] % 3)), id="id")
    assert_same(
        MODEL.fit(moved, weights=Weights("w1", "w2", scaling)),
        MODEL.fit(data, weights=Weights("w1", "w2", scaling)),
    )


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("times", [10, 1e-4, 1e-12, 1e-30, 1e15])
@pytest.mark.parametrize("model", [MODEL, GRAND], ids=["slopes", "an intercept"])
def test_multiplying_all_level2_weights_changes_the_deviance_only(frame, fits, model, scaling, times):
    moved = model.fit(
        hlm.read(frame.assign(w2=times * frame["w2"]), id="id"), weights=Weights("w1", "w2", scaling)
    )
    fit = fits(model, scaling)
    factor = 1 if scaling == "hlm" else times
    assert moved.deviance == pytest.approx(factor * fit.deviance, rel=1e-9)
    assert np.asarray(moved.tau) == pytest.approx(np.asarray(fit.tau), rel=1e-8)
    assert np.asarray(moved.gamma) == pytest.approx(np.asarray(fit.gamma), rel=1e-8)
    assert moved.vcov_robust == pytest.approx(fit.vcov_robust, rel=1e-7)
    assert sandwich(record_of(moved)) == pytest.approx(sandwich(record_of(fit)), rel=1e-7)
    assert moved.warnings == fit.warnings


def test_nor_where_the_fit_is_singular_or_has_nothing_random(frame):
    def fit(equations, times):
        weighted = hlm.read(frame.assign(w2=times * frame["w2"], noise=noise), id="id")
        return hlm.Model(equations).fit(weighted, weights=Weights("w1", "w2", "none"))

    noise = np.random.default_rng(1).normal(size=len(frame))
    for equations in ("noise = b0 + r; b0 = g00 + u0", "y = b0 + b1*x + r; b0 = g00; b1 = g10"):
        here, there = fit(equations, 1.0), fit(equations, 1e-13)
        assert there.boundary == here.boundary
        assert there.sigma2 == pytest.approx(here.sigma2, rel=1e-9)
        assert np.asarray(there.gamma) == pytest.approx(np.asarray(here.gamma), rel=1e-9)


def test_total_weights_are_divided_by_the_level2_weight(frame, data):
    total = hlm.read(frame.assign(t=frame["w1"] * frame["w2"]), id="id")
    for scaling in SCALINGS:
        wanted = MODEL.fit(data, weights=Weights("w1", "w2", scaling))
        assert_same(MODEL.fit(total, weights=Weights("t", "w2", scaling, level1_is="total")), wanted)


def test_order_of_rows_does_not_matter(frame, data):
    shuffled = hlm.read(frame.sample(frac=1, random_state=3), id="id")
    how = Weights("w1", "w2")
    assert_same(MODEL.fit(shuffled, weights=how), MODEL.fit(data, weights=how))


def test_scaling_is_over_the_rows_analysed(frame, data):
    more = pd.concat([frame, frame.assign(y=np.nan)], ignore_index=True)
    fit = MODEL.fit(hlm.read(more, id="id"), weights=Weights("w1", "w2"))
    assert_same(fit, MODEL.fit(data, weights=Weights("w1", "w2")))
    assert record_of(fit).design.moments.n_dropped == len(frame)


def test_weights_in_moments_are_not_forgotten(data):
    fit = MODEL.fit(data, weights=Weights("w1", "w2"))
    again = MODEL.fit(record_of(fit).design.moments, method="REML")
    assert again.method == "ML"
    assert_same(again, fit, 1e-12)
    assert again.se_sigma2 == pytest.approx(fit.se_sigma2)
    assert again.fixed_effects()["se"].to_numpy() == pytest.approx(fit.fixed_effects(robust=True)["se"])
    assert "REML was asked for" in again.warnings[0]
    rows_only = MODEL.fit(data, weights=Weights("w1", scaling="none"))
    moments = dataclasses.replace(record_of(rows_only).design.moments, unit_weight=None)
    assert_same(MODEL.fit(moments), rows_only, 1e-9)
    assert record_of(MODEL.fit(moments)).counting.pseudo
    with pytest.raises(SamplingError, match="no posterior"):
        MODEL.sample(moments)


# --- what is said and what is refused ----------------------------------------------------------------


def test_the_listing_has_hlms_weighting_block_and_says_what_was_done(data):
    text = MODEL.fit(data, weights=Weights("w1", "w2"), method="REML", algorithm="hlm").listing()
    assert " Level 1       yes       w1          yes" in text
    assert " Level 2       yes       w2          yes" in text
    flat = " ".join(text.split())
    assert "REML was asked for" in flat
    assert "pseudo-maximum likelihood" in flat
    assert "HLM's own iterations are known for unweighted estimation only" in flat
    none = MODEL.fit(data, weights=Weights("w1", "w2", "none", "total")).listing()
    assert " Level 1       yes       w1          no" in none
    assert "was divided by w2" in " ".join(none.split())


def test_table_of_fixed_effects_is_robust_by_default(data):
    fit = MODEL.fit(data, weights=Weights("w1", "w2"))
    assert fit.fixed_effects()["se"].tolist() == fit.fixed_effects(robust=True)["se"].tolist()
    assert fit.fixed_effects()["se"].tolist() != fit.fixed_effects(robust=False)["se"].tolist()
    assert fit.variance_components()["chi2"].isna().all()
    intervals_of_gamma = fit.confint()
    assert list(intervals_of_gamma.index) == list(MODEL.gamma_names)
    width = intervals_of_gamma["high"] - intervals_of_gamma["low"]
    assert (width / fit.fixed_effects(robust=True)["se"] > 3.9).all()
    assert 0 < fit.icc().low < fit.icc().icc < fit.icc().high < 1


def test_what_a_pseudo_likelihood_cannot_give_is_refused(data):
    fit, smaller = (m.fit(data, weights=Weights("w1", "w2")) for m in (MODEL, GRAND))
    for ask in (
        lambda: fit.compare(smaller),
        lambda: fit.compare(deviance=100.0, n_parameters=2),
        lambda: fit.fixed_effects(robust="CR2"),
        lambda: fit.fixed_effects(df="satterthwaite"),
        fit.homogeneity,
        lambda: intervals(record_of(fit)),
        lambda: fit.bootstrap(10),
    ):
        with pytest.raises(HypothesisError, match="not available for this fit: with sampling weights"):
            ask()
    with pytest.raises(OutputError, match="sampling weights"):
        fit.influence()
    plain = MODEL.fit(data, method="ML")
    frequencies = GRAND.fit(data, frequency=hlm.Frequencies("k1"), method="ML")
    with pytest.raises(HypothesisError):
        plain.compare(frequencies)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: f.assign(w1=f["w1"].where(f["id"] != 103, -1.0)),
            r"level-1 weight 'w1' is negative on \d+ of 75",
        ),
        (
            lambda f: f.assign(w1=f["w1"].where(f.index != 4, 0.0)),
            r"level-1 weight 'w1' is zero on 1 of 75 rows, in 1 unit",
        ),
        (
            lambda f: f.assign(w1=f["w1"].where(f["id"] != 103, 0.0)),
            r"'w1' is zero on every row of 1 unit \(id: 103\)",
        ),
        (
            lambda f: f.assign(w1=f["w1"].where(f.index != 4)),
            r"level-1 weight 'w1' is missing on 1 of 75 rows",
        ),
        (
            lambda f: f.assign(w2=f["w2"].where(f["id"] != 103, 0.0)),
            r"level-2 weight 'w2' is zero in 1 unit \(id: 103\)",
        ),
        (
            lambda f: f.assign(w2=f["w2"].where(f["id"] > 107, -1.0)),
            r"level-2 weight 'w2' is negative in 7 units .* and 2 more",
        ),
        (lambda f: f.assign(w2=f["w2"].where(f["id"] != 103)), "'w2' .* is missing"),
        (lambda f: f.assign(w2=f["w1"]), "differs between rows of the same unit"),
        (lambda f: f.drop(columns="w1"), "no column 'w1'"),
    ],
)
def test_what_is_no_weight_is_refused_by_name(frame, change, message):
    with pytest.raises(DataError, match=message):
        MODEL.fit(hlm.read(change(frame), id="id"), weights=Weights("w1", "w2"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Weights(), "names no variable"),
        (lambda: Weights("w1", scaling="huge"), "scaling 'huge' is not known"),
        (lambda: Weights("w1", level1_is="total"), "needs both weights"),
        (lambda: Weights("w1", "w2", level1_is="joint"), "not known"),
        (lambda: hlm.Frequencies(), "names no variable"),
    ],
)
def test_weights_that_say_nothing_are_refused(make, message):
    with pytest.raises(DataError, match=message):
        make()


def test_kinds_of_weights_are_not_mixed_up(data):
    with pytest.raises(EstimationError, match="different kinds of weights"):
        MODEL.fit(data, weights=Weights("w1"), precision="w1")
    with pytest.raises(EstimationError, match=r"weights= wants hlm\.Weights"):
        MODEL.fit(data, weights="w1")
    with pytest.raises(EstimationError, match=r"frequency= wants hlm\.Frequencies"):
        MODEL.fit(data, frequency=Weights("w1"))
    with pytest.raises(DataError, match="frequency 'w1' has values that are no whole numbers"):
        MODEL.fit(data, frequency=hlm.Frequencies("w1"))
    with pytest.raises(EstimationError, match="log\\(sigma2\\)"):
        hlm.Model("y = b0 + r; b0 = g00 + u0; log(sigma2) = a0 + a1*x").fit(data, weights=Weights("w1"))
    with pytest.raises(DataError, match="weights need the rows"):
        MODEL.fit(record_of(MODEL.fit(data)).design.moments, weights=Weights("w1"))


# --- command files and descriptives ------------------------------------------------------------------

TEMPLATE = """#HLM2 MDM CREATION TEMPLATE
rawdattype:csv
l1fname:{file}
l2fname:{file}
mdmname:{name}.mdm
timeofdeletion:analysis
*begin l1vars
level2id:ID
{level1}
*end l1vars
*begin l2vars
level2id:ID
{level2}
*end l2vars
"""
COMMANDS = """#WHLM CMD FILE FOR small.mdm
nonlin:n
numit:100
stopval:0.0000010000
level1:Y=INTRCPT1+X+RANDOM
level2:INTRCPT1=INTRCPT2+W+RANDOM/
level2:X=INTRCPT2+RANDOM/
level1weight:W1
level2weight:W2
varianceknown:none
hypoth:n
gamma1:0.0,1.0,0.0
deviance:300
df:4
homvar:y
"""


def test_weights_in_a_command_file(frame, data, tmp_path, capsys):
    frame.to_csv(tmp_path / "small.csv", index=False)
    template = TEMPLATE.format(file="small.csv", name="small", level1="X\nY\nW1", level2="W\nW2")
    (tmp_path / "small.mdmt").write_text(template)
    (tmp_path / "small.hlm").write_text(COMMANDS)
    assert main(["run", str(tmp_path / "small.hlm")]) == 0
    out = capsys.readouterr()
    fit = MODEL.fit(data, weights=Weights("w1", "w2"))
    assert f"{fit.gamma['g01']:.6f}" in out.out
    assert " Level 1       yes       W1          yes" in out.out.replace("w1", "W1")
    assert "REML was asked for" in out.err
    assert "the comparison (deviance:, df:) was not done" in out.err
    assert "homvar:) was not done" in out.err


def test_weighted_descriptives(data, tmp_path, frame, capsys):
    oracle = json.loads((ORACLES / "descriptives.json").read_text())["small_weighted"]
    first = {v.name: v for v in data.describe(Weights("w1")).level1}
    second = {v.name: v for v in data.describe(Weights(level2="w2")).level2}
    for found, wanted in ((first, oracle["level1_w1"]), (second, oracle["level2_w2"])):
        for name, numbers in wanted.items():
            v = found[name]
            got = {"n": v.n, "mean": v.mean, "sd": v.sd, "min": v.minimum, "max": v.maximum}
            assert got == pytest.approx(numbers, rel=1e-12)
    both = {v.name: v for v in data.describe(Weights("w1", "w2")).level1}
    assert both["y"].mean == pytest.approx(np.average(frame["y"], weights=frame["w1"] * frame["w2"]))
    total = hlm.read(frame.assign(w1=frame["w1"] * frame["w2"]), id="id")
    again = {v.name: v for v in total.describe(Weights("w1", "w2", level1_is="total")).level1}
    assert again["y"].sd == pytest.approx(both["y"].sd)
    frame.to_csv(tmp_path / "small.csv", index=False)
    assert (
        main(["describe", str(tmp_path / "small.csv"), "--level1-weight", "w1", "--level2-weight", "w2"]) == 0
    )
    text = capsys.readouterr().out
    assert "weighted: level-1 variables by w1 times w2, level-2 variables by w2" in text
    assert f"{both['y'].mean:.2f}" in text
    assert "level-1 variables by w2, level-2" in str(data.describe(Weights(level2="w2")))


def test_whole_numbers_on_the_high_school_data():
    rng, hsb = np.random.default_rng(7), hlm.datasets.hsb()
    frame = pd.DataFrame({name: np.asarray(hsb.level1[name]) for name in ("ses", "mathach")})
    frame["id"] = hsb.unit
    frame["sector"] = np.asarray(hsb.level2["sector"])[hsb.unit]
    frame["k1"] = rng.integers(1, 4, len(frame))
    frame["k2"] = rng.integers(1, 4, hsb.n_units)[hsb.unit]
    model = hlm.Model(
        """mathach = b0 + b1*group(ses) + r
        b0 = g00 + g01*grand(sector) + u0
        b1 = g10 + g11*sector + u1"""
    )
    copies = model.fit(hlm.read(written_out(frame), id="id"), method="ML")
    assert_same(model.fit(hlm.read(frame, id="id"), weights=Weights("k1", "k2", "none")), copies)
