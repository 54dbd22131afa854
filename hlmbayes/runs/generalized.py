"""An outcome that is not normal by maximum likelihood: the analysis and the answers a job asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..data.two_level import TwoLevelData
from ..derived.generalized_shares import generalized_icc, generalized_r2
from ..diagnostics.link_checks import check_generalized
from ..errors import CommandFileError, EstimationError
from ..estimation.estimates import Estimates
from ..estimation.prepare import weights_asked
from ..figures.report_figures import link_report
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.fit import fit_by_likelihood
from ..hypotheses.wald import wald
from ..inference.compare import compare_stored
from ..inference.profile_generalized import profile_intervals, profiled_generalized
from ..report.generalized import Test, listing, to_html, to_json
from ..residuals.generalized_exploratory import explore_generalized
from ..residuals.generalized_frames import generalized_residuals
from .asked import COMPARISON, attempted, not_of_variances
from .estimate import fit_job, heard, read_data, sampling_weights
from .jobs import Job
from .outputs import Results, Said, checked_requests, said, write_residual_files


def fit_of(job: Job) -> Estimates | GeneralizedEstimates:
    """Read the data and fit, by the likelihood where the outcome is not normal."""
    fit = fit_job if job.model.outcome_law.is_normal else fit_generalized
    return fit(job, read_data(job))


def fit_generalized(job: Job, data: TwoLevelData) -> GeneralizedEstimates:
    """Estimate the job's model by maximum likelihood; refuse what has no likelihood, or no restricted one."""
    refuse_of_normal(job)
    if job.algorithm != "exact":
        law, what = job.model.outcome_law, "of the likelihood, and what was asked for is quasi-likelihood"
        instead = "which an overdispersed outcome has not" if law.overdispersed else "add --algorithm exact"
        raise EstimationError(
            f"{job.name}: this is {what} of {job.model.outcome}, which is {law.name}: {instead}; "
            "hlmbayes run, table and plot take quasi-likelihood"
        )
    counted = weights_asked(sampling_weights(job), job.level1.get("frequency"))
    return fit_by_likelihood(job.model, data, laplace=job.options.laplace, weights=counted)


def analyse_generalized(job: Job, outputs: Mapping[str, Path], residuals: Mapping[int, str]) -> Results:
    """Read the data, fit, write residual files; parameters as of `hlmbayes.runs.analysis.analyse`."""
    requests = checked_requests(job, outputs, residuals)
    fit, messages = heard(lambda: fit_generalized(job, read_data(job)))
    wrote, failed, errors = write_residual_files(
        fit, requests, residuals, job.options.hlm, generalized_residuals
    )
    return results_of_likelihood(job, fit, (*messages, *failed), (*said(wrote=wrote), *errors))


def results_of_likelihood(
    job: Job, fit: GeneralizedEstimates, messages: Sequence[str], about: Sequence[Said] = ()
) -> Results:
    """Give the text, JSON and page of a job's fit; ``messages`` are warnings, ``about`` what else to say."""
    asked = asked_of_likelihood(job, fit)
    warnings, tests = (*job.warnings, *messages, *asked.missed), asked.tests
    return Results(
        (*about, *said(warning=(*fit.warnings, *warnings))),
        lambda: "\n".join([listing(fit, warnings), *(f"{test}\n" for test in tests)]),
        lambda: to_json(fit, warnings, tests),
        lambda: link_report(fit, warnings, tests),
    )


def fragment(job: Job, fit: GeneralizedEstimates, messages: Sequence[str]) -> str:
    """Give the page of a job's fit without figures."""
    asked = asked_of_likelihood(job, fit)
    return to_html(fit, warnings=(*job.warnings, *messages, *asked.missed), tests=asked.tests)


class AskedOfLikelihood(NamedTuple):
    """The tests that a job asks for, and in words what was asked for and not done."""

    tests: tuple[Test, ...]
    missed: tuple[str, ...]


def asked_of_likelihood(job: Job, fit: GeneralizedEstimates) -> AskedOfLikelihood:
    """Do the tests of ``hypoth:``, the comparison of ``deviance:`` and ``df:``, the exploratory analysis."""
    options = job.options
    asked: dict[str, Callable[[], Any]] = {
        f"hypothesis {k} (gamma{k}:)": partial(wald, fit, rows, robust=True)
        for k, rows in enumerate(options.hypotheses, 1)
    }
    if options.deviance is not None and options.df is not None:
        asked[COMPARISON] = partial(compare_stored, fit, options.deviance, options.df)
    for name, candidates in options.explore.items():
        explored = partial(explore_generalized, fit, candidates, coefficients=name)
        asked[f"the exploratory analysis of {name}"] = explored
    missed = [*job.not_done, *not_of_variances(options)]
    return AskedOfLikelihood(tuple(attempted(asked, missed).values()), tuple(missed))


def answers(
    fit: GeneralizedEstimates, places: Mapping[str, object], prob: float
) -> dict[str, Callable[[], object]]:
    """Give what `hlmbayes summary` can ask besides, by its options; ``places`` are those of the ICC."""
    return {
        "icc": lambda: generalized_icc(fit, at=places or None, prob=prob),
        "r2": lambda: generalized_r2(fit),
        "check": lambda: check_generalized(fit),
        "confint": lambda: _variance_intervals(fit, prob),
    }


def _variance_intervals(fit: GeneralizedEstimates, prob: float) -> str:
    lines = [f"{100 * prob:g} % intervals of the random effects, from the profile likelihood"]
    found = profile_intervals(fit, prob, profiled_generalized(fit))
    lines += [f"  {i.parameter:<16}{i.estimate:12.5g}  {i.low:.5g} to {i.high:.5g}" for i in found]
    return "\n".join(lines)


def refuse_of_normal(job: Job, pooled: bool = False) -> None:
    """Refuse what is for normal outcomes, or for the likelihood alone, before anything is read.

    ``pooled``: the fits of several data sets may be pooled, where they are by the likelihood.
    """
    options, level1, law = job.options, job.level1, job.model.outcome_law
    counted = {
        "level1weight:": options.level1_weight, "level2weight:": options.level2_weight,
        "frequency=": level1.get("frequency"),
    }  # fmt: skip
    asked = {
        "varianceknown:": options.variance_known,
        **{f"{key}=": value for key, value in level1.items() if key != "frequency"},
        "--replicates": job.replication,
    }  # fmt: skip
    for what, value in asked.items():
        if value:
            raise CommandFileError(
                f"{job.name}: {what} is for normal outcomes, and {job.model.outcome} of this model is "
                f"{law.name}: take it out"
            )
    if job.several and not (pooled and job.algorithm == "exact"):
        exact = "hlmbayes run does it, and in Python hlm.fit_imputed"
        raise CommandFileError(
            f"{job.name}: several data sets of {job.model.outcome}, which is {law.name}, are pooled by the "
            f"likelihood: {exact if job.algorithm == 'exact' else 'add --algorithm exact'}"
        )
    for what, value in counted.items():
        if value and job.algorithm != "exact":
            raise CommandFileError(
                f"{job.name}: {what} of {job.model.outcome}, which is {law.name}, is for the likelihood: add "
                "--algorithm exact"
            )
