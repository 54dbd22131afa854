"""The `hlmbayes` command: run, plot, describe, demo.

A command is a function ``command(args) -> exit status`` and a function that adds its parser; what only one
command needs is imported inside it, so that the others start fast. Exit status: 0 done, 2 wrong input (one
line says what), 3 an error of the program, 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import CommandFileError, HLMError, HLMWarning

if TYPE_CHECKING:
    from ..estimation.fit import Fit
    from ..report.tables import Tables
    from .jobs import Job

DONE, WRONG_INPUT, BUG, INTERRUPTED = 0, 2, 3, 130
ISSUES = "the project's issue list"

TOP = """\
Two-level hierarchical linear models: the listings of HLM 6.08, and the true optimum beside them.

  hlmbayes demo                          an analysis of data that come with the program
  hlmbayes run MODEL.hlm                 the analysis in an HLM command file
  hlmbayes plot MODEL.hlm --out FOLDER   diagnostic plots and model graphs of that analysis
  hlmbayes sample MODEL.hlm --seed 1     the posterior distribution of the same model
  hlmbayes describe STUDENTS.sav SCHOOLS.sav --id id
                                         means, standard deviations, ranges of the variables

hlmbayes COMMAND --help explains a command."""

RUN = """\
Run the analysis in an HLM command file and print HLM's listing.

The command file names its data as NAME.mdm. That file cannot be read (only HLM can), but NAME.mdmt beside it
says where the data are; --level1, --level2 and --id say it instead.

  hlmbayes run hsb4.hlm
  hlmbayes run hsb4.hlm --algorithm exact          the optimum, as lme4, SAS and Stata find it
  hlmbayes run hsb4.hlm --json results.json --html results.html
  hlmbayes run hsb4.hlm --level1 students.csv --level2 schools.csv --id school

Without a command file, write the equations in a text file (.txt or .eq), or on the command line:

  hlmbayes run --level1 hsb1.sav --level2 hsb2.sav --id id --equations "
      mathach = b0 + b1*group(ses) + r
      b0 = g00 + g01*sector + u0
      b1 = g10 + g11*sector + u1"

group(x) is x minus the mean of its unit, grand(x) is x minus the mean of all rows."""

PLOT = """\
Run the analysis and draw its figures into a folder as PNG files: the diagnostic plots of its residuals,
each unit's estimates and influence, and model graphs. It takes what hlmbayes run takes.

  hlmbayes plot hsb4.hlm --out figures"""

DESCRIBE = """\
Print the descriptive statistics HLM prints when it makes its data file, of every numeric variable.

  hlmbayes describe hsb1.sav hsb2.sav --id id      students and schools in two files
  hlmbayes describe all.csv --id school            both levels in one file"""

DEMO = """\
Analyse the High School and Beyond data (7,185 students in 160 schools), which come with the program: math
achievement explained by the student's socio-economic status, the school's mean of it, and its sector."""

DEMO_MODEL = """
    mathach = b0 + b1*group(ses) + r
    b0 = g00 + g01*sector + g02*meanses + u0
    b1 = g10 + g11*sector + g12*meanses + u1
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; errors become one line on stderr."""
    # The matrices are small: more threads only wait for each other (a run took twice as long with two).
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # a screen without the letters of a name still shows the rest
            stream.reconfigure(errors="backslashreplace")
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help(sys.stderr)
        return WRONG_INPUT
    return guarded(args.command, args)


def guarded(command: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Call a command and turn what it raises into a line and an exit status."""
    try:
        status = command(args)
        sys.stdout.flush()
        return status
    except HLMError as error:
        if args.debug:
            raise
        complain("error", str(error))
        return WRONG_INPUT
    except BrokenPipeError:  # the reader of a pipe has what it wants (hlmbayes run x.hlm | head)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        complain("stopped", "interrupted")
        return INTERRUPTED
    except Exception as error:
        if args.debug:
            raise
        complain(
            "error",
            f"this is an error of the program, not yours ({type(error).__name__}: {error}). Run the command "
            f"again with --debug and send the output to {ISSUES}.",
        )
        return BUG


def complain(kind: str, text: str) -> None:
    """Print one line on stderr, whatever line breaks the text has."""
    print(f"hlmbayes: {kind}: {' '.join(text.split())}", file=sys.stderr)


# ----------------------------------------------------------------------------- parsers


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="hlmbayes", description=TOP, formatter_class=formatter)
    parser.add_argument("--version", action="version", version=f"hlmbayes {__version__}")
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add in (_add_run, _add_plot, _add_sample, _add_describe, _add_demo):
        add(commands)
    return parser


Commands = argparse._SubParsersAction  # argparse has no public name for it


def _command(
    commands: Commands[argparse.ArgumentParser],
    name: str,
    function: Callable[[argparse.Namespace], int],
    help: str,
    text: str,
) -> argparse.ArgumentParser:
    """Add a command with what every command has."""
    parser = commands.add_parser(
        name, help=help, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(command=function)
    parser.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show where an error comes from"
    )
    return parser


def _add_run(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "run", run, "run an HLM command file, or equations", RUN)
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="command file (.hlm), or equations (.txt, .eq)"
    )
    parser.add_argument("--equations", metavar="TEXT", help="the equations themselves, instead of FILE")
    add_data_options(parser)
    _add_estimation_options(parser)
    _add_output_options(parser)


def _add_plot(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "plot", plot, "draw the figures of an analysis", PLOT)
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="command file (.hlm), or equations (.txt, .eq)"
    )
    parser.add_argument("--equations", metavar="TEXT", help="the equations themselves, instead of FILE")
    parser.add_argument("--out", metavar="FOLDER", default="figures", help="where to (default: figures)")
    add_data_options(parser)
    _add_estimation_options(parser)


def _add_sample(commands: Commands[argparse.ArgumentParser]) -> None:
    from ..cli import sample as cli_sample  # imports nothing heavy itself

    parser = _command(
        commands, "sample", cli_sample.sample, "the posterior distribution of the same model", cli_sample.TEXT
    )
    cli_sample.add_options(parser)
    add_data_options(parser)


def _add_describe(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "describe", describe, "descriptive statistics of data files", DESCRIBE)
    parser.add_argument("data", metavar="DATA", help="level-1 file: .sav, .dta, .sas7bdat, .csv, .parquet")
    parser.add_argument("level2", nargs="?", metavar="LEVEL2", help="level-2 file, if there is one")
    parser.add_argument(
        "--id", default="id", metavar="NAME", help="variable that identifies the level-2 unit"
    )
    parser.add_argument("--level1-weight", metavar="NAME", help="sampling weight of rows")
    parser.add_argument("--level2-weight", metavar="NAME", help="sampling weight of units")


def _add_demo(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "demo", demo, "an analysis of data that come with the program", DEMO)
    _add_estimation_options(parser)
    _add_output_options(parser)


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add --level1, --level2, --id."""
    data = parser.add_argument_group("where the data are (instead of what the command file's .mdmt says)")
    data.add_argument("--level1", metavar="FILE", help="level-1 data, or both levels in one file")
    data.add_argument("--level2", metavar="FILE", help="level-2 data")
    data.add_argument("--id", metavar="NAME", help="variable that identifies the level-2 unit")


def _add_estimation_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("estimation")
    group.add_argument(
        "--algorithm",
        choices=("hlm", "exact"),
        help="hlm: the steps of HLM 6.08, its numbers (default, except with equations); exact: the optimum",
    )
    group.add_argument(
        "--method",
        type=str.upper,
        choices=("REML", "ML"),
        help="restricted or full maximum likelihood (default: what the command file says, else REML)",
    )


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("results")
    group.add_argument("--output", metavar="FILE", help="write the listing to FILE, not to the screen")
    group.add_argument(
        "--json", metavar="FILE", help="write the results as JSON; - for the screen, nothing else"
    )
    group.add_argument("--html", metavar="FILE", help="write the results as an HTML page")
    for level in (1, 2):
        group.add_argument(
            f"--residuals{level}",
            metavar="FILE",
            help=f"write the level-{level} residual file: .sav, .dta, .xpt, .csv or .parquet",
        )


# ----------------------------------------------------------------------------- commands


def run(args: argparse.Namespace) -> int:
    """Run a command file or equations and write what is asked for."""
    job, algorithm = _job(args)
    if job.options.plausible_values:
        if args.residuals1 or args.residuals2:
            raise CommandFileError(
                f"{job.name}: plausvals: there is no residual file of pooled data sets; take plausvals: out "
                "for that of one of them"
            )
        write_pooled(args, job, algorithm)
    else:
        write(args, analyse(job, args, algorithm))
    return DONE


def plot(args: argparse.Namespace) -> int:
    """Run a command file or equations and draw the figures."""
    from .jobs import with_method
    from .output_jobs import write_figures

    job, algorithm = _job(args)
    job = with_method(job, args.method)
    if job.options.plausible_values:
        raise CommandFileError(
            f"{job.name}: plausvals: there are no figures of pooled data sets; take plausvals: out for "
            "those of one of them"
        )
    fit, messages = _estimated(job, args, algorithm)
    for warning in (*fit.warnings, *messages):
        complain("warning", warning)
    paths = write_figures(fit, args.out, lambda sentence: complain("left out", sentence))
    print(f"{len(paths)} figures in {args.out}:")
    print("\n".join(f"  {path.name}" for path in paths))
    return DONE


def _job(args: argparse.Namespace) -> tuple[Job, str]:
    """Give the job of a command file or equations, and the algorithm such a one gets by default."""
    from .jobs import EQUATION_FILES, job_from_equations, job_from_file

    if (args.file is None) == (args.equations is None):
        raise CommandFileError(
            "got "
            + ("neither a file nor" if args.file is None else "both a file and")
            + " --equations: give one of them (hlmbayes run --help shows examples)"
        )
    where = {"level1": args.level1, "level2": args.level2, "id": args.id}
    if args.file is None:
        return job_from_equations(args.equations, **where), "exact"
    job = job_from_file(args.file, **where)
    return job, "exact" if args.file.lower().endswith(EQUATION_FILES) else "hlm"


def demo(args: argparse.Namespace) -> int:
    """Analyse the packaged data."""
    from ..datasets import hsb_paths
    from .jobs import job_from_equations

    level1, level2 = map(str, hsb_paths())
    job = job_from_equations(DEMO_MODEL, "hlmbayes demo", level1=level1, level2=level2, id="id")
    write(args, analyse(job, args, "hlm"))
    if not (args.json == "-" or args.html == "-" or args.output):
        print("The model, as you would write it:\n", DEMO_MODEL.rstrip(), sep="")
        print("\nYour own data: hlmbayes run --help")
    return DONE


def describe(args: argparse.Namespace) -> int:
    """Print descriptive statistics."""
    from ..data.two_level import read

    weights = None
    if args.level1_weight or args.level2_weight:
        from ..estimation.weights import Weights

        weights = Weights(args.level1_weight, args.level2_weight)
    print(read(args.data, args.level2, id=args.id).describe(weights))
    return DONE


def analyse(job: Job, args: argparse.Namespace, algorithm: str) -> Tables:
    """Read the data, fit, and return the tables; warnings go to stderr and into the notes."""
    from .jobs import job_tables, with_method
    from .output_jobs import residual_requests, write_residual_files

    job = with_method(job, args.method)
    folder = Path(getattr(args, "file", None) or "").parent
    requests = residual_requests(job.options, folder, {1: args.residuals1, 2: args.residuals2})
    fit, messages = _estimated(job, args, algorithm)
    for sentence in write_residual_files(fit, requests):
        complain("wrote", sentence)
    tables = job_tables(job, fit, output=args.output, warnings=messages)
    for group in tables.notes:
        for sentence in group.sentences if group.warning else ():
            complain("warning", sentence)
    return tables


def _estimated(job: Job, args: argparse.Namespace, algorithm: str) -> tuple[Fit, tuple[str, ...]]:
    """Read the data and fit; give the fit and what was warned of meanwhile."""
    from .jobs import fit_job, read_data

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", HLMWarning)
        fit = fit_job(job, read_data(job), args.algorithm or algorithm)
    messages = (str(w.message) for w in caught if issubclass(w.category, HLMWarning))
    return fit, tuple(dict.fromkeys(messages))


def write_pooled(args: argparse.Namespace, job: Job, algorithm: str) -> None:
    """Fit every plausible value or imputed data set; write their listings and the pooled results."""
    from .jobs import fit_pooled, pooled_listing, with_method

    job = with_method(job, args.method)
    pooled = fit_pooled(job, args.algorithm or algorithm)
    for warning in (*job.warnings, *pooled.warnings):
        complain("warning", warning)
    text = pooled_listing(job, pooled)
    if args.json is not None:
        put(args.json, pooled.to_json())
    if args.html is not None:
        from html import escape

        put(
            args.html,
            f"<!DOCTYPE html>\n<meta charset=utf-8>\n<title>hlmbayes</title>\n<pre>{escape(text)}</pre>\n",
        )
    if args.output is not None or "-" not in (args.json, args.html):
        put(args.output or "-", text)


def write(args: argparse.Namespace, tables: Tables) -> None:
    """Write JSON, page and listing to where they are wanted."""
    if args.json is not None:
        from ..report.json_text import text as as_json

        put(args.json, as_json(tables))
    if args.html is not None:
        from ..report.html import page

        put(args.html, page(tables))
    if args.output is not None or "-" not in (args.json, args.html):
        from ..report.text import listing

        put(args.output or "-", listing(tables))


def put(place: str, text: str) -> None:
    """Write text to a file, or to the screen for ``-``."""
    if place == "-":
        sys.stdout.write(text)
        return
    try:
        Path(place).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandFileError(f"{place} cannot be written: {error.strerror or error}") from None
