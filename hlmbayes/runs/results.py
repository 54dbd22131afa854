"""What a job gives, whatever it asks for: results as text, JSON and a page, and sentences beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from .analysis import analyse
from .jobs import Job
from .outputs import Said
from .pooled import analyse_pooled


class Results(Protocol):
    """What `Analysis`, `PooledAnalysis` and `Sampled` have in common."""

    @property
    def said(self) -> tuple[Said, ...]:
        """What to say besides: warnings, files written, what was left out."""

    def text(self) -> str:
        """Return the results as text."""

    def json(self) -> str:
        """Return the results as JSON."""

    def html(self) -> str:
        """Return the results as an HTML page."""


def results_of(
    job: Job, outputs: Mapping[str, Path], residuals: Mapping[int, str], output: str | None = None
) -> Results:
    """Do what a job asks: one analysis, or several that are pooled; see `analyse`."""
    do = analyse_pooled if job.options.plausible_values else analyse
    return do(job, outputs, residuals, output)
