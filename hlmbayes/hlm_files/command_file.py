"""HLM's command files (.hlm): read into a Model, options and the place of the data, and written.

The equations are `level1:` and `level2:` lines (see `read`), the other keywords
are in `command_options`, the MDM template in `mdm_template`.

Constraints: no public file or manual page that could be found shows how HLM
writes them, so three forms are read. `constrain:0,0,1,0,0,1` has one whole
number for each gamma in order, equal numbers above 0 mark gammas held equal;
`constrain:Y` is followed by lines `constrain1:0,0,1,0,0,1`, one a set;
`constrain:g02=g12` names them (sets separated by "/").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from ..equations.model import TwoLevelModel
from ..equations.parts import LogSigma2, Predictor, Term, check_constraints, numbered
from ..errors import CommandFileError, EquationError
from .command_options import NOT_ACTED_ON, Options, ResidualFile, parse_options
from .command_writer import to_text, write
from .keyword_values import Line, hypothesis_rows, is_hypothesis
from .mdm_template import (
    DataSource,
    beside,
    check_names,
    find_template,
    missing_file,
    own_name,
    read_template,
    read_text,
    stem,
)

__all__ = [
    "NOT_ACTED_ON",
    "CommandFile",
    "DataSource",
    "Options",
    "ResidualFile",
    "parse",
    "read",
    "read_command_file",
    "to_text",
    "write",
]

_HEADER = re.compile(r"#\s*W?HLM\s+CMD\s+FILE\s+FOR\s*(.*)", re.IGNORECASE)
_CENTERING = {"": "none", "0": "none", "1": "group", "2": "grand"}
_EQUATIONS = ("level1", "level2")


@dataclass(frozen=True, slots=True)
class CommandFile:
    """A command file as read.

    Attributes
    ----------
    name : str
        The file as given, for the listing.
    mdm : str
        The data source the first line names ("hsb.mdm"), "" where it names none.
    model : TwoLevelModel
    options : Options
    source : DataSource or None
        None only where the data were not looked for.
    warnings : tuple of str
        Keywords that are not known, or that the numbers depend on and that are not acted on; each with
        its line.
    not_done : tuple of str
        What is asked for beside the numbers and is not done (a graph file, say).
    """

    name: str
    mdm: str
    model: TwoLevelModel
    options: Options
    source: DataSource | None
    warnings: tuple[str, ...]
    not_done: tuple[str, ...] = ()


def read(
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
        Data files instead of those of the .mdmt template.
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
    if not has_equations_of_hlm(text):
        raise CommandFileError(
            f"{path.name}: there is no level1: line; wanted level1:OUTCOME=INTRCPT1+...+RANDOM (equations "
            "such as y = b0 + r go into a file that ends in .txt)"
        )
    if not find_data:
        return parse(text, path.name)
    source, warnings = _find_source(path, _mdm_name(text), level1, level2, id)
    return parse(text, path.name, source, warnings)


read_command_file = read  # its name in the package


def has_equations_of_hlm(text: str) -> bool:
    """Whether a text has a level1: line, as command files do."""
    return bool(re.search(r"^\s*level1\s*:", text, re.IGNORECASE | re.MULTILINE))


def parse(
    text: str, name: str = "command file", source: DataSource | None = None, warnings: Sequence[str] = ()
) -> CommandFile:
    """`read` for text; `source` is where variables are looked up, `name` stands in messages.

    Raises
    ------
    CommandFileError
        As `read`.
    """
    lines, found = _split(text, name)
    equations = [line for line in lines if line.keyword in _EQUATIONS]
    constraints = [line for line in lines if line.keyword.startswith("constrain")]
    sigma = [line for line in lines if line.keyword == "heterol1var"]
    special = {id(line) for line in (*equations, *constraints, *sigma)}
    options, more, not_done = parse_options([line for line in lines if id(line) not in special])
    model, notes = _model(name, equations, sigma, constraints, source)
    _check_hypotheses(lines, model.gamma_names)
    said = (*warnings, *found, *notes, *more)
    return CommandFile(name, _mdm_name(text), model, options, source, said, not_done)


def _mdm_name(text: str) -> str:
    for line in re.split(r"\r\n|\r|\n", text):
        match = _HEADER.match(line.strip())
        if match:
            return own_name(match[1])
    return ""


def _split(text: str, name: str) -> tuple[list[Line], list[str]]:
    """The "keyword:value" lines; a line without a keyword goes on with the equation before it."""
    lines: list[Line] = []
    warnings: list[str] = []
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        keyword, colon, value = line.partition(":")
        where = f"{name}, line {number}"
        if colon:
            lines.append(Line(where, keyword.strip().lower(), value.strip()))
        elif lines and lines[-1].keyword in _EQUATIONS:
            lines[-1] = lines[-1]._replace(value=f"{lines[-1].value} {line}")
        else:
            warnings.append(f'{where}: "{line[:80]}" is not a "keyword:value" line; ignored')
    return lines, warnings


# ---------------------------------------------------------------- the data source


def _find_source(
    path: Path, mdm: str, level1: str | Path | None, level2: str | Path | None, id_name: str | None
) -> tuple[DataSource, tuple[str, ...]]:
    """The data source: what the caller names, else the template beside the command file."""
    template = find_template(path.parent, mdm) if mdm else None
    if level1 is not None:
        if id_name is None:
            described = read_template(template)[0] if template else None
            id_name = described.id if described else None
        if id_name is None:
            raise CommandFileError(f"{path.name}: the data files are named but not the id; add --id NAME")
        files = [Path(file) for file in (level1, level2) if file is not None]
        for file in files:
            if not file.is_file():
                missing_file(file)
        return DataSource(mdm or own_name(str(level1)), files[0], files[1] if level2 else None, id_name), ()
    if level2 is not None or (id_name is not None and template is None):
        raise CommandFileError(f"{path.name}: the level-1 file is not named; add --level1 FILE")
    if template is None:
        _no_template(path, mdm)
    source, warnings = read_template(template)
    if id_name is not None:
        source = replace(source, id=id_name, id2="")
    return source, warnings


def _no_template(path: Path, mdm: str) -> NoReturn:
    advice = "or say where the data are: --level1 FILE --level2 FILE --id NAME"
    if not mdm:
        raise CommandFileError(
            f"{path.name}: its first line does not name the data; "
            f"wanted #WHLM CMD FILE FOR NAME.mdm with NAME.mdmt beside it, {advice}"
        )
    template, folder = f"{stem(mdm)}.mdmt", path.parent.absolute()
    if beside(path.parent, mdm) is not None:
        raise CommandFileError(
            f"{path.name}: its data are in {mdm}, a binary file only HLM reads; put the template {template} "
            f"that made it and the raw data files into {folder}, {advice}"
        )
    raise CommandFileError(
        f"{path.name}: its data come from {mdm}, but there is no {template} in {folder}; "
        f"put it there, {advice}"
    )


# ---------------------------------------------------------------- the equations


def _model(
    name: str,
    equations: Sequence[Line],
    sigma: Sequence[Line],
    constraints: Sequence[Line],
    source: DataSource | None,
) -> tuple[TwoLevelModel, list[str]]:
    level1 = [line for line in equations if line.keyword == "level1"]
    level2 = [line for line in equations if line.keyword == "level2"]
    if not level1:
        raise CommandFileError(f"{name}: there is no level1: line; wanted level1:OUTCOME=INTRCPT1+...+RANDOM")
    if len(level1) > 1:
        level1[1].fail(f"a second level1: line (the first: {level1[0].where}); a command file has one model")
    outcome, predictors = _level1(level1[0], source)
    terms, notes = _level2(level1[0], predictors, level2, source)
    try:
        coefficients = numbered(terms)
        known = [gamma.name for c in coefficients for gamma in c.gammas]
        log_sigma2 = _log_sigma2(sigma, source)
        sets = _constraints(constraints, known)
        return TwoLevelModel.from_parts(outcome, coefficients, log_sigma2, sets), notes
    except EquationError as error:
        raise CommandFileError(str(error)) from None


def _level1(line: Line, source: DataSource | None) -> tuple[str, list[Predictor]]:
    outcome, right = _sides(line, "level1:OUTCOME=INTRCPT1+...+RANDOM")
    if re.search(r"[+,/*()]", outcome) or re.fullmatch("random|intrcpt[123]", outcome, re.IGNORECASE):
        line.fail(f'"{outcome}" is not the name of an outcome; wanted one variable, not centred')
    predictors = []
    for text in _terms(line, right):
        predictor = _predictor(line, text, "INTRCPT1", level=1)
        if predictor is not None:
            predictors.append(predictor)
    if not predictors:
        line.fail("the level-1 equation has no INTRCPT1 and no predictors; nothing is to be estimated")
    check_names(line.where, [outcome, *(p.variable for p in predictors if p.variable)], source, level=1)
    return outcome, predictors


def _level2(
    level1: Line, predictors: Sequence[Predictor], lines: Sequence[Line], source: DataSource | None
) -> tuple[list[Term], list[str]]:
    """A term for each level-1 coefficient, from its level2: line, and what else the lines hold."""
    found: dict[str, tuple[list[Predictor], bool, Line]] = {}
    notes: list[str] = []
    labels = {(p.variable or "INTRCPT1").casefold(): p.variable or "INTRCPT1" for p in predictors}
    for line in lines:
        left, right = _sides(line, "level2:INTRCPT1=INTRCPT2+...+RANDOM/")
        if left.casefold() not in labels:
            line.fail(
                f"{left} is not in the level-1 equation ({level1.where}); it has {', '.join(labels.values())}"
            )
        if left.casefold() in found:
            line.fail(f"a second level2: line for {left}; the first: {found[left.casefold()][2].where}")
        equation, slash, candidates = right.partition("/")
        if slash and candidates.strip():
            notes.append(
                f'{line.where}: candidate predictors after "/" ({candidates.strip()}) are not analysed'
            )
        parsed = [_predictor(line, text, "INTRCPT2", level=2) for text in _terms(line, equation)]
        gammas = [p for p in parsed if p is not None]
        check_names(line.where, [p.variable for p in gammas if p.variable], source, level=2)
        found[left.casefold()] = (gammas, None in parsed, line)
    terms = []
    for p in predictors:
        label = p.variable or "INTRCPT1"
        if label.casefold() not in found:
            level1.fail(f"{label} has no level-2 equation; add level2:{label}=INTRCPT2+RANDOM/")
        gammas, random, line = found[label.casefold()]
        terms.append(Term(p, [(gamma, line.where) for gamma in gammas], random, level1.where))
    return terms, notes


def _sides(line: Line, example: str) -> tuple[str, str]:
    left, equals, right = line.value.partition("=")
    if not equals or not left.strip() or not right.strip():
        line.fail(f'{line.keyword}: wants an equation such as {example}, got "{line.value}"')
    return left.strip(), right.strip()


def _terms(line: Line, right: str) -> list[str]:
    terms = [term.strip() for term in right.rstrip("/ \t").split("+")]
    if "" in terms:
        line.fail('a "+" has nothing on one side; complete or remove it')
    return terms


def _check_variable(line: Line, name: str, text: str) -> None:
    """Signs that HLM's names cannot have are a slip of the pen, not a name."""
    if not name or re.search(r"[=+,/*()]", name):
        line.fail(f'"{text}" is not a variable; wanted NAME, NAME,1 (group mean) or NAME,2 (grand mean)')


def _predictor(line: Line, text: str, constant: str, level: int) -> Predictor | None:
    """The predictor a term is; None for RANDOM. NAME,1 is centred on the group, NAME,2 on the grand mean."""
    name, _, code = (part.strip() for part in text.partition(","))
    _check_variable(line, name, text)
    if code not in _CENTERING:
        line.fail(f'"{text}": centring {code!r} is not known; wanted 1 (group mean), 2 (grand mean) or none')
    if name.casefold() in ("random", constant.casefold()):
        if _CENTERING[code] != "none":
            line.fail(f'"{text}": {name} cannot be centred; remove ",{code}"')
        return None if name.casefold() == "random" else Predictor(None)
    if re.fullmatch(r"intrcpt[123]", name, re.IGNORECASE):
        line.fail(f"{name} does not belong to a level-{level} equation; its intercept is {constant}")
    if level == 2 and code == "1":
        line.fail(
            f"{name},1 centres a level-2 variable on its group mean, which is the variable itself; "
            f"wanted {name} or {name},2"
        )
    return Predictor(name, _CENTERING[code])  # type: ignore[arg-type]


def _log_sigma2(lines: Sequence[Line], source: DataSource | None) -> LogSigma2 | None:
    """heterol1var:FEMALE,SECTOR (at either level); n is none, INTRCPT1 alone is a constant."""
    if not lines or lines[-1].value.strip().casefold() in ("", "n", "no", "none"):
        return None
    line = lines[-1]
    names = [name.strip() for name in re.split(r"[,+]", line.value.rstrip("/ \t"))]
    if "" in names or line.value.strip().casefold() in ("y", "yes"):
        line.fail(f"heterol1var: wants names of variables such as heterol1var:FEMALE, got {line.value!r}")
    variables = tuple(name for name in names if name.casefold() != "intrcpt1")
    for name in variables:
        if re.search(r"[=/*()]", name) or re.fullmatch("random|intrcpt[23]", name, re.IGNORECASE):
            line.fail(f'heterol1var: "{name}" is not a variable; wanted names such as heterol1var:FEMALE')
    level2 = {name.casefold() for name in source.level2_names} if source else set()
    check_names(line.where, [name for name in variables if name.casefold() not in level2], source, level=1)
    return LogSigma2(tuple(f"a{i}" for i in range(len(variables) + 1)), variables, line.where)


def _constraints(lines: Sequence[Line], known: Sequence[str]) -> list[list[str]]:
    """Sets of gammas held equal, from the forms the module's text describes."""
    sets: list[list[str]] = []
    for line in lines:
        value = line.value.strip().rstrip("/").strip()
        asks = line.keyword == "constrain" and value.casefold() in ("y", "yes")
        if value.casefold() in ("", "n", "no", "none") or asks:
            continue
        if re.fullmatch(r"[\d\s,.]+", value, re.ASCII):
            sets += _marked(line, value, known)
        else:
            sets += [[name.strip() for name in re.split("[=,]", part)] for part in re.split("[/;]", value)]
        try:
            check_constraints(sets, known)
        except EquationError as error:
            line.fail(str(error))
    asked = [line for line in lines if line.value.strip().casefold() in ("y", "yes")]
    if asked and not sets:
        asked[0].fail(
            "constrain:Y does not say which gammas are equal; write, for example, constrain:g02=g12, "
            "or one number for each gamma, equal ones for equal gammas: constrain:0,0,1,0,0,1"
        )
    return sets


def _marked(line: Line, value: str, known: Sequence[str]) -> list[list[str]]:
    marks = [mark.strip() for mark in value.rstrip(", \t").split(",")]
    if len(marks) != len(known) or not all(re.fullmatch(r"\d{1,4}(\.0*)?", mark, re.ASCII) for mark in marks):
        line.fail(
            f"{line.keyword}: wants {len(known)} whole numbers, one for each gamma ({', '.join(known)}), "
            f"got {len(marks)}: {value}"
        )
    sets: dict[int, list[str]] = {}
    for mark, name in zip(marks, known, strict=True):
        sets.setdefault(int(float(mark)), []).append(name)
    sets.pop(0, None)
    for mark_number, names in sets.items():
        if len(names) < 2:
            line.fail(
                f"{line.keyword}: the number {mark_number} marks {names[0]} alone; mark what it equals too"
            )
    return list(sets.values())


def _check_hypotheses(lines: Sequence[Line], known: Sequence[str]) -> None:
    for line in lines:
        if is_hypothesis(line.keyword):
            for row in hypothesis_rows(line):
                if len(row) != len(known):
                    line.fail(
                        f"{line.keyword}: has {len(row)} coefficients; wanted {len(known)}, "
                        f"one for each of {', '.join(known)}"
                    )
