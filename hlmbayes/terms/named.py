"""Terms of a model found among columns that are there already: of moments, which have no rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..data.rows import Rows
from ..equations.expressions import Factor, Function, Name, Negative, Node, Operation, names_in, text_of
from ..equations.formula import read_formula
from ..equations.model import TwoLevelModel
from ..equations.parts import Predictor
from ..errors import DataError
from ..words import some
from .evaluate import Evaluator
from .expand import Made, Terms, labels_of, plain_model, predictors
from .source import Source

_LABEL = re.compile(r"\[(.*?)\](?=\*|$)")


def named[M: TwoLevelModel](
    model: M, columns: Sequence[str], units: Rows | None, weight: np.ndarray | None = None
) -> tuple[M, dict[str, np.ndarray], Terms]:
    """Give the model of plain columns, the columns of level 2 made for it, and the terms.

    A term is a column called as it is written, or columns with labels in brackets: ses*female,
    track[general]. ``columns`` are the names at level 1; ``units`` have the level-2 variables, of which terms
    that are not there are made (None: they are left as they are written); ``weight`` (J,) is what a unit
    counts in a mean.

    Raises
    ------
    DataError
        Level-1 columns of a term are not there.
    """
    made: dict[int, dict[Predictor, Made]] = {1: {}, 2: {}}
    for predictor, where in predictors(model, 1):
        found = _found(predictor, columns, 1)
        if found is not None:
            made[1][predictor] = found
        elif predictor.term is not None:
            raise DataError(
                f"{where}: there is no column {predictor.variable}, and terms are made of rows: read these "
                "with hlmbayes.read, then moments(data, model=model) makes the columns of the model's terms"
            )
    values: dict[str, np.ndarray] = {}
    states: dict[Node, Any] = {}
    if units is not None:
        count = np.ones(units.n_units) if weight is None else weight
        source = Source(2, units, count, units.unit_ids)
        of_variance = [] if model.log_sigma2 is None else [(p, "") for p in model.log_sigma2.predictors]
        for predictor, where in [*predictors(model, 2), *of_variance]:
            found = _found(predictor, list(units.level2), 2)
            if found is not None:
                made[2][predictor] = found
            elif predictor.term is not None or is_category(predictor, units):
                node = predictor.term or Name(str(predictor.variable))
                own = Evaluator(source, states, where).columns(node)
                made[2][predictor] = Made(2, str(predictor.variable), node, own.names, labels_of(own.labels))
                values |= dict(zip(own.names, own.values.T, strict=True))
    if not made[1] and not made[2]:
        return model, values, Terms(model)
    flat = tuple(dict.fromkeys(one for level in made.values() for one in level.values()))
    return plain_model(model, made), values, Terms(model, flat, {2: states})


def level2_names(model: TwoLevelModel, columns: Iterable[str]) -> list[str]:
    """Give level-2 columns, and the variables of a formula of which they were made: sector, of sector[1]."""
    names = list(columns)
    if model.formula is None:
        return names
    there = {_key(part) for name in names for part in (name, *_LABEL.sub("", name).split("*"))}
    nodes = [node for product in read_formula(model.formula).fixed for node in product]
    return names + [name for n in nodes if _key(text_of(_plain(n))) in there for name in names_in(n)]


def is_category(predictor: Predictor, units: Rows) -> bool:
    """Say whether a level-2 predictor is a variable that is categories by itself."""
    return predictor.variable is not None and units.has_category(predictor.variable, 2)


def _found(predictor: Predictor, columns: Sequence[str], level: int) -> Made | None:
    """Find the columns of a term; None where there are none, or it is a plain variable."""
    if predictor.variable is None:
        return None
    node = predictor.term or Name(predictor.variable)
    key = _key(text_of(_plain(node)))
    names = tuple(name for name in columns if _key(_LABEL.sub("", name)) == key)
    if not names or (predictor.term is None and names[0].lower() == predictor.variable.lower()):
        return None
    labels = tuple(".".join(_LABEL.findall(name)) for name in names)
    reference = node.reference if isinstance(node, Factor) else None
    if reference is not None and reference.casefold() in (label.casefold() for label in labels):
        raise DataError(
            f"{predictor.variable}: the columns there, {some(names)}, were made with another reference"
        )
    return Made(level, predictor.variable, node, names, labels_of(labels))


def _key(text: str) -> str:
    return re.sub(r"[\s`]+", "", text).casefold()


def _plain(node: Node) -> Node:
    """Write factors as their columns are called: track for C(track), whatever the reference."""
    if isinstance(node, Factor):
        return Name(node.name) if node.coding == "treatment" else Factor(node.name, "sum")
    if isinstance(node, Operation):
        return Operation(node.op, _plain(node.left), _plain(node.right))
    if isinstance(node, Function):
        return Function(node.function, _plain(node.argument))
    return Negative(_plain(node.argument)) if isinstance(node, Negative) else node
