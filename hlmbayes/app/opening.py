"""Files that are chosen, to data and a model: which file is what, and which variable identifies the units."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np

from ..data.describe import Description, describe
from ..data.mdm import is_mdm
from ..data.paths import EQUATION_FILES, MODEL_FILES
from ..data.read_options import ReadOptions, codes_from_text, read_options
from ..data.reading import READERS, read_table
from ..data.sheets import sheet_names
from ..data.table import Table
from ..data.two_level import TwoLevelData, load
from ..datasets import hsb_paths
from ..errors import CommandFileError, DataError, HLMError
from ..hlm_files.mdm_template import DataSource, RawDataError, read_text
from ..runs.estimate import heard, read_data
from ..runs.jobs import job_from_equations, job_from_file
from ..words import safe_name, some
from .beside import beside_of
from .state import State

LIKELY = re.compile(
    r"(l2_?id|id|.*_id|id_.*|idschool|idclass|cntschid|sch.*id|cl.*id|group|cluster|school|class|unit)",
    re.IGNORECASE,
)
HSB = "High School and Beyond"
BLANK = "blank"
SETTING = "#: "  # begins a line of a script that is read when the script is opened


@dataclass(frozen=True, slots=True)
class Chosen:
    """Data files, level 1 first, and the variable that identifies the units; "" where that is not known."""

    level1: Path
    level2: Path | None = None
    id: str = ""
    names: tuple[str, ...] = ()  # what could be the id
    reading: ReadOptions = field(default_factory=ReadOptions)
    sheets: tuple[tuple[str, ...], ...] = ()  # of each level's workbook
    said: str = ""  # why the sheets that are first, or were asked for, cannot be read


@dataclass(frozen=True, slots=True)
class Opened:
    """Data that are open, what is in them, and what a command file asked for."""

    title: str
    source: DataSource
    data: TwoLevelData
    description: Description
    chosen: Chosen | None  # how it was read, where it came from data files
    messages: tuple[str, ...] = ()
    level1: tuple[str, ...] = ()  # variables by level, in the order of the files
    level2: tuple[str, ...] = ()
    state: State = field(default_factory=State)
    warnings: tuple[str, ...] = ()  # of a command file
    not_done: tuple[str, ...] = ()
    folder: Path | None = None  # of a command file

    @property
    def labels(self) -> Mapping[str, str]:
        """Variable labels by lower-case name."""
        return self.data.labels


def open_example() -> Opened:
    """The High School and Beyond data, which come with the package."""
    level1, level2 = hsb_paths()
    opened = open_data(Chosen(level1, level2, "id"))
    return replace(opened, title=HSB, source=replace(opened.source, mdm="hsb.mdm"))


def choose(files: Sequence[Path], reading: ReadOptions | None = None) -> Chosen:
    """Say which of one or two data files is level 1, and guess the id where a guess is safe.

    Raises
    ------
    DataError
        No file, more than two, or one that cannot be read.
    """
    reading = reading or ReadOptions()
    if not 0 < len(files) < 3:
        names = some([file.name for file in files])
        raise DataError(f"wanted one data file or two, one of each level; got {len(files)}: {names}")
    if len(files) == 1 and is_mdm(files[0]):
        return Chosen(files[0], None, "id", ("id",), reading)
    try:
        return _judged(files, reading)
    except DataError as error:  # the data may be in other sheets
        sheets = _sheets(files)
        if max(map(len, sheets)) < 2:
            raise
        return Chosen(files[0], files[1] if len(files) > 1 else None, "", (), reading, sheets, str(error))


def _judged(files: Sequence[Path], reading: ReadOptions) -> Chosen:
    tables = [read_table(file, file.name, reading, level) for level, file in enumerate(files, 1)]
    if len(files) == 1:
        own = tuple(tables[0].columns)
        guesses = [each for each in own if LIKELY.fullmatch(each) and _repeats(tables[0], each)]
        return Chosen(files[0], None, guesses[0] if guesses else "", own, reading, _sheets(files))
    shared = {name.casefold(): name for name in tables[1].columns}
    common = tuple(name for name in tables[0].columns if name.casefold() in shared)
    if not common:
        raise DataError(
            f"{files[0].name} and {files[1].name} have no variable of the same name, so rows and units "
            "cannot be joined: call the variable that identifies the units the same in both"
        )
    asked = reading.sheet != (None, None)  # of each level, so that it is known which is which
    for name in sorted(common, key=lambda name: not LIKELY.fullmatch(name)):
        repeated = _repeats(tables[0], name), _repeats(tables[1], shared[name.casefold()])
        if repeated[0] != repeated[1]:
            order = files if repeated[0] or asked else files[::-1]
            return Chosen(order[0], order[1], name, common, reading, _sheets(order))
    order = files if tables[0].n_rows >= tables[1].n_rows or asked else files[::-1]
    return Chosen(order[0], order[1], "", common, reading, _sheets(order))


def _sheets(files: Sequence[Path]) -> tuple[tuple[str, ...], ...]:
    """Give the names of the sheets that each level may be in."""
    return tuple(map(sheet_names, files)) * (3 - len(files))


def _repeats(table: Table, name: str) -> bool:
    """Whether a column has the same value twice, and not everywhere."""
    values = table.columns[name]
    try:
        n = len(np.unique(values)) if values.dtype.kind in "biufM" else len(set(values.tolist()))
    except TypeError:
        return False
    return 1 < n < table.n_rows


def open_data(chosen: Chosen) -> Opened:
    """Read data files."""
    files = [file for file in (chosen.level1, chosen.level2) if file is not None]
    mdm = f"{safe_name(chosen.level1.stem)}.mdm"
    source = DataSource(mdm, chosen.level1, chosen.level2, chosen.id, reading=chosen.reading)
    data, messages = heard(
        lambda: load(chosen.level1, chosen.level2, id=(chosen.id, chosen.id), options=chosen.reading)
    )
    return _opened(" + ".join(file.name for file in files), source, data, messages, chosen)


def open_named(files: Sequence[str], id: str = "") -> Opened | None:
    """Open what the command line names: a command file, data, or nothing.

    Raises
    ------
    HLMError
        A file that is not there or cannot be read, or an id that cannot be told.
    """
    paths = [Path(file).absolute() for file in files]
    if not paths:
        return None
    commands = [path for path in paths if kind_of(path) == "command"]
    data = [path for path in paths if path not in commands]
    if len(commands) > 1:
        raise HLMError(f"got {len(commands)} command files: the window opens one at a time")
    chosen = choose(data) if data else None
    if chosen is not None and id:
        chosen = replace(chosen, id=id)
    if commands:
        return open_command(commands[0], chosen)
    assert chosen is not None
    if not chosen.id:
        raise HLMError("which variable says the unit cannot be told from these files: add --id NAME")
    return open_data(chosen)


def open_command(file: Path, chosen: Chosen | None = None) -> Opened:
    """Read a command file or a text of equations, and its data.

    ``chosen`` are data that were opened with it, or before, for a file whose own are not there.
    """
    given = {} if chosen is None else {
        "level1": str(chosen.level1),
        "level2": str(chosen.level2) if chosen.level2 else None,
        "id": chosen.id or None,
    }  # fmt: skip
    script, equations = file.suffix.lower() == ".py", file.suffix.lower() in EQUATION_FILES
    try:
        if script:
            text = text_of_script(read_text(file), file.name)
            job = replace(job_from_equations(text, file.name, folder=file.parent, **given), file=file)
        else:
            job = job_from_file(str(file), **(given if equations else {}))
    except (CommandFileError, RawDataError):
        if not given or script:
            raise
        job = job_from_file(str(file), **given)
    if chosen is not None and job.source.level1 == chosen.level1:
        job = replace(job, source=replace(job.source, reading=chosen.reading))
    options = replace(job.options, title="" if job.options.title == "no title" else job.options.title)
    if known := job.level1.get("variance_known"):
        options = replace(options, variance_known=known)
    if known := job.level1.get("precision"):
        options = replace(options, variance_known=known, variance_known_is="precision")
    data, messages = heard(lambda: read_data(job))
    files = [each.name for each in (job.source.level1, job.source.level2) if each is not None]
    title = f"{file.name}, data {', '.join(files)}"
    state = State(job.model, job.model.coefficient_names[0], options, job.algorithm, beside_of(job))
    return replace(
        _opened(title, job.source, data, messages, chosen),
        state=state, folder=job.folder, warnings=job.warnings, not_done=job.not_done,
    )  # fmt: skip


def text_of_script(script: str, name: str) -> str:
    """The text of equations that a script of the window holds; nothing of the script is run.

    Raises
    ------
    CommandFileError
        It holds none.
    """
    found = re.search(r'hlm\.Model\("""\n(.*?)\n"""\)', script, re.DOTALL)
    if found is None:
        raise CommandFileError(
            f'{name} has no hlm.Model("""...""") as the scripts that this window saves have'
        )
    settings = [line.removeprefix(SETTING) for line in script.splitlines() if line.startswith(SETTING)]
    equations = dedent(found[1]).replace('\\"\\"\\"', '"""').replace("\\\\", "\\")
    return "\n".join([*settings, equations]) + "\n"


def _opened(
    title: str, source: DataSource, data: TwoLevelData, messages: tuple[str, ...], chosen: Chosen | None
) -> Opened:
    description = describe(data)
    return Opened(title, source, data, description, chosen, messages, *variables_by_level(data, description))


def variables_by_level(
    data: TwoLevelData, description: Description
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the names of the variables of each level, text included, in the order of the files."""
    level2 = {variable.name for variable in description.level2}
    if data.one_source:
        text = [name for name in description.not_numeric if _constant(data, name)]
        second = tuple(name for name in data.level1 if name in level2 or name in text)
        return tuple(name for name in data.level1 if name not in second), second
    first = tuple(data.level1)
    return first, tuple(name for name in data.level2 if name not in first)


def _constant(data: TwoLevelData, name: str) -> bool:
    try:
        return data.is_level2(name)
    except DataError:
        return False


def kind_of(file: Path) -> str:
    """What a file is by its ending: "data", "command", "template" or "" for what is none of them."""
    suffix = file.suffix.lower()
    if suffix in (*MODEL_FILES, ".py"):
        return "command"
    if suffix == ".mdmt":
        return "template"
    return "data" if suffix in READERS or suffix == ".mdm" else ""


def reading_from(
    before: ReadOptions, missing: str, level2_missing: str, decimal: str = "", thousands: str = "",
    percent: bool = False, sheet: Sequence[str | None] = (None, None),
) -> ReadOptions:  # fmt: skip
    """How files are read, as a form says; missing codes that are not said stay as they were.

    ``thousands`` may be BLANK, because a form loses a blank.
    """
    parts = " " if thousands == BLANK else thousands
    drop: Any = "drop" if level2_missing == "drop" else "refuse"
    codes = codes_from_text([missing]) if missing else None
    new = read_options(
        missing=codes, level2_missing=drop, sheet=sheet, decimal=decimal or None, thousands=parts or None,
        percent=percent,
    )  # fmt: skip
    return replace(new, missing=new.missing if missing else before.missing)
