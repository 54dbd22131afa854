"""Combinations of fixed effects, from what the user writes to a matrix and to words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..equations.linear_text import Linear, linear_rows
from ..equations.model import TwoLevelModel
from ..errors import HypothesisError
from ..likelihood.design import Design
from ..naming import Parameters

INSTEAD = (
    'a hypothesis names fixed effects with numbers, {"g01": [1, 0], "g11": [0, 1]}, is written out, '
    '"g01 = g11, g10 = 0.5", or has rows of a number for each of them'
)


@dataclass(frozen=True, slots=True, eq=False)
class Combinations:
    """Rows L gamma: ``matrix`` (r, n_gamma) of the effects ``known``, ``value`` (r,) they are tested at."""

    known: Parameters
    matrix: np.ndarray
    value: np.ndarray

    @property
    def left(self) -> tuple[str, ...]:
        """The combinations in words: "g01 - 2*g11"."""
        return tuple(_left(self.known.codes, row) for row in self.matrix)

    @property
    def named(self) -> tuple[str, ...]:
        """The same by the names of the effects, as they are typed: "sector - 2*ses:sector"."""
        return tuple(_left([each.typed for each in self.known.each], row) for row in self.matrix)

    @property
    def words(self) -> str:
        """The hypothesis in words: "g01 = 0 and g11 - g12 = 0.5"."""
        return " and ".join(f"{left} = {value:g}" for left, value in zip(self.left, self.value, strict=True))

    def free(self, design: Design) -> np.ndarray:
        """Carry L to the free fixed effects, (r, F).

        Raises
        ------
        HypothesisError
            A number that is missing, or a row that says nothing of the free effects.
        """
        if not (np.all(np.isfinite(self.matrix)) and np.all(np.isfinite(self.value))):
            raise HypothesisError("a hypothesis has a missing or infinite number in it")
        free = np.zeros((len(self.matrix), design.n_fixed))
        np.add.at(free.T, design.free, self.matrix.T)
        for row in np.flatnonzero(~free.any(axis=1)):
            equal = self.matrix[row].any()
            reason = "the model holds these effects equal" if equal else "all its numbers are zero"
            raise HypothesisError(f"row {row + 1} of the hypothesis tests nothing: {reason}")
        return free

    def independent(self, design: Design) -> np.ndarray:
        """Do the same for rows that are tested together: none may follow from the others."""
        free = self.free(design)
        scaled = free / np.linalg.norm(free, axis=1)[:, None]
        if np.linalg.matrix_rank(scaled, tol=1e-9) < len(free):
            what = f"the {len(free)} rows of the hypothesis are not independent"
            raise HypothesisError(f"{what}: take out those that follow from others")
        return free


def combinations(model: TwoLevelModel, hypothesis: Any) -> Combinations:
    """Read one hypothesis, of one row or several.

    Parameters
    ----------
    model : TwoLevelModel
    hypothesis : mapping of gamma name to number or list, array of shape (rows, n_gamma), or text
        ``{"g01": [1, 0], "g11": [0, 1]}`` has two rows, HLM's columns of numbers; ``"g01 - 2*g11 = 0.5"`` is
        text (`hlmbayes.equations.linear_text`), a list of texts has their rows. A fixed effect may be named
        by its variables: "sector", "ses:sector".

    Raises
    ------
    HypothesisError
        Unknown gamma, rows of different length.
    """
    known = model.fixed_parameters
    texts = [hypothesis] if isinstance(hypothesis, str) else hypothesis
    if isinstance(texts, Mapping) and texts:
        return _against_zero(known, _from_mapping(known, texts))
    if not isinstance(texts, Sequence | np.ndarray) or not len(texts):
        raise HypothesisError(f"{INSTEAD}; got {hypothesis!r}")
    if all(isinstance(item, str) for item in texts):
        return _from_text(known, [str(item) for item in texts])
    try:
        matrix = np.atleast_2d(np.asarray(texts, dtype=float))
    except (TypeError, ValueError):
        raise HypothesisError(f"a hypothesis is numbers per gamma, got {hypothesis!r}") from None
    if matrix.ndim != 2 or matrix.shape[1] != len(known.codes):
        raise HypothesisError(
            f"got rows of {matrix.shape[-1]} numbers for {len(known.codes)} fixed effects: "
            f"{', '.join(known.codes)}"
        )
    return _against_zero(known, matrix)


def stacked(model: TwoLevelModel, hypotheses: Sequence[Any]) -> Combinations:
    """Read hypotheses into the rows of one table."""
    if not hypotheses:
        raise HypothesisError(
            'no combination was given: write for example "g01 - g11", or {"g01": 1, "g11": -1}'
        )
    each = [combinations(model, hypothesis) for hypothesis in hypotheses]
    matrix, value = (np.concatenate([getattr(one, of) for one in each]) for of in ("matrix", "value"))
    return Combinations(model.fixed_parameters, matrix, value)


def _against_zero(known: Parameters, matrix: np.ndarray) -> Combinations:
    return Combinations(known, matrix, np.zeros(len(matrix)))


def _from_text(known: Parameters, texts: Sequence[str]) -> Combinations:
    rows: list[Linear] = []
    for text in texts:  # a name that is no more than that may have any characters
        whole = known.matching(text) or known.columns(text)
        found = [Linear({text: 1.0})] if whole else linear_rows(text)
        rows += [one for row in found for one in _by_column(known, row)]
    matrix = np.zeros((len(rows), len(known.codes)))
    for k, row in enumerate(rows):
        for written, number in row.of.items():
            matrix[k, known.place(written, HypothesisError)] += number
    return Combinations(known, matrix, -np.array([row.constant for row in rows]) + 0.0)


def _by_column(known: Parameters, row: Linear) -> list[Linear]:
    """Give a row of a term with several columns, "track = 0", as a row for each."""
    name = next(iter(row.of), "")
    columns = known.columns(name) if len(row.of) == 1 and not known.matching(name) else ()
    return [Linear({code: row.of[name]}, row.constant) for code in columns] or [row]


def _from_mapping(known: Parameters, hypothesis: Mapping[str, Any]) -> np.ndarray:
    names, columns = known.codes, dict[str, np.ndarray]()
    for name, value in hypothesis.items():
        key = known.find(str(name), HypothesisError)
        if key in columns:
            twice = f"{key} is in the hypothesis twice"
            raise HypothesisError(f"{twice}: give it once, with a number for each row")
        try:
            columns[key] = np.atleast_1d(np.asarray(value, dtype=float))
        except (TypeError, ValueError):
            raise HypothesisError(f"{name}: a number or a list of numbers is wanted, got {value!r}") from None
    lengths = {len(column) for column in columns.values() if column.ndim == 1}
    if len(lengths) != 1 or lengths == {0} or any(column.ndim != 1 for column in columns.values()):
        raise HypothesisError(
            "every gamma of a hypothesis needs one number per row of it; got "
            + ", ".join(f"{name}: {column.size}" for name, column in columns.items())
        )
    matrix = np.zeros((lengths.pop(), len(names)))
    for name, column in columns.items():
        matrix[:, names.index(name)] = column
    return matrix


def _left(names: Sequence[str], row: np.ndarray) -> str:
    text = ""
    for name, weight in zip(names, row, strict=True):
        if weight:
            sign = "-" if weight < 0 else "+"
            size = "" if abs(weight) == 1 else f"{abs(weight):g}*"
            text += f" {sign} {size}{name}" if text else f"{'-' if weight < 0 else ''}{size}{name}"
    return text
