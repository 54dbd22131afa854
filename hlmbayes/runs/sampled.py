"""The posterior of a job's model, beside its estimates at the optimum of the likelihood."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from ..errors import CommandFileError, HLMError
from ..estimation.estimate import fit
from ..faces import record_of
from ..figures.posterior_set import figures as all_figures
from ..front.draws import sample
from ..hglm.fit import fit_by_likelihood
from ..priors.priors import Priors
from ..report.posterior_report import AtOptimum, as_json, as_text, page
from ..words import safe_name, unique_name
from ..writing import write_bytes
from .estimate import heard, level1_options, read_data
from .jobs import Job
from .outputs import Results, check_folder, check_places, made_folder, said


def sample_job(
    job: Job,
    outputs: Mapping[str, Path],
    *,
    figures: str | None = None,
    save: str | None = None,
    priors: Priors | None = None,
    **settings: Any,
) -> Results:
    """Draw from the posterior distribution of the job's model and estimate it at the optimum.

    That is of normal outcomes by REML, of others by maximum likelihood. Where the likelihood has none, of
    outcomes that a predictor separates for example, the posterior stands alone.

    Parameters
    ----------
    job, outputs
        As `hlmbayes.runs.analysis.analyse`.
    figures : str, optional
        The folder to draw the figures into.
    save : str, optional
        The file for all draws.
    priors : Priors, optional
        Default: weakly informative.
    **settings
        As `hlmbayes.Model.sample`: seed, draws, chains, tune, sampler, progressbar.

    Raises
    ------
    CommandFileError
        The command file asks for what the posterior would leave out.
    """
    refuse_what_has_no_posterior(job)
    check_places(outputs, job.inputs)
    if figures is not None:
        check_folder(figures)
    data, heard_before = heard(lambda: read_data(job))
    level1 = level1_options(job)
    logging.getLogger("pymc").addFilter(errors_only)
    posterior, messages = heard(lambda: sample(job.model, data, priors=priors, **level1, **settings))
    (estimates, without), more = heard(lambda: _beside(job, data, level1))
    drawn = cache(lambda: _images(record_of(posterior), estimates))
    files: list[Callable[[], object]] = [] if save is None else [partial(posterior.save, save)]
    if figures is not None:
        files.append(lambda: _write(drawn(), made_folder(figures)))
    warned = (*job.warnings, *heard_before, *messages, *more)
    left_out = (*job.not_done, *_left_out(job), *without)
    both = record_of(posterior), estimates
    makers = partial(as_text, *both), partial(as_json, *both), lambda: page(*both, drawn())
    return Results(said(warning=warned, left_out=left_out), *makers, tuple(files))


def errors_only(record: logging.LogRecord) -> bool:
    """Keep PyMC's remarks back, which are for its users; what matters of them is in the verdict."""
    return record.levelno >= logging.ERROR


def _beside(job: Job, data: Any, level1: Mapping[str, Any]) -> tuple[AtOptimum | None, list[str]]:
    """Estimate at the optimum; where there is none say why."""
    if job.model.outcome_law.is_normal:
        return fit(job.model, data, **level1), []
    try:
        return fit_by_likelihood(job.model, data), []
    except HLMError as error:
        return None, [f"the estimates by maximum likelihood beside the posterior: {error}"]


def _write(drawn: Mapping[str, bytes], folder: Path) -> None:
    """Write figures by names that are safe: those of variables may hold any sign."""
    taken: list[str] = []
    for name, image in drawn.items():
        taken.append(unique_name(safe_name(name), taken))
        write_bytes(folder / f"{taken[-1]}.png", image)


def _images(posterior: Any, estimates: AtOptimum | None) -> dict[str, bytes]:
    """Draw the figures off screen, as PNG, by name."""
    os.environ.setdefault("MPLBACKEND", "Agg")  # no windows
    import matplotlib.pyplot as plt

    drawn = {}
    for name, figure in all_figures(posterior, estimates).items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        plt.close(figure)
        drawn[name] = buffer.getvalue()
    return drawn


def refuse_what_has_no_posterior(job: Job) -> None:
    """Raise where the command file asks for what no posterior has, or not this command."""
    options = job.options
    weights = {"level1weight": options.level1_weight, "level2weight": options.level2_weight}
    for keyword, value in weights.items():
        if value:
            raise CommandFileError(
                f"{job.name}: {keyword}:{value} is a sampling weight, with which there is a "
                "pseudo-likelihood and no posterior; hlmbayes run estimates with it"
            )
    job.refuse_several(
        "this command has no posterior", "in Python hlm.sample_imputed draws given all of them"
    )


def _left_out(job: Job) -> list[str]:
    """Name what the command file asks for that is no part of a posterior."""
    options, normal = job.options, job.model.outcome_law.is_normal
    asked = {
        "the hypotheses": options.hypotheses,
        "the comparison of deviances": options.deviance is not None,
        "the test of homogeneity": options.homogeneity,
        "residual files": options.residuals1 or options.residuals2,
        "the files of covariance matrices": options.print_vcov,
    }
    parts = ", ".join(what for what, given in asked.items() if given)
    ml = "full maximum likelihood: the estimates beside the posterior are by restricted maximum likelihood"
    return ([f"{parts}: hlmbayes run does this"] if parts else []) + (
        [ml] if options.method == "ML" and normal else []
    )
