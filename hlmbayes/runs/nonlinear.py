"""The analysis of an outcome that is not normal that a job asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..data.two_level import TwoLevelData
from ..estimation.estimates import Estimates
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.pql import MOST_MACRO, STOP, PQLEstimates, PQLLimits, pql
from ..hlm_files.command_options import Options
from ..report import nonlinear
from ..residuals.generalized_frames import pql_residuals
from .analysis import hlm7_note
from .asked import asked_of_pql
from .estimate import fit_job, heard, read_data
from .generalized import analyse_generalized, fit_generalized, refuse_of_normal
from .jobs import Job, run_of
from .outputs import Results, Said, checked_requests, said, write_residual_files
from .pooled import analyse_pooled


def analyse_nonlinear(
    job: Job, outputs: Mapping[str, Path], residuals: Mapping[int, str], output: str | None = None
) -> Results:
    """Read the data, fit, and fill the tables; parameters as of `hlmbayes.runs.analysis.analyse`."""
    refuse_of_normal(job, pooled=True)
    if job.several:
        return analyse_pooled(job, outputs, residuals, output)
    if job.algorithm == "exact":
        return analyse_generalized(job, outputs, residuals)
    requests = checked_requests(job, outputs, residuals)
    found, messages = heard(lambda: fit_nonlinear(job, read_data(job)))
    wrote, failed, errors = write_residual_files(found, requests, residuals, job.options.hlm, pql_residuals)
    return results_of_pql(job, found, (*messages, *failed), (*said(wrote=wrote), *errors), output)


def results_of_pql(
    job: Job, found: PQLEstimates, messages: Sequence[str], about: Sequence[Said] = (),
    output: str | None = None,
) -> Results:  # fmt: skip
    """Give the text, JSON and page of a job's fit; ``messages`` are warnings, ``about`` what else to say."""
    asked = asked_of_pql(found.working, _with_cuts(job.options, found))
    tables = nonlinear.nonlinear_tables(
        found, **run_of(job, output), warnings=(*job.warnings, *messages, *asked.warnings),
        laplace=job.options.laplace, not_done=job.not_done, hypotheses=asked.hypotheses,
        exploration=asked.exploration, notes=(*hlm7_note(job.options), *asked.notes),
    )  # fmt: skip
    warned = [text for group in tables.tables.notes if group.warning for text in group.sentences]
    return Results(
        (*about, *said(warning=warned)),
        lambda: nonlinear.listing(tables),
        lambda: nonlinear.to_json(tables),
        lambda: nonlinear.page(tables),
    )


def _with_cuts(options: Options, found: PQLEstimates) -> Options:
    """Return the options, hypotheses having zeros for the cuts of an ordinal outcome."""
    zeros = (0.0,) * found.law.n_parameters
    tests = tuple(tuple((*row, *zeros) for row in rows) for rows in options.hypotheses)
    return replace(options, hypotheses=tests)


def any_fit_of(job: Job) -> Estimates | GeneralizedEstimates | PQLEstimates:
    """Read the data and fit, as the outcome and the algorithm want it."""
    return fit_any(job, read_data(job))


def fit_any(job: Job, data: TwoLevelData) -> Estimates | GeneralizedEstimates | PQLEstimates:
    """Fit the job's model, as the outcome and the algorithm want it."""
    if job.model.outcome_law.is_normal:
        return fit_job(job, data)
    refuse_of_normal(job)
    return (fit_generalized if job.algorithm == "exact" else fit_nonlinear)(job, data)


def fit_nonlinear(job: Job, data: TwoLevelData) -> PQLEstimates:
    """Estimate the job's model as its options say."""
    most, stop = job.options.most_macro, job.options.stop_macro
    limits = PQLLimits(MOST_MACRO if most is None else most, STOP if stop is None else stop)
    return pql(job.model, data, job.options.method, limits)
