"""A job's data read, its model estimated as its options say."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from ..data.mdm import is_mdm
from ..data.suspects import sentence
from ..data.two_level import TwoLevelData, load
from ..data.weights import Weights
from ..equations.model import TwoLevelModel
from ..errors import HLMWarning, warn
from ..estimation.estimate import fit
from ..estimation.estimates import Estimates
from ..estimation.prepare import Level1Asked
from ..hlm_files.command_writer import n_categories
from ..hlm_files.mdm_template import DataSource
from ..hlm_files.short_names import read_with_short_names
from ..terms.expand import rated
from ..words import some
from .jobs import Job

ENOUGH_ITERATIONS = 100_000  # numit:100,y has no limit; HLM's stop rule ends far earlier


def read_data(job: Job) -> TwoLevelData:
    """Read the job's data; rows with missing values go now if the template says so (timeofdeletion:now)."""
    source = job.source
    ids = (source.id, source.id2 or source.id)
    if job.folder is None or is_mdm(source.level1):
        data = load(source.level1, source.level2, id=ids, options=source.reading)
    else:
        files = (source.level1, source.level2)
        data = read_with_short_names(files, ids, *_names_by_level(job), source.reading)
    warn_of_codes(job.model, data)
    data = _with_listed(job, data)
    if source.deletion == "now" and source.level1_names:
        data = data.drop_incomplete(source.level1_names)
        _beside_mdm(source, data)
    _warn_of_categories(job, data)
    return data


def _warn_of_categories(job: Job, data: TwoLevelData) -> None:
    """Warn where an outcome has other categories than nonlin: counts: one may be a missing code."""
    asked, outcome = job.options.n_categories, job.model.outcome
    if asked is None or (found := n_categories(job.model, rated(job.model, data))) == asked:
        return
    warn(
        f"nonlin:{job.model.outcome_law.family},{asked} counts {asked} categories, and {outcome} has {found} "
        "values in the data, which are those of the model. If one is a missing code, say so "
        f"(--missing {outcome}=CODE)."
    )


def warn_of_codes(model: TwoLevelModel, data: TwoLevelData) -> None:
    """Warn where values of a model's variables look like missing codes and are taken for numbers."""
    if found := data.suspects(_variables(model, data)):
        warn(sentence(found))


def _with_listed(job: Job, data: TwoLevelData) -> TwoLevelData:
    """Take the level-2 variables the template lists as HLM does when it makes the MDM.

    Units that miss one go where that is asked for; else a note names those that the model does not use.
    """
    known = {name.lower() for name in (data.level1 if data.one_source else data.level2)}
    listed = [name for name in job.source.level2_names if name.lower() in known and _is_number(data, name)]
    if data.level2_missing == "drop" or data.one_source:
        data = data.with_level2(listed)
    used = {name.lower() for name in _variables(job.model, data)}
    notes = [
        f"{name} of {job.source.template} is missing in {gone.sum()} of {data.n_units} units; "
        f"{data.id_name}: {some(data.unit_ids[gone])}. This model does not use it and the units stay; HLM "
        "may leave them out when it makes the MDM, and so does --drop-incomplete"
        for name, gone in data.missing_level2(listed).items()
        if name.lower() not in used
    ]
    return replace(data, notes=(*data.notes, *notes)) if notes else data


def _is_number(data: TwoLevelData, name: str) -> bool:
    values = data.level1 if data.one_source else data.level2
    return values[data.find(name)].dtype.kind in "biuf" and data.is_level2(name)


def _variables(model: TwoLevelModel, data: TwoLevelData) -> tuple[str, ...]:
    return model.with_levels(data).variables


def _beside_mdm(source: DataSource, data: TwoLevelData) -> None:
    """Warn where the .mdm that HLM read was not made of these data."""
    header = source.header
    if header is not None and (header.n_rows, header.n_units) != (data.n_rows, data.n_units):
        warn(
            f"{header.name} has {header.n_rows:,} rows in {header.n_units:,} units, the data files that its "
            f"template names have {data.n_rows:,} in {data.n_units:,}: they have changed, or HLM left some "
            f"out. These are analysed; --level1 {header.name} takes HLM's."
        )


def _names_by_level(job: Job) -> tuple[list[str], list[str]]:
    """Give the names of variables in a job's command file and template, by level."""
    model, options, source = job.model, job.options, job.source
    variance = model.log_sigma2.variables if model.log_sigma2 else ()  # of either level
    level1 = [model.outcome, *model.outcome_law.columns, *model.level1_variables, *source.level1_names]
    level1 += [*variance, *(name for name in (options.level1_weight, options.variance_known) if name)]
    level1 += [*options.plausible_values, *(options.residuals1.variables if options.residuals1 else ())]
    level2 = [*model.level2_variables, *source.level2_names, *variance]
    level2 += [options.level2_weight] if options.level2_weight else []
    level2 += options.residuals2.variables if options.residuals2 else ()
    return level1, level2


def fit_job(job: Job, data: TwoLevelData) -> Estimates:
    """Estimate the job's model as its options say."""
    return fit(job.model, data, algorithm=job.algorithm, **fit_options(job))


def fit_options(job: Job) -> dict[str, Any]:
    """Return what a job asks `estimate.fit` for, weights among it."""
    options = job.options
    limit = options.max_iterations
    found: dict[str, Any] = {
        "method": options.method,
        "max_iterations": max(limit, ENOUGH_ITERATIONS) if options.keep_going else limit,
        "stopval": options.stopval,
        "accel": options.accel,
    }
    if (weights := sampling_weights(job)) is not None:
        found["weights"] = weights
    return found | level1_options(job)


def sampling_weights(job: Job) -> Weights | None:
    """Return the sampling weights that a command file names."""
    options = job.options
    if options.level1_weight or options.level2_weight:
        return Weights(options.level1_weight, options.level2_weight)
    return None


def level1_options(job: Job) -> Level1Asked:
    """Return what a job says of level 1 and of how rows count, sampling weights left out."""
    options, found = job.options, Level1Asked()
    if options.variance_known and options.variance_known_is == "precision":
        found["precision"] = options.variance_known
    elif options.variance_known:
        found["variance_known"] = options.variance_known
    if options.fix_sigma2 is not None:
        found["sigma2"] = options.fix_sigma2
    given = {name: value for name, value in job.level1.items() if value is not None}
    return cast(Level1Asked, {**found, **given})


def heard[T](act: Callable[[], T]) -> tuple[T, tuple[str, ...]]:
    """Act, and give the result with what was warned of meanwhile, each sentence once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", HLMWarning)
        result = act()
    messages = (str(w.message) for w in caught if issubclass(w.category, HLMWarning))
    return result, tuple(dict.fromkeys(messages))
