"""Terms of equations: names, words, refusals, moments, weights, other rows, and what follows from a fit."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hlmbayes as hlm
from hlmbayes.equations.expressions import Factor, Function, Name, Negative, Number, Operation, text_of
from hlmbayes.equations.parts import predictor_of
from hlmbayes.errors import DataError, EquationError, OutputError
from hlmbayes.estimation.prepare import prepare
from hlmbayes.terms.apply import applied
from hlmbayes.terms.expand import expanded

L2 = "b0 = g00 + u0; b1 = g10"


def frame(n_units: int = 20, n: int = 15) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    unit = np.repeat(np.arange(n_units), n)
    rows = len(unit)
    found = {
        "school": unit,
        "y": rng.normal(size=rows) + rng.normal(size=n_units)[unit],
        "x": rng.normal(size=rows),
        "female": rng.random(rows) < 0.5,
        "track": rng.choice(["general", "academic", "voc / tech"], rows),
        "grade": rng.integers(1, 4, rows),
        "region": np.array(["north", "south", "east"])[unit % 3],
        "size": 10.0 * unit,
        "home work": rng.normal(size=rows),
        "w": rng.uniform(0.5, 2.0, rows),
    }
    return pd.DataFrame(found)


@pytest.fixture(scope="module")
def data() -> hlm.TwoLevelData:
    return hlm.read(frame(), id="school")


def model(term: str, level2: str = L2) -> hlm.Model:
    return hlm.Model(f"y = b0 + b1*{term} + r; {level2}")


# ---------------------------------------------------------------- text


names = st.sampled_from(["x", "ses", "home work", "b1", "r", "log", "C", "ünder"]).map(Name)
numbers = st.sampled_from(["2", "0.5", "1e-3", "10"]).map(Number)
factors = st.builds(
    Factor, st.sampled_from(["x", "home work"]), st.sampled_from(["treatment", "sum"]),
    st.sampled_from([None, "a b", 'say "a"', "3", "#;,"]),
)  # fmt: skip
nodes = st.recursive(
    names | numbers | factors,
    lambda inner: (
        st.builds(Operation, st.sampled_from("+-*/^"), inner, inner)
        | st.builds(Negative, inner)
        | st.builds(Function, st.sampled_from(["log", "sqrt", "group", "grand", "abs"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=150)
@given(nodes.filter(lambda node: not isinstance(node, Number)))
def test_every_term_is_read_back_as_it_was_written(node: Any) -> None:
    predictor = predictor_of(node)
    if not predictor.names:
        return
    text = f"y = b0 + b1*{text_of(node)} + r; b0 = g00 + u0; b1 = g10"
    read = hlm.Model(text)
    assert read.coefficients[1].predictor == predictor
    assert hlm.Model(read.equations()) == read
    assert "b1" in read.mixed() or "g10" in read.mixed()
    assert read.equations(latex=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ses**2", "ses^2"),
        ("I(a - b)", "(a - b)"),
        ("C(track, ref=general)", "C(track, ref='general')"),
        ("C(track, treatment)", "c(track)"),
        ("poly(x, degree=2)", "POLY(x, 2)"),
        ("bs(x, 5)", "bs(x, df=5, degree=3)"),
        ("(ses*female)", "ses*female"),
        ("group(ses)*female", "Group(ses) * female"),
    ],
)
def test_spellings_of_one_term(one: str, other: str) -> None:
    assert model(one) == model(other)


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("poly(x)", "poly(x) wants its degree: poly(x, 2)"),
        ("poly(x, 0)", "degree is a whole number from 1 to 100, got 0"),
        ("poly(x, 2.5)", "got 2.5"),
        ("bs(x, df=2)", "has at least df=3, got df=2"),
        ("bs(x, knots=2)", "bs(...) has 'knots'; wanted poly(x, 2) or bs(x, df=5, degree=3)"),
        ("C(x, helmert)", "C(...) has 'helmert'; wanted C(x), C(x, sum)"),
        ("C(x + 1)", "wanted a comma"),
        ("C(x, ref=)", "a value is missing"),
        ("C(x, ref=-a)", "which is no number"),
        ("log(x, 2)", "log(...) takes one expression"),
        ("log(x +)", '")" is not the name of a variable'),
        ("(2)", "a number goes with one, as in (2*x)"),
        ("(1e999*x)", "is not a number"),
        ("(2x)", "names that begin with a digit go in backticks: `2x`"),
        ("(1 + 1)", "has no variable in it"),
        ("log(r)", "if it is a variable, write it in backticks: `r`"),
        ("log(y)", "y is the outcome and a predictor"),
        ('C(x, ref="a)', "a quotation mark is not closed"),
        ("(" * 30 + "x" + ")" * 30, "more than 25 parentheses"),
    ],
)
def test_terms_that_are_none_are_refused(term: str, message: str) -> None:
    with pytest.raises(EquationError, match=re.escape(message)) as caught:
        model(term)
    assert str(caught.value).startswith("line 1: ")


def test_group_has_no_place_in_a_level2_term() -> None:
    with pytest.raises(EquationError, match="which does not vary inside a unit"):
        hlm.Model("y = b0 + r; b0 = g00 + g01*group(w)*v + u0")


# ---------------------------------------------------------------- columns, names, notes


@pytest.mark.parametrize(
    ("term", "codes", "names"),
    [
        ("track", ["g10[general]", "g10[voc_tech]"], ["track[general]", "track[voc / tech]"]),
        ("C(grade, ref=2)", ["g10[1]", "g10[3]"], ["grade[1]", "grade[3]"]),
        ("C(female)", ["g10[true]"], ["female[True]"]),
        ("female", ["g10"], ["female"]),
        ("C(grade, sum)", ["g10[1]", "g10[2]"], ["C(grade, sum)[1]", "C(grade, sum)[2]"]),
        ("poly(x, 2)*female", ["g10[1]", "g10[2]"], ["poly(x, 2)[1]*female", "poly(x, 2)[2]*female"]),
        ("`home work`*x", ["g10"], ["home work*x"]),
        ("(1/2*x)", ["g10"], ["(1/2)*x"]),
    ],
)
def test_columns_have_codes_and_names(
    data: hlm.TwoLevelData, term: str, codes: list[str], names: list[str]
) -> None:
    fit = model(term).fit(data)
    assert list(fit.fixed_effects().index)[1:] == codes
    for code, name in zip(codes, names, strict=True):
        assert fit.gamma[name] == fit.gamma[code]
    assert fit.model == model(term)
    assert hlm.Model(fit.model.equations()).fit(data).deviance == fit.deviance


def test_what_is_constant_in_units_is_zero_about_their_means(data: hlm.TwoLevelData) -> None:
    with pytest.raises(hlm.HLMError, match=r"of g10\[north\] .* is zero in every row"):
        model("group(region)*x").fit(data)


def test_factors_at_both_levels_meet_in_one_effect(data: hlm.TwoLevelData) -> None:
    fit = model("C(female)", "b0 = g00 + g01*region + u0; b1 = g10 + g11*region").fit(data)
    assert list(fit.fixed_effects().index)[3:] == ["g10[true]", "g11[true,north]", "g11[true,south]"]
    assert fit.test_variable("region").df == 4
    assert fit.test_variable("C(female)").df == 3
    text = fit.wald("g11[true,north] = g11[true,south]")
    assert text.df == 1


def test_a_factor_is_tested_whole_and_with_its_products(data: hlm.TwoLevelData) -> None:
    fit = hlm.Model("y = b0 + b1*track + b2*x + b3*x*track; b0 = g00 + u0; b1 = g10; b2 = g20; b3 = g30").fit(
        data
    )
    assert fit.test_variable("track").df == 4
    assert fit.test_variable("x").df == 3
    assert fit.test_variable("x * track").df == 2
    assert fit.gamma["track[general]:x"] == fit.gamma["g30[general]"]


def test_what_a_factor_is_stands_in_the_notes(data: hlm.TwoLevelData) -> None:
    table = frame()
    table["case"] = np.where(table["x"] > 0, "Yes", np.where(table["x"] > -1, "yes", "no"))
    table["unused"] = pd.Categorical(table["track"], ["voc / tech", "other", "general", "academic"])
    fit = model("case*unused").fit(hlm.read(table, id="school"))
    listing = " ".join(fit.listing().split())
    assert "case is a factor: Yes, no, yes; Yes is the reference" in listing
    assert "case: Yes, yes differ in case only and are different levels" in listing
    assert "unused is a factor: voc / tech, general, academic; voc / tech is the reference" in listing
    assert "unused: no rows analysed have other, which got no column" in listing


def test_value_labels_name_the_levels(tmp_path: Any) -> None:
    import pyreadstat

    table = frame()[["school", "y", "grade"]].astype(float)
    labels = {"grade": {1.0: "first", 2.0: "middle", 3.0: "middle", 4.0: "last"}}
    pyreadstat.write_sav(table, str(tmp_path / "a.sav"), variable_value_labels=labels)
    data = hlm.read(tmp_path / "a.sav", id="school")
    fit = model("C(grade)").fit(data)
    assert list(fit.fixed_effects().index)[1:] == ["g10[middle_2]", "g10[middle_3]"]
    assert list(model("grade").fit(data).fixed_effects().index) == ["g00", "g10"]  # a number by itself


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("log(x)", r"log\(x\) does not exist: x is zero or negative in \d+ of 300 rows, row \d+, "),
        ("(x/size)", "size is zero in 15 of 300 rows, row 1, 2, 3, 4, 5 and 10 more"),
        ("x^0.5", r"the power of x does not exist in"),
        ("exp(1000*x)", "it is too large in"),
        ("sqrt(x)", "x is negative in"),
        ("log(track)", "track is categories, and wants to be a number here"),
        ("bs(grade, df=6)", "wants 7 different values, grade has 3"),
        ("poly(female, 2)", "wants 3 different values, female has 2"),
        ("C(track, ref=none)", "'none' is no level of it; there are academic, general, voc / tech"),
        ("C(x)", "has 300 different values, such as .* Is it a number, or an id"),
        ("log(sizes)", "The data have no column 'sizes' .*Did you mean 'size'"),
    ],
)
def test_what_cannot_be_computed_is_refused_with_the_rows(
    data: hlm.TwoLevelData, term: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        model(term).fit(data)


def test_level2_terms_name_the_units(data: hlm.TwoLevelData) -> None:
    with pytest.raises(DataError, match="size is zero or negative in 1 of 20 units, school 0"):
        model("x", "b0 = g00 + g01*log(size) + u0; b1 = g10").fit(data)


def test_a_number_whose_values_all_have_labels_is_said_to_be_one(tmp_path: Any) -> None:
    """Factors of Stata and R are numbers with labels in their files; what is centred is meant as a number."""
    import pyreadstat

    table = frame()[["school", "y", "grade", "female"]].astype(float)
    labels = {"grade": {1.0: "low", 2.0: "middle", 3.0: "high"}, "female": {0.0: "no", 1.0: "yes"}}
    pyreadstat.write_sav(table, str(tmp_path / "a.sav"), variable_value_labels=labels)
    data = hlm.read(tmp_path / "a.sav", id="school")
    said = "grade is taken as a number, though all its values have labels (1 low, 2 middle, 3 high)"
    assert data.notes == ()
    assert model("grade").fit(data).data.notes == (f"{said}: C(grade) is a factor",)
    for term in ("C(grade)", "group(grade)", "female"):
        assert not any(said in note for note in model(term).fit(data).data.notes)


def test_a_single_level_and_text_that_looks_like_numbers() -> None:
    table = frame()
    table["one"], table["digits"] = "same", table["grade"].astype(str)
    table.loc[4, "digits"] = "K"
    data = hlm.read(table, id="school")
    with pytest.raises(
        DataError, match="one has the one value same in the rows analysed, and a factor needs two"
    ):
        model("one").fit(data)
    with pytest.raises(DataError, match=r"not numeric.*To take its values as categories, write C\(digits\)"):
        model("digits").fit(data)
    assert model("C(digits)").fit(data).n_parameters == 2


def test_a_formula_takes_text_of_which_some_looks_like_numbers() -> None:
    """The number of children as "0", "1", "2", "3+": whether it is of level 1 or 2 needs no numbers."""
    table = frame()
    table["children"] = table["grade"].astype(str).replace("3", "3+")
    table["rooms"] = np.where(table["school"] % 2, "3+", "2")
    formula = "y ~ C(children) + C(rooms) + (1 | school)"
    fit = hlm.Model(formula).fit(table)
    written = hlm.Model("y = b0 + b1*C(children) + r; b0 = g00 + g01*C(rooms) + u0; b1 = g10")
    same = written.fit(hlm.read(table, id="school"))
    assert list(fit.fixed_effects().index) == ["g00", "g01[3]", "g10[2]", "g10[3]"]
    assert fit.deviance == pytest.approx(same.deviance, abs=1e-9)
    with pytest.raises(DataError, match=r"To take its values as categories, write C\(children\)"):
        hlm.Model(formula.replace("C(children)", "children")).fit(table)


@pytest.mark.parametrize(
    "fixed",
    [
        "x + region",
        "x*region",
        "x*C(region, sum)",
        "x + sqrt(size)",
        "x + region:size",
        "x:region + track*female",
    ],
)
def test_a_formula_finds_the_level2_terms_of_its_moments(fixed: str) -> None:
    data = hlm.read(frame(), id="school")
    formula = hlm.Model(f"y ~ {fixed} + (x | school)")
    found = formula.fit(hlm.moments(data, model=formula))
    assert found.deviance == pytest.approx(formula.fit(data).deviance, abs=1e-9)


def test_levels_whose_columns_would_have_one_name_are_refused() -> None:
    table = frame()
    table["sex"] = np.where(table["female"], "Female", np.where(table["x"] > 0, "Male", "male"))
    with pytest.raises(DataError, match="sex: Male, male differ in case only: write them one way"):
        model("sex").fit(hlm.read(table, id="school"))


def test_rows_without_a_category_are_left_out() -> None:
    table = frame()
    table.loc[[0, 7, 20], "track"] = [None, " ", ""]
    fit = model("track").fit(hlm.read(table, id="school"))
    assert fit.n_rows == len(table) - 3
    kept = model("track").fit(hlm.read(frame().drop([0, 7, 20]), id="school"))
    assert fit.deviance == pytest.approx(kept.deviance, abs=1e-9)
    assert "level-1 records" in fit.listing()


def test_means_inside_a_product_are_those_of_the_rows_analysed() -> None:
    table = frame()
    table.loc[::7, "x"] = np.nan
    table["made"] = (table["x"] - table.groupby("school")["x"].transform("mean")) * table["female"]
    data = hlm.read(table, id="school")
    assert model("group(x)*female").fit(data).deviance == pytest.approx(
        model("made").fit(data).deviance, abs=1e-9
    )


def test_means_inside_a_product_are_weighted_as_those_of_group() -> None:
    table = frame()
    mean = (table["x"] * table["w"]).groupby(table["school"]).transform("sum") / table.groupby("school")[
        "w"
    ].transform("sum")
    table["made"] = (table["x"] - mean) * table["female"]
    data, weights = hlm.read(table, id="school"), hlm.Weights("w")
    one, other = (model(term).fit(data, weights=weights) for term in ("group(x)*female", "made"))
    assert one.loglik == pytest.approx(other.loglik, abs=1e-9)


def test_constraints_name_the_columns(data: hlm.TwoLevelData) -> None:
    held = model("track", f"{L2}; g10[general] = g10[Voc_Tech]")
    assert hlm.Model(held.equations()) == held
    fit = held.fit(data)
    assert fit.gamma["g10[general]"] == fit.gamma["g10[voc_tech]"]
    assert model("track").constrain("g10[general] = g10[voc_tech]") == held
    with pytest.raises(EquationError, match=r"g10\[other\] is not a fixed effect of this model"):
        model("track", f"{L2}; g10[other] = g10[general]").fit(data)
    with pytest.raises(EquationError, match=r"g10 is several fixed effects: .* here g10\[general\]"):
        model("track", f"{L2}; g00 = g10").fit(data)


# ---------------------------------------------------------------- moments, posteriors, files


TERMS = """
    y = b0 + b1*group(x)*female + b2*C(track) + r
    b0 = g00 + g01*log(size + 1) + g02*region + u0
    b1 = g10
    b2 = g20
"""


def test_moments_have_the_columns_of_terms(data: hlm.TwoLevelData, tmp_path: Any) -> None:
    with_terms = hlm.Model(TERMS)
    fit = with_terms.fit(data)
    moments = hlm.moments(data, model=with_terms)
    assert moments.columns == ("y", "group(x)*female", "track[general]", "track[voc / tech]")
    moments.save(tmp_path / "m.parquet")
    again = with_terms.fit(hlm.load_moments(tmp_path / "m.parquet"))
    assert again.deviance == pytest.approx(fit.deviance, abs=1e-9)
    assert list(again.fixed_effects().index) == list(fit.fixed_effects().index)
    from_frame = hlm.moments(frame(), id="school", model=with_terms)
    assert with_terms.fit(from_frame).deviance == pytest.approx(fit.deviance, abs=1e-9)


def test_moments_without_the_column_say_how_to_make_it(data: hlm.TwoLevelData) -> None:
    moments = hlm.moments(data, columns=["y", "x", "female"], level2=["size"])
    with pytest.raises(DataError, match=r"no column x\*female.*moments\(data, model=model\) makes"):
        model("x*female").fit(moments)
    ratio = model("x", "b0 = g00 + g01*(size/10)^2 + u0; b1 = g10")  # of level 2: from the units' values
    assert ratio.fit(moments).deviance == pytest.approx(ratio.fit(data).deviance, abs=1e-9)
    other = hlm.moments(data, model=model("C(track)"))
    with pytest.raises(DataError, match="were made with another reference"):
        model("C(track, ref=general)").fit(other)


def test_engines_take_terms_that_are_columns(tmp_path: Any) -> None:
    pytest.importorskip("duckdb")
    table = frame()
    table["x*female"] = table["x"] * table["female"]
    table.to_parquet(tmp_path / "a.parquet")
    product = model("x*female", "b0 = g00 + g01*(size/10) + u0; b1 = g10")
    moments = hlm.moments(tmp_path / "a.parquet", id="school", model=product, engine="duckdb")
    assert product.fit(moments).deviance == pytest.approx(
        product.fit(hlm.read(table, id="school")).deviance, abs=1e-8
    )
    with pytest.raises(
        DataError, match=r"there is no column x\^2, and terms are made of rows: read these with"
    ):
        hlm.moments(tmp_path / "a.parquet", id="school", model=model("x^2"), engine="duckdb")


def test_a_posterior_of_terms_is_saved_and_read(data: hlm.TwoLevelData, tmp_path: Any) -> None:
    post = hlm.Model(TERMS).sample(data, seed=1, draws=250)
    fit = hlm.Model(TERMS).fit(data)
    assert post["g20[voc_tech]"].mean() == pytest.approx(fit.gamma["g20[voc_tech]"], abs=0.2)
    post.save(tmp_path / "p.nc")
    again = hlm.load_posterior(tmp_path / "p.nc")
    np.testing.assert_array_equal(again["track[general]"], post["track[general]"])
    assert post.compare(fit) is not None


def test_a_graph_of_units_lines_over_a_variable_of_a_term_is_refused(data: hlm.TwoLevelData) -> None:
    fit = hlm.Model("y = b0 + b1*x + b2*x*female; b0 = g00 + u0; b1 = g10; b2 = g20").fit(data)
    with pytest.raises(OutputError, match=r"x is also in x\*female"):
        hlm.plots.level1_equations(fit, "x")
    assert hlm.plots.predicted(fit, "x").lines  # which changes with x and x*female alike


def test_residual_files_have_names_for_columns_of_terms(data: hlm.TwoLevelData, tmp_path: Any) -> None:
    fit = model("track", "b0 = g00 + u0; b1 = g10").fit(data)
    columns = fit.residuals(level=2).columns
    assert {"fvtrackg", "fvtrackv", "ectrackg"} <= set(columns)
    assert {"track[general]", "track[voc / tech]"} <= set(fit.residuals(level=1).columns)


# ---------------------------------------------------------------- other rows


def test_other_rows_get_the_columns_that_were_learnt(data: hlm.TwoLevelData) -> None:
    with_terms = hlm.Model(
        """
        y = b0 + b1*group(x)*female + b2*C(track, sum) + b3*poly(grand(x), 2) + b4*bs(x, df=4) + r
        b0 = g00 + g01*region + g02*poly(size, 2) + u0
        b1 = g10; b2 = g20; b3 = g30; b4 = g40
        """
    )
    _, extended, terms = expanded(with_terms, data)
    half = frame().iloc[::2]
    again = applied(terms, hlm.read(half, id="school"))
    for made in terms.made:
        for name in made.names:
            get = "level1_column" if made.level == 1 else "level2_column"
            all_rows = getattr(extended, get)(name)
            expected = all_rows[::2] if made.level == 1 else all_rows
            np.testing.assert_allclose(getattr(again, get)(name), expected, rtol=0, atol=1e-12)


def test_a_new_unit_has_its_own_mean_and_gaps_stay_gaps(data: hlm.TwoLevelData) -> None:
    _, _, terms = expanded(model("group(x)*female"), data)
    new = frame().iloc[:3].assign(school=[0, 99, 99], x=[1.0, 2.0, 4.0], female=[1.0, 1.0, 1.0])
    new.loc[3] = new.loc[2]
    new.loc[3, "female"] = np.nan
    own = frame().query("school == 0")["x"].mean()
    found = applied(terms, hlm.read(new, id="school")).level1_column("group(x)*female")
    np.testing.assert_allclose(found, [1.0 - own, -1.0, 1.0, np.nan], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("term", "change", "message"),
    [
        (
            "track",
            {"track": "private"},
            "track has the new value private in 1 of 300 rows, row 1: the model knows",
        ),
        ("bs(x)", {"x": 90.0}, r"its spline was made between .* and it lies outside in 1 of 300 rows, row 1"),
        ("log(x + 10)", {"x": -11.0}, r"\(x \+ 10\) is zero or negative"),
    ],
)
def test_what_the_model_has_not_seen_is_refused(
    data: hlm.TwoLevelData, term: str, change: dict[str, Any], message: str
) -> None:
    _, _, terms = expanded(model(term), data)
    new = frame()
    new.loc[0, list(change)] = list(change.values())
    with pytest.raises(DataError, match=message):
        applied(terms, hlm.read(new, id="school"))


def test_what_moments_do_not_say_is_not_made_up(data: hlm.TwoLevelData) -> None:
    moments = hlm.moments(data, model=model("track"))
    terms = prepare(model("track"), moments).design.terms
    with pytest.raises(
        DataError, match=r"what C\(track\) was made of is not known: the model was fitted to moments"
    ):
        applied(terms, data)


def test_a_term_named_in_a_hypothesis_is_tested_whole(data: hlm.TwoLevelData) -> None:
    fit = hlm.Model("y = b0 + b1*track + b2*x*female; b0 = g00 + u0; b1 = g10; b2 = g20").fit(data)
    for name in ("track", "C(track) = 0", "g10", "g10[general] = 0, g10[voc_tech] = 0"):
        assert fit.wald(name).df == 2
    assert fit.wald("female*x = 0").df == 1
    assert fit.contrast("track").estimate.shape == (2,)
    with pytest.raises(
        hlm.HLMError, match=r"track is several: g10\[general\] .*Name one of them, or test all"
    ):
        fit.wald("track - g20 = 0")
    with pytest.raises(KeyError, match="track is several"):
        fit.gamma["track"]


def test_units_that_lack_a_level_are_counted() -> None:
    table = frame()
    table.loc[table["school"].isin([2, 5, 6]), "track"] = "general"
    fit = model("C(track, sum)", "b0 = g00 + u0; b1 = g10 + u1").fit(hlm.read(table, id="school"))
    listing = " ".join(fit.listing().split())
    lacking = int((table.groupby("school")["track"].nunique() < 3).sum())
    assert f"C(track, sum): {lacking} of 20 units have no row of one of its levels or more" in listing


def test_effects_of_a_factor_may_be_independent_of_others(data: hlm.TwoLevelData) -> None:
    one = hlm.Model(
        "y ~ C(female) + x + (1 | school) + (0 + C(female) + x | school)",
    ).with_levels(data)
    assert one.blocks == (("u0",), ("u1", "u2"))
    fit = one.fit(data)
    assert fit.tau["b0", "b1[true]"] == fit.tau["b0", "b2"] == 0
    assert hlm.Model(one.equations()) == one


def test_model_graphs_show_factors_and_what_is_in_no_term(data: hlm.TwoLevelData) -> None:
    fit = hlm.Model(
        "y = b0 + b1*x + b2*C(track) + b3*grade^2; b0 = g00 + u0; b1 = g10; b2 = g20; b3 = g30"
    ).fit(data)
    for name in ("x", "track[general]", "grade"):
        assert hlm.plots.predicted(fit, name).lines
    with pytest.raises(OutputError, match=r"'grade\^2' is not a predictor .* Did you mean 'grade'"):
        hlm.plots.predicted(fit, "grade^2")
    with pytest.raises(OutputError, match=r"grade\^2 is a term, whose variables would not change with it"):
        hlm.plots.level1_equations(fit, "grade^2")


# ---------------------------------------------------------------- other equations, other results


def test_log_sigma2_takes_terms_of_both_levels(data: hlm.TwoLevelData) -> None:
    table = frame()
    for level in ("general", "voc / tech"):
        table[level] = (table["track"] == level).astype(float)
    table["larger"] = np.log(table["size"] + 1)
    fixed = "y = b0 + b1*x + r; b0 = g00 + u0; b1 = g10"
    terms = hlm.Model(f"{fixed}; log(sigma2) = a0 + a1*track + a2*log(size + 1)")
    assert hlm.Model(terms.equations()) == terms
    columns = hlm.Model(f"{fixed}; log(sigma2) = a0 + a1*general + a2*`voc / tech` + a3*larger")
    one, other = terms.fit(data), columns.fit(hlm.read(table, id="school"))
    assert one.deviance == pytest.approx(other.deviance, abs=1e-7)
    assert list(one.log_sigma2().index) == ["a0", "a1[general]", "a1[voc_tech]", "a2"]
    np.testing.assert_allclose(one.log_sigma2()["estimate"], other.log_sigma2()["estimate"], atol=1e-6)
    by_unit = hlm.Model(f"{fixed}; log(sigma2) = a0 + a1*region")
    assert by_unit.fit(hlm.moments(data, model=by_unit)).deviance == pytest.approx(
        by_unit.fit(data).deviance, abs=1e-7
    )


def test_latex_writes_terms_as_mathematics_does() -> None:
    text = hlm.Model(f"y = b0 + b1*group(x)*female*log(z)^2 + b2*(z/(x + 1)) + r; {L2}; b2 = g20").equations(
        latex=True
    )
    assert r"\left(\mathrm{x}_{ij} - \overline{\mathrm{x}}_{\cdot j}\right)\,\mathrm{female}_{ij}" in text
    assert r"{\operatorname{log}\left(\mathrm{z}_{ij}\right)}^{2}" in text
    assert r"\frac{\mathrm{z}_{ij}}{\mathrm{x}_{ij} + 1}" in text


def test_imputed_data_with_other_levels_are_refused(data: hlm.TwoLevelData) -> None:
    other = frame()
    other.loc[other["track"] == "general", "track"] = "academic"
    with pytest.raises(DataError, match=r"data sets 1 and 2 make different columns .*g10\[general\]"):
        hlm.fit_imputed(model("track"), [data, hlm.read(other, id="school")])


def test_text_of_level_2_is_in_nobodys_way(data: hlm.TwoLevelData) -> None:
    assert "ok" in str(model("x", "b0 = g00 + g01*region + u0; b1 = g10").fit(data).check())
