"""The analysis of one data set that a job asks for: its tables, page and residual files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..estimation.estimates import Estimates
from ..hlm_files.command_options import Options
from ..report import json_text, report_tables, text
from ..report.tables import NoteGroup, Tables
from .asked import asked_tests
from .estimate import fit_job, heard, read_data
from .jobs import Job, run_of
from .outputs import (
    Results,
    checked_requests,
    matrix_requests,
    said,
    write_matrix_files,
    write_residual_files,
)

if TYPE_CHECKING:
    from ..report.findings import Findings


def analyse(
    job: Job, outputs: Mapping[str, Path], residuals: Mapping[int, str], output: str | None = None
) -> Results:
    """Read the data, fit, write the residual files and fill the tables.

    Parameters
    ----------
    job : Job
    outputs : mapping of what asks for a file (``--html``) to the file
        They are written later; `check_places` refuses them before anything is computed.
    residuals : mapping of level to path
        Residual files that must be had, beside those of the command file.
    output : str, optional
        The name of the listing's file, for its header.
    """
    matrices = matrix_requests(job.options, job.folder)
    requests = checked_requests(job, outputs, residuals, matrices)
    fit, messages = heard(lambda: fit_job(job, read_data(job)))
    wrote, failed, errors = write_residual_files(fit, requests, residuals, job.options.hlm)
    more, missed = write_matrix_files(fit, matrices)
    tables = job_tables(job, fit, output=output, warnings=(*messages, *failed, *missed))
    warned = [sentence for group in tables.notes if group.warning for sentence in group.sentences]
    found = cache(lambda: _findings(fit))
    return Results(
        (*said(wrote=(*wrote, *more), warning=warned), *errors),
        lambda: text.listing(tables),
        lambda: json_text.text(tables, found()),
        lambda: _page(fit, tables, found()),
    )


# what only JSON and the page need takes half a second to import


def _findings(fit: Estimates) -> Findings:
    from ..report.findings import findings

    return findings(fit)


def _page(fit: Estimates, tables: Tables, found: Findings) -> str:
    from ..figures.report_figures import report

    return report(fit, tables, found)


def job_tables(
    job: Job, fit: Estimates, *, output: str | None = None, warnings: tuple[str, ...] = ()
) -> Tables:
    """Return the tables of a fitted job, its tests included."""
    asked = asked_tests(fit, job.options)
    return report_tables(
        fit, **run_of(job, output), warnings=(*job.warnings, *warnings, *asked.warnings),
        not_done=job.not_done, hypotheses=asked.hypotheses, comparison=asked.comparison,
        homogeneity=asked.homogeneity, exploration=asked.exploration,
        notes=(
            *hlm7_note(job.options), *_went_on(job.options, fit), *variance_known_note(job.options),
            *asked.notes,
        ),
    )  # fmt: skip


def _went_on(options: Options, fit: Estimates) -> tuple[NoteGroup, ...]:
    """Say that there were more iterations than the header has for their maximum."""
    limit = options.max_iterations
    if not options.keep_going or fit.iterations <= limit or fit.algorithm != "hlm":
        return ()
    sentence = f"numit:{limit},y asks to go on after iteration {limit} until the iterations converge."
    return (NoteGroup("Iterations", (sentence,)),)


def hlm7_note(options: Options) -> tuple[NoteGroup, ...]:
    """Say why HLM 7 is followed where nobody asked for it."""
    if not options.hlm_sign:
        return ()
    sentence = (
        f"{options.hlm_sign}: the degrees of freedom of fixed slopes, the words and the names of residual "
        "files are those of HLM 7 and 8. --hlm 6 takes HLM 6's."
    )
    return (NoteGroup("HLM 7", (sentence,)),)


def variance_known_note(options: Options) -> tuple[NoteGroup, ...]:
    """Say how varianceknown: was read, which no document of HLM's decides."""
    name = options.variance_known
    if not name:
        return ()
    readings = {
        "variance": f"known variances: the level-1 variance of a row is its {name}",
        "precision": f"precision weights: the level-1 variance of a row is sigma squared / {name}",
    }
    other = "precision" if options.variance_known_is == "variance" else "variance"
    sentence = (
        f"varianceknown:{name} was read as {readings[options.variance_known_is]}. HLM's keyword says a known "
        f'variance, its listing "Precision"; --varianceknown {other} reads it as {readings[other]}.'
    )
    return (NoteGroup("varianceknown:", (sentence,)),)
