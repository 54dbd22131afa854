"""The command line's commands, options and help texts."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from ..arguments import HLM_VERSIONS
from ..version import __version__
from . import app as cli_app  # these import nothing heavy themselves
from . import long as cli_long
from . import sample as cli_sample
from .slips import Parser

Command = Callable[[argparse.Namespace], int]

TOP = """\
Two-level hierarchical linear models: the listings of HLM 6.08, and the true optimum beside them.

  hlmbayes app                           the window: click a model together, run it, look at it
  hlmbayes demo                          an analysis of data that come with the program
  hlmbayes run MODEL.hlm                 the analysis in an HLM command file
  hlmbayes plot MODEL.hlm                diagnostic plots and model graphs of that analysis
  hlmbayes table A.hlm B.hlm             models side by side, for a paper
  hlmbayes summary MODEL.hlm             one screen; tests, intervals, checks, R2, comparison
  hlmbayes predict MODEL.hlm             predictions, simple slopes, adjusted means
  hlmbayes sample MODEL.hlm --seed 1     the posterior distribution of the same model
  hlmbayes describe STUDENTS.sav SCHOOLS.sav --id id
                                         means, standard deviations, ranges of the variables
  hlmbayes long WIDE.sav LONG.sav        score1 score2 score3 of a person as three rows
  hlmbayes warm                          compile what NUTS needs, once after installing

hlmbayes COMMAND --help explains a command."""

RUN = """\
Run the analysis in an HLM command file and print HLM's listing.

The command file names its data as NAME.mdm. They are read from the files that NAME.mdmt beside it names, else
from NAME.mdm itself; --level1, --level2 and --id say it instead.

  hlmbayes run hsb4.hlm
  hlmbayes run hsb4.hlm --algorithm exact          the optimum, as lme4, SAS and Stata find it
  hlmbayes run hsb4.hlm --json results.json --html results.html
  hlmbayes run hsb4.hlm --level1 students.csv --level2 schools.csv --id school

Plausible values with replicate weights, as PISA, TIMSS and NAEP are analysed:

  hlmbayes run pisa.txt --level1 pisa.sav --id SCHOOLID --level1-weight W_FSTUWT
      --plausible-values PV1READ,PV2READ,PV3READ,PV4READ,PV5READ
      --replicates W_FSTR1-W_FSTR80 --replicate-method fay

Without a command file, write the equations, or a formula, in a text file (.txt or .eq) that says where the
data are, and needs no options:

  data: students.csv
  level2: schools.csv
  id: school
  mathach = b0 + b1*group(ses) + b2*C(track) + r
  ...

or on the command line:

  hlmbayes run --level1 hsb1.sav --level2 hsb2.sav --id id --equations "
      mathach = b0 + b1*group(ses) + r
      b0 = g00 + g01*sector + u0
      b1 = g10 + g11*sector + u1"

group(x) is x minus the mean of its unit, grand(x) is x minus the mean of all rows."""

PLOT = """\
Run the analysis and draw its figures into a folder: the eight that tell most, or --all there are (of each
variable, each coefficient). Each file's name is printed when it is written. It takes what hlmbayes run takes.

  hlmbayes plot hsb4.hlm                   eight figures into the folder figures
  hlmbayes plot hsb4.hlm --all --figures plots --format pdf
  hlmbayes plot hsb4.hlm --only caterpillar,chi2_qq,effect_against_pracad_b0 --format png --dpi 300
  hlmbayes plot hsb4.hlm --x ses --by sector meanses=-0.5,0.5

A file has the name of its figure. The beginning of names will do: --only caterpillar draws every caterpillar.
A name that is not there is answered with those that are."""

TABLE = """\
Fit the models of command files, or of equations in text files, and put them side by side in a table for a
paper: on the screen, or in a file for Word, Excel, LaTeX, Typst, a page of HTML or Markdown.

  hlmbayes table hsb1.hlm hsb3.hlm hsb4.hlm
  hlmbayes table hsb3.hlm hsb4.hlm --out table.docx --stars
  hlmbayes table a.txt b.txt --level1 students.csv --id school --names Null Full --intervals"""

SUMMARY = """\
Fit a model and show it on one screen, with the answers to what is asked of it.

  hlmbayes summary hsb4.hlm --robust CR2 --icc --r2 --confint
  hlmbayes summary hsb4.hlm --df kenward-roger --test "g01 = 0, g11 = 0" --contrast "g01 - 2*g11"
  hlmbayes summary hsb4.hlm --variable sector --check --homogeneity
  hlmbayes summary hsb4.hlm --compare hsb3.hlm --bootstrap 1000 --seed 1
  hlmbayes summary hsb4.hlm --icc ses=-1,0,1 --range --explore"""

PREDICT = """\
Fit a model and say what it predicts: the rows of its data or of a file, the slopes of a variable at values of
others, or adjusted means and their differences.

  hlmbayes predict hsb4.hlm --out predicted.csv --interval prediction
  hlmbayes predict hsb4.hlm --new new.csv --level 2
  hlmbayes predict hsb4.hlm --slopes ses --by sector
  hlmbayes predict hsb4.hlm --slopes ses --by meanses=-0.5,0,0.5
  hlmbayes predict hsb4.hlm --means sector --at meanses=0"""

DESCRIBE = """\
Print the descriptive statistics HLM prints when it makes its data file, of every numeric variable.

  hlmbayes describe hsb1.sav hsb2.sav --id id      students and schools in two files
  hlmbayes describe all.csv --id school            both levels in one file
  hlmbayes describe hsb.mdm                        HLM's own data file"""

DEMO = """\
Analyse the High School and Beyond data (7,185 students in 160 schools), which come with the program: math
achievement explained by the student's socio-economic status, the school's mean of it, and its sector.

  hlmbayes demo
  hlmbayes demo --algorithm exact --html demo.html"""


SAID = {  # of each command, in the order of the help: what it is in a line, and its help
    "run": ("run an HLM command file, or equations", RUN),
    "plot": ("draw the figures of an analysis", PLOT),
    "table": ("models side by side, for a paper", TABLE),
    "summary": ("one screen: effects, variances, tests, checks", SUMMARY),
    "predict": ("predictions, simple slopes, adjusted means", PREDICT),
    "sample": ("the posterior distribution of the same model", cli_sample.TEXT),
    "describe": ("descriptive statistics of data files", DESCRIBE),
    "long": ("a file with one row a person, made long", cli_long.TEXT),
    "warm": ("compile what NUTS needs, once after installing", cli_sample.WARM),
    "app": ("the window, in your browser", cli_app.TEXT),
    "demo": ("an analysis of data that come with the program", DEMO),
}
MODEL_FILE = "command file (.hlm), or equations (.txt, .eq)"


def build_parser(functions: Mapping[str, Command]) -> Parser:
    """Return the parser of the whole command line; ``functions`` do what the commands say."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog="hlmbayes", description=TOP, formatter_class=formatter)
    parser.add_argument("--version", action="version", version=f"hlmbayes {__version__}")
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    does = {**functions, "sample": cli_sample.sample, "long": cli_long.long, "warm": cli_sample.warm,
            "app": cli_app.app}  # fmt: skip
    made = {name: _command(commands, name, does[name], *said) for name, said in SAID.items()}
    run, plot, table, summary, predict, sample, describe, long, _, app, demo = made.values()
    cli_app.add_options(app)
    for command in (run, plot, sample, predict, summary):
        _add_job_options(command)
        _add_level1_options(command)
    _add_predict_options(predict)
    _add_summary_options(summary)
    _add_table_options(table)
    _add_level1_options(table)
    _add_plot_options(plot)
    for command in (run, plot, demo, table, predict, summary):
        _add_estimation_options(command)
    _add_survey_options(run)
    for command in (run, demo):
        _add_output_options(command)
    cli_sample.add_options(sample)
    _add_describe_options(describe)
    cli_long.add_options(long)
    add_reading_options(long.add_argument_group("how the data are read"))
    return parser


Commands = argparse._SubParsersAction  # argparse has no public name for it


def _command(
    commands: Commands[Parser], name: str, function: Command, help: str, text: str
) -> argparse.ArgumentParser:
    """Add a command with what every command has."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(name, help=help, description=text, formatter_class=formatter)
    parser.set_defaults(command=function, parser=parser)
    where = "show where an error comes from"
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=where)
    return parser


def _add_describe_options(parser: argparse.ArgumentParser) -> None:
    formats = "level-1 file: .sav, .dta, .csv, .xlsx, .mdm, ..."
    parser.add_argument("data", metavar="DATA", help=formats)
    parser.add_argument("level2", nargs="?", metavar="LEVEL2", help="level-2 file, if there is one")
    unit = "variable that identifies the level-2 unit (default: id)"
    parser.add_argument("--id", default="id", metavar="NAME", help=unit)
    add_reading_options(parser.add_argument_group("how the data are read"))
    parser.add_argument("--level1-weight", metavar="NAME", help="sampling weight of rows")
    parser.add_argument("--level2-weight", metavar="NAME", help="sampling weight of units")


def _add_table_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help=MODEL_FILE)
    _add_data_options(parser)
    group = parser.add_argument_group("the table")
    what = ".docx, .xlsx, .tex, .html, .md, .typ or .txt (default: the screen)"
    group.add_argument("--out", metavar="FILE", help=what)
    group.add_argument("--names", nargs="+", metavar="NAME", default=(), help="what stands above the models")
    group.add_argument("--title", default="", help="what stands above the table")
    group.add_argument("--stars", action="store_true", help="* p < .05, ** p < .01, *** p < .001")
    what = "odds, rate or hazard ratios in place of coefficients, of outcomes that are not normal"
    group.add_argument("--ratios", action="store_true", help=what)
    group.add_argument("--intervals", action="store_true", help="intervals in place of standard errors")
    group.add_argument("--digits", type=int, default=3, help="decimals of estimates (default: 3)")
    _add_error_options(group)


def _add_error_options(group: argparse._ArgumentGroup) -> None:
    """Add --robust and --df."""
    kinds = ("HLM", "CR1", "CR2")
    group.add_argument(
        "--robust", type=str.upper, choices=kinds, help="robust standard errors: HLM's, or better ones"
    )
    whose = ("hlm", "hlm7", "satterthwaite", "kenward-roger")
    group.add_argument("--df", choices=whose, help="degrees of freedom (default: HLM's)")


def _add_summary_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is asked")
    _add_error_options(group)
    group.add_argument("--prob", type=float, default=0.95, help="probability of intervals (default: 0.95)")
    what = "test that combinations hold together: 'g01 = 0, g11 = 0'"
    group.add_argument("--test", metavar="TEXT", action="append", default=[], help=what)
    what = "a combination with its standard error: 'g01 - 2*g11'"
    group.add_argument("--contrast", metavar="TEXT", action="append", default=[], help=what)
    what = "test all effects of a variable"
    group.add_argument("--variable", metavar="NAME", action="append", default=[], help=what)
    what = "deviance test against the model of another file, and how much of its variances is explained"
    group.add_argument("--compare", metavar="FILE", help=what)
    for option, metavar, what in (
        ("icc", "NAME=VALUES", "intraclass correlation, where predictors with random slopes are 0 or these"),
        ("range", "NAME", "between which values most units' coefficients are (default: all random ones)"),
        ("explore", "NAME", "what level-2 variables promise as predictors (default: all in no equation)"),
    ):  # fmt: skip
        group.add_argument(f"--{option}", metavar=metavar, nargs="*", help=what)
    what = "with so many simulated data sets: intervals of R-squared, p-value of the comparison"
    group.add_argument("--bootstrap", metavar="N", type=int, default=0, help=what)
    group.add_argument("--seed", type=int, help="same seed, same simulated data sets")
    for option, what in (
        ("r2", "parts of the variance, R-squared"),
        ("confint", "profile intervals of the variances"), ("check", "assumptions, in words"),
        ("homogeneity", "is the level-1 variance the same in all units?"),
    ):  # fmt: skip
        group.add_argument(f"--{option}", action="store_true", help=what)


def _add_plot_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("figures")
    what = "where the figures go (default: figures)"
    group.add_argument("--figures", metavar="FOLDER", default="figures", help=what)
    group.add_argument("--all", action="store_true", help="all figures that fit the model")
    what = "those of these names, or whose names begin so; may be said again"
    group.add_argument("--only", metavar="NAME,...", action="append", default=[], help=what)
    group.add_argument("--x", metavar="NAME", help="predictions over this variable, and nothing else")
    what = "one or two variables with a line (or mark) for each value"
    group.add_argument("--by", nargs="+", metavar="NAME[=VALUES]", default=(), help=what)
    group.add_argument("--at", nargs="+", metavar="NAME=VALUE", default=(), help="where others are held")
    kinds = ("png", "svg", "pdf")
    group.add_argument("--format", choices=kinds, default="png", help="of the files (default: png)")
    what = "dots an inch, of figures 8 inches wide (default: 100; 300 for print)"
    group.add_argument("--dpi", type=_dots, metavar="NUMBER", default=100, help=what)


def _dots(text: str) -> int:
    if not text.isdigit() or not 20 <= int(text) <= 1200:
        raise argparse.ArgumentTypeError(f"wanted a whole number from 20 to 1200, got {text!r}")
    return int(text)


def _add_predict_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is predicted")
    group.add_argument("--new", metavar="FILE", help="rows to predict (default: those of the data)")
    group.add_argument("--out", metavar="FILE", help="write what is predicted to a .csv")
    what = "1: with each unit's own effects (default); 2: by the equations alone"
    group.add_argument("--level", type=int, choices=(1, 2), help=what)
    kinds = ("confidence", "prediction")
    group.add_argument("--interval", choices=kinds, help="of the expected outcome, or of an outcome")
    group.add_argument("--slopes", metavar="NAME", help="simple slopes of a variable")
    group.add_argument("--means", metavar="NAME", help="adjusted means at values of a variable")
    group.add_argument(
        "--by", nargs="+", metavar="NAME[=VALUES]", default=(), help="moderators of the slopes"
    )
    group.add_argument("--at", nargs="+", metavar="NAME=VALUE", default=(), help="where others are held")
    group.add_argument(
        "--category", metavar="VALUE", help="of ratings and categories: whose probability alone"
    )


def _add_job_options(parser: argparse.ArgumentParser) -> None:
    """Add FILE, --equations, --level1, --level2, --id."""
    parser.add_argument("file", nargs="?", metavar="FILE", help=MODEL_FILE)
    parser.add_argument("--equations", metavar="TEXT", help="the equations themselves, instead of FILE")
    _add_data_options(parser)


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("where the data are (instead of the command file's .mdmt or .mdm)")
    data.add_argument("--level1", metavar="FILE", help="level-1 data, or both levels in one file")
    data.add_argument("--level2", metavar="FILE", help="level-2 data")
    data.add_argument("--id", metavar="NAME", help="variable that identifies the level-2 unit")
    add_reading_options(parser.add_argument_group("how the data are read"))


def add_reading_options(group: argparse._ArgumentGroup) -> None:
    """Add what `read` can be told: missing codes, sheets, how numbers are written."""
    codes = "missing codes: -99,-9 for every variable, NAME=-99,-9 for one; may be said again"
    group.add_argument("--missing", metavar="CODES", action="append", default=[], help=codes)
    drop = "leave out units without a value of a level-2 variable (default: an error names them)"
    group.add_argument("--drop-incomplete", action="store_true", help=drop)
    sheet = "sheet of an Excel or .ods file, by name or number; said again: that of level 2"
    group.add_argument("--sheet", metavar="SHEET", action="append", default=[], help=sheet)
    decimal = "decimal mark of numbers that are text, . or , (default: judged by the columns)"
    group.add_argument("--decimal", choices=(".", ","), metavar="MARK", help=decimal)
    parts = "what parts thousands in numbers that are text: . or , or ' or a blank"
    group.add_argument("--thousands", choices=(",", ".", "'", " "), metavar="MARK", help=parts)
    group.add_argument("--percent", action="store_true", help="read 45%% as 45")


def _add_level1_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is known of the rows")
    known = "level-1 variable that is the variance of the row's outcome (meta-analysis)"
    group.add_argument("--known-variance", metavar="NAME", help=known)
    group.add_argument("--precision", metavar="NAME", help="level-1 variable w: the variance is sigma2 / w")
    group.add_argument("--frequency", metavar="NAME", help="how many identical rows a row stands for")
    group.add_argument("--frequency2", metavar="NAME", help="how many identical units a unit stands for")
    what = "what varianceknown: names, the variances of rows (default) or their precision weights"
    group.add_argument("--varianceknown", choices=("variance", "precision"), help=what)


def _add_estimation_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("estimation")
    what = "hlm: the steps of HLM 6.08, its numbers (default, except with equations); exact: the optimum"
    group.add_argument("--algorithm", choices=("hlm", "exact"), help=what)
    hlm = "whose d.f. of fixed slopes, words and names of residual files (default: 7 where the files show it)"
    group.add_argument("--hlm", choices=HLM_VERSIONS, help=hlm)
    what = "restricted or full maximum likelihood (default: what the command file says, else REML)"
    group.add_argument("--method", type=str.upper, choices=("REML", "ML"), help=what)


def _add_survey_options(parser: argparse.ArgumentParser) -> None:
    """Add what surveys like PISA, TIMSS and NAEP need."""
    group = parser.add_argument_group("surveys (instead of, or beside, what the command file says)")
    group.add_argument("--level1-weight", metavar="NAME", help="sampling weight of rows")
    group.add_argument("--level2-weight", metavar="NAME", help="sampling weight of units")
    values = "plausible values of the outcome, with commas between them: fitted one by one and pooled"
    group.add_argument("--plausible-values", metavar="NAMES", help=values)
    files = (
        "level-1 files of the other imputed data sets, of the same variables: fitted one by one and pooled"
    )
    group.add_argument("--imputed", metavar="FILE", nargs="+", help=files)
    column = "column that numbers the imputed data sets, where they are in one file"
    group.add_argument("--imputed-by", metavar="NAME", help=column)
    names = "replicate weights, of which standard errors are made: names with commas, or W_FSTR1-W_FSTR80"
    group.add_argument("--replicates", metavar="NAMES", help=names)
    kinds = "kind of the replicates (default: brr)"
    group.add_argument("--replicate-method", choices=("brr", "fay", "jackknife", "jk2"), help=kinds)
    group.add_argument("--fay", type=float, metavar="FACTOR", help="Fay's factor (fay only; default: 0.5)")
    of = "the weight they are replicates of; total: level-1 times level-2 weight"
    group.add_argument("--replicates-of", choices=("level1", "level2", "total"), help=of)
    where = "plausible values that the replicates' variance is taken from (default: all; NAEP: first)"
    group.add_argument("--sampling-from", choices=("all", "first"), help=where)


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("results")
    group.add_argument("--output", metavar="FILE", help="write the listing to FILE, not to the screen")
    screen = "write the results as JSON; - for the screen, nothing else"
    group.add_argument("--json", metavar="FILE", help=screen)
    group.add_argument("--html", metavar="FILE", help="write the results as an HTML page")
    for level in (1, 2):
        what = f"write the level-{level} residual file: .sav, .dta, .xpt, .csv or .parquet"
        group.add_argument(f"--residuals{level}", metavar="FILE", help=what)
