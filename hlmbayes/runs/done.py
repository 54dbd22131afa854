"""A job done, of whatever kind it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .jobs import Job
from .outputs import Results


def results_of(
    job: Job, outputs: Mapping[str, Path], residuals: Mapping[int, str], output: str | None = None
) -> Results:
    """Do what a job asks: one analysis, or several that are pooled; see `hlmbayes.runs.analysis.analyse`.

    What one kind needs is not imported for the others: a run is to start at once.
    """
    if not job.model.outcome_law.is_normal:
        from .nonlinear import analyse_nonlinear

        return analyse_nonlinear(job, outputs, residuals, output)
    if job.several:
        from .pooled import analyse_pooled

        return analyse_pooled(job, outputs, residuals, output)
    from .analysis import analyse

    return analyse(job, outputs, residuals, output)
