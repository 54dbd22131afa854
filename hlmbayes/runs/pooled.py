"""The many fits that a job asks for: of plausible values, of imputed data, with replicate weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from textwrap import indent

from ..data.imputed import load_imputed, refuse_twice
from ..data.two_level import TwoLevelData
from ..errors import CommandFileError, HLMError
from ..estimation.prepare import refuse_two, weights_asked
from ..hlm_files.command_options import Options
from ..hlm_files.data_source import source_of
from ..hlm_files.mdm_template import own_name
from ..many_fits.pooled_fit import PooledEstimates, fit_each, model_and_data, replicate_each
from ..many_fits.pooled_generalized import fit_each_generalized
from ..many_fits.pooled_tests import pooled_wald
from ..report.pooled import pooled_json, pooled_listing
from ..report.pooled_page import pooled_page
from .analysis import variance_known_note
from .estimate import fit_options, heard, level1_options, read_data, sampling_weights
from .generalized import refuse_of_normal
from .jobs import Job, run_of
from .outputs import Results, check_places, said


def analyse_pooled(
    job: Job, outputs: Mapping[str, Path], residuals: Mapping[int, str], output: str | None = None
) -> Results:
    """Fit every plausible value or imputed data set and pool; the parameters are those of `analyse`.

    The command file's hypotheses are done by D1, with the robust covariances as HLM.

    Raises
    ------
    CommandFileError
        Residual files, of which pooled data sets have none, or data sets that cannot be told.
    """
    if residuals:
        job.refuse_several("there is no residual file")
    jobs = imputed_jobs(job)
    check_places(outputs, [file for each in (job, *jobs) for file in each.inputs])
    pooled, messages = heard(lambda: fit_pooled(job, jobs))
    return results_of_pooled(replace(job, warnings=(*job.warnings, *messages)), pooled, jobs, output)


def results_of_pooled(
    job: Job, pooled: PooledEstimates, jobs: list[Job], output: str | None = None
) -> Results:
    """Do the tests a job asks for with its pooled estimates, and give their results."""
    tests, missed = [], list(not_pooled(job.options))
    for k, rows in enumerate(job.options.hypotheses, 1):
        try:
            tests.append(pooled_wald(pooled, rows, robust=None if job.model.outcome_law.is_normal else True))
        except HLMError as error:
            missed.append(f"hypothesis {k} (gamma{k}:) was not done: {error}")
    run = {**run_of(job, output), "warnings": job.warnings, "not_done": job.not_done}
    text = pooled_listing(pooled, each=True, data_sources=[each.source.mdm for each in jobs], **run)
    read_as = [sentence for group in variance_known_note(job.options) for sentence in group.sentences]
    lines = [indent(str(line), " ") for line in (*tests, *missed, *read_as)]
    text = "\n".join([text, *lines]) + ("\n" if lines else "")
    warned = (*job.warnings, *job.not_done, *pooled.warnings, *missed)
    json, page = (
        partial(pooled_json, pooled, tests, missed),
        partial(
            pooled_page, pooled, text, (*job.warnings, *job.not_done, *missed), [*map(str, tests), *read_as]
        ),
    )
    return Results(said(warning=warned), lambda: text, json, page)


def imputed_jobs(job: Job) -> list[Job]:
    """Return the job with the data of each imputed data set in a file of its own, its own first; else none.

    They are files that the job names, or .mdm files of plausvals:.
    """
    names = job.options.plausible_values
    if ((job.imputed or job.imputed_by) and names) or (job.imputed and job.imputed_by):
        raise CommandFileError(
            f"{job.name}: plausible values, files of imputed data and a column that numbers imputed data "
            "were asked for together: name one of them"
        )
    if job.imputed:
        refuse_twice((job.source.level1, *job.imputed))
        others = [replace(job.source, level1=file, mdm=file.name) for file in job.imputed]
        return [replace(job, imputed=(), source=source) for source in (job.source, *others)]
    files = [name for name in names if name.lower().endswith(".mdm")]
    if not files:
        return []
    if len(files) < len(names):
        raise CommandFileError(
            f"plausvals: names files ({', '.join(files)}) and variables together: wanted one kind, plausible "
            "values of the outcome or .mdm files of imputed data"
        )
    jobs = [] if job.source.mdm.lower() in (own_name(name).lower() for name in files) else [job]
    for name in files:
        found = source_of(job.folder or Path(), own_name(name))
        if found is None:
            lacking = f"neither it nor {own_name(name)}t is beside the command file"
            raise CommandFileError(f"{job.name}: plausvals: names {name}, but {lacking}")
        jobs.append(replace(job, source=replace(found[0], reading=job.source.reading)))
    return jobs


def fit_pooled(job: Job, jobs: list[Job] | None = None, data: TwoLevelData | None = None) -> PooledEstimates:
    """Estimate the job's model in the data of ``jobs``, or for its plausible values where there are none.

    ``data`` are the job's own where they are read already.
    """
    names, model = job.options.plausible_values, job.model
    if job.imputed_by:
        pairs = model_and_data(model, list(_numbered(job)), ())
    elif jobs:
        pairs = model_and_data(model, [read_data(each) for each in jobs], ())
    else:
        first = () if model.outcome.lower() in (name.lower() for name in names) else (model.outcome,)
        own, values = read_data(job) if data is None else data, (*first, *names)
        pairs = model_and_data(model, own, values) if names else [(model.outcome, model, own)]
    if not model.outcome_law.is_normal:
        refuse_of_normal(job, pooled=True)
        counted = weights_asked(sampling_weights(job), job.level1.get("frequency"))
        return fit_each_generalized(pairs, weights=counted, laplace=job.options.laplace)
    options = fit_options(job)
    if job.replication is None:
        return fit_each(pairs, algorithm=job.algorithm, **options)
    weights = options.get("weights")
    if weights is None:
        raise CommandFileError(
            f"{job.name}: --replicates are replicates of sampling weights: name these in the command file "
            "(level1weight:, level2weight:) or with --level1-weight, --level2-weight"
        )
    refuse_two(("weights", *level1_options(job)))
    return replicate_each(pairs, job.replication, weights, sampling_from=job.sampling_from)


def _numbered(job: Job) -> tuple[TwoLevelData, ...]:
    """Read the imputed data sets that a column of the job's files numbers."""
    source = job.source
    ids = (source.id, source.id2 or source.id)
    return load_imputed(source.level1, source.level2, id=ids, by=job.imputed_by, options=source.reading)


def not_pooled(options: Options) -> tuple[str, ...]:
    """Say what a command file asks for that cannot be had of pooled data sets."""
    residuals = {"resfil1": options.residuals1, "resfil2": options.residuals2}
    files = ", ".join(keyword for keyword, file in residuals.items() if file)
    matrices = "printvariance-covariance: covariance matrices of pooled data sets were not written"
    asked = {
        "deviance: pooled data sets have no one deviance, so models are not compared": options.deviance,
        f"{files}: residual files of pooled data sets were not written": files or None,
        matrices: options.print_vcov or None,
        "--hlm 7: the listing of pooled data sets has its own words, and its d.f. are Rubin's": (
            True if options.hlm == "7" and not options.hlm_sign else None
        ),
        "the exploratory analysis of pooled data sets was not done": options.explore or None,
        "homvar: the test of homogeneity cannot be pooled and was not done": options.homogeneity or None,
    }
    return tuple(sentence for sentence, given in asked.items() if given is not None)
