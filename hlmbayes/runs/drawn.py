"""The figures that a job asks for, drawn into a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import OutputError
from ..estimation.estimates import Estimates
from ..figures.figure_set import AnyEstimates, Drawn, Wanted, chosen, draw_all
from ..report.remarks import fit_warnings
from .estimate import heard
from .jobs import Job
from .nonlinear import any_fit_of
from .outputs import check_folder, made_folder, said


def draw_job(
    job: Job, folder: str, wanted: Wanted, say: Callable[[str, str], object], wrote: Callable[[Path], object]
) -> Drawn:
    """Read the data, fit, and draw the figures that are wanted into a folder.

    ``say`` is told kinds and sentences (what is warned of before anything is drawn), ``wrote`` each file.

    Raises
    ------
    CommandFileError
        Pooled data sets, which have no figures.
    OutputError
        There is nothing to draw.
    """
    job.refuse_several("there are no figures")
    check_folder(folder)
    fit, messages = heard(lambda: any_fit_of(job))
    warned = fit_warnings(fit) if isinstance(fit, Estimates) else fit.warnings
    for kind, sentence in said(warning=(*job.warnings, *warned, *messages)):
        say(kind, sentence)
    drawn = write_figures(fit, folder, wanted, wrote)
    names: dict[str, list[str]] = {}  # one reason may be that of many figures
    for name, reason in drawn.left_out.items():
        names.setdefault(reason, []).append(name)
    left_out = [f"{', '.join(left)}: {reason}" for reason, left in names.items()]
    if not drawn.paths:
        raise OutputError("; ".join(left_out))
    for kind, sentence in said(left_out=left_out):
        say(kind, sentence)
    return drawn


def write_figures(
    fit: AnyEstimates, folder: str, wanted: Wanted, wrote: Callable[[Path], object] = lambda path: None
) -> Drawn:
    """Draw the figures that are wanted into a folder, which is made if need be; ``wrote`` is told of each.

    Raises
    ------
    OutputError
        The folder cannot be made or written to, or there is no figure of that name.
    """
    os.environ.setdefault("MPLBACKEND", "Agg")  # no windows
    drawable = chosen(fit, wanted)
    return draw_all(drawable, made_folder(folder), kind=wanted.kind, dpi=wanted.dpi, wrote=wrote)
