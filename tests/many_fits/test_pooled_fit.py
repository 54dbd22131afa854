"""Rubin's rules, D1 and D3 against hand formulas over dense fits (mitml, mice beside them in the oracle)."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import hlmbayes as hlm
from hlmbayes.cli.command import main
from hlmbayes.errors import DataError, EstimationError, HypothesisError
from hlmbayes.faces import record_of
from hlmbayes.front.pooled import PooledFit
from hlmbayes.many_fits.pooled_fit import PooledEstimates, pooled_components, pooled_fixed
from hlmbayes.many_fits.pooled_tests import deviance_at
from hlmbayes.many_fits.rubin import d3, pool, reference_df
from tests.small import OWN, own_unit

ORACLES = Path(__file__).parents[1] / "oracles"
ORACLE = json.loads((ORACLES / "mi.json").read_text())
VALUES = ORACLE["values"]
MODEL = hlm.Model("\n".join(ORACLE["equations"]))
SMALLER = hlm.Model("\n".join(ORACLE["equations_smaller"]))
FILE = ORACLES / "data" / "mi.csv"


@pytest.fixture(scope="module")
def frame():
    return pd.read_csv(FILE)


@pytest.fixture(scope="module")
def sets():
    return hlm.read_imputed(FILE, id="id", by="imp")


@pytest.fixture(scope="module", params=["REML", "ML"])
def pooled(request, sets):
    return hlm.fit_imputed(MODEL, sets, method=request.param)


def assert_pooled(got, wanted):
    for key, name in {
        "estimate": "estimate",
        "se": "se",
        "riv": "riv",
        "df": "df",
        "fmi": "fmi",
        "p": "p_value",
    }.items():
        assert getattr(got, name) == pytest.approx(wanted[key], rel=1e-7), key


def test_rubins_rules_for_the_fixed_effects(pooled):
    wanted = VALUES[pooled.method]
    assert_pooled(pooled_fixed(record_of(pooled)), wanted["rubin"])
    table = pooled.fixed_effects()
    assert table["t_ratio"].to_numpy() == pytest.approx(wanted["rubin"]["t"], rel=1e-7)
    assert list(table.index) == list(MODEL.gamma_names)
    for fit, each in zip(pooled.fits, wanted["each"], strict=True):
        assert fit.deviance == pytest.approx(each["deviance"], abs=1e-8)


def test_barnard_and_rubins_degrees_of_freedom(pooled):
    estimates = np.array([f.gamma_free for f in record_of(pooled).fits])
    variances = np.array([np.diag(f.vcov) for f in pooled.fits])
    assert_pooled(
        pool(estimates, variances, np.full(4, 232.0)), VALUES[pooled.method]["barnard_rubin_dfcom_232"]
    )
    table = pooled.fixed_effects(df="barnard-rubin")
    assert (table["df"] < pooled.fixed_effects()["df"]).all()
    assert (table["df"][["g00", "g01"]] < 18).all()


def test_rubins_rules_for_the_variances(pooled):
    names, got = pooled_components(record_of(pooled))
    assert names == ("u0", "r")
    assert_pooled(got, VALUES[pooled.method]["rubin_tau_sigma2"])
    assert [pooled.tau[0, 0], pooled.sigma2] == pytest.approx(VALUES[pooled.method]["mean_tau_sigma2"])
    table = pooled.variance_components()
    assert table.loc["r", "variance"] == pytest.approx(pooled.sigma2)
    assert list(table.columns) == ["name", "variance", "se", "df", "fmi", "riv"]


def test_d1(pooled):
    test, wanted = (
        pooled.wald({"g01": [1, 0], "g11": [0, 1]}, robust=False),
        VALUES[pooled.method]["D1_g01_g11"],
    )
    got = [test.f_ratio, test.df, test.df_denominator, test.p_value, test.riv]
    assert got == pytest.approx([wanted[k] for k in ("F", "df1", "df2", "p", "riv")], rel=1e-7)
    assert "g01 = 0 and g11 = 0: D1: F = 4." in str(test)


def test_d1_of_one_effect_is_its_t_test_squared(pooled):
    test, table = pooled.wald("g11", robust=False), pooled.fixed_effects(robust=False)
    assert test.f_ratio == pytest.approx(table.loc["g11", "t_ratio"] ** 2)


def test_a_combination_is_pooled_by_rubins_rules(pooled):
    found = pooled.contrast("g01 - 2*g11 = 0.5", "g00", robust=True)
    L = np.array([0, 1, 0, -2.0])
    each = np.array([L @ f.gamma for f in pooled.fits])
    within = np.mean([L @ f.vcov_robust @ L for f in pooled.fits])
    added = 1.2 * each.var(ddof=1)
    assert found.estimate[0] == pytest.approx(each.mean(), rel=1e-12)
    assert found.se[0] == pytest.approx(np.sqrt(within + added), rel=1e-9)
    df = 4 * (1 + within / added) ** 2
    assert found.df[0] == pytest.approx(df, rel=1e-9)
    assert found.t_ratio[0] == pytest.approx((each.mean() - 0.5) / np.sqrt(within + added), rel=1e-9)
    reach = stats.t.ppf(0.975, df) * found.se[0]
    assert found.high[0] - found.low[0] == pytest.approx(2 * reach, rel=1e-9)
    assert found.riv[0] == pytest.approx(added / within, rel=1e-9)
    table = pooled.fixed_effects(True, df="barnard-rubin").loc["g00"]
    row = pooled.contrast("g00", robust=True, df="barnard-rubin").frame().loc["g00"]
    for name in ("se", "t_ratio", "df", "p_value", "fmi", "riv"):
        assert row[name] == pytest.approx(table[name], rel=1e-9)
    assert "robust (sandwich) covariance, as HLM, pooled; Barnard-Rubin's d.f." in str(
        pooled.contrast("g00", robust=True, df="barnard-rubin")
    )


def test_a_pooled_test_has_the_estimates_of_its_rows(pooled):
    one, two = pooled.wald("g01 = 2*g11 + 0.5", {"g01": [1, 0], "g11": [0, 1]}, robust=False)
    assert one.rows.estimate[0] == pytest.approx(pooled.gamma["g01"] - 2 * pooled.gamma["g11"])
    assert one.f_ratio == pytest.approx(one.rows.t_ratio[0] ** 2)
    assert two.rows.combination == ("g01", "g11")
    assert str(two).count("\n") == 2
    with pytest.raises(HypothesisError, match="no hypothesis was given"):
        pooled.wald()


def test_d3(sets):
    large, small = (hlm.fit_imputed(m, sets, method="ML") for m in (MODEL, SMALLER))
    wanted = VALUES["D3_g01_g11_ML"]
    for test in (large.compare(small), small.compare(large)):
        got = [test.f_ratio, test.df, test.df_denominator, test.p_value, test.riv]
        assert got == pytest.approx([wanted[k] for k in ("F", "df1", "df2", "p", "riv")], rel=1e-6)
        assert str(test).startswith("D3: F = 3.81364 on 2 and 630.70")


def test_deviance_at_a_fits_own_estimates_is_its_deviance(sets):
    model = hlm.Model("mathach = b0 + b1*ses + r; b0 = g00 + u0; b1 = g10 + u1")
    fit = record_of(model.fit(sets[0], method="ML"))
    assert deviance_at(fit, fit.gamma_free, fit.components.tau, fit.sigma2) == pytest.approx(fit.deviance)
    assert deviance_at(fit, fit.gamma_free + 0.1, fit.components.tau, fit.sigma2) > fit.deviance


def test_identical_data_sets_give_the_single_fit(sets):
    single, pooled = MODEL.fit(sets[0]), hlm.fit_imputed(MODEL, [replace(sets[0]) for _ in range(4)])
    table = pooled.fixed_effects()
    assert table["se"].to_numpy() == pytest.approx(single.fixed_effects()["se"].to_numpy(), rel=1e-12)
    assert np.asarray(pooled.gamma) == pytest.approx(np.asarray(single.gamma), rel=1e-14)
    assert (table["fmi"] == 0).all()
    assert np.isinf(table["df"]).all()
    assert pooled.vcov == pytest.approx(single.vcov)
    assert pooled.wald("g11", robust=False).df_denominator == np.inf
    assert pooled.variance_components().loc["u0", "se"] == pytest.approx(single.se_tau[0, 0])
    assert "infinite" in pooled.listing()


@settings(max_examples=50)
@given(m=st.integers(2, 12), seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_laws_of_pooling(m, seed, scale):
    rng = np.random.default_rng(seed)
    q, u = rng.normal(size=(m, 3)), rng.uniform(0.1, 2, (m, 3))
    a, b = pool(q, u), pool(scale * q, scale**2 * u)
    assert b.df == pytest.approx(a.df)
    assert b.fmi == pytest.approx(a.fmi)
    assert b.se == pytest.approx(scale * a.se)
    assert (a.total >= a.within).all()
    assert ((a.fmi > 0) & (a.fmi <= 1)).all()
    complete = np.full(3, 20.0)
    assert (pool(q, u, complete).df <= np.minimum(a.df, 20.0)).all()


def test_reference_distribution():
    assert reference_df(2, 5, 0.0) == np.inf
    # k (m - 1) = 4: the small-sample form; by hand 4 (1 + 1/2) (1 + 1/0.5)^2 / 2
    assert reference_df(2, 3, 0.5) == pytest.approx(27.0)
    assert reference_df(3, 5, 0.5) == pytest.approx(4 + 8 * (1 + (1 - 2 / 12) / 0.5) ** 2)
    negative = d3(np.array([0.1, 5.0]), np.array([-1.0, -2.0]), 1)
    assert negative.p_value == 1.0
    assert "negative" in str(negative)


def test_plausible_values(frame, sets):
    wide = frame[frame["imp"] == 1].drop(columns=["imp", "mathach"]).reset_index(drop=True)
    for k in (1, 2, 3):
        wide[f"pv{k}"] = frame.loc[frame["imp"] == k, "mathach"].to_numpy()
    data = hlm.read(wide, id="id")
    model = hlm.Model(MODEL.equations().replace("mathach", "pv1"))
    pooled = hlm.fit_imputed(model, data, outcomes=["pv1", "pv2", "pv3"], workers=2)
    each = [hlm.Model(MODEL.equations().replace("mathach", f"pv{k}")).fit(data) for k in (1, 2, 3)]
    assert np.asarray(pooled.gamma) == pytest.approx(np.mean([f.gamma for f in each], axis=0))
    assert "pooled over 3 plausible values (pv1, pv2, pv3)" in pooled.listing()
    with pytest.raises(DataError, match="one data set and 1 outcomes"):
        hlm.fit_imputed(model, data, outcomes=["pv1"])
    both = hlm.fit_imputed(model, [data, data, data], outcomes=["pv1", "pv2", "pv3"])
    assert np.asarray(both.gamma) == pytest.approx(np.asarray(pooled.gamma))
    with pytest.raises(DataError, match="2 outcomes for 3 data sets"):
        hlm.fit_imputed(model, [data, data, data], outcomes=["pv1", "pv2"])


def test_large_data_are_fitted_in_threads(sets, monkeypatch):
    alone = hlm.fit_imputed(MODEL, sets, workers=1)
    monkeypatch.setattr("hlmbayes.many_fits.pooled_fit.LARGE", 10)
    assert np.array_equal(hlm.fit_imputed(MODEL, sets).gamma, alone.gamma)


def test_with_weights_too(frame):
    rng = np.random.default_rng(1)
    unit = frame["id"].unique()
    weights = dict(zip(unit, rng.uniform(0.5, 3, len(unit)), strict=True))
    sets = hlm.read_imputed(frame.assign(w=frame["id"].map(weights)), id="id", by="imp")
    how = hlm.Weights(level2="w")
    pooled = hlm.fit_imputed(MODEL, sets, weights=how)
    fits = [MODEL.fit(s, weights=how) for s in sets]
    robust = pool(
        np.array([record_of(f).gamma_free for f in fits]), np.array([np.diag(f.vcov_robust) for f in fits])
    )
    assert pooled.fixed_effects()["se"].to_numpy() == pytest.approx(robust.se)
    assert np.diag(pooled.vcov) == pytest.approx(robust.total)
    with pytest.raises(HypothesisError, match="sampling weights"):
        pooled.compare(hlm.fit_imputed(SMALLER, sets, weights=how))
    assert "averaged:\n" not in pooled.listing().split("variance components")[0]


def test_listings_and_json(pooled):
    text = pooled.listing(each=True)
    assert text.count("DATA SET ") == 5
    assert text.count("Final estimation of fixed effects:") == 5
    assert "Results pooled over 5 imputed data sets (1, 2, 3, 4, 5)" in text
    flat = " ".join(text.split())
    assert "INTRCPT2, G00 11.567635" in flat
    assert "sector, G11 -1.927678" in flat
    read = json.loads(pooled.to_json())
    assert read["fixed"]["g11"]["coefficient"] == pytest.approx(pooled.gamma["g11"])
    assert read["each"][4]["deviance"] == pytest.approx(pooled.fits[4].deviance)
    assert read["m"] == 5
    assert repr(pooled).startswith(
        f"Fits of mathach to 5 data sets, pooled: {pooled.method}\ngamma  g00 11.5676"
    )


def test_warnings_name_their_data_sets(sets):
    converged = hlm.fit_imputed(MODEL, sets, algorithm="hlm")
    stopped = MODEL.fit(sets[1], algorithm="hlm", max_iterations=2)
    mixed = PooledFit(PooledEstimates(tuple(map(record_of, (converged.fits[0], stopped))), ("1", "2")))
    assert not stopped.converged
    assert any(w.startswith("Data set 2: The estimation did not converge") for w in mixed.warnings)
    assert "WARNING: Data set 2" in mixed.listing()
    assert PooledFit(PooledEstimates((record_of(stopped),) * 2, ("1", "2"))).warnings == stopped.warnings


# --- reading and refusing ----------------------------------------------------------------------------


def parts(frame):
    return [part.drop(columns="imp").reset_index(drop=True) for _, part in frame.groupby("imp")]


def same(a, b):
    assert np.asarray(hlm.fit_imputed(MODEL, a).gamma) == pytest.approx(
        np.asarray(hlm.fit_imputed(MODEL, b).gamma)
    )


def test_lists_of_sources_and_two_levels(frame, sets):
    split = parts(frame)
    same(hlm.read_imputed(split, id="id"), sets)
    level2 = [p.groupby("id", as_index=False)[["sector"]].first() for p in split]
    level1 = [p.drop(columns="sector") for p in split]
    same(hlm.read_imputed(level1, level2[0], id="id"), sets)
    same(hlm.read_imputed(level1, level2, id="id"), sets)
    stacked2 = pd.concat([p.assign(imp=k) for k, p in enumerate(level2, 1)], ignore_index=True)
    same(hlm.read_imputed(frame.drop(columns="sector"), stacked2, id="id", by="IMP"), sets)
    same(hlm.read_imputed(frame.drop(columns="sector"), level2[0], id="id", by="imp"), sets)
    with pytest.raises(DataError, match="5 level-1 sources and 2 level-2 sources"):
        hlm.read_imputed(level1, level2[:2], id="id")
    with pytest.raises(DataError, match="no records with imp = 5"):
        hlm.read_imputed(frame.drop(columns="sector"), stacked2[stacked2["imp"] < 5], id="id", by="imp")


def test_decimal_commas(frame, sets, tmp_path):
    frame.to_csv(tmp_path / "stacked.csv", index=False, sep=";", decimal=",")
    same(hlm.read_imputed(tmp_path / "stacked.csv", id="id", by="imp", decimal=","), sets)
    files = [tmp_path / f"{k}.csv" for k in range(5)]
    for file, part in zip(files, parts(frame), strict=True):
        part.to_csv(file, index=False, sep=";", decimal=",")
    same(hlm.read_imputed(files, id="id", decimal=","), sets)
    with pytest.raises(DataError, match="decimal=7 is no decimal mark"):
        hlm.read_imputed(files, id="id", decimal=7)


def test_number_0_is_the_original_data_where_it_misses_values(frame, sets):
    original = frame[frame["imp"] == 1].assign(imp=0)
    incomplete = original.assign(mathach=original["mathach"].where(original.index % 7 > 0))
    same(hlm.read_imputed(pd.concat([incomplete, frame]), id="id", by="imp"), sets)
    assert len(hlm.read_imputed(pd.concat([original, frame]), id="id", by="imp")) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda p: p.iloc[1:],
            r"1 and 3 have different numbers of rows \(240 and 239\) in id: 1224",
        ),
        (
            lambda p: p[p["id"] != p["id"].iloc[0]],
            "1 and 3 have different units; in one of them only, id: 1224",
        ),
        (lambda p: p.rename(columns={"ses": "soc"}), "different variables; only in 1: ses; only in 3: soc"),
        (lambda p: p.assign(mathach="a"), "imputed data set 3: "),
    ],
)
def test_data_sets_that_differ_are_refused(frame, change, message):
    split = parts(frame)
    split[2] = change(split[2])
    with pytest.raises(DataError, match=message):
        hlm.fit_imputed(MODEL, hlm.read_imputed(split, id="id"))


def test_other_mistakes(frame, sets):
    with pytest.raises(DataError, match="without by="):
        hlm.read_imputed(FILE, id="id")
    with pytest.raises(DataError, match="no column 'number'"):
        hlm.read_imputed(FILE, id="id", by="number")
    with pytest.raises(DataError, match="is missing on 1 rows"):
        hlm.read_imputed(frame.assign(imp=frame["imp"].where(frame.index > 0)), id="id", by="imp")
    with pytest.raises(DataError, match="at least two"):
        hlm.fit_imputed(MODEL, sets[:1])
    split = parts(frame)
    split[1] = split[1].assign(ses=split[1]["ses"].where(split[1].index > 3))
    with pytest.raises(DataError, match="values are missing in some data sets and not in others"):
        hlm.fit_imputed(MODEL, hlm.read_imputed(split, id="id"))
    with pytest.raises(EstimationError, match="cannot be pooled"):
        hlm.fit_imputed(hlm.Model("mathach = b0 + r; b0 = g00 + u0; log(sigma2) = a0 + a1*ses"), sets)
    reml = hlm.fit_imputed(MODEL, sets)
    with pytest.raises(HypothesisError, match='method="ML"'):
        reml.compare(hlm.fit_imputed(SMALLER, sets))
    with pytest.raises(HypothesisError, match="different data sets"):
        reml.compare(hlm.fit_imputed(SMALLER, sets[:3]))
    with pytest.raises(HypothesisError, match="df='hlm' is not known"):
        reml.fixed_effects(df="hlm")


# --- command files -----------------------------------------------------------------------------------

COMMANDS = """#WHLM CMD FILE FOR imp1.mdm
level1:MATHACH=INTRCPT1+SES,1+RANDOM
level2:INTRCPT1=INTRCPT2+SECTOR+RANDOM/
level2:SES=INTRCPT2+SECTOR/
gamma1:0,1,0,0/0,0,0,1
mlf:y
"""
TEMPLATE = """#HLM2 MDM CREATION TEMPLATE
rawdattype:csv
l1fname:{k}.csv
l2fname:{k}.csv
mdmname:imp{k}.mdm
*begin l1vars
level2id:ID
SES
MATHACH
*end l1vars
*begin l2vars
level2id:ID
SECTOR
*end l2vars
"""


def test_a_hypothesis_that_cannot_be_tested_leaves_the_listing(frame, tmp_path, capsys):
    for k, part in enumerate(parts(frame), 1):
        part.to_csv(tmp_path / f"{k}.csv", index=False)
        (tmp_path / f"imp{k}.mdmt").write_text(TEMPLATE.format(k=k))
    file = tmp_path / "mi.hlm"
    twice = COMMANDS.replace("gamma1:0,1,0,0/0,0,0,1", "gamma1:0,1,0,0/0,2,0,0\ngamma2:0,1,0,0")
    file.write_text(twice + "plausvals:imp2.mdm\n")
    assert main(["run", str(file), "--algorithm", "exact"]) == 0
    text = capsys.readouterr().out
    assert "hypothesis 1 (gamma1:) was not done: the 2 rows" in text
    assert "Test that g01 = 0: " in text


def test_imputed_data_in_a_command_file(frame, tmp_path, capsys):
    for k, part in enumerate(parts(frame), 1):
        part.to_csv(tmp_path / f"{k}.csv", index=False)
        (tmp_path / f"imp{k}.mdmt").write_text(TEMPLATE.format(k=k))
    file = tmp_path / "mi.hlm"
    file.write_text(
        COMMANDS + "plausvals:imp2.mdm,imp3.mdm,imp4.mdm,imp5.mdm\nhomvar:y\nresfil2:y\ndeviance:3\ndf:4\n"
    )
    assert main(["run", str(file), "--algorithm", "exact"]) == 0
    text = capsys.readouterr().out
    flat = " ".join(text.split())
    rubin = VALUES["ML"]["rubin"]
    assert f"SECTOR, G11 {rubin['estimate'][3]:.6f} {rubin['se'][3]:.6f} {rubin['t'][3]:.3f}" in flat
    assert text.count(" DATA SET ") == 5
    assert "g01 = 0 and g11 = 0: D1: F = " in text
    assert "deviance: pooled data sets have no one deviance" in text
    assert "\n resfil2: residual files of pooled data sets were not written" in text
    assert "homvar: the test of homogeneity cannot be pooled" in text
    arguments = ["run", str(file), "--algorithm", "exact", "--json", str(tmp_path / "o.json")]
    assert main([*arguments, "--html", str(tmp_path / "o.html"), "--output", str(tmp_path / "o.txt")]) == 0
    read = json.loads((tmp_path / "o.json").read_text())
    assert read["fixed"]["g11"]["se"] == pytest.approx(rubin["se"][3])
    assert "Results pooled over 5" in (tmp_path / "o.html").read_text()
    assert "Results pooled over 5" in (tmp_path / "o.txt").read_text()
    capsys.readouterr()
    for read_too in ("3.csv", "imp4.mdmt", "1.csv", "imp1.mdmt"):
        before = (tmp_path / read_too).read_bytes()
        assert main(["run", str(file), "--json", str(tmp_path / read_too)]) == 2
        assert "is read here and would be lost" in capsys.readouterr().err
        assert (tmp_path / read_too).read_bytes() == before
    file.write_text(COMMANDS + "plausvals:imp2.mdm,imp9.mdm\n")
    assert main(["run", str(file)]) == 2
    assert "neither it nor imp9.mdmt is beside the command file" in capsys.readouterr().err
    file.write_text(COMMANDS + "plausvals:imp2.mdm,PV9\n")
    assert main(["run", str(file)]) == 2
    assert "wanted one kind" in capsys.readouterr().err


def test_plausible_values_in_a_command_file(frame, tmp_path, capsys):
    wide = parts(frame)[0].assign(pv2=parts(frame)[1]["mathach"])
    wide.to_csv(tmp_path / "wide.csv", index=False)
    file = tmp_path / "pv.hlm"
    file.write_text(COMMANDS + "plausvals:PV2\nnumit:1\n")
    run = ["run", str(file), "--level1", str(tmp_path / "wide.csv"), "--id", "id"]
    assert main([*run, "--method", "REML"]) == 0
    out = capsys.readouterr()
    assert "pooled over 2 plausible values (mathach, PV2)" in out.out.replace("MATHACH", "mathach")
    assert "did not converge" in out.err
    assert "restricted maximum likelihood" in out.out


def test_pooling_is_refused_where_one_data_set_is_needed(frame, tmp_path, capsys):
    parts(frame)[0].to_csv(tmp_path / "one.csv", index=False)
    file = tmp_path / "pv.hlm"
    where = ["--level1", str(tmp_path / "one.csv"), "--id", "id"]
    for line, words in (
        ("plausvals:PV2", "plausvals: this command has no posterior of pooled data sets"),
        ("plausvals:PV2", "in Python hlm.sample_imputed draws given all of them"),
        ("level2weight:SES", "level2weight:SES is a sampling weight"),
    ):
        file.write_text(COMMANDS + line + "\n")
        assert main(["sample", str(file), *where]) == 2
        assert words in capsys.readouterr().err
    file.write_text(COMMANDS + "plausvals:PV2\n")
    assert main(["plot", str(file), *where, "--figures", str(tmp_path)]) == 2
    assert "no figures of pooled data sets" in capsys.readouterr().err


def test_a_singular_covariance_is_refused_as_by_a_fit():
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(3), 6)
    sets = [
        hlm.read(
            {
                "id": unit,
                "x": (x := rng.normal(size=18)),
                "z": rng.normal(size=18),
                "y": x + rng.normal(size=18) + unit,
            },
            id="id",
        )
        for _ in range(2)
    ]
    model = hlm.Model("y = b0 + b1*x + b2*z + r\nb0 = g00 + u0\nb1 = g10\nb2 = g20")
    pooled = hlm.fit_imputed(model, sets)
    with pytest.raises(HypothesisError, match="singular"):
        pooled.wald(np.eye(3))


def test_a_combination_that_one_unit_alone_determines_is_refused():
    pooled = hlm.fit_imputed(hlm.Model(OWN), [own_unit(1, scale=s) for s in (1.0, 1.1, 1.2)])
    with pytest.raises(HypothesisError, match="is zero: one unit alone determines it"):
        pooled.wald({"g00": 1, "g01": 1})
    assert np.isfinite(pooled.wald({"g00": 1, "g01": 1}, robust=False).p_value)


def test_one_outcome_alone_is_too_few(sets):
    with pytest.raises(DataError, match="1 outcome"):
        hlm.fit_imputed(MODEL, sets[0], outcomes="y")


def test_a_plausible_value_named_twice_is_refused(frame):
    data = hlm.read(frame[frame["imp"] == 1].assign(y2=frame["mathach"] + frame["ses"]), id="id")
    for outcomes in (["mathach", "mathach"], ["mathach", "y2", "Mathach"]):
        with pytest.raises(DataError, match="plausible values named twice: mathach"):
            hlm.fit_imputed(MODEL, data, outcomes=outcomes)
    assert hlm.fit_imputed(MODEL, [data, data], outcomes=["mathach", "y2"]).m == 2
