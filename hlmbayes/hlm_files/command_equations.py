"""The equations of a command file: its level1:, level2:, heterol1var: and constrain: lines, as a model.

Constraints: no public file or manual page that could be found shows how HLM
writes them, so three forms are read. `constrain:0,0,1,0,0,1` has one whole
number for each gamma in order, equal numbers above 0 mark gammas held equal;
`constrain:Y` is followed by lines `constrain1:0,0,1,0,0,1`, one a set;
`constrain:g02=g12` names them (sets separated by "/").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..equations.model import TwoLevelModel
from ..equations.names import gamma_parameters
from ..equations.outcome_law import NORMAL, OutcomeLaw
from ..equations.parts import LogSigma2, Predictor, Term, check_constraints, numbered
from ..errors import CommandFileError, EquationError
from ..naming import Parameters
from .command_options import outcome_asked
from .keyword_values import Line, is_off, number, yes
from .mdm_template import DataSource, check_names

EQUATIONS = ("level1", "level2")
_CENTERING = {"": "none", "0": "none", "1": "group", "2": "grand"}


def is_of_model(keyword: str) -> bool:
    """Whether a keyword says something of the model alone; nonlin: and fixsigma2: are options as well."""
    return keyword in (*EQUATIONS, "heterol1var", "diagonalizetau") or keyword.startswith("constrain")


def read_model(name: str, lines: Sequence[Line], source: DataSource | None) -> TwoLevelModel:
    """The model of the level1:, level2:, heterol1var:, constrain:, diagonalizetau: and nonlin: lines."""

    def having(keyword: str) -> list[Line]:
        return [line for line in lines if line.keyword == keyword]

    level1 = having("level1")
    if not level1:
        raise CommandFileError(f"{name}: there is no level1: line; wanted level1:OUTCOME=INTRCPT1+...+RANDOM")
    if len(level1) > 1:
        level1[1].fail(f"a second level1: line (the first: {level1[0].where}); a command file has one model")
    outcome, predictors = _level1(level1[0], source)
    terms = _level2(level1[0], predictors, having("level2"), source)
    try:
        coefficients = numbered(terms)
        known = gamma_parameters(coefficients)
        log_sigma2 = _log_sigma2(having("heterol1var"), source)
        sets = _constraints([line for line in lines if line.keyword.startswith("constrain")], known)
        effects = [c.effect for c in coefficients if c.random]
        diagonal = any(yes(line) for line in having("diagonalizetau"))
        blocks = [(name,) for name in effects] if diagonal else ()
        law = _outcome_law(lines, source)
        return TwoLevelModel.from_parts(outcome, coefficients, log_sigma2, sets, blocks, law)
    except EquationError as error:
        raise CommandFileError(str(error)) from None


def _level1(line: Line, source: DataSource | None) -> tuple[str, list[Predictor]]:
    outcome, right = _sides(line, "level1:OUTCOME=INTRCPT1+...+RANDOM")
    if re.search(r"[+,/*()]", outcome) or re.fullmatch("random|intrcpt[123]", outcome, re.IGNORECASE):
        line.fail(f'"{outcome}" is not the name of an outcome; wanted one variable, not centred')
    parsed = [_predictor(line, text, "INTRCPT1", level=1) for text in _terms(line, right)]
    predictors = [predictor for predictor in parsed if predictor is not None]
    if not predictors:
        line.fail("the level-1 equation has no INTRCPT1 and no predictors; nothing is to be estimated")
    check_names(line.where, [outcome, *(p.variable for p in predictors if p.variable)], source, level=1)
    return outcome, predictors


def _level2(
    level1: Line, predictors: Sequence[Predictor], lines: Sequence[Line], source: DataSource | None
) -> list[Term]:
    """A term for each level-1 coefficient, from its level2: line."""
    found: dict[str, tuple[list[Predictor], bool, Line]] = {}
    labels = {(p.variable or "INTRCPT1").casefold(): p.variable or "INTRCPT1" for p in predictors}
    for line in lines:
        left, right = _sides(line, "level2:INTRCPT1=INTRCPT2+...+RANDOM/")
        if left.casefold() not in labels:
            known = ", ".join(labels.values())
            line.fail(f"{left} is not in the level-1 equation ({level1.where}); it has {known}")
        if left.casefold() in found:
            line.fail(f"a second level2: line for {left}; the first: {found[left.casefold()][2].where}")
        equation = right.partition("/")[0]
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
    return terms


def candidates(lines: Sequence[Line], model: TwoLevelModel) -> dict[str, tuple[str, ...]]:
    """Give the names after "/" in level2: lines, for an exploratory analysis, by level-1 coefficient."""
    named = {(c.predictor.variable or "INTRCPT1").casefold(): c.name for c in model.coefficients}
    found = {}
    for line in lines:
        left, _, right = line.value.partition("=")
        names = tuple(re.split(r"[,+\s]+", right.partition("/")[2].strip()))
        if line.keyword == "level2" and names != ("",):
            found[named[left.strip().casefold()]] = names
    return found


def _sides(line: Line, example: str) -> tuple[str, str]:
    left, equals, right = line.value.partition("=")
    if not equals or not left.strip() or not right.strip():
        line.fail(f'{line.keyword}: wants an equation such as {example}, got "{line.value}"')
    return left.strip(), right.strip()


def _terms(line: Line, right: str) -> list[str]:
    if not right.strip("/ \t"):
        line.fail("nothing stands on the right of the equation; wanted an intercept, variables or RANDOM")
    terms = [term.strip() for term in right.rstrip("/ \t").split("+")]
    if "" in terms:
        line.fail('a "+" has nothing on one side; complete or remove it')
    return terms


def _predictor(line: Line, text: str, constant: str, level: int) -> Predictor | None:
    """The predictor a term is; None for RANDOM. NAME,1 is centred on the group, NAME,2 on the grand mean."""
    name, _, code = (part.strip() for part in text.partition(","))
    # signs that HLM's names cannot have are a slip of the pen, not a name
    if not name or re.search(r"[=+,/*()]", name):
        line.fail(f'"{text}" is not a variable; wanted NAME, NAME,1 (group mean) or NAME,2 (grand mean)')
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


def _outcome_law(lines: Sequence[Line], source: DataSource | None) -> OutcomeLaw:
    """What nonlin: says of the outcome; fixsigma2:n beside it, that sigma2 is estimated."""
    asked = next((line for line in reversed(lines) if line.keyword == "nonlin"), None)
    law = NORMAL if asked is None else outcome_asked(asked).law(asked.where)
    if asked is None or law.is_normal:
        return NORMAL
    check_names(asked.where, law.columns, source, level=1)
    held = next((line for line in reversed(lines) if line.keyword == "fixsigma2"), None)
    if held is not None and not is_off(held.value) and number(held) != 1.0:
        held.fail(f"fixsigma2: of a nonlinear model is 1, or n where sigma2 is estimated, got {held.value!r}")
    estimated = held is not None and is_off(held.value) and law.has_mean
    return replace(law, overdispersed=estimated)


def _constraints(lines: Sequence[Line], known: Parameters) -> Sequence[Sequence[str]]:
    """Sets of gammas held equal, from the forms the module's text describes."""
    reached = [*lines[:1]]

    def sets_so_far() -> Iterator[Sequence[str]]:
        for reached[0] in lines:
            yield from _sets_of(reached[0], known.codes)

    try:
        sets = check_constraints(sets_so_far(), known)
    except EquationError as error:
        reached[0].fail(str(error))
    asked = [line for line in lines if line.value.strip().casefold() in ("y", "yes")]
    if asked and not sets:
        asked[0].fail(
            "constrain:Y does not say which gammas are equal; write, for example, constrain:g02=g12, "
            "or one number for each gamma, equal ones for equal gammas: constrain:0,0,1,0,0,1"
        )
    return sets


def _sets_of(line: Line, known: Sequence[str]) -> list[list[str]]:
    value = line.value.strip().rstrip("/").strip()
    asks = ("y", "yes") if line.keyword == "constrain" else ()
    if value.casefold() in ("", "n", "no", "none", *asks):
        return []
    if re.fullmatch(r"[\d\s,.]+", value, re.ASCII):
        return _marked(line, value, known)
    return [[name.strip() for name in re.split("[=,]", part)] for part in re.split("[/;]", value)]


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
            alone = f"the number {mark_number} marks {names[0]} alone"
            line.fail(f"{line.keyword}: {alone}; mark what it equals too")
    return list(sets.values())
