"""The `hlmbayes` command: run, plot, describe, demo.

A command is a function ``command(args) -> exit status`` and a function that adds its parser; what only one
command needs is imported inside it, so that the others start fast. Exit status: 0 done, 2 wrong input (one
line says what), 3 an error of the program, 130 interrupted.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import HLMError
from ..words import plain
from .console import BUG, DONE, INTERRUPTED, STOPPED, WRONG_INPUT, complain, streams_and_interrupts, write
from .parsers import build_parser

if TYPE_CHECKING:
    from ..runs.jobs import Job

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
    # What imports make stays: to look through it again and again for garbage is a twentieth of a short run.
    gc.set_threshold(100_000)
    with streams_and_interrupts():
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # a screen without a name's letters shows the rest
                stream.reconfigure(errors="backslashreplace")
        own = (run, plot, table, summary, predict, describe, demo)
        parser = build_parser({command.__name__: command for command in own})
        words = _codes_joined(sys.argv[1:] if argv is None else argv)
        if words[:1] == ["help"]:
            words = [*words[1:2], "--help"]
        args, left = parser.parse_known_args(words)
        if left:
            (parser if args.command is None else args.parser).refuse(left)
        if args.command is None:
            parser.print_help(sys.stderr)
            return WRONG_INPUT
        return guarded(args.command, args)


def _codes_joined(argv: Sequence[str]) -> list[str]:
    """Join --missing and codes that begin with a minus, which would be taken for an option: -99,-9."""
    words: list[str] = []
    for word in argv:
        follows = words and words[-1] == "--missing" and word[:1] == "-" and word[1:2].isdigit()
        words[len(words) - bool(follows) :] = [f"--missing={word}" if follows else word]
    return words


def guarded(command: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Call a command and turn what it raises into a line and an exit status."""
    try:
        return _status(command, args)
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


def _status(command: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Give a command's exit status; what a library makes of Ctrl-C is an interrupt again."""
    try:
        status = command(args)
        sys.stdout.flush()
    except Exception:
        if STOPPED.is_set():
            raise KeyboardInterrupt from None
        raise
    if STOPPED.is_set():
        raise KeyboardInterrupt
    return status


# ----------------------------------------------------------------------------- commands


def run(args: argparse.Namespace) -> int:
    """Run a command file or equations and write what is asked for."""
    from ..runs.done import results_of
    from ..runs.jobs import with_survey
    from .options import job_of, outputs_of, residuals_of, survey_of

    job = with_survey(asked(args, job_of(args)), **survey_of(args))
    return write(args, results_of(job, outputs_of(args), residuals_of(args), args.output))


def asked(args: argparse.Namespace, job: Job) -> Job:
    """Give the job as the estimation options want it."""
    from ..runs.jobs import asked_otherwise

    return asked_otherwise(job, method=args.method, algorithm=args.algorithm, hlm=args.hlm)


def show(text: str, warned: Sequence[str], missed: Sequence[str] = ()) -> int:
    """Print warnings, a text, then what of it was asked for and is not there: that is an error."""
    for sentence in warned:
        complain("warning", sentence)
    print(plain(text), flush=True)
    for sentence in missed:
        complain("error", sentence)
    return WRONG_INPUT if missed else DONE


def plot(args: argparse.Namespace) -> int:
    """Run a command file or equations and draw figures; each file's name is printed when it is written."""
    from ..runs.drawn import draw_job
    from .options import figures_of, job_of

    def wrote(path: Path) -> None:
        print(plain(f"  {path.name}"), flush=True)

    wanted, job = figures_of(args), asked(args, job_of(args))
    drawn = draw_job(job, args.figures, wanted, complain, wrote)
    n = len(drawn.paths)
    print(f"{n} {'figure' if n == 1 else 'figures'} in {args.figures}")
    return WRONG_INPUT if args.only and drawn.left_out else DONE  # what was named is wanted


def table(args: argparse.Namespace) -> int:
    """Fit models and put them side by side."""
    from ..runs.side_by_side import table_of
    from .options import job_of_file, robust_of

    jobs = [asked(args, job_of_file(args, file)) for file in args.files]
    out = None if args.out in (None, "-") else Path(args.out)
    options = {"names": args.names, "interval": args.intervals, "stars": args.stars}
    options |= {"digits": args.digits, "ratios": args.ratios}
    found, warned = table_of(jobs, out, **options, robust=robust_of(args), df=args.df, title=args.title)
    models = f"{len(jobs)} model{'s' if len(jobs) > 1 else ''}"
    return show(str(found) if out is None else f"{models} in {out}", warned)


def summary(args: argparse.Namespace) -> int:
    """Fit a model and show it at a glance, with the answers to what is asked of it."""
    from ..runs.summarised import Questions, summarised
    from .options import job_of, job_of_file, robust_of

    questions = Questions(
        args.prob, {"robust": robust_of(args), "df": args.df}, args.test, args.contrast, args.variable,
        asked(args, job_of_file(args, args.compare)) if args.compare else None,
        args.icc, args.range, args.explore, args.bootstrap, args.seed, args.r2, args.confint, args.check,
        args.homogeneity,
    )  # fmt: skip
    return show(*summarised(asked(args, job_of(args)), questions))


def predict(args: argparse.Namespace) -> int:
    """Fit a model and say what it predicts."""
    from ..runs.predicted import Wanted, predicted
    from .options import job_of

    wanted = Wanted(
        args.new, args.slopes, args.means, args.by, args.at, args.level, args.interval, args.category
    )  # fmt: skip
    out = None if args.out in (None, "-") else Path(args.out)
    return show(*predicted(asked(args, job_of(args)), wanted, out))


def demo(args: argparse.Namespace) -> int:
    """Analyse the packaged data."""
    from ..datasets import hsb_paths
    from ..runs.done import results_of
    from ..runs.jobs import job_from_equations
    from .options import outputs_of, residuals_of

    level1, level2 = map(str, hsb_paths())
    job = job_from_equations(DEMO_MODEL, "hlmbayes demo", level1=level1, level2=level2, id="id")
    job = asked(args, replace(job, algorithm="hlm"))
    status = write(args, results_of(job, outputs_of(args), residuals_of(args), args.output))
    if not (args.json == "-" or args.html == "-" or args.output):
        print("\nThe model, as you would write it:\n", DEMO_MODEL.rstrip(), sep="")
        print("\nYour own data: hlmbayes run --help")
    return status


def describe(args: argparse.Namespace) -> int:
    """Print descriptive statistics."""
    from ..data.two_level import load
    from ..runs.estimate import heard
    from .options import reading_of

    weights = None
    if args.level1_weight or args.level2_weight:
        from ..data.weights import Weights

        weights = Weights(args.level1_weight, args.level2_weight)
    data, warned = heard(lambda: load(args.data, args.level2, id=args.id, options=reading_of(args)))
    return show(str(data.describe(weights)), warned)
