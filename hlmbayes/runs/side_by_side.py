"""Several jobs side by side: the table of their models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..model_tables.table import ModelTable, table
from .estimate import heard
from .jobs import Job
from .nonlinear import any_fit_of
from .outputs import check_places
from .pooled import fit_pooled, imputed_jobs


def table_of(jobs: Sequence[Job], out: Path | None, **options: Any) -> tuple[ModelTable, tuple[str, ...]]:
    """Fit every job's model, and write the table to a file where one is named.

    ``options`` are those of `hlmbayes.table`. Gives the table, and what was warned of.
    """
    if out is not None:
        check_places({"out": out}, [file for job in jobs for file in job.inputs])
    models, warned = heard(
        lambda: [fit_pooled(job, imputed_jobs(job)) if job.several else any_fit_of(job) for job in jobs]
    )
    said = [f"{job.name}: {sentence}" for job in jobs for sentence in job.warnings]
    version = {job.df(options.get("robust")) for job in jobs}
    df = options.pop("df", None) or (version.pop() if len(version) == 1 else None)
    found = table(*models, df=df, **options)
    if out is not None:
        found.save(out)
    return found, (*said, *warned)
