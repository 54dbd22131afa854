"""What a job's model predicts: rows, simple slopes, adjusted means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..data.missing import as_asked
from ..data.read_options import ReadOptions, with_codes
from ..data.reading import read_table
from ..data.table import Table
from ..errors import CommandFileError
from ..many_fits.pooled_predictions import (
    pooled_means,
    pooled_means_generalized,
    pooled_predict,
    pooled_predict_generalized,
    pooled_slopes,
    pooled_slopes_generalized,
)
from ..predictions.means import means
from ..predictions.predict import predict
from ..predictions.response import predict_generalized
from ..predictions.slopes import slopes
from ..predictions.typical import means_generalized, slopes_generalized
from ..writing import write_text
from .estimate import fit_job, heard, read_data
from .generalized import fit_generalized
from .jobs import Job
from .outputs import check_places
from .pooled import fit_pooled, imputed_jobs

OF_FIT = (slopes, means, predict)  # what answers of slopes, means and rows
GENERALIZED = (slopes_generalized, means_generalized, predict_generalized)
POOLED = (pooled_slopes, pooled_means, pooled_predict)
POOLED_GENERALIZED = (
    pooled_slopes_generalized, pooled_means_generalized, pooled_predict_generalized,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked: rows of ``new`` (of the data without it), or ``slopes`` or ``means`` of a variable.

    ``by`` and ``at``: names with values, "meanses=0,1"; ``by`` may be names alone.
    """

    new: str | None = None
    slopes: str | None = None
    means: str | None = None
    by: Sequence[str] = ()
    at: Sequence[str] = ()
    level: int | None = None
    interval: Any = None
    category: str | None = None  # of the outcome, whose probability slopes and means are of


def predicted(job: Job, wanted: Wanted, out: Path | None) -> tuple[str, tuple[str, ...]]:
    """Fit the job's model and answer; rows go to ``out`` as .csv where it is named.

    Gives the text for the screen, and what was warned of.

    Raises
    ------
    CommandFileError
        A file that is no .csv, slopes and means at once, or values that are no numbers.
    """
    if out is not None:
        check_places({"out": out}, [*job.inputs, *([Path(wanted.new)] if wanted.new else [])])
        if out.suffix.lower() != ".csv":
            raise CommandFileError(f"{out}: predictions are written as .csv")
    _check(wanted)
    if wanted.category and job.model.outcome_law.is_normal:
        raise CommandFileError(f"--category is of outcomes of categories, and {job.model.outcome} is none")
    (found, more), warned = heard(lambda: _answer(job, wanted))
    warned = (*job.warnings, *warned, *more)
    if wanted.slopes or wanted.means:
        if out is not None:
            write_text(out, found.frame().to_csv(index=not wanted.slopes, lineterminator="\n"))
        return str(found), warned
    rows: Any = found
    if out is None:
        return rows.rename_axis(None).to_string(), warned
    write_text(out, rows.to_csv(lineterminator="\n"))
    return f"{len(rows):,} rows in {out}", warned


def _check(wanted: Wanted) -> None:
    """Refuse two questions at once, and options that the one asked has no use for."""
    if wanted.slopes and wanted.means:
        raise CommandFileError("--slopes and --means are two questions: ask one at a time")
    asked = "--slopes" if wanted.slopes else "--means" if wanted.means else "rows"
    of_rows = {"--new": wanted.new, "--level": wanted.level, "--interval": wanted.interval}
    idle = [name for name, given in of_rows.items() if given and asked != "rows"]
    idle += ["--by"] if wanted.by and asked != "--slopes" else []
    idle += ["--at"] if wanted.at and asked == "rows" else []
    idle += ["--category"] if wanted.category and asked == "rows" else []
    if idle:
        hint = "; --at NAME=VALUE holds variables" if "--by" in idle and asked == "--means" else ""
        what = "predicted rows" if asked == "rows" else asked
        raise CommandFileError(f"{', '.join(idle)} has no meaning with {what}{hint}")


def _answer(job: Job, wanted: Wanted) -> tuple[Any, tuple[str, ...]]:
    """Fit and answer, on the scale of the outcome; gives slopes, means or rows, and the fit's warnings."""
    normal = job.model.outcome_law.is_normal
    own: dict[str, Any] = {} if normal else {"category": wanted.category}
    if job.several:
        fit: Any = fit_pooled(job, imputed_jobs(job))
        data = fit.fits[0].data
        asked: Any = POOLED if normal else POOLED_GENERALIZED
    else:
        data = read_data(job)
        fit = fit_job(job, data) if normal else fit_generalized(job, data)
        own |= {"df": job.df()} if normal else {}
        asked = OF_FIT if normal else GENERALIZED
    slopes_of, means_of, rows_of = asked
    at = values_of(wanted.at)
    if wanted.slopes:
        return slopes_of(fit, wanted.slopes, values_of(wanted.by) or None, at=at, **own), fit.warnings
    if wanted.means:
        return means_of(fit, wanted.means, at=at, **own), fit.warnings
    new = None if wanted.new is None else _new_rows(wanted.new, job.source.reading)
    rows = rows_of(fit, new, level=wanted.level or 1, interval=wanted.interval)
    if wanted.new is None and data is not None:  # the units' ids before the fit's own rows
        rows.insert(0, data.id_name, data.unit_ids[data.unit])
    return rows, fit.warnings


def _new_rows(file: str, reading: ReadOptions) -> Table:
    """Read rows to predict as the data: the same missing codes, of both levels, and marks of numbers."""
    one = replace(with_codes(reading, reading.missing[::-1]), sheet=(None, None))
    return as_asked(read_table(file, file, one), one, 1)


def values_of(given: Sequence[str]) -> dict[str, Any]:
    """Read "meanses=0,1" and "sector": names with numbers or levels, or None."""
    found: dict[str, Any] = {}
    for text in given:
        name, equal, values = text.partition("=")
        each = [value.strip() for value in values.split(",")]
        if equal and not all(each):
            raise CommandFileError(f"{text}: wants NAME=VALUE or NAME=VALUE,VALUE")
        found[name.strip()] = list(map(_number, each)) if equal else None
    return found


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
