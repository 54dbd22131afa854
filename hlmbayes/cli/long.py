"""`hlmbayes long`: a file with one row a person, written with one row a measurement."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import DataError
from ..words import plain, some
from .console import DONE

TEXT = """\
Write a file with one row a person and columns such as score1 score2 score3 as one with a row for each
measurement, which hlmbayes run takes. All variables that look so are taken, unless --variable names some.

  hlmbayes long pupils.sav pupils_long.sav
  hlmbayes long pupils.xlsx long.csv --variable score --time wave --times 0,6,12
  hlmbayes long trial.csv long.csv --variable anxiety=pre,post,followup"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `long` has of its own; how data are read is added by the caller."""
    parser.add_argument("data", metavar="WIDE", help="file with one row a person")
    formats = "file to write: .sav, .dta, .xpt, .csv or .parquet"
    parser.add_argument("output", metavar="LONG", help=formats)
    what = "variable that was measured several times, or NAME=COLUMN,COLUMN,...; may be said again"
    parser.add_argument("--variable", metavar="NAME", action="append", default=[], help=what)
    parser.add_argument("--time", metavar="NAME", default="time", help="column for the time (default: time)")
    times = "times of the columns, 0,6,12 (default: the numbers in their names, or 1, 2, ...)"
    parser.add_argument("--times", metavar="NUMBERS", help=times)


def long(args: argparse.Namespace) -> int:
    """Write the long file and say what was made."""
    from ..data.wide import in_long_form
    from ..residuals.files import write_residuals
    from ..runs.outputs import check_places
    from .options import reading_of

    check_places({"the long file": Path(args.output)}, [Path(args.data)])
    named = _named(args.variable)
    made = in_long_form(args.data, named, _numbers(args.times), args.time, reading_of(args))
    path = write_residuals(made.frame, args.output)
    print(f"{path}: {len(made.frame):,} rows of {made.n_persons:,} persons")
    for name, columns in made.measures.items():
        shown = some((f"{column} at {time:g}" for time, column in columns.items()), 12)
        print(plain(f"  {name}: {shown}"))
    return DONE


def _named(asked: list[str]) -> dict[str, list[str] | None]:
    """Give what --variable names: the columns of each variable, None where their names tell them."""
    pairs = (text.partition("=") for text in asked)
    return {name.strip(): columns.split(",") if equals else None for name, equals, columns in pairs}


def _numbers(text: str | None) -> list[float] | None:
    """Give the numbers of --times."""
    try:
        return None if text is None else [float(part) for part in text.split(",")]
    except ValueError:
        raise DataError(f"--times {text!r} are not numbers: wanted 0,6,12") from None
