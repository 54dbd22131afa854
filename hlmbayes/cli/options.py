"""What the options of a command ask for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data.paths import MODEL_FILES
from ..data.read_options import ReadOptions, codes_from_text, read_options, with_codes
from ..data.weights import Frequencies
from ..errors import CommandFileError, DataError, OutputError
from ..estimation.prepare import Level1Asked
from ..runs.jobs import Job, asked_otherwise, job_from_equations, job_from_file
from ..writing import page_place

FILES = ("output", "json", "html")  # options that name a file for the results


def job_of(args: argparse.Namespace) -> Job:
    """Give the job of a command file or equations."""
    if (args.file is None) == (args.equations is None):
        got = "neither a file nor" if args.file is None else "both a file and"
        raise CommandFileError(
            f"got {got} --equations: give one of them (--help shows examples){_taken(args)}"
        )
    if args.file:
        return job_of_file(args, args.file)
    job = job_from_equations(args.equations, level1=args.level1, level2=args.level2, id=args.id)
    return _as_read(args, job)


def _taken(args: argparse.Namespace) -> str:
    """Say which option took the name of a model's file for itself; "" where none did."""
    for option in FILES:
        place = getattr(args, option, None)
        if args.file is None and place and Path(place).suffix.lower() in MODEL_FILES:
            return f". --{option} took {place} as the file to write; the model's file goes first"
    return ""


def job_of_file(args: argparse.Namespace, file: str) -> Job:
    """Give the job of one command file, or file of equations, with the data that options name."""
    job = job_from_file(file, level1=args.level1, level2=args.level2, id=args.id)
    return _as_read(args, job)


def _as_read(args: argparse.Namespace, job: Job) -> Job:
    """Give the job with what options say of the data; missing codes of its template stay."""
    reading = with_codes(reading_of(args), job.source.reading.missing)
    level1: Level1Asked = {**job.level1}
    if args.known_variance or args.precision:
        level1 |= {"variance_known": args.known_variance, "precision": args.precision}
    if args.frequency or args.frequency2:
        level1["frequency"] = Frequencies(args.frequency, args.frequency2)
    job = asked_otherwise(job, varianceknown=args.varianceknown)
    return replace(job, source=replace(job.source, reading=reading), level1=level1)


def robust_of(args: argparse.Namespace) -> bool | str | None:
    """Give the kind of standard errors that --robust names."""
    robust: str | None = args.robust
    return True if robust == "HLM" else robust


def figures_of(args: argparse.Namespace) -> Any:
    """Give the figures that options ask for.

    Raises
    ------
    OutputError
        Options that exclude each other, or values of --by or --at that are none.
    """
    from ..figures.figure_set import Wanted
    from ..runs.predicted import values_of

    asked = [option for option in ("all", "only", "x") if getattr(args, option)]
    if len(asked) > 1:
        raise OutputError(f"--{asked[0]} and --{asked[1]} exclude each other: give one of them")
    if (args.by or args.at) and not args.x:
        raise OutputError(
            "--by and --at are of the predictions over a variable: name it, --x ses --by sector"
        )
    by, at = values_of(args.by), values_of(args.at)
    return Wanted(args.all, args.only, args.x, by, at, args.format, args.dpi)


def reading_of(args: argparse.Namespace) -> ReadOptions:
    """Give how the data are to be read.

    Raises
    ------
    DataError
        Missing codes or sheets that are not understood.
    """
    if len(args.sheet) > 2:
        raise DataError(f"--sheet was said {len(args.sheet)} times: wanted once, or once for each level")
    return read_options(
        decimal=args.decimal, thousands=args.thousands, percent=args.percent,
        missing=codes_from_text(args.missing), sheet=(args.sheet[0], args.sheet[-1]) if args.sheet else None,
        level2_missing="drop" if args.drop_incomplete else "refuse",
    )  # fmt: skip


def outputs_of(args: argparse.Namespace, options: Sequence[str] = FILES) -> dict[str, Path]:
    """Give the files that options name.

    Raises
    ------
    OutputError
        Two of them are for the screen.
    """
    given = {f"--{option}": getattr(args, option) for option in options}
    screen = [option for option, place in given.items() if place == "-"]
    if len(screen) > 1:
        raise OutputError(f"{' and '.join(screen)} both go to the screen: name a file for one of them")
    files = {option: Path(place) for option, place in given.items() if place not in (None, "-")}
    if "--html" in files:
        page_place(files["--html"])
    return files


def survey_of(args: argparse.Namespace) -> dict[str, Any]:
    """Give the weights, plausible values and replicate weights that options name."""
    names = ("level1_weight", "level2_weight", "plausible_values", "replicates", "sampling_from", "fay",
             "imputed", "imputed_by")  # fmt: skip
    given = {name: getattr(args, name) for name in names}
    return given | {"method": args.replicate_method, "of": args.replicates_of}


def residuals_of(args: argparse.Namespace) -> dict[int, str]:
    """Give the residual files that options name, by level."""
    given = {1: args.residuals1, 2: args.residuals2}
    return {level: path for level, path in given.items() if path is not None}
