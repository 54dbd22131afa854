"""The files a run leaves beside its listing: residual files and figures, from keywords or options."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..errors import HLMError, OutputError
from ..estimation.estimates import Estimates
from ..hlm_files.command_options import Options, ResidualFile
from ..report.matrix_files import MATRIX_FILES, is_matrix_file
from ..residuals.files import check_replaceable, check_target, write_residuals
from ..residuals.frames import residuals
from ..writing import refuse_special, write_text
from .jobs import Job

REPLACED = "; it took the place of one that was there"


class Said(NamedTuple):
    """A sentence for whoever asked: of what it warns, what was written, what was left out or failed."""

    kind: Literal["warning", "wrote", "left out", "error"]
    sentence: str


def said(
    wrote: Iterable[str] = (), warning: Iterable[str] = (), left_out: Iterable[str] = ()
) -> tuple[Said, ...]:
    """Give sentences as things said, by kind in this order."""
    done, warned = (Said("wrote", s) for s in wrote), (Said("warning", s) for s in warning)
    return (*done, *warned, *(Said("left out", s) for s in left_out))


@dataclass(frozen=True, slots=True)
class Results:
    """What a job gives: text, JSON, page, other ``files``, each made when called, and what to say."""

    said: tuple[Said, ...]
    text: Callable[[], str]
    json: Callable[[], str]
    html: Callable[[], str]
    files: tuple[Callable[[], object], ...] = ()


def residual_requests(
    options: Options, folder: Path, given: Mapping[int, str]
) -> dict[int, tuple[Path, ResidualFile]]:
    """Say which residual files are wanted and where they will be, by level.

    Parameters
    ----------
    options : Options
        A command file's resfil1:, resfil2:, their names, extra variables and type.
    folder : Path
        Where the command file is: its residual files go beside it.
    given : mapping of level to path
        What is asked for instead; it keeps the extra variables of the command file.

    Raises
    ------
    OutputError
        A folder that does not exist, before anything is computed.
    """
    found = {}
    for level, asked in ((1, options.residuals1), (2, options.residuals2)):
        path = given.get(level)
        if path is not None:
            file, place = ResidualFile(path, "", asked.variables if asked else ()), Path(path)
        elif asked is not None:
            file, place = asked, folder / asked.name
        else:
            continue
        found[level] = (check_target(place, file.type or None)[0], file)
    return found


def matrix_requests(options: Options, folder: Path | None) -> dict[str, Path]:
    """Say where the files of covariance matrices will be: printvariance-covariance: of a command file."""
    return {name: folder / name for name in MATRIX_FILES} if options.print_vcov and folder else {}


def check_places(outputs: Mapping[str, Path], inputs: Iterable[Path]) -> None:
    """Refuse, before anything is computed, places that cannot be written to or that this run reads.

    Parameters
    ----------
    outputs : mapping of what asks for a file (``--html``) to the file
    inputs : iterable of paths
        The command file, its templates and the data, of every data set.

    Raises
    ------
    OutputError
    """
    read = [path for path in inputs if path.exists()]
    taken: list[tuple[str, Path]] = []
    for what, place in outputs.items():
        if place.is_dir():
            raise OutputError(f"{what}: {place} is a folder; give the name of a file in it")
        if not place.absolute().parent.is_dir():
            raise OutputError(f"{what}: {place} cannot be written: there is no folder {place.parent}")
        if any(_same(place, path) for path in read):
            raise OutputError(f"{what}: {place} is read here and would be lost; name another file")
        for other, path in taken:
            if _same(place, path):
                raise OutputError(f"{what} and {other} name the same file, {place}; name two")
        taken.append((what, place))


def checked_requests(
    job: Job,
    outputs: Mapping[str, Path],
    residuals: Mapping[int, str],
    more: Mapping[str, Path] | None = None,
) -> dict[int, tuple[Path, ResidualFile]]:
    """Say which residual files a job wants, by level; they, ``outputs`` and ``more`` are checked."""
    requests = residual_requests(job.options, job.folder or Path(), residuals)
    files = {f"the level-{level} residual file": target for level, (target, _) in requests.items()}
    check_places({**outputs, **files, **(more or {})}, job.inputs)
    return requests


def _same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


def check_folder(folder: str) -> None:
    """Refuse with an OutputError, before anything is computed, the name of a folder that cannot be made."""
    if not folder.strip():
        raise OutputError("the name of the folder is empty")
    place = Path(folder).absolute()
    if place.exists() and not place.is_dir():
        raise OutputError(f"the folder {folder} cannot be made: there is a file of that name")
    if not place.parent.is_dir():
        raise OutputError(f"the folder {folder} cannot be made: there is no folder {place.parent}")


def write_residual_files(
    fit: Any,
    requests: Mapping[int, tuple[Path, ResidualFile]],
    demanded: Collection[int] = (),
    hlm: str = "6",
    frame_of: Callable[..., Any] = residuals,
) -> tuple[list[str], list[str], list[Said]]:
    """Write the residual files; say what is where, which could not be had, and which had to, a sentence each.

    ``demanded`` are the levels that must be had: those that are not asked for by the command file alone;
    ``hlm`` is the version of HLM whose names the variables have; ``frame_of`` makes the file of a level.

    Raises
    ------
    OutputError
        Of those: an unknown variable, no rows or random effects.
    """
    wrote, failed, errors = [], [], []
    for level, (target, file) in sorted(requests.items()):
        frame = None
        try:
            if level not in demanded:
                check_replaceable(target, level, file.type)
            there = target.exists()
            frame = frame_of(fit, level, file.variables, hlm)
            path = write_residuals(frame, target, file.type or None)
        except HLMError as error:
            if level in demanded and frame is None:
                raise
            if level in demanded:
                errors.append(Said("error", str(error)))
            else:
                failed.append(f"the level-{level} residual file (resfil{level}:) was not written: {error}")
        else:
            size = f"{len(frame):,} records of {frame.shape[1]} variables"
            replaced = REPLACED if there and level not in demanded else ""
            wrote.append(f"level-{level} residual file {path}: {size}{replaced}")
    return wrote, failed, errors


def write_matrix_files(fit: Estimates, requests: Mapping[str, Path]) -> tuple[list[str], list[str]]:
    """Write the files of covariance matrices; say what is where, and what could not be had."""
    wrote, failed = [], []
    for name, place in requests.items():
        try:
            text, there = MATRIX_FILES[name](fit), place.exists()
            refuse_special(place)
            if there and not is_matrix_file(place):
                raise OutputError(
                    f"{place.name} is there and is no file of numbers: it would be lost. Move it"
                )
            write_text(place, text)
        except HLMError as error:
            failed.append(f"{name} (printvariance-covariance:) was not written: {error}")
        else:
            wrote.append(f"covariance matrix {place}{REPLACED if there else ''}")
    return wrote, failed


def made_folder(folder: str) -> Path:
    """Make a folder, if need be; an OutputError says why it cannot be made."""
    place = Path(folder)
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be made: {error.strerror or error}") from None
    return place
