"""What a job's model predicts: rows, simple slopes, adjusted means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CommandFileError
from ..predictions.means import means
from ..predictions.predict import predict
from ..predictions.slopes import slopes
from ..writing import write_text
from .estimate import fit_job, heard, read_data
from .jobs import Job
from .outputs import check_places


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
    level: int = 1
    interval: Any = None


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
        if out.suffix.lower() != ".csv" or wanted.slopes or wanted.means:
            raise CommandFileError(f"{out}: predicted rows are written as .csv, and nothing else is")
    if wanted.slopes and wanted.means:
        raise CommandFileError("--slopes and --means are two questions: ask one at a time")
    job.refuse_several("there are no predictions")
    fit, warned = heard(lambda: fit_job(job, read_data(job)))
    warned = (*job.warnings, *warned, *fit.warnings)
    if wanted.slopes:
        by = values_of(wanted.by)
        found = slopes(fit, wanted.slopes, by or None, at=values_of(wanted.at), df=job.df())
        return str(found), warned
    if wanted.means:
        return str(means(fit, wanted.means, at=values_of(wanted.at), df=job.df())), warned
    rows = predict(fit, wanted.new, level=wanted.level, interval=wanted.interval)
    if out is None:
        return rows.rename_axis(None).to_string(), warned
    write_text(out, rows.to_csv(lineterminator="\n"))
    return f"{len(rows):,} rows in {out}", warned


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
