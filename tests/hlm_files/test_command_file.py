"""HLM command files and MDM templates: what is read, what is refused and in which words, what is written."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hlmbayes
from hlmbayes import Model
from hlmbayes.errors import CommandFileError, HLMError
from hlmbayes.hlm_files import command_file
from hlmbayes.hlm_files.command_file import parse
from hlmbayes.hlm_files.command_options import Options, ResidualFile
from hlmbayes.hlm_files.command_writer import to_text, write
from hlmbayes.hlm_files.mdm_template import DataSource, read_template

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "models"
TABLES = json.loads((Path(__file__).parents[1] / "oracles" / "hlm608_tables.json").read_text())
MODEL4_TEXT = (MODELS / "model4_intercepts_slopes.hlm").read_text()
TEMPLATE = (MODELS / "hsb.mdmt").read_text()
MODEL4 = Model(
    "mathach = b0 + b1*group(ses) + r\nb0 = g00 + g01*sector + g02*meanses + u0\n"
    "b1 = g10 + g11*sector + g12*meanses + u1"
)
SOURCE = DataSource(
    "hsb.mdm",
    Path("hsb1.sav"),
    Path("hsb2.sav"),
    "ID",
    ("MINORITY", "FEMALE", "SES", "MATHACH"),
    ("SIZE", "SECTOR", "PRACAD", "DISCLIM", "HIMINTY", "MEANSES"),
)


def lower(model: Model) -> Model:
    return Model(model.equations().lower())


def with_lines(*lines: str, base: str = MODEL4_TEXT) -> str:
    """Model 4 with lines that take the place of those with the same keyword, or are added."""
    keywords = {line.partition(":")[0] for line in lines}
    kept = [line for line in base.splitlines() if line.partition(":")[0] not in keywords]
    return "\n".join([*kept, *lines])


def write_files(folder: Path, command: str = MODEL4_TEXT, template: str | None = TEMPLATE) -> Path:
    """A folder as an HLM user has it: command file, template, data beside them."""
    (folder / "run.hlm").write_text(command, encoding="latin-1")
    if template is not None:
        (folder / "hsb.mdmt").write_text(template, encoding="latin-1")
    for name in ("hsb1.sav", "hsb2.sav"):
        (folder / name).write_bytes(b"")
    return folder / "run.hlm"


# ---------------------------------------------------------------- the seminar's files


@pytest.mark.parametrize("name", sorted(TABLES))
def test_models_of_the_seminar_equal_their_equations(name: str) -> None:
    file = command_file.read_command_file(MODELS / f"{name}.hlm")
    lines = [line.removeprefix("constraint: ") for line in TABLES[name]["equations"]]
    expected = Model(Model("\n".join(lines)).equations())
    assert lower(file.model) == expected
    assert file.options.method == TABLES[name]["method"]
    assert file.warnings == ()
    assert file.mdm == "hsb.mdm"
    assert file.source is not None
    assert file.source.level1.is_file()
    assert file.source.level2 == ROOT / "hlmbayes" / "datasets" / "hsb2.sav"


def test_every_file_in_models_is_tested() -> None:
    names = {path.stem for path in MODELS.glob("*.hlm")}
    assert names == set(TABLES) | {"model4_tests"}


def test_options_of_the_seminar() -> None:
    assert command_file.read_command_file(MODELS / "model4_intercepts_slopes.hlm").options == Options()
    tests = command_file.read_command_file(MODELS / "model4_tests.hlm").options
    assert tests.hypotheses == (((0, 1, 0, 0, 0, 0), (0, 0, 0, 0, 1, 0)),)
    assert tests.homogeneity
    for name in ("model4_nonrandom_slope", "heterogeneous_sigma2"):
        options = command_file.read_command_file(MODELS / f"{name}.hlm").options
        assert options.deviance == TABLES["model4_intercepts_slopes"]["deviance"]
        assert options.df == TABLES["model4_intercepts_slopes"]["n_parameters"]
    assert command_file.read_command_file(MODELS / "random_only.hlm").options.max_iterations >= 289


def test_command_file_data_and_model_meet() -> None:
    file = hlmbayes.read_command_file(MODELS / "model1_unconditional.hlm")
    assert file.source is not None
    data = hlmbayes.read(file.source.level1, file.source.level2, id=file.source.id)
    fit = file.model.fit(data)
    assert fit.deviance == pytest.approx(TABLES["model1_unconditional"]["deviance"], abs=2e-5)


# ---------------------------------------------------------------- ways HLM and its users write


@pytest.mark.parametrize(
    "text",
    [
        MODEL4_TEXT.replace("\n", "\r\n"),
        MODEL4_TEXT.replace("\n", "\r"),
        "\ufeff" + MODEL4_TEXT,
        MODEL4_TEXT.lower().replace("#whlm", "#WHLM"),
        MODEL4_TEXT.upper(),
        MODEL4_TEXT.replace("/\n", "\n"),
        MODEL4_TEXT.replace("=", " = ").replace("+", " + ").replace(":", " : ").replace(",1", " , 1"),
        MODEL4_TEXT.replace("\n", "\n\n"),
        "  " + MODEL4_TEXT.replace("\n", "\n  "),
        MODEL4_TEXT.replace("MEANSES+RANDOM/", "MEANSES\n  +random/"),
        MODEL4_TEXT.replace("MATHACH=INTRCPT1+SES,1+RANDOM", "MATHACH=INTRCPT1+SES,1"),
        MODEL4_TEXT.replace("INTRCPT2+SECTOR", "INTRCPT2,0+SECTOR,0"),
    ],
)
def test_ways_of_writing_model4_are_one_model(text: str) -> None:
    file = parse(text, source=SOURCE)
    assert lower(file.model) == MODEL4
    assert file.options.max_iterations == 100
    assert file.warnings == ()


def test_names_stay_as_in_the_file_and_places_are_named() -> None:
    model = parse(MODEL4_TEXT, "ex4.hlm").model
    assert model.outcome == "MATHACH"
    assert model.coefficients[1].where == "ex4.hlm, line 5"
    assert model.coefficients[1].gammas[0].where == "ex4.hlm, line 7"


def test_a_file_as_hlm_6_and_its_stata_front_end_write_it() -> None:
    """numit with a second field, lower-case names, hypotheses beside hypoth:n, residual and graph files."""
    text = (
        "#WHLM CMD FILE FOR C:\\My Data\\hsb.mdm\r\nnonlin:n\r\nnumit:100,y\r\nstopval:0.000001\r\n"
        "level1:mathach=intrcpt1+female+ses,1+random\r\nlevel2:intrcpt1=intrcpt2+sector,2+random/\r\n"
        "level2:female=random/\r\nlevel2:ses=intrcpt2/\r\nfixtau:3\r\nlev1ols:10\r\naccel:5\r\n"
        "gamma1:0,1,0\r\ngamma2:1.0,0.0,0.0/0.0,0.0,1.0/\r\ndeviance:46501.875\r\ndf:4\r\n"
        "level1weight:none\r\nlevel2weight:none\r\nvarianceknown:none\r\nlevel1deletion:none\r\n"
        "resfiltype:stata\r\nresfil1:n\r\nresfil2:y/SIZE,PRACAD\r\nresfil2name:C:\\out\\run_res2.dta\r\n"
        "hypoth:n\r\nhomvar:n\r\nconstrain:n\r\nheterol1var:n\r\ngraphgammas:C:\\x\\grapheq.geq\r\n"
        "printvariance-covariance:y\r\nlvr:n\r\ntitle:\r\noutput:C:\\out\\run.txt\r\nfulloutput:n\r\nmlf:n\r\n"
    )
    file = parse(text, "run.hlm")
    assert file.mdm == "hsb.mdm"
    assert file.model == Model(
        "mathach = b0 + b1*female + b2*group(ses)\nb0 = g00 + g01*grand(sector) + u0\nb1 = u1\nb2 = g20"
    )
    assert file.options == Options(
        keep_going=True,
        hypotheses=(((0, 1, 0),), ((1, 0, 0), (0, 0, 1))),
        deviance=46501.875,
        df=4,
        residuals2=ResidualFile("run_res2.dta", "stata", ("SIZE", "PRACAD")),
        graph_gammas="grapheq.geq",
        print_vcov=True,
        title="",
        output="C:\\out\\run.txt",
    )
    assert file.warnings == ()
    assert file.not_done == (
        "run.hlm, line 28: graphgammas:C:\\x\\grapheq.geq is not acted on; no graph file is written",
    )


def test_keywords_that_ask_for_nothing_are_passed_over() -> None:
    text = with_lines(
        "level2deletion:none", "laplace:n,50", "agq:n", "autoimpute:n", "microit:14", "macroit:100,n",
        "stopmicro:0.000001", "stopmacro:0.0001", "fishertype:2", "diagnose:n", "hasmissing:n", "fixsigma2:n",
        "deviance:0.000000", "df:0", "plausvals:n", "lvr-beta:n", "level3weight:none", "resfil3:n", "debug:n",
        "contau2:n", "diagonalizetaubeta:n", "esttau2:y", "firc:n", "hetit:50", "popavit:100", "nobase:n",
        "startvals:n", "taylor:n", "vagueprior:n", "emlaplace5:n,0", "laplace6:n,0", "hasmissing:y",
        "gamma1:0.0,0.0,0.0,0.0,0.0,0.0", "printvariance-covariance:n",
    )  # fmt: skip
    file = parse(text)
    assert (file.warnings, file.not_done) == ((), ())
    assert "has agq:" in file.options.hlm_sign  # a keyword that HLM 6 has not
    assert replace(file.options, hlm="6", hlm_sign="") == Options()


def test_names_after_the_slash_are_candidates_of_their_coefficient() -> None:
    text = with_lines("level2:INTRCPT1=INTRCPT2+RANDOM/SIZE,PRACAD") + "\nlevel2:SES=INTRCPT2/"
    assert parse(text, "x.hlm").options.explore == {"b0": ("SIZE", "PRACAD")}


@pytest.mark.parametrize(
    ("value", "limit", "goes_on"),
    [
        ("100,y", 100, True),
        ("100,n", 100, False),
        ("100", 100, False),
        ("50, Y", 50, True),
        ("100.0", 100, False),
    ],
)
def test_what_to_do_at_the_iteration_limit(value: str, limit: int, goes_on: bool) -> None:
    options = parse(with_lines(f"numit:{value}")).options
    assert (options.max_iterations, options.keep_going) == (limit, goes_on)


def test_no_intercepts_grand_means_and_several_options() -> None:
    text = (
        "level1:Y=D1+D2,2+RANDOM\nlevel2:D1=W,2+RANDOM/\nlevel2:D2=INTRCPT2+W/\nnumit:50\nstopval:1.0D-05\n"
        "accel:3\nfixtau:2\nlev1ols:0\nmlf:y\nfulloutput:y\nresfil1:y\nresfil2:y\nresfiltype:sas\n"
        "prntvcmat:y\nheterol1var:X1,X2"
    )
    file = parse(text)
    assert file.model == Model(
        "Y = b1*D1 + b2*grand(D2)\nb1 = g11*grand(W) + u1\nb2 = g20 + g21*W\nlog(sigma2) = a0 + a1*X1 + a2*X2"
    )
    assert file.options == Options(
        max_iterations=50, stopval=1e-5, accel=3, fixtau=2, lev1ols=0, method="ML", full_output=True,
        residuals1=ResidualFile("resfil1.sas7bdat", "sas"),
        residuals2=ResidualFile("resfil2.sas7bdat", "sas"), print_vcov=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "given", "name", "is_of"),
    [
        ("spss", "C:\\out\\resfil2.sps", "resfil2.sav", "spss"), ("", "resfil2.SPS", "resfil2.sav", "spss"),
        ("stata", "r.do", "r.dta", "stata"),
        ("", "r.do", "r.dta", "stata"), ("sas", "r.sas", "r.sas7bdat", "sas"),
        ("", "r.sas", "r.sas7bdat", "sas"), ("", "r.xpt", "r.xpt", "sas"),
        ("systat", "r.cmd", "r.csv", "systat"),
        ("", "r.txt", "r.txt", "ascii"),
        ("ascii", "r.dat", "r.dat", "ascii"), ("", "school", "school.sav", "spss"),
        ("stata", "school.v2", "school.v2", "stata"),
    ],
)  # fmt: skip
def test_residual_files_are_not_named_as_commands(kind: str, given: str, name: str, is_of: str) -> None:
    """SPSS opens .sps, Stata .do and SAS .sas as commands: HLM writes such, here they are data."""
    typed = [f"resfiltype:{kind}"] if kind else []
    asked = parse(with_lines("resfil2:y", f"resfil2name:{given}", *typed)).options.residuals2
    assert asked == ResidualFile(name, is_of)


@pytest.mark.parametrize("kind", ["INTRCPT1", "intrcpt1"])
def test_heterogeneous_sigma2_without_variables_and_with_level2_variables(kind: str) -> None:
    assert parse(with_lines(f"heterol1var:{kind}")).model.log_sigma2.variables == ()  # type: ignore[union-attr]
    sigma = parse(with_lines("heterol1var:FEMALE+SECTOR"), source=SOURCE).model.log_sigma2
    assert sigma is not None
    assert sigma.variables == ("FEMALE", "SECTOR")


# ---------------------------------------------------------------- constraints


@pytest.mark.parametrize(
    "lines",
    [
        ("constrain:0,0,1,0,0,1",),
        ("constrain:0.0, 0.0, 2.0, 0.0, 0.0, 2.0,",),
        ("constrain:Y", "constrain1:0,0,1,0,0,1"),
        ("constrain:g02=g12",),
        ("constrain:y", "constrain1:G02,G12/"),
    ],
)
def test_constraints_in_every_form(lines: tuple[str, ...]) -> None:
    base = "\n".join(line for line in MODEL4_TEXT.splitlines() if not line.startswith("constrain"))
    assert parse("\n".join([base, *lines])).model.constraints == (("g02", "g12"),)


def test_several_constraints() -> None:
    expected = (("g01", "g11"), ("g02", "g10", "g12"))
    assert parse(with_lines("constrain:0,1,2,2,1,2")).model.constraints == expected
    assert parse(with_lines("constrain:g01=g11/g02=g10=g12")).model.constraints == expected
    base = with_lines("constrain:Y")
    both = base + "\nconstrain1:0,1,0,0,1,0\nconstrain2:0,0,1,1,0,1"
    assert parse(both).model.constraints == expected


def test_diagonalizetau_makes_random_effects_independent() -> None:
    two = MODEL4_TEXT.replace("level2:INTRCPT1", "level2:INTRCPT1")
    for answer, blocks in (("y", (("u0",), ("u1",))), ("Y", (("u0",), ("u1",))), ("n", (("u0", "u1"),))):
        file = parse(f"{two}\ndiagonalizetau:{answer}")
        assert file.model.blocks == blocks
        assert not file.warnings
        text = to_text(file.model)
        assert ("diagonalizetau:y" in text) == (answer != "n")
        assert parse(text).model == file.model
    with pytest.raises(CommandFileError, match="diagonalizetau: wants y or n, got 'maybe'"):
        parse(f"{two}\ndiagonalizetau:maybe")


def test_a_command_file_has_tau_full_or_diagonal() -> None:
    model = Model(
        "y = b0 + b1*x + b2*z\nb0 = g00 + u0\nb1 = g10 + u1\nb2 = g20 + u2\ncov(u0, u2) = cov(u1, u2) = 0"
    )
    with pytest.raises(
        CommandFileError, match=r"has some: cov\(u0, u2\) = cov\(u1, u2\) = 0. Save its equations"
    ):
        to_text(model)


# ---------------------------------------------------------------- warnings


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("colour:red", "'colour' is not a known keyword; ignored"),
        ("fixtau:1", "fixtau:1 is not acted on; a bad starting tau is mended automatically"),
        (
            "esttau2:n",
            "esttau2:n is not acted on; tau is estimated; the results are not those of HLM with this",
        ),
        (
            "diagonalizetaubeta:y",
            "tau is estimated without such a restriction; equations can have cov(u0, u1) = 0",
        ),
        ("firc:y", "no such model is estimated; centre the predictor instead (NAME,1); the results are not"),
        ("autoimpute:y", "missing values are not imputed"),
        ("startvals:y", "the starting values are computed"),
        ("level1deletion:X", "level1deletion:X is not acted on"),
        ("hypoth:y", "hypoth:y without gamma1: lines; no hypothesis is tested"),
        ("deviance:12.5", "x.hlm, line 25: deviance: is given without df:; models are not compared"),
        ("df:3", "df: is given without deviance:"),
    ],
)
def test_what_is_not_acted_on_is_never_silent(line: str, message: str) -> None:
    warnings = parse(with_lines(line), "x.hlm").warnings
    assert len(warnings) == 1
    assert message in warnings[0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("lvr:y", "lvr:y is not acted on; no latent variable regression"),
        ("lvr-beta:y", "lvr-beta:y is not acted on; no latent variable regression"),
        ("laplace:y,50", "laplace:y,50 is not acted on; it belongs to nonlinear models"),
        ("graphgammas:x.geq", "graphgammas:x.geq is not acted on; no graph file is written"),
    ],
)
def test_what_the_numbers_do_not_depend_on_is_named_apart(line: str, message: str) -> None:
    file = parse(with_lines(line), "x.hlm")
    assert file.warnings == ()
    (said,) = file.not_done
    assert said.startswith("x.hlm, line ")
    assert message in said


def test_second_values_and_stray_lines_warn() -> None:
    file = parse(MODEL4_TEXT + "\nnumit:7\nnonsense", "x.hlm")
    assert file.options.max_iterations == 7
    assert any("numit: is given a second time; this one counts" in warning for warning in file.warnings)
    assert any('"nonsense" is not a "keyword:value" line' in warning for warning in file.warnings)


@pytest.mark.parametrize(
    "keyword", ["heterol1var:SES", "nonlin:n", "hypoth:n", "resfil2:n", "resfiltype:spss"]
)
def test_whatever_stands_once_is_not_passed_over_where_it_stands_twice(keyword: str) -> None:
    name = keyword.partition(":")[0]
    texts = [MODEL4_TEXT + f"\n{keyword}", MODEL4_TEXT + f"\n{keyword}\n{keyword}"]
    said = [w for text in texts for w in parse(text, "x.hlm").warnings if "second time" in w]
    assert len(said) == 1 + (f"\n{name}:" in MODEL4_TEXT) * 2
    assert all(f"{name}: is given a second time; this one counts" in warning for warning in said)


def test_an_equation_ends_at_its_slash() -> None:
    text = MODEL4_TEXT.replace("MEANSES+RANDOM/", "MEANSES+RANDOM/\n* my old model", 1)
    file = parse(text, "x.hlm")
    assert file.options.explore == {}
    assert any('"* my old model" is not a "keyword:value" line; ignored' in w for w in file.warnings)
    several = MODEL4_TEXT.replace("SECTOR+MEANSES+RANDOM/", "SECTOR\n+MEANSES+\nRANDOM/", 1)
    assert parse(several, "x.hlm").model == parse(MODEL4_TEXT, "x.hlm").model


@pytest.mark.parametrize("value", ["Y,SIZE,PRACAD", r"c:\out\res2.sav", "y SIZE"])
def test_variables_of_a_residual_file_are_not_lost_silently(value: str) -> None:
    file = parse(with_lines(f"resfil2:{value}"), "x.hlm")
    assert file.options.residuals2 == ResidualFile("resfil2.sav", "spss")
    assert any("is taken as resfil2:y; variables stand after a slash" in w for w in file.warnings)
    listed = parse(with_lines("resfil1:yes/FEMALE/SECTOR, SIZE")).options.residuals1
    assert listed is not None
    assert listed.variables == ("FEMALE", "SECTOR", "SIZE")


def test_options_carry_what_is_not_acted_on() -> None:
    file = parse(with_lines("level1weight:WT,1", "varianceknown:V", "plausvals:PV1,PV2/PV3"), "x.hlm")
    options = file.options
    assert file.warnings == (
        "x.hlm, line 23: level1weight:WT,1 is one variable; what stands after the comma is not acted on",
    )
    assert options.level1_weight == "WT"
    assert options.variance_known == "V"
    assert options.plausible_values == ("PV1", "PV2", "PV3")


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("nonlin:y",), "a nonlinear model (nonlin:y) is not available"),
        (("nonlin:poisson,SES,SES",), "a nonlinear model (nonlin:poisson,SES,SES)"),
        (("nonlin:ordinal,many",), "nonlin:ordinal wants the number of categories"),
        (("nonlin:binomial",), "nonlin:binomial wants the variable with the number of trials"),
        (("nonlin:binomial",), "an outcome of 0 and 1 is nonlin:bernoulli"),
        (("nonlin:bernoulli,SES",), "nonlin:bernoulli has one trial a row"),
        (("nonlin:bernoulli", "fixsigma2:2"), "fixsigma2: of a nonlinear model is 1, or n"),
        (("nonlin:poisson", "heterol1var:SES"), "log(sigma2) is of a normal outcome"),
        (("level3:INTRCPT2=INTRCPT3/",), "a three-level model (level3:) is not available"),
        (("fixtau2:3",), "a three-level model (fixtau2:)"),
        (("resfil3:y",), "a three-level model (resfil3:)"),
        (
            ("nonlin:gamma,3",),
            "a nonlinear model (nonlin:gamma,3) is not available; there are n (linear), bernoulli",
        ),
        (("rowcol:x",), "a cross-classified model"),
        (("r_e_model:x",), "a multivariate model"),
        (("level1:MATHACH",), "wants an equation such as level1:OUTCOME=INTRCPT1"),
        (("level1:=INTRCPT1",), "wants an equation such as"),
        (("level1:MATHACH,1=INTRCPT1",), "is not the name of an outcome; wanted one variable"),
        (("level1:RANDOM=INTRCPT1",), "is not the name of an outcome"),
        (("heterol1var:FEMALE*SES",), 'heterol1var: "FEMALE*SES" is not a variable'),
        (("heterol1var:RANDOM",), 'heterol1var: "RANDOM" is not a variable'),
        (("level1:MATHACH=RANDOM",), "has no INTRCPT1 and no predictors"),
        (("level1:MATHACH=INTRCPT1+SES,3+RANDOM",), "centring '3' is not known; wanted 1 (group mean)"),
        (("level1:MATHACH=INTRCPT1,1+SES+RANDOM",), "INTRCPT1 cannot be centred"),
        (("level1:MATHACH=INTRCPT1+SES++RANDOM",), 'a "+" has nothing on one side'),
        (
            ("level1:MATHACH=INTRCPT1+SES*FEMALE+RANDOM",),
            "is not a variable; wanted NAME, NAME,1 (group mean)",
        ),
        (("level1:MATHACH=INTRCPT2+SES",), "INTRCPT2 does not belong to a level-1 equation"),
        (("level1:MATHACH=INTRCPT1+SEX,1",), "SEX is not a level-1 variable of hsb.mdmt; did you mean SES?"),
        (("level1:MATHACH=INTRCPT1+QQQQ",), "wanted one of MINORITY, FEMALE, SES, MATHACH"),
        (("level1:MATHACH=INTRCPT1+SIZE",), "SIZE is not a level-1 variable of hsb.mdmt; it is a level-2"),
        (("level1:MATHACH=INTRCPT1+SES+MATHACH",), "MATHACH has no level-2 equation"),
        (("level1:MATHACH=INTRCPT1+SES,1+FEMALE",), "FEMALE has no level-2 equation; add level2:FEMALE="),
        (("level1:MATHACH=INTRCPT1+RANDOM",), "SES is not in the level-1 equation (x.hlm, line"),
        (("level1:MATHACH=INTRCPT1+SES+SES,1",), "SES is used with two kinds of centring"),
        (("level1:SES=INTRCPT1+SES",), "SES is the outcome and a predictor"),
        (("level2:INTRCPT1=INTRCPT2/", "level2:SES=SECTOR,1/"), "SECTOR,1 centres a level-2 variable on its"),
        (
            ("level2:INTRCPT1=INTRCPT2/", "level2:SES=SEKTOR/"),
            "SEKTOR is not a level-2 variable of hsb.mdmt; did",
        ),
        (("level2:INTRCPT1=INTRCPT2/", "level2:SES=INTRCPT1/"), "INTRCPT1 does not belong to a level-2"),
        (("level2:INTRCPT1=INTRCPT2/", "level2:SES=/"), "nothing stands on the right of the"),
        (("level2:INTRCPT1=INTRCPT2/",), "SES has no level-2 equation; add level2:SES=INTRCPT2+RANDOM/"),
        (("level2:SES=SECTOR/", "level2:ses=SIZE/"), "a second level2: line for ses; the first: x.hlm, line"),
        (("numit:many",), "numit: wants a whole number, got 'many'"),
        (("numit:-1",), "numit: wants a whole number"),
        (("numit:0",), "numit: wants a whole number above 0, got '0'"),
        (("numit:100,maybe",), "numit: wants a number, then y to iterate on or n to stop there"),
        (("fixsigma2:-1",), "fixsigma2: wants a number above 0"),
        (
            ("resfil2:y", "resfiltype:foo"),
            "resfiltype: wants one of spss, stata, sas, systat, ascii, got 'foo'",
        ),
        (("stopval:0",), "stopval: wants a number above 0"),
        (("stopval:nan",), "stopval: wants a number, got 'nan'"),
        (("mlf:maybe",), "mlf: wants y or n, got 'maybe'"),
        (("gamma1:0,1",), "gamma1: has 2 coefficients; wanted 6, one for each of g00, g01, g02"),
        (("gamma1:0,x,0,0,0,0",), "gamma1: wants a number, got 'x'"),
        (("gamma1:/",), "gamma1: wants one coefficient for each gamma"),
        (("heterol1var:y",), "heterol1var: wants names of variables"),
        (("heterol1var:FEMALE,,SES",), "heterol1var: wants names of variables"),
        (("heterol1var:FEMAL",), "FEMAL is not a level-1 variable of hsb.mdmt; did you mean FEMALE?"),
        (("heterol1var:MATHACH",), "MATHACH is the outcome and a predictor"),
        (("constrain:Y",), "constrain:Y does not say which gammas are equal"),
        (("constrain:0,1,1",), "constrain: wants 6 whole numbers, one for each gamma"),
        (("constrain:0,0,1,0,0,0.5",), "constrain: wants 6 whole numbers"),
        (("constrain:0,0,1,0,0,0",), "the number 1 marks g02 alone"),
        (("constrain:g02=g13",), "'g13' is not a fixed effect of this model"),
        (("constrain:g02=g12/g12=g01",), "g12 is in two constraints"),
    ],
)
def test_every_error_names_file_and_line(lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandFileError, match=re.escape(message)) as caught:
        parse(with_lines(*lines), "x.hlm", SOURCE)
    assert re.match(r"x\.hlm, line \d+: ", str(caught.value))
    assert len(str(caught.value).splitlines()) == 1


def test_level1_line_missing_or_twice() -> None:
    with pytest.raises(CommandFileError, match=r"^x.hlm: there is no level1: line"):
        parse("title:x", "x.hlm")
    with pytest.raises(CommandFileError, match="a second level1: line"):
        parse(MODEL4_TEXT + "\nlevel1:Y=INTRCPT1", "x.hlm")


# ---------------------------------------------------------------- the data source


def test_template_is_found_beside_the_command_file_with_windows_paths(tmp_path: Path) -> None:
    template = TEMPLATE.replace("../hlmbayes/datasets/", "C:\\Program Files\\HLM6\\Examples\\Chapter2\\")
    path = write_files(
        tmp_path, MODEL4_TEXT.replace("hsb.mdm", "C:\\Data\\HSB.MDM"), template.replace("\n", "\r\n")
    )
    file = command_file.read_command_file(path)
    assert file.source == DataSource(
        "hsb.mdm", tmp_path / "hsb1.sav", tmp_path / "hsb2.sav", "ID",
        SOURCE.level1_names, SOURCE.level2_names, "spss", "now",
    )  # fmt: skip
    assert file.name == "run.hlm"


def test_template_is_found_by_its_mdmname_and_data_case_free(tmp_path: Path) -> None:
    path = write_files(tmp_path, template=None)
    (tmp_path / "hsb1.sav").rename(tmp_path / "HSB1.SAV")
    (tmp_path / "other.mdmt").write_text("#HLM2 MDM CREATION TEMPLATE\nmdmname:wrong.mdm")
    (tmp_path / "template.MDMT").write_text(TEMPLATE.replace("mdmname:hsb.mdm", "MDMNAME: C:\\x\\hsb.mdm "))
    file = command_file.read_command_file(path)
    assert file.source is not None
    assert file.source.level1.name == "HSB1.SAV"


def test_template_details(tmp_path: Path) -> None:
    write_files(tmp_path)
    text = (
        "#HLM2 MDM CREATION TEMPLATE\n growthmodel:n\n mdmtype:0\n rawdattype:stata\n l1fname:hsb1.sav\n"
        " l2fname: hsb1.sav\n l1missing:y\n timeofdeletion:analysis\n vknown:n\n"
        " *begin l1vars\n level2id:school\n"
        "  X 1 \n  Y\n *END L1VARS\n * begin l2vars\n level2id:SCHOOL\n  W\n *end l2vars\n"
        "odd:1\nstray\n"
    )
    (tmp_path / "one.mdmt").write_text(text)
    source, warnings = read_template(tmp_path / "one.mdmt")
    assert source.level1 == source.level2 == tmp_path / "hsb1.sav"
    assert source.level1_names == ("X 1", "Y")
    assert source.level2_names == ("W",)
    assert (source.id, source.raw_type, source.deletion) == ("school", "stata", "analysis")
    assert source.missing
    assert source.mdm == "one.mdm"
    assert warnings == (
        "one.mdmt, line 19: 'odd' is not a known keyword of an MDM template; ignored",
        'one.mdmt, line 20: "stray" is not understood; ignored',
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("#HLM2", "#HLM3"), "this is a template of HLM3 (three-level models)"),
        (("#HLM2", "#HMLM"), "this is a template of HMLM (multivariate models)"),
        (("*end l2vars", "*end l2vars\n*begin l3vars"), "'l3vars' do not belong to two levels"),
        (("level2id:ID\nMIN", "level3id:ID\nMIN"), "level3id belongs to a model of more than two levels"),
        (("level2id:ID", ""), "there is no level2id: line after *begin l1vars"),
        (("mdmname", "vknown:y\nmdmname"), "a V-known data set (vknown:y) is not read"),
        (("l1fname:../hlmbayes/datasets/hsb1.sav", ""), "there is no l1fname: line"),
        (("hsb1.sav", "hbs1.sav"), "hbs1.sav, which hsb.mdmt names; did you mean"),
        (("hsb2.sav", "zzz"), "zzz, which hsb.mdmt names; check the name and the folder"),
        (
            ("spss\nl1fname:../hlmbayes/datasets/hsb1.sav", "ascii\nl1fname:hsb1.dat\nl1format:(A4,4F12.3)"),
            "ascii data in fixed columns (hsb1.dat) are not read; save them as .csv (with names in the first "
            "line) or .sav and name that file in l1fname:",
        ),
        (
            (
                "spss\nl1fname:../hlmbayes/datasets/hsb1.sav\nl2fname:../hlmbayes/datasets/hsb2.sav",
                "ascii\nl1fname:hsb1.sav\nl2fname:hsb2.dat",
            ),
            "ascii data in fixed columns (hsb2.dat) are not read",
        ),
    ],
)
def test_template_errors(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = write_files(tmp_path, template=TEMPLATE.replace(*change))
    with pytest.raises(CommandFileError, match=re.escape(message)) as caught:
        command_file.read_command_file(path)
    assert len(str(caught.value).splitlines()) == 1


def test_each_file_may_call_the_id_differently(tmp_path: Path) -> None:
    path = write_files(tmp_path, template=TEMPLATE.replace("level2id:ID\nSIZE", "level2id:SCHOOL\nSIZE"))
    source = command_file.read_command_file(path).source
    assert source is not None
    assert (source.id, source.id2) == ("ID", "SCHOOL")
    assert command_file.read_command_file(path, id="x").source == replace(source, id="x", id2="")


@pytest.mark.parametrize(
    ("said", "deletion", "warned"),
    [("now", "now", 0), ("make_mdm", "now", 0), ("analysis", "analysis", 0), ("", "analysis", 0),
     ("never", "analysis", 1)],
)  # fmt: skip
def test_time_of_deletion(tmp_path: Path, said: str, deletion: str, warned: int) -> None:
    write_files(tmp_path, template=TEMPLATE.replace("timeofdeletion:now", f"timeofdeletion:{said}"))
    source, warnings = read_template(tmp_path / "hsb.mdmt")
    assert source.deletion == deletion
    assert ["timeofdeletion:never is not known (wanted now or analysis)" in w for w in warnings] == [
        True
    ] * warned


@pytest.mark.parametrize("name", ["HSB.SSM", "hsb", "C:\\a b\\hsb.mdm"])
@pytest.mark.parametrize("template", ["hsb.mdmt", "creatmdm.mdmt"])
def test_names_of_the_data_source(tmp_path: Path, name: str, template: str) -> None:
    """HLM 5 has .ssm; some programs leave the ending out; HLM calls its template creatmdm.mdmt."""
    path = write_files(tmp_path, MODEL4_TEXT.replace("hsb.mdm", name))
    (tmp_path / "hsb.mdmt").rename(tmp_path / template)
    (tmp_path / "a.mdmt").mkdir()  # a folder is no template
    file = command_file.read_command_file(path)
    assert file.source is not None
    assert file.source.template == template
    path.write_text(MODEL4_TEXT.replace("hsb.mdm", name).replace("SECTOR", "SECTO"))
    with pytest.raises(CommandFileError, match=f"SECTO is not a level-2 variable of {template}; did you"):
        command_file.read_command_file(path)


def test_ascii_data_with_names_are_read(tmp_path: Path) -> None:
    path = write_files(tmp_path, template=TEMPLATE.replace("spss", "ascii").replace(".sav", ".csv"))
    for name in ("hsb1.csv", "hsb2.csv"):
        (tmp_path / name).write_text("id\n")
    source = command_file.read_command_file(path).source
    assert source is not None
    assert source.raw_type == "ascii"


def test_missing_command_file_names_the_nearest(tmp_path: Path) -> None:
    write_files(tmp_path)
    with pytest.raises(CommandFileError, match=r"there is no file .*rum.hlm; did you mean .*run.hlm\?"):
        command_file.read_command_file(tmp_path / "rum.hlm")
    with pytest.raises(CommandFileError, match="check the name and the folder"):
        command_file.read_command_file(tmp_path / "no" / "such.hlm")
    with pytest.raises(CommandFileError, match="there is no file"):
        command_file.read_command_file("a\0b.hlm")
    with pytest.raises(CommandFileError, match="is a folder; wanted a file"):
        command_file.read_command_file(tmp_path)


def test_binary_mdm_only_and_no_template(tmp_path: Path) -> None:
    path = write_files(tmp_path, template=None)
    with pytest.raises(
        CommandFileError, match=r"but neither hsb.mdm nor hsb.mdmt is in .*--level1 FILE --level2 FILE --id"
    ):
        command_file.read_command_file(path)
    (tmp_path / "hsb.mdm").write_bytes(b"\1\2")
    with pytest.raises(CommandFileError, match=r"hsb.mdm is no .mdm file of HLM: it begins with"):
        command_file.read_command_file(path)
    path.write_text("\n".join(MODEL4_TEXT.splitlines()[1:]))
    with pytest.raises(CommandFileError, match="its first line does not name the data"):
        command_file.read_command_file(path)
    assert command_file.read_command_file(path, find_data=False).source is None
    assert lower(command_file.read_command_file(path, find_data=False).model) == MODEL4


def test_data_named_by_the_caller(tmp_path: Path) -> None:
    path = write_files(tmp_path, template=None)
    one, two = tmp_path / "hsb1.sav", tmp_path / "hsb2.sav"
    file = command_file.read_command_file(path, level1=one, level2=two, id="school")
    assert file.source == DataSource("hsb.mdm", one, two, "school")
    single = command_file.read_command_file(path, level1=str(one), id="school").source
    assert single == DataSource("hsb.mdm", one, None, "school")
    with pytest.raises(CommandFileError, match="the data files are named but not the id; add --id NAME"):
        command_file.read_command_file(path, level1=one)
    with pytest.raises(CommandFileError, match="the level-1 file is not named; add --level1 FILE"):
        command_file.read_command_file(path, level2=two)
    with pytest.raises(CommandFileError, match="the level-1 file is not named"):
        command_file.read_command_file(path, id="school")
    with pytest.raises(CommandFileError, match=r"there is no file .*hsb3.sav; did you mean .*hsb[12].sav\?"):
        command_file.read_command_file(path, level1=tmp_path / "hsb3.sav", id="school")


def test_the_caller_may_change_only_part_of_the_template(tmp_path: Path) -> None:
    path = write_files(tmp_path)
    other = tmp_path / "other.sav"
    other.write_bytes(b"")
    source = command_file.read_command_file(path, level1=other).source
    assert source == DataSource("hsb.mdm", other, None, "ID")
    assert command_file.read_command_file(path, id="school").source == replace(
        SOURCE, level1=tmp_path / "hsb1.sav", level2=tmp_path / "hsb2.sav", id="school", raw_type="spss",
        deletion="now",
    )  # fmt: skip


@pytest.mark.parametrize(
    "path", ["r.sav", "C:\\x\\r.sav", "C:r.sav", "../../r.sav", "/etc/r.sav", "..\\..\\r.sav", '"D:\\r.sav"']
)
def test_residual_files_go_beside_the_command_file_whatever_path_they_have(path: str) -> None:
    options = parse(with_lines("resfil2:y", f"resfil2name:{path}")).options
    assert options.residuals2 == ResidualFile("r.sav", "spss")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "run.hlm"
    path.write_bytes(with_lines("title:Schüler – 5 €").encode(encoding))
    file = command_file.read_command_file(path, find_data=False)
    assert file.options.title == "Schüler – 5 €"
    assert lower(file.model) == MODEL4


@pytest.mark.parametrize(
    "data", [MODEL4_TEXT.encode("utf-16-le"), MODEL4_TEXT.encode("utf-32"), b"level1:\0\1"]
)
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "run.hlm").write_bytes(data)
    with pytest.raises(CommandFileError, match=r"run.hlm is not a text file; open it in an editor and save"):
        command_file.read_command_file(tmp_path / "run.hlm")


def test_the_end_mark_of_dos_is_no_line(tmp_path: Path) -> None:
    (tmp_path / "run.hlm").write_bytes(MODEL4_TEXT.encode() + b"\x1a\0")
    assert command_file.read_command_file(tmp_path / "run.hlm", find_data=False).warnings == ()


def test_equations_in_a_command_file_are_told_where_they_belong(tmp_path: Path) -> None:
    (tmp_path / "run.hlm").write_text("y = b0 + r\nb0 = g00 + u0\n")
    with pytest.raises(
        CommandFileError, match=r"there is no level1: line; .*go into a file that ends in \.txt"
    ):
        command_file.read_command_file(tmp_path / "run.hlm")


def test_an_unreadable_file_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_files(tmp_path)

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(CommandFileError, match=r"run.hlm cannot be read: Permission denied"):
        command_file.read_command_file(path)


# ---------------------------------------------------------------- writing

OPTIONS = st.builds(
    Options,
    max_iterations=st.integers(1, 10**6),
    keep_going=st.booleans(),
    stopval=st.floats(1e-12, 1),
    accel=st.integers(0, 99),
    method=st.sampled_from(["REML", "ML"]),
    title=st.text("abc xyz:#,", max_size=9).map(str.strip),
    output=st.sampled_from(["hlm2.txt", "C:\\a b\\x.txt", ""]),
    full_output=st.booleans(),
    hypotheses=st.sampled_from([(), (((0.0, 1.0),),), (((1.5, -1.0), (0.0, 0.1)), ((1e-7, 0.0),))]),
    deviance=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    df=st.none() | st.integers(1, 99),
    homogeneity=st.booleans(),
    residuals1=st.none() | st.just(ResidualFile("r1.sav", "spss")),
    residuals2=st.none() | st.just(ResidualFile("r2.sav", "spss", ("A", "B"))),
    level1_weight=st.none() | st.just("WT"),
    variance_known=st.none() | st.just("V"),
    plausible_values=st.sampled_from([(), ("P1", "P2")]),
    fix_sigma2=st.none() | st.floats(0.1, 9),
    print_vcov=st.booleans(),
    graph_gammas=st.sampled_from(["", "x.geq"]),
)


@given(OPTIONS)
def test_options_read_back_as_written(options: Options) -> None:
    model = Model("y = b0 + b1*x\nb0 = g00 + u0\nb1 = g10")
    file = parse(to_text(model, options, "a b.mdm"))
    expected = replace(options, deviance=None) if options.deviance == 0 else options
    assert file.options in (options, expected)
    assert file.model == model
    assert file.mdm == "a b.mdm"


@pytest.mark.parametrize(
    "equations",
    [
        MODEL4.equations(),
        "y = b1*grand(x) + b2*z\nb1 = g11*grand(w)\nb2 = u2",
        "y = b1*x + b0\nb1 = g10\nb0 = g01*w + g00 + u0",
        "y = b0\nb0 = g00 + u0\nlog(sigma2) = a0",
        "y = b0\nb0 = g00 + u0\nlog(sigma2) = a0 + a1*n",
        "y = b0\nb0 = g00 + u0\nlog(sigma2) = a0 + a1*female + a2*sector",
        MODEL4.equations() + "\ng01 = g11\ng02 = g12 = g10",
        "y = b0 + b1*`my x`\nb0 = g00 + g01*`r`\nb1 = g10",
    ],
)
def test_models_read_back_as_written(equations: str) -> None:
    model = Model(equations)
    assert parse(to_text(model)).model == model


@pytest.mark.parametrize("name", sorted(path.stem for path in MODELS.glob("*.hlm")))
def test_models_of_the_seminar_read_back_as_written(name: str, tmp_path: Path) -> None:
    file = command_file.read_command_file(MODELS / f"{name}.hlm")
    write(tmp_path / "x.hlm", file.model, file.options, file.mdm)
    again = command_file.read_command_file(tmp_path / "x.hlm", find_data=False)
    assert (again.model, again.options, again.mdm) == (file.model, file.options, file.mdm)


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    for name in ("`a+b`", "`random`", "INTRCPT2", "`a,1`"):
        with pytest.raises(CommandFileError, match="cannot stand in a command file; rename the variable"):
            to_text(Model(f"y = b0 + b1*{name}\nb0 = g00\nb1 = g10"))
    two = Options(residuals1=ResidualFile("a", "spss"), residuals2=ResidualFile("b", "stata"))
    with pytest.raises(CommandFileError, match="residual files of two types"):
        to_text(MODEL4, two)
    with pytest.raises(CommandFileError, match="cannot be written"):
        write(tmp_path / "no" / "x.hlm", MODEL4)


# ---------------------------------------------------------------- any text


_PIECES = (
    "level1: level2: gamma1: constrain: heterol1var: numit: nonlin: MATHACH INTRCPT1 INTRCPT2 SES RANDOM "
    "= + , / : 1 2 y n ` # \0 é resfil2: deviance: level3 *begin l1vars *end l1fname: level2id:"
)
WORDS = st.sampled_from([*re.findall(r"\S+", _PIECES), "\n", " "])


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(WORDS) + text[at + draw(st.integers(0, 9)) :]
    return text


@settings(max_examples=400)
@given(st.one_of(st.text(), st.lists(WORDS).map("".join), damaged(MODEL4_TEXT)))
def test_no_text_raises_anything_but_an_hlm_error(text: str) -> None:
    try:
        file = parse(text, "x.hlm", SOURCE)
    except CommandFileError:
        return
    assert parse(to_text(file.model), "x.hlm").model == file.model


@settings(max_examples=200)
@given(data=st.one_of(st.binary(max_size=200), damaged(TEMPLATE).map(lambda text: text.encode("utf-8"))))
def test_no_template_raises_anything_but_an_hlm_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    write_files(folder)
    (folder / "hsb.mdmt").write_bytes(data)
    try:
        source = command_file.read_command_file(folder / "run.hlm").source
    except HLMError:
        return
    assert source is not None
