"""Plausible values with replicate weights against the 5 x (1 + 6) fits by brute force, pooled by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

import hlmbayes as hlm
from hlmbayes.cli.command import main
from hlmbayes.errors import DataError, EstimationError, HLMError, HypothesisError, OutputError
from hlmbayes.faces import record_of
from hlmbayes.many_fits.rubin import d1

ORACLES = Path(__file__).parents[1] / "oracles"
ORACLE = json.loads((ORACLES / "pv_replicates.json").read_text())
MODEL = hlm.Model("\n".join(ORACLE["equations"]).replace("y =", "pv1 ="))
VALUES = [f"pv{k}" for k in range(1, 6)]
WEIGHTS = hlm.Weights("w1", "w2")
FAY = {"of": "total", "method": "fay", "fay": 0.5}
FULL, REPLICATED = np.array(ORACLE["full"]), np.array(ORACLE["replicated"])


@pytest.fixture(scope="module")
def data():
    return hlm.read(ORACLES / "data" / "pv_replicates.csv", id="id")


def pool(data, **options):
    asked = {"outcomes": VALUES, "weights": WEIGHTS, "replicates": "rep1-rep6"} | FAY | options
    return hlm.fit_imputed(MODEL, data, **asked)


@pytest.fixture(scope="module")
def pooled(data):
    return pool(data)


@pytest.fixture(scope="module")
def first(data):
    return pool(data, sampling_from="first")


@pytest.mark.parametrize("which", ["all", "first"])
def test_the_rule_is_the_one_by_hand(request, which):
    found, wanted = request.getfixturevalue("pooled" if which == "all" else which), ORACLE[which]
    table, parts = found.fixed_effects(), found.variance_components()
    assert table["coefficient"].to_numpy() == pytest.approx(ORACLE["estimate"][:3], abs=1e-6)
    assert parts["variance"].to_numpy() == pytest.approx(ORACLE["estimate"][3:], abs=1e-5)
    for name in ("se", "df"):
        both = np.append(table[name], parts[name])
        assert both == pytest.approx(wanted[name], rel=1e-5), name
    assert np.sqrt(np.diag(found.vcov)) == pytest.approx(wanted["se"][:3], rel=1e-5)
    assert table["p_value"].to_numpy() == pytest.approx(
        2 * stats.t.sf(np.abs(table["t_ratio"]), table["df"]), rel=1e-9
    )
    riv = 1.2 * np.array(wanted["B"]) / wanted["U"]
    assert table["riv"].to_numpy() == pytest.approx(riv[:3], rel=1e-5)
    rubin = 4 * (1 + 1 / riv) ** 2  # how much is missing has nothing to do with how many replicates there are
    assert table["fmi"].to_numpy() == pytest.approx(((riv + 2 / (rubin + 3)) / (1 + riv))[:3], rel=1e-5)


def test_every_fit_is_the_one_by_hand(pooled, first):
    samples = record_of(pooled).samples
    assert len(record_of(first).samples) == 1
    for sample, by_hand in zip(samples, REPLICATED, strict=True):
        assert np.hstack([sample.gammas, sample.thetas]) == pytest.approx(by_hand, abs=2e-5)


def test_barnard_and_rubins_degrees_of_freedom_take_the_replicates(pooled):
    f = 1.2 * np.array(ORACLE["all"]["B"]) / ORACLE["all"]["T"]
    wanted = 1 / (f**2 / 4 + 9 / (7 * 6 * (1 - f)))
    assert pooled.fixed_effects(df="barnard-rubin")["df"].to_numpy() == pytest.approx(wanted[:3], rel=1e-5)


def test_a_combination_is_pooled_by_hand(pooled):
    L = np.array([1, 0.5, -2])
    each, again = FULL[:, :3] @ L, REPLICATED[..., :3] @ L
    within = np.mean(np.sum((again - each[:, None]) ** 2, axis=1) / 1.5)
    total = within + 1.2 * each.var(ddof=1)
    found = pooled.contrast("g00 + 0.5*g01 - 2*g10 = 9")
    assert found.estimate == pytest.approx([each.mean()], rel=1e-6)
    assert found.se == pytest.approx([np.sqrt(total)], rel=1e-5)
    f = 1 - within / total
    assert found.df == pytest.approx([1 / (f**2 / 4 + (1 - f) ** 2 / 6)], rel=1e-5)
    assert found.t_ratio == pytest.approx([(each.mean() - 9) / np.sqrt(total)], rel=1e-5)


def test_a_test_of_several_is_d1_with_the_replicates_covariance(pooled):
    away = REPLICATED[..., 1:3] - FULL[:, None, 1:3]
    within = np.einsum("mra,mrb->ab", away, away) / 1.5 / 5
    riv = 1.2 * np.trace(np.linalg.solve(within, np.cov(FULL[:, 1:3].T))) / 2
    mean = FULL[:, 1:3].mean(axis=0)
    f_ratio = mean @ np.linalg.solve(within, mean) / (2 * (1 + riv)) * 5 / 6
    test = pooled.wald("g01 = 0, g10 = 0")
    assert test.f_ratio == pytest.approx(f_ratio, rel=1e-4)
    d1_df = 4 + 4 * (1 + (1 - 2 / 8) / riv) ** 2
    assert test.df_denominator == pytest.approx(1 / (1 / d1_df + 1 / (5 * (1 + riv) ** 2)), rel=1e-4)
    one = pooled.wald("g01")
    assert one.f_ratio == pytest.approx(one.rows.t_ratio[0] ** 2)
    assert one.df_denominator == pytest.approx(one.rows.df[0])
    with pytest.raises(HypothesisError, match=r"replicate weights of 2 d\.f\. cannot test 3 rows"):
        d1(np.zeros((5, 3)), np.eye(3)[None], df_sampling=2.0)


def test_intervals(pooled):
    found, table, parts = pooled.confint(0.9), pooled.fixed_effects(), pooled.variance_components()
    reach = stats.t.ppf(0.95, table["df"]) * table["se"]
    np.testing.assert_allclose(found.loc[table.index, "high"] - found.loc[table.index, "estimate"], reach)
    half = stats.t.ppf(0.95, parts["df"]) * parts["se"]
    low = np.exp(np.log(parts["variance"]) - half / parts["variance"])
    np.testing.assert_allclose(
        found.loc[["tau[b0,b0]", "tau[b1,b1]", "sigma2"], "low"], low[["u0", "u1", "r"]]
    )
    np.testing.assert_allclose(found.loc["sd[b1]", "low"] ** 2, low["u1"])
    at = parts.loc["u1, u0", "variance"], half["u1, u0"]
    np.testing.assert_allclose(
        found.loc["tau[b1,b0]", ["low", "high"]].astype(float), [at[0] - at[1], at[0] + at[1]]
    )
    assert set(found["method"]) == {"t", "t on the log scale"}


def test_the_intraclass_correlation_is_worked_out_in_every_fit(pooled):
    def icc(parts, x):
        between = parts[..., 3] + 2 * x * parts[..., 4] + x * x * parts[..., 5]
        return between / (between + parts[..., 6])

    each, again = icc(FULL, 0.7), icc(REPLICATED, 0.7)
    within = np.mean(np.sum((again - each[:, None]) ** 2, axis=1) / 1.5)
    total = within + 1.2 * each.var(ddof=1)
    f, share = 1 - within / total, each.mean()
    half = stats.t.ppf(0.975, 1 / (f**2 / 4 + (1 - f) ** 2 / 6)) * np.sqrt(total) / (share * (1 - share))
    found = pooled.icc(at={"x": 0.7})
    assert found.icc == pytest.approx(share, rel=1e-5)
    assert [found.low, found.high] == pytest.approx(
        [expit(logit(share) - half), expit(logit(share) + half)], rel=1e-4
    )
    assert "mean of 5 data sets" in str(found)
    assert pooled.icc(at={"x": [0, 0.7]}).frame().loc[1, "icc"] == found.icc


def test_r2_is_of_the_averaged_parts(pooled, data):
    found = pooled.r2()
    each = [f.r2().variance for f in pooled.fits]
    for name, value in found.variance.items():
        assert value == pytest.approx(np.mean([parts[name] for parts in each]))
    assert "averaged over 5 data sets" in str(found)


def test_one_outcome_with_replicates_is_the_same_without_anything_between(data):
    fit = hlm.fit_replicates(MODEL, data, WEIGHTS, [f"rep{k}" for k in range(1, 7)], **FAY)
    away = REPLICATED[0] - FULL[0]
    se = np.sqrt(np.sum(away**2, axis=0) / 1.5)
    assert fit.fixed_effects()["se"].to_numpy() == pytest.approx(se[:3], rel=1e-5)
    assert fit.contrast("g01").frame().loc["g01", ["se", "df"]].tolist() == pytest.approx(
        [se[1], 6], rel=1e-5
    )
    assert fit.contrast("g01").low[0] == pytest.approx(fit.confint().loc["g01", "low"])
    covariance = away[:, 1:3].T @ away[:, 1:3] / 1.5
    chi2 = FULL[0, 1:3] @ np.linalg.solve(covariance, FULL[0, 1:3])
    test = fit.wald("g01, g10")
    assert (test.name, test.df, test.df_denominator) == ("Wald", 2, 5)
    assert test.f_ratio == pytest.approx(chi2 / 2 * 5 / 6, rel=1e-4)
    icc = lambda parts: parts[..., 3] / (parts[..., 3] + parts[..., 6])  # noqa: E731
    half = stats.t.ppf(0.975, 6) * np.sqrt(np.sum((icc(REPLICATED[0]) - icc(FULL[0])) ** 2) / 1.5)
    share = icc(FULL[0])
    found = fit.icc()
    assert found.low == pytest.approx(expit(logit(share) - half / (share * (1 - share))), rel=1e-4)
    assert fit.r2().variance == fit.fit.r2().variance
    text = " ".join(fit.listing().split())
    assert "Results with standard errors from replicate weights" in text
    assert "6 replicate weights (fay, factor 0.666667, 6 d.f.), rep1 to rep6" in text
    assert "fixed_replicates" in json.loads(fit.to_json())


def test_without_weights_intervals_come_from_the_information(data):
    plain = hlm.fit_imputed(MODEL, data, outcomes=VALUES)
    found, fits = plain.icc(), plain.fits
    assert found.icc == pytest.approx(np.mean([f.icc().icc for f in fits]))
    assert found.low < min(f.icc().icc for f in fits)
    assert found.high > max(f.icc().icc for f in fits)
    limits = plain.confint()
    table = plain.fixed_effects()
    reach = stats.t.ppf(0.975, table["df"]) * table["se"]
    np.testing.assert_allclose(limits.loc[table.index, "low"], table["coefficient"] - reach)
    assert limits.loc["sd[b0]", "low"] < np.sqrt(plain.tau[0, 0]) < limits.loc["sd[b0]", "high"]


def test_effects_that_are_independent_have_no_covariance(data):
    apart = hlm.Model(f"{MODEL.equations()}; cov(u0, u1) = 0")
    found = hlm.fit_imputed(apart, data, outcomes=VALUES, weights=WEIGHTS, replicates="rep1-rep6", **FAY)
    assert list(found.variance_components().index) == ["u0", "u1", "r"]
    assert "tau[b1,b0]" not in found.confint().index
    sample, icc = record_of(found).samples[0], found.icc(at={"x": 2})
    assert sample.thetas.shape == (6, 3)
    each = [(f.tau[0, 0] + 4 * f.tau[1, 1]) / (f.tau[0, 0] + 4 * f.tau[1, 1] + f.sigma2) for f in found.fits]
    assert icc.icc == pytest.approx(np.mean(each))
    assert 0 < icc.low < icc.icc < icc.high < 1


def test_on_the_boundary_there_is_no_interval(data):
    flat = hlm.Model("pv1 = b0 + b1*x + b2*w1 + r; b0 = g00 + g01*w + u0; b1 = g10 + u1; b2 = g20 + u2")
    found = hlm.fit_imputed(flat, data, outcomes=VALUES)
    assert any(f.boundary for f in found.fits)
    assert np.isnan(found.icc().low)
    assert "No interval: tau is on the boundary" in str(found.icc())
    limits = found.confint()
    assert limits.loc["tau[b0,b0]", "method"] == "not available"
    assert limits.loc["sigma2", "method"] == "t on the log scale"


def test_listing_and_json_say_what_was_done(pooled, first):
    text = " ".join(pooled.listing().split())
    assert "Standard errors: 6 replicate weights (fay, factor 0.666667, 6 d.f.), rep1 to rep6" in text
    assert "Sampling variance: of all of them, averaged; variance between them added" in text
    assert "(with standard errors from replicate weights)" in text
    assert "(with robust standard errors)" not in text
    assert "Sampling variance: of pv1 alone" in first.listing()
    read = json.loads(pooled.to_json())
    assert read["fixed_replicates"]["g01"]["se"] == pytest.approx(ORACLE["all"]["se"][1], rel=1e-5)
    assert "fixed_robust" not in read
    assert read["sampling_variance"][0].startswith("Standard errors: 6 replicate weights")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"weights": None}, "replicates of sampling weights, which are wanted too"),
        ({"weights": "w1"}, "which are wanted too: weights=hlm.Weights.*got str"),
        ({"replicates": 3}, "replicates= wants names of columns, got 3"),
        ({"replicates": ["rep1", None]}, "wants names of columns"),
        ({"replicates": ["rep1", "REP1"]}, "named twice: rep1"),
        ({"replicates": "rep1"}, "got 1 replicate weights"),
        ({"replicates": "rep1-rep9"}, "no column 'rep7'"),
        ({"replicates": "rep6-rep1"}, "no column 'rep6-rep1'"),
        ({"method": "ML"}, "method 'ML' is not known: use brr.*by maximum likelihood"),
        ({"fay": "half"}, "fay='half'"),
        ({"factor": -1}, "factor=-1: a number above 0"),
        ({"df": 0}, "df=0: a number above 0"),
        ({"of": 3}, "of=3: replicates are of"),
        ({"algorithm": "hlm"}, "algorithm: not an option of fits with replicate weights"),
        ({"sampling_from": "some"}, 'sampling_from=\'some\' is not known: use "all" or "first"'),
        ({"workers": 0}, "workers must be a whole number"),
        ({"outcomes": 3}, "outcomes= wants names of plausible values, got 3"),
        ({"outcomes": "pv1"}, "one data set and 1 outcomes"),
    ],
)
def test_wrong_arguments_are_said(data, options, words):
    with pytest.raises(HLMError, match=words):
        pool(data, **options)


def test_wrong_questions_are_said(pooled, data):
    plain = hlm.fit_imputed(MODEL, data, outcomes=VALUES, method="ML")
    for other in (3, None, "fit", plain.fits[0]):
        with pytest.raises(HypothesisError, match="compare wants pooled fits"):
            plain.compare(other)
    with pytest.raises(HypothesisError, match="sampling weights"):
        pooled.compare(pooled)
    for ask in (pooled.fixed_effects, pooled.confint, lambda robust: pooled.wald("g01", robust=robust)):
        with pytest.raises(HypothesisError, match="those of the replicate weights; leave it out"):
            ask(robust=True)
    for ask in (pooled.icc, pooled.confint, lambda prob: pooled.contrast("g01", prob=prob)):
        with pytest.raises(HypothesisError, match="prob=95"):
            ask(prob=95)
    with pytest.raises(HypothesisError, match="df='z' is not known"):
        pooled.contrast("g01", df="z")
    for what in (3, "file.csv", None, {1: data}):
        with pytest.raises(DataError, match="several imputed data sets are wanted"):
            hlm.fit_imputed(MODEL, what)
    with pytest.raises(OutputError, match="2 data_sources for 5 data sets"):
        pooled.listing(each=True, data_sources=["a", "b"])
    with pytest.raises(OutputError, match="tests= wants tests that wald or compare gave, got int"):
        pooled.to_json(tests=[3])
    with pytest.raises(EstimationError, match="algorithm 'fast' is not known"):
        hlm.fit_imputed(MODEL, data, outcomes=VALUES, algorithm="fast")


# --- the command line -----------------------------------------------------------------------------

FILE = ORACLES / "data" / "pv_replicates.csv"
EQUATIONS = [
    "run",
    "--equations",
    "; ".join(ORACLE["equations"]).replace("y =", "pv1 ="),
    "--level1",
    str(FILE),
]
SURVEY = ["--level1-weight", "w1", "--level2-weight", "w2", "--replicates-of", "total"]
SURVEY += ["--replicate-method", "fay", "--replicates", "rep1-rep6"]


@pytest.mark.parametrize("which", ["all", "first"])
def test_the_command_does_it(tmp_path, capsys, which):
    values, out = ",".join(VALUES), tmp_path / "out.json"
    asked = [
        *EQUATIONS,
        *SURVEY,
        "--plausible-values",
        values,
        "--json",
        str(out),
        "--html",
        str(tmp_path / "o.html"),
    ]
    assert main([*asked, *(["--sampling-from", "first"] if which == "first" else [])]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Results pooled over 5 plausible values (pv1, pv2, pv3, pv4, pv5) by Rubin's rules" in text
    read = json.loads(out.read_text())["fixed_replicates"]
    assert [row["se"] for row in read.values()] == pytest.approx(ORACLE[which]["se"][:3], rel=1e-5)
    assert "6 replicate weights (fay" in (tmp_path / "o.html").read_text()


def test_the_command_takes_replicates_without_plausible_values(tmp_path, capsys):
    out = tmp_path / "out.json"
    assert main([*EQUATIONS, *SURVEY, "--json", str(out)]) == 0
    text = capsys.readouterr().out
    assert "DATA SET" not in text
    assert "Results with standard errors from replicate weights" in text
    assert "Fraction" not in text
    assert "averaged" not in text
    wanted = np.sqrt(np.sum((REPLICATED[0] - FULL[0]) ** 2, axis=0) / 1.5)[:3]
    read = json.loads(out.read_text())["fixed_replicates"]
    assert [row["se"] for row in read.values()] == pytest.approx(wanted, rel=1e-5)
    assert f" {read['g01']['se']:.6f} " in text


def test_the_command_takes_plausible_values_without_replicates(capsys, data):
    assert main([*EQUATIONS, "--plausible-values", "pv2"]) == 0
    gamma = hlm.fit_imputed(MODEL, data, outcomes=["pv1", "pv2"]).gamma
    assert f"{gamma['g01']:.6f}" in capsys.readouterr().out


def test_a_command_files_weights_and_values_are_used(tmp_path, capsys):
    equations = (
        "level1:PV1=INTRCPT1+X+RANDOM\nlevel2:INTRCPT1=INTRCPT2+W+random/\nlevel2:X=INTRCPT2+random/\n"
    )
    file = tmp_path / "survey.hlm"
    file.write_text(
        f"{equations}level1weight:W1\nlevel2weight:W2\nplausvals:PV2,PV3,PV4,PV5\nhypoth:n\ngamma1:0,1,0\n"
    )
    asked = ["run", str(file), "--level1", str(FILE), "--id", "id", *SURVEY[4:], "--json", "-"]
    assert main(asked) == 0
    read = json.loads(capsys.readouterr().out)
    assert [row["se"] for row in read["fixed_replicates"].values()] == pytest.approx(
        ORACLE["all"]["se"][:3], rel=1e-5
    )
    (test,) = read["tests"]
    t = ORACLE["estimate"][1] / ORACLE["all"]["se"][1]
    assert (test["name"], test["f_ratio"]) == ("D1", pytest.approx(t**2, rel=1e-4))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--replicates", "rep1-rep6"], "are replicates of sampling weights: name these in the command file"),
        (["--fay", "0.3"], "options of replicate weights without any: name them with --replicates"),
        (["--sampling-from", "first"], "name them with --replicates"),
        ([*SURVEY, "--residuals2", "r.csv"], "there is no residual file of many fits"),
        ([*SURVEY, "--fay", "2"], "Fay's factor is from 0 to below 1"),
        ([*SURVEY, "--replicate-method", "brr", "--fay", "0.3"], "fay=0.3: Fay's factor is of"),
        ([*SURVEY[:-1], "rep1-rep9"], "The data have no column 'rep7'"),
        ([*SURVEY[:-1], ","], "got 0 replicate weights"),
        (["--plausible-values", "pv7"], "The data have no column 'pv7'"),
    ],
)
def test_what_the_command_cannot_do_is_said(capsys, asked, words):
    assert main([*EQUATIONS, *asked]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_r2_has_limits_by_bootstrap_of_every_data_set(data):
    plain = hlm.fit_imputed(MODEL, data, outcomes=VALUES[:2])
    found, again = (plain.r2(bootstrap=20, seed=3, prob=0.8) for _ in range(2))
    assert found.draws["sigma2"].shape == (40,)
    assert np.array_equal(found.draws["sigma2"], again.draws["sigma2"])
    first, second = found.draws["sigma2"][:20], found.draws["sigma2"][20:]
    for own, fit in zip((first, second), plain.fits, strict=True):
        assert own.mean() == pytest.approx(fit.sigma2, rel=0.1)
    shares = sum(found.draws[name] for name in ("fixed_within", "fixed_between")) / sum(found.draws.values())
    frame = found.frame()
    assert frame.loc["marginal", ["low", "high"]].tolist() == pytest.approx(
        np.quantile(shares, [0.1, 0.9]).tolist()
    )
    assert "percentiles of 20 simulated data sets of each" in str(found)
