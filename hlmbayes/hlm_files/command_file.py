"""HLM's command files (.hlm): read into a model, options and the place of the data.

The equations are in `command_equations`, the other keywords in `command_options`, the MDM template in
`mdm_template`; `command_writer` writes command files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..equations.model import TwoLevelModel
from ..errors import CommandFileError
from ..words import composed
from .command_equations import EQUATIONS, candidates, is_of_model, read_model
from .command_options import Options, given_twice, parse_options, refuse_other_models
from .data_source import find_source
from .keyword_values import Line, hypothesis_rows, is_hypothesis
from .mdm_template import DataSource, own_name, read_text

_HEADER = re.compile(r"#\s*W?HLM\s+CMD\s+FILE\s+FOR\s*(.*)", re.IGNORECASE)
SINCE_7 = {
    "agq", "agqderivlevel", "autoimpute", "autoimputeiter", "autoimputekeep", "fishertype", "diagonalizetau",
    "diagonalizetaubeta", "diagonalizetaupi",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CommandFile:
    """A command file as read."""

    name: str  # the file as given, for the listing
    mdm: str  # the data source the first line names ("hsb.mdm"), "" where it names none
    model: TwoLevelModel
    options: Options
    source: DataSource | None  # None only where the data were not looked for
    warnings: tuple[str, ...]  # keywords not known, or not acted on though the numbers depend on them
    not_done: tuple[str, ...] = ()  # what is asked for beside the numbers and is not done (a graph file, say)


def read_command_file(
    path: str | Path,
    *,
    level1: str | Path | None = None,
    level2: str | Path | None = None,
    id: str | None = None,
    find_data: bool = True,
) -> CommandFile:
    """Read a two-level linear command file of HLM 6, 7 or 8.

    Parameters
    ----------
    path : path of the .hlm file
    level1, level2 : path, optional
        Data files instead of those of the .mdmt template or the .mdm.
    id : str, optional
        Name of the level-2 id, instead of the template's.
    find_data : bool
        False: do not look for the data (`source` is None).

    Raises
    ------
    CommandFileError
        Naming the file and the line, what was got and what to do.
    """
    path = Path(path)
    text = read_text(path)
    refuse_other_models(_split(text, path.name)[0])  # before any question about data
    if not has_equations_of_hlm(text):
        raise CommandFileError(
            f"{path.name}: there is no level1: line; wanted level1:OUTCOME=INTRCPT1+...+RANDOM (equations "
            "such as y = b0 + r go into a file that ends in .txt)"
        )
    if not find_data:
        return parse(text, path.name)
    source, warnings = find_source(path, _mdm_name(text), level1, level2, id)
    return parse(text, path.name, source, warnings)


def has_equations_of_hlm(text: str) -> bool:
    """Whether a text has a level1: line, as command files do."""
    return bool(re.search(r"(?:^|[\r\n])[^\S\r\n]*level1[^\S\r\n]*:", text, re.IGNORECASE))


def parse(
    text: str, name: str = "command file", source: DataSource | None = None, warnings: Sequence[str] = ()
) -> CommandFile:
    """`read_command_file` for text; `source` is where variables are looked up, `name` stands in messages.

    Raises
    ------
    CommandFileError
        As `read_command_file`.
    """
    lines, found = _split(text, name)
    options, more, not_done = parse_options([line for line in lines if not is_of_model(line.keyword)])
    model = read_model(name, lines, source)
    if options.laplace and model.outcome_law.is_normal:
        line = next(line for line in lines if line.keyword == "laplace")
        what = f"laplace:{line.value} is not acted on; it belongs to nonlinear models"
        not_done = (*not_done, f"{line.where}: {what}")
    options = _of_outcome(options, model)
    _check_hypotheses(lines, model.gamma_names)
    options = replace(options, explore=candidates(lines, model))
    if sign := sign_of_hlm7(lines, source):
        options = replace(options, hlm="7", hlm_sign=sign)
    said = (*warnings, *found, *given_twice(lines), *more)
    return CommandFile(name, _mdm_name(text), model, options, source, said, not_done)


def _of_outcome(options: Options, model: TwoLevelModel) -> Options:
    """Take out what belongs to nonlinear models, or, of these, the level-1 variance, which is the model's."""
    if model.outcome_law.is_normal:
        return replace(options, most_macro=None, stop_macro=None, laplace=False)
    return replace(options, fix_sigma2=None)


def _mdm_name(text: str) -> str:
    found = (_HEADER.match(line.strip()) for line in re.split(r"\r\n|\r|\n", text))
    return next((own_name(match[1]) for match in found if match), "")


def _split(text: str, name: str) -> tuple[list[Line], list[str]]:
    """The "keyword:value" lines; one without a keyword goes on with the equation before it, up to its "/"."""
    lines: list[Line] = []
    warnings: list[str] = []
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", composed(text.removeprefix("\ufeff"))), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        keyword, colon, value = line.partition(":")
        where = f"{name}, line {number}"
        if colon:
            lines.append(Line(where, keyword.strip().lower(), value.strip()))
        elif lines and lines[-1].keyword in EQUATIONS and not lines[-1].value.endswith("/"):
            lines[-1] = lines[-1]._replace(value=f"{lines[-1].value} {line}")
        else:
            warnings.append(f'{where}: "{line[:80]}" is not a "keyword:value" line; ignored')
    return lines, warnings


def _check_hypotheses(lines: Sequence[Line], known: Sequence[str]) -> None:
    for line in lines:
        for row in hypothesis_rows(line) if is_hypothesis(line.keyword) else ():
            if len(row) != len(known):
                wanted = f"{len(known)}, one for each of {', '.join(known)}"
                line.fail(f"{line.keyword}: has {len(row)} coefficients; wanted {wanted}")


def sign_of_hlm7(lines: Sequence[Line], source: DataSource | None) -> str:
    """Say by what a command file or its .mdm shows that HLM 7 or 8 made it; "" where nothing does."""
    header = source.header if source else None
    if header is not None and header.version >= 7:
        return f"{header.name} is of version {header.version:g}"
    for line in lines:
        page = line.keyword == "output" and line.value.lower().endswith((".html", ".htm"))
        if page or line.keyword in SINCE_7:
            return f"{line.where}, has {line.keyword}:{line.value if page else ''}"
    return ""
