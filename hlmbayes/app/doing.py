"""What the worker does: each takes ``say``, which sends a sentence to the page, and the data it keeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..data.two_level import TwoLevelData
from ..errors import HLMError
from ..estimation.estimates import Estimates
from ..figures.figure_set import AnyEstimates
from ..many_fits.pooled_fit import PooledEstimates
from ..report.tables import Tables
from ..runs.analysis import job_tables
from ..runs.estimate import heard, warn_of_codes
from ..runs.jobs import Job
from ..runs.nonlinear import fit_any
from ..runs.pooled import fit_pooled, imputed_jobs
from .opening import Chosen, Opened, choose, kind_of, open_command, open_data, open_example

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Estimated:
    """What came of a job: ``tables`` are those of its report, None where several fits were pooled."""

    fit: AnyEstimates | PooledEstimates
    messages: tuple[str, ...]
    tables: Tables | None
    seconds: float


def example(say: Say, data: TwoLevelData | None) -> Opened:
    """Open the example."""
    return open_example()


def open_files(
    say: Say, data: TwoLevelData | None, files: list[Path], before: Chosen | None
) -> Opened | Chosen:
    """Open a command file with its data, or data; files whose id cannot be told come back as `Chosen`.

    ``before`` are the data files that are open, for a command file that comes alone.

    Raises
    ------
    HLMError
        Files that cannot be read, or too many.
    """
    strange = [file.name for file in files if not kind_of(file)]
    if strange:
        raise HLMError(
            f"{', '.join(strange)} is no file that is read here: wanted data (.sav, .dta, .xlsx, .csv, ...), "
            ".hlm, a text of equations (.txt, .eq), or a script of the window (.py)"
        )
    commands = [file for file in files if kind_of(file) == "command"]
    given = [file for file in files if kind_of(file) == "data"]
    if len(commands) > 1:
        raise HLMError(f"got {len(commands)} command files: open one at a time")
    say(f"Reading {' and '.join(file.name for file in given or commands)}")
    chosen = choose(given) if given else before
    if commands:
        return open_command(commands[0], chosen)
    if chosen is None or not given:
        raise HLMError("a template (.mdmt) alone has no data: open it with its .hlm and the data files")
    return open_data(chosen) if chosen.id else chosen


def read_again(say: Say, data: TwoLevelData | None, chosen: Chosen) -> Opened | Chosen:
    """Read data files with another id, or as else is said; another sheet may have another id."""
    say(f"Reading {chosen.level1.name}")
    if not chosen.names and any(chosen.sheets):
        found = choose([file for file in (chosen.level1, chosen.level2) if file], chosen.reading)
        chosen = replace(found, id=chosen.id) if chosen.id in found.names else found
    return open_data(chosen) if chosen.id else chosen


def estimate(say: Say, data: TwoLevelData, job: Job) -> Estimated:
    """Estimate the model of a job, several times and pooled where it asks for that."""
    begin = time.perf_counter()
    say("Estimating")

    def estimated() -> AnyEstimates | PooledEstimates:
        warn_of_codes(job.model, data)
        if job.several:
            return fit_pooled(job, imputed_jobs(job), data)
        return fit_any(job, data)

    fit, messages = heard(estimated)
    tables = job_tables(job, fit, warnings=messages) if isinstance(fit, Estimates) else None
    return Estimated(fit, messages, tables, time.perf_counter() - begin)
