"""The files a run leaves beside its listing: residual files and figures, from keywords or options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError
from ..hlm_files.command_options import Options, ResidualFile

if TYPE_CHECKING:
    from ..estimation.fit import Fit


def residual_requests(
    options: Options, folder: Path, given: Mapping[int, str | None]
) -> dict[int, tuple[Path, ResidualFile]]:
    """Say which residual files are wanted and where, by level.

    Parameters
    ----------
    options : Options
        A command file's resfil1:, resfil2:, their names, extra variables and type.
    folder : Path
        Where the command file is: its residual files go beside it.
    given : mapping of level to path
        What the command line says instead; it keeps the extra variables of the command file.

    Raises
    ------
    OutputError
        A folder that does not exist, before anything is computed.
    """
    found = {}
    for level, asked in ((1, options.residuals1), (2, options.residuals2)):
        path = given.get(level)
        if path is not None:
            variables = asked.variables if asked else ()
            found[level] = (Path(path), ResidualFile(path, "", variables))
        elif asked is not None:
            found[level] = (folder / asked.name, asked)
    if found:
        from ..residuals.files import check_target

        for target, file in found.values():
            check_target(target, file.type or None)
    return found


def write_residual_files(fit: Fit, requests: Mapping[int, tuple[Path, ResidualFile]]) -> tuple[str, ...]:
    """Write the residual files and say what is where, a sentence each.

    Raises
    ------
    OutputError
        An unknown variable, no rows or random effects, a file that cannot be written.
    """
    said = []
    for level, (target, file) in sorted(requests.items()):
        from ..residuals.files import write_residuals
        from ..residuals.frames import residuals

        frame = residuals(fit, level, file.variables)
        path = write_residuals(frame, target, file.type or None)
        said.append(
            f"level-{level} residual file {path}: {len(frame):,} records of {frame.shape[1]} variables"
        )
    return tuple(said)


def write_figures(fit: Fit, folder: str, say: Callable[[str], None] | None = None) -> tuple[Path, ...]:
    """Draw every figure that fits the model into a folder, which is made if need be.

    ``say`` is told which are left out, and why.

    Raises
    ------
    OutputError
        The folder cannot be made or written to.
    """
    import os

    os.environ.setdefault("MPLBACKEND", "Agg")  # no windows
    place = Path(folder)
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be made: {error.strerror or error}") from None
    from ..report.figure_set import draw_all

    return draw_all(fit, place, say=say)
