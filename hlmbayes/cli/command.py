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

from ..errors import CommandFileError, HLMError, HLMWarning
from ..runs.outputs import (
    check_folder,
    check_places,
    inputs_of,
    outputs_of,
    residual_requests,
    write_figures,
    write_residual_files,
)
from .console import BUG, DONE, INTERRUPTED, WRONG_INPUT, complain, put
from .parsers import build_parser

if TYPE_CHECKING:
    from ..estimation.estimates import Estimates
    from ..report.tables import Tables
    from ..runs.jobs import Job

OUTPUTS = ("output", "json", "html")  # options that name a file
ISSUES = "the project's issue list"

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
    parser = build_parser({"run": run, "plot": plot, "describe": describe, "demo": demo})
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
    except OSError as error:  # a full disk, a name that is too long, ...: no fault of the program
        if args.debug:
            raise
        where = "" if error.filename is None else f": {str(error.filename)[:200]}"
        complain("error", f"{error.strerror or error}{where}")
        return WRONG_INPUT
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


# ----------------------------------------------------------------------------- commands


def run(args: argparse.Namespace) -> int:
    """Run a command file or equations and write what is asked for."""
    from ..runs.jobs import job_asked

    job, algorithm = job_asked(args)
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
    from ..report.remarks import fit_warnings
    from ..runs.jobs import job_asked, with_method

    job, algorithm = job_asked(args)
    job = with_method(job, args.method)
    if job.options.plausible_values:
        raise CommandFileError(
            f"{job.name}: plausvals: there are no figures of pooled data sets; take plausvals: out for "
            "those of one of them"
        )
    check_folder(args.out)
    fit, messages = _estimated(job, args, algorithm)
    for warning in (*job.warnings, *fit_warnings(fit), *messages):
        complain("warning", warning)
    left_out: dict[str, list[str]] = {}  # names of figures by the reason, which many may share

    def leave_out(sentence: str) -> None:
        name, _, reason = sentence.partition(": ")
        left_out.setdefault(reason, []).append(name)

    paths = write_figures(fit, args.out, leave_out)
    for reason, names in left_out.items():
        complain("left out", f"{', '.join(names)}: {reason}")
    print(f"{len(paths)} figures in {args.out}:")
    print("\n".join(f"  {path.name}" for path in paths))
    return DONE


def demo(args: argparse.Namespace) -> int:
    """Analyse the packaged data."""
    from ..datasets import hsb_paths
    from ..runs.jobs import job_from_equations

    level1, level2 = map(str, hsb_paths())
    job = job_from_equations(DEMO_MODEL, "hlmbayes demo", level1=level1, level2=level2, id="id")
    write(args, analyse(job, args, "hlm"))
    if not (args.json == "-" or args.html == "-" or args.output):
        print("\nThe model, as you would write it:\n", DEMO_MODEL.rstrip(), sep="")
        print("\nYour own data: hlmbayes run --help")
    return DONE


def describe(args: argparse.Namespace) -> int:
    """Print descriptive statistics."""
    from ..data.two_level import read

    weights = None
    if args.level1_weight or args.level2_weight:
        from ..data.weights import Weights

        weights = Weights(args.level1_weight, args.level2_weight)
    print(read(args.data, args.level2, id=args.id).describe(weights))
    return DONE


def analyse(job: Job, args: argparse.Namespace, algorithm: str) -> Tables:
    """Read the data, fit, and return the tables; warnings go to stderr and into the notes."""
    from ..runs.jobs import job_tables, with_method

    job = with_method(job, args.method)
    folder = Path(getattr(args, "file", None) or "").parent
    requests = residual_requests(job.options, folder, {1: args.residuals1, 2: args.residuals2})
    files = {f"the level-{level} residual file": target for level, (target, _) in requests.items()}
    check_places(outputs_of(args, OUTPUTS) | files, inputs_of(args, job))
    fit, messages = _estimated(job, args, algorithm)
    demanded = [level for level, path in ((1, args.residuals1), (2, args.residuals2)) if path is not None]
    said, failed = write_residual_files(fit, requests, demanded)
    for sentence in said:
        complain("wrote", sentence)
    tables = job_tables(job, fit, output=args.output, warnings=(*messages, *failed))
    for group in tables.notes:
        for sentence in group.sentences if group.warning else ():
            complain("warning", sentence)
    return tables


def _estimated(job: Job, args: argparse.Namespace, algorithm: str) -> tuple[Estimates, tuple[str, ...]]:
    """Read the data and fit; give the fit and what was warned of meanwhile."""
    from ..runs.jobs import fit_job, read_data

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", HLMWarning)
        fit = fit_job(job, read_data(job), args.algorithm or algorithm)
    messages = (str(w.message) for w in caught if issubclass(w.category, HLMWarning))
    return fit, tuple(dict.fromkeys(messages))


def write_pooled(args: argparse.Namespace, job: Job, algorithm: str) -> None:
    """Fit every plausible value or imputed data set; write their listings and the pooled results."""
    from ..runs.jobs import fit_pooled, not_pooled, pooled_listing, pooled_tests, with_method

    job = with_method(job, args.method)
    check_places(outputs_of(args, OUTPUTS), inputs_of(args, job))
    pooled = fit_pooled(job, args.algorithm or algorithm)
    missed = not_pooled(job)
    for warning in (*job.warnings, *job.not_done, *pooled.warnings, *missed):
        complain("warning", warning)
    tests = pooled_tests(job, pooled)
    text = pooled_listing(job, pooled, tests, missed, output=args.output)
    if args.json is not None:
        put(args.json, pooled.to_json(tests, missed))
    if args.html is not None:
        from html import escape

        from ..report.html_parts import document, main_element

        title = f"Two-level model of {job.model.outcome}: pooled results"
        put(args.html, document(title, main_element(title, [f"<pre>{escape(text)}</pre>"])))
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
